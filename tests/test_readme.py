"""Examples of the README and of pages in docs/, run as they are."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.message
import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType, Message, MessageType, SocketProtocol
from framestream import open_writer, read_file, write_file
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = (
    "streams",
    "decoding",
    "messages",
    "formats",
    "collecting",
    "filters",
    "pairing",
    "anonymizing",
    "tapping",
    "adapters",
    "testing",
    "conformance",
    "fuzzing",
)
PAGES = README + "".join((ROOT / "docs" / f"{name}.md").read_text() for name in DOCS)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Work in a folder where the README's relative paths exist."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "README.md").symlink_to(ROOT / "README.md")
    (tmp_path / "bin").mkdir()
    for name in ("dnstap", "framestream"):
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {name} "$@"\n')
        command.chmod(0o755)
    return tmp_path


def environment(clone: Path) -> dict[str, str]:
    """Return an environment in which `dnstap` and `framestream` are our commands."""
    return {**os.environ, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "console"])
def test_console_examples_print_what_is_shown(clone: Path, block: str) -> None:
    command, _, expected = block.removeprefix("$ ").partition("\n")
    process = subprocess.run(
        ["sh", "-c", command],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if expected.endswith("...\n"):
        assert process.stdout.startswith(expected.removesuffix("...\n"))
    else:
        assert process.stdout == expected


def python_blocks() -> list[tuple[str, str]]:
    """Yield each program of the README and its output: the block after it, or the comment on its print."""
    programs = []
    for number, (language, text) in enumerate(BLOCKS):
        if language == "python":
            following = BLOCKS[number + 1] if number + 1 < len(BLOCKS) else ("none", "")
            comments = "".join(f"{comment}\n" for comment in re.findall(r"print\(error\)  # (.*)", text))
            programs.append((text, following[1] if following[0] == "" else comments))
    return programs


@pytest.mark.parametrize(("program", "expected"), python_blocks())
def test_python_examples_print_what_is_shown(clone: Path, program: str, expected: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        if "the first server that connects" in program:
            with wait_for(lambda: connected(clone / "dnstap.sock"), "the listener") as writer:
                writer.write_many([b"abc", b"abcde"])
            expected = "3\n5\n"
        if "servers log to it" in program:
            with wait_for(lambda: connected(clone / "dnstap.sock"), "the listener") as writer:
                query = dns.message.make_query("www.example.org.", "A").to_wire()
                writer.write(Dnstap(type=DnstapType.MESSAGE, message=Message.client_query(query)).encode())
            process.send_signal(signal.SIGTERM)
            expected = "[('www.example.org.', 1)]\n"
        # Some draw hundreds of examples, which takes seconds.
        assert process.communicate(timeout=5 * DEADLINE_S)[0] == expected
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def hostile_payloads() -> Iterator[bytes]:
    """Yield payloads that are no dnstap, or dnstap in which something is missing or cannot be used."""
    yield from (b"\xff", b"\0", b"\x78", bytes(1000), b"GET / HTTP/1.1\r\n")
    for wire in (None, b"", b"\0\1", bytes(12), bytes(11) + b"\1", bytes(5) + b"\1" + bytes(6), b"\xff" * 50):
        for kind in (MessageType.CLIENT_QUERY, MessageType.CLIENT_RESPONSE, MessageType(99)):
            message = Message(type=kind, query_message=wire, response_message=wire)
            yield Dnstap(type=DnstapType.MESSAGE, message=message).encode()
            message.query_address, message.response_address = b"\1\2\3", bytes(17)
            message.query_time_sec, message.query_time_nsec = 2**64 - 1, 2**32 - 1
            message.query_zone, message.socket_protocol = b"\xff", SocketProtocol(99)
            yield Dnstap(type=DnstapType.MESSAGE, message=message, identity=b"\xff\x1b", extra=b"\n").encode()
    yield Dnstap(type=DnstapType.MESSAGE).encode()  # Without a message.
    yield Dnstap(type=DnstapType.MESSAGE, message=Message()).encode(lenient=True)
    yield Dnstap(type=DnstapType(2)).encode()
    yield Dnstap(message=Message(type=MessageType.CLIENT_QUERY)).encode(lenient=True)


READS_A_CAPTURE = [(program, expected) for program, expected in python_blocks() if "examples/coredns.fstrm" in program]


@pytest.mark.parametrize("first", ["hostile", "good"])
@pytest.mark.parametrize(("program", "expected"), READS_A_CAPTURE)
def test_python_examples_survive_hostile_payloads(clone: Path, program: str, expected: str, first: str) -> None:
    """A program that is copied from the documentation is not ended by what a server, or anybody, sends it.

    Those that show one payload of the capture get it at its place.
    """
    with read_file(ROOT / "examples" / "coredns.fstrm") as reader:
        good = list(reader)
    bad = list(hostile_payloads())
    shows_one = re.search(r"(list\(reader\)|payloads\)?)\[:?\d\]", program)
    payloads = [*bad, *good, *bad] if first == "hostile" and not shows_one else [*good, *bad, *good]
    with write_file(clone / "hostile.fstrm", [CONTENT_TYPE]) as writer:
        writer.write_many(payloads)
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace("examples/coredns.fstrm", "hostile.fstrm")],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
        timeout=5 * DEADLINE_S,
        check=False,
    )
    assert process.returncode == 0
    # Those that read by dnstap.read have what they left out reported.
    assert not re.sub(
        r"^\d+ of \d+ payloads do not decode and were left out; .*\n", "", process.stderr, flags=re.MULTILINE
    )
    assert len(process.stdout) >= len(expected) // 2


def connected(path: Path) -> Any:
    """Open a writer, once a reader listens."""
    with contextlib.suppress(OSError):
        return open_writer(path, [b"protobuf:dnstap.Dnstap"])
    return None


def test_the_sample_is_what_the_go_tool_prints(clone: Path) -> None:
    process = subprocess.run(
        ["dnstap", "-r", "examples/coredns.fstrm"],
        cwd=clone,
        env={**environment(clone), "TZ": "UTC"},
        capture_output=True,
        check=True,
    )
    assert process.stdout == (ROOT / "examples" / "coredns.q.txt").read_bytes()


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_commands_that_are_named_exist() -> None:
    for script in re.findall(r"`(\./[\w/]+)`", README):
        assert os.access(ROOT / script, os.X_OK), script
