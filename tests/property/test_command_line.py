"""Any command line: it runs, or is refused by SystemExit; it never ends in a traceback."""

from __future__ import annotations

import os
import re
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dnstap.cli.main import main
from dnstap.cli.options import parse_options, parser
from tests.framestream.nets import pem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SAMPLE = Path(__file__).parents[1] / "data" / "nsd-auth.fstrm"

_NUMBERS = ["1", "2", "0", "-1", "x", "", "9" * 30, "9" * 5000, "\N{ARABIC-INDIC DIGIT THREE}"]
_FILES = ["capture", "missing", "folder", "junk", "", "-x", "\udcff"]
_PORTS = ["127.0.0.1:0", ":0", "127.0.0.1:99999", "::1:0", "[::1]:0", ".a:0", "a..b:0", "no port", "", "1.2.3.4:0"]
_ENDPOINTS = [*[f"{scheme}:{port}" for scheme in ("tcp", "tls") for port in _PORTS], "unix:s3", "./s4", "file:x", "-"]
_PEMS = ["cert", "cert-key", "both", "ca", "other-key", *_FILES]
_WANTED = ["answered = no", "qname in @junk", "qname in @missing", "@capture", "qname like *", "size > 9" + "9" * 400]
VALUES: dict[str, list[str]] = {
    "-r": [*_FILES, "-"],
    "-u": ["s1", "s2", "folder", "capture", "folder/missing/s", "a" * 200, ""],
    "-l": _PORTS,
    "--listen": _ENDPOINTS,
    "--connect": _ENDPOINTS,
    "--follow": [],
    "--overload": ["wait", "drop", "x"],
    "--queue": ["3k", "64M", "0", "9" * 30, "x", ""],
    "--max-frame": _NUMBERS,
    "--max-connections": _NUMBERS,
    "--max-handshakes": _NUMBERS,
    "--keepalive": ["0", "30s", "9" * 400, "x", ""],
    "-v": [],
    "-w": ["out", "./out", "other", "folder", "capture", "folder/missing/x", "", "-"],
    "-a": [],
    "--rotate": ["size=1", "count=1,time=1s", "size=999999999999G", "x", ""],
    "--compress": ["gzip", "xz", "x"],
    "--rotate-command": ["true", "'", "", "missing", "  "],
    "-U": ["s5", ""],
    "-T": _PORTS,
    "--relay": _ENDPOINTS,
    "--metrics": _PORTS,
    "--no-progress": [],
    "--stats": [],
    "--filter": [
        "type = CQ",
        "type",
        "",
        'qname ~ "("',
        "x" * 3000,
        "(" * 300,
        "not " * 300 + "has qname",
        "\udcff",
        *_WANTED,
    ],
    "--pair": [],
    "--sample": ["1/2", *_NUMBERS],
    "--count": _NUMBERS,
    "--anonymize": ["truncate", "truncate=1,2", "truncate=" + "9" * 5000, "crypto-pan=junk", "crypto-pan=folder", ""],
    "--anonymize-answers": [],
    "--anonymize-ports": [],
    "-q": [],
    "-y": [],
    "-j": [],
    "--format": ["json-full", "yaml-full", "csv", "tsv", "x"],
    "--fields": ["time,qname", "", ",", "x", "\udcff"],
    "--time-zone": ["utc", "local", "Europe/Prague", "Europe", "..", "/etc/passwd", "", "x" * 300],
    "--date": [],
    "--raw": [],
    "--jobs": ["1", "2", "x", "9" * 30],
    "--color": ["auto", "always", "never"],
    "-t": ["0", "5s", "9" * 400, "1h" * 400, "x", ""],
    "--tls-cert": _PEMS,
    "--tls-key": _PEMS,
    "--tls-ca": _PEMS,
    "--tls-server-name": ["localhost", ".a", "", "a" * 300],
    "--tls-skip-verify": [],
    "--socket-mode": ["0660", "888", ""],
    "--socket-owner": ["0:0", ":", "", "no such user", "9" * 30, "0:4294967295", "0:4294967294", "a:b:c"],
}

OPTIONAL = [f"--pair={value}" for value in ("5s", "0", "9" * 400, "1h" * 400, "x", "")]

valid = st.sampled_from([(flag, *values[:1]) for flag, values in VALUES.items()])
words = valid | st.sampled_from([(flag, value) for flag, values in VALUES.items() for value in values])
words |= st.sampled_from([(word,) for word in OPTIONAL])
lines = st.lists(valid, max_size=8) | st.lists(words, max_size=6)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")


def populate() -> None:
    """Make the files that the values name."""
    shutil.rmtree("folder", ignore_errors=True)
    Path("folder").mkdir()
    shutil.copy(SAMPLE, "capture")
    Path("junk").write_bytes(b"junk")
    for name, source in (
        ("cert", "good-here-certificate"),
        ("cert-key", "good-here-key"),
        ("both", "good-here"),
        ("ca", "good-ca"),
        ("other-key", "evil-here-key"),
    ):
        shutil.copy(pem(source), name)


@contextmanager
def terminating() -> Iterator[None]:
    """Send TERM to a run once it handles it."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        if callable(signal.getsignal(signal.SIGTERM)):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, terminate)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_every_option_is_tried() -> None:
    flags = set(re.findall(r"^  (--?[a-zA-Z-]+)", parser().format_help(), re.MULTILINE))
    assert flags - {*VALUES} == {"-h", "--version"}
    assert {*VALUES} <= flags


@given(line=lines)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_command_lines_are_refused_or_not(line: list[tuple[str, ...]]) -> None:
    populate()
    try:
        parse_options([word for words in line for word in words])
    except SystemExit as ended:
        status = ended.code
    else:
        status = 2
    assert status == 2


def runs(line: list[tuple[str, ...]]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Draw a run with an input. Without relays, whose receivers would be waited for at the end of each."""
    more = [word for word in line if word[0] not in ("-U", "-T", "--relay")]
    tls = [("--listen", "tls:127.0.0.1:0"), ("--tls-cert", "both")]
    some: tuple[list[tuple[str, ...]], ...] = ([("-r", "capture")], [("-u", "s1")], [*tls], [])
    return st.sampled_from([[*first, *more] for first in some])


@given(line=lines.flatmap(runs))
@example(line=[("--listen", "tls:127.0.0.1:0")])
@example(line=[("--listen", "tcp:a..b:0")])
@example(line=[("-u", "s1"), ("--socket-owner", "0:4294967294")])
@example(line=[("-u", "s1"), ("--metrics", "a..b:0")])
@example(line=[("-r", "capture"), ("-w", "out"), ("--rotate", "size=1"), ("--rotate-command", "'")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_runs_end_without_a_traceback(line: list[tuple[str, ...]], capfd: pytest.CaptureFixture[str]) -> None:
    populate()
    with terminating():
        try:
            status = main([word for words in line for word in words])
        except SystemExit as ended:
            status = int(ended.code or 0)
    assert status in (0, 1, 2, 128 + signal.SIGTERM)
    assert "Traceback" not in capfd.readouterr().err
