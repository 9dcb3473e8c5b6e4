"""Peers of the scoreboard: the command of each in each of its roles, its options and its version."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from framestream import __version__
from tests.interop.c_build import c_program
from tests.interop.go_build import built
from tests.interop.peers import require
from tests.interop.serving import QUERIES, SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PEERS", "Peer"]

HERE = Path(__file__).parent
TYPE = "protobuf:dnstap.Dnstap"

_PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "dnstap": lambda: [sys.executable, "-m", "dnstap"],
    "go-dnstap": lambda: [require("dnstap")],
    "go-collector": lambda: [built("go_collector")],
    "go-libraries": lambda: [built("go_libraries")],
    "c-collector": lambda: [c_program("collector")],
    "c-fstrm": lambda: [c_program("fstrm")],
    "pypi-fstrm": lambda: [sys.executable, str(HERE / "pypi_fstrm.py")],
    "server": lambda: [sys.executable, "-m", "tests.interop.serving"],
}
"""Programs that are named otherwise than what is run."""


@dataclass(frozen=True)
class Peer:
    """A program in a role.

    Attributes:
        name: its name on the page.
        version: function that returns its version.
        role: its role.
        words: its command; the first word is a key of the programs above, or the name of a program.
        options: options of `framestream check`.
    """

    name: str
    version: Callable[[], str]
    role: str
    words: str
    options: tuple[str, ...] = ()

    def command(self) -> str:
        """Return the command for --spawn.

        Raises: pytest.fail.Exception: it is not installed, or cannot be built.
        """
        program, _, rest = self.words.partition(" ")
        made = _PROGRAMS.get(program, lambda: [require(program)])()
        return f"{shlex.join(made)} {rest}"

    @property
    def shown(self) -> str:
        """The command as it is shown."""
        return self.words


def _debian(package: str) -> Callable[[], str]:
    def version() -> str:
        query = ["dpkg-query", "-W", "-f", "${Version}", package]
        found = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        return found.partition(":")[2] or found or "unknown"

    return version


def _module(path: str, folder: str) -> Callable[[], str]:
    """Return a function that returns the version of a Go module, as a go.mod here names it."""

    def version() -> str:
        lines = (HERE / folder / "go.mod").read_text().split("\n")
        return next(line.split()[-1].removeprefix("v") for line in lines if f"{path} v" in line)

    return version


def _servers() -> list[Peer]:
    packages = {"unbound": "unbound", "named": "bind9", "knotd": "knot", "nsd": "nsd", "dnsdist": "dnsdist"}
    names = {"unbound": "Unbound", "named": "BIND", "knotd": "Knot", "nsd": "NSD", "coredns": "CoreDNS"}
    made = []
    for server in SERVERS:
        trigger = f"dig +tries=1 +time=1 @127.0.0.1 -p {{free_port}} {QUERIES[server]}"
        found = _debian(packages[server]) if server in packages else _module("coredns/coredns", "coredns")
        options = ("--any-payloads", "--trigger", trigger)
        made.append(
            Peer(names.get(server, server), found, "writer", f"server {server} {{socket}} {{free_port}}", options)
        )
    return made


_ours = lambda: __version__  # noqa: E731
_go = _debian("golang-github-dnstap-golang-dnstap-cli")
_fstrm = _debian("fstrm-bin")
_TEXT = ("--output-text", "--stop", "INT")


def _library(name: str, found: Callable[[], str], program: str) -> list[Peer]:
    return [
        Peer(name, found, role, f"{program} {role} {{{source}}} {{{target}}}")
        for role, source, target in (
            ("reader", "socket", "output"),
            ("writer", "socket", "hex"),
            ("file-reader", "input", "output"),
        )
    ]


PEERS = (
    Peer("dnstap (ours)", _ours, "reader", "dnstap -u {socket} -w {output}"),
    Peer("dnstap (ours), -q", _ours, "reader", "dnstap -u {socket} -q", _TEXT),
    Peer("dnstap (ours), -y", _ours, "reader", "dnstap -u {socket} -y", _TEXT),
    Peer("dnstap (ours), -j", _ours, "reader", "dnstap -u {socket} -j", _TEXT),
    Peer("dnstap (ours)", _ours, "writer", "dnstap -r {input} -U {socket}"),
    Peer("dnstap (ours)", _ours, "file-reader", "dnstap -r {input} -w {output}"),
    Peer("dnstap (ours)", _ours, "file-writer", "dnstap -u {socket} -w {output}"),
    Peer("dnstap (Go)", _go, "reader", "go-dnstap -u {socket} -w {output}"),
    Peer("dnstap (Go), -q", _go, "reader", "go-dnstap -u {socket} -q", _TEXT),
    Peer("dnstap (Go), -y", _go, "reader", "go-dnstap -u {socket} -y", _TEXT),
    Peer("dnstap (Go), -j", _go, "reader", "go-dnstap -u {socket} -j", _TEXT),
    Peer("dnstap (Go)", _go, "writer", "go-dnstap -r {input} -U {socket}"),
    Peer("dnstap (Go)", _go, "file-reader", "go-dnstap -r {input} -w {output}"),
    Peer("dnstap (Go)", _go, "file-writer", "go-dnstap -u {socket} -w {output}"),
    Peer(
        "golang-dnstap, the Go collector of conformance.md",
        _module("golang-dnstap", "go_collector"),
        "reader",
        "go-collector {socket}",
        ("--output-text",),
    ),
    *_library("golang-dnstap", _module("golang-dnstap", "go_libraries"), "go-libraries dnstap")[1:],
    *_library("golang-framestream", _module("golang-framestream", "go_libraries"), "go-libraries framestream"),
    *_library("dmachard/go-framestream", _module("dmachard/go-framestream", "go_libraries"), "go-libraries dmachard"),
    Peer("fstrm_capture", _fstrm, "reader", f"fstrm_capture -t {TYPE} -u {{socket}} -w {{output}}"),
    Peer("fstrm_replay", _fstrm, "writer", f"fstrm_replay -t {TYPE} -r {{input}} -u {{socket}}"),
    Peer("fstrm_dump", _fstrm, "file-reader", "fstrm_dump {input} {output}"),
    Peer("fstrm_capture", _fstrm, "file-writer", f"fstrm_capture -t {TYPE} -u {{socket}} -w {{output}}"),
    Peer("libfstrm, the C collector of conformance.md", _fstrm, "reader", "c-collector {socket} {output}"),
    *_library("libfstrm", _fstrm, "c-fstrm")[1:],
    *_library("fstrm (PyPI)", lambda: version("fstrm"), "pypi-fstrm"),
    *_servers(),
)
