"""The progress line on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import pty
import struct
import sys
import termios
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dnstap.cli import progress as module
from dnstap.cli.main import main
from dnstap.cli.progress import Progress
from framestream import ControlFrame, ControlType, encode_control_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = Path(__file__).parents[2] / "data" / "nsd-auth.fstrm"
ERASE = "\r\x1b[K"


class Terminal:
    """A terminal: its descriptor for programs, and the text written to it since the last call."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()

    def text(self) -> str:
        # What is written comes out here after a while, but in order.
        os.write(self.theirs, b"\0")
        text = b""
        while not text.endswith(b"\0"):
            text += os.read(self._ours, 65536)
        return text[:-1].decode()

    def make_narrow(self, columns: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))

    def hang_up(self) -> None:
        os.close(self._ours)
        self._ours = os.open(os.devnull, os.O_RDONLY)

    def close(self) -> None:
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with contextlib.closing(Terminal()) as made:
        yield made


def test_a_long_job(terminal: Terminal) -> None:
    """Nothing in the first second, then at most five updates a second; removed once."""
    now, position = [100.0], [0]
    progress = Progress(terminal.theirs, 1000, lambda: position[0], clock=lambda: now[0])
    payloads = [b"1"] * 1500
    progress.remove()
    shown = []
    for now[0], position[0] in (100.9, 90), (101.0, 100), (101.19, 150), (101.25, 200), (202.0, 999), (300.0, 1100):
        assert progress.process(payloads) is payloads
        shown.append(terminal.text())
    assert shown == [
        "",
        f"{ERASE}10 % read, 3,000 frames, 3,000/s, 0:09 left",
        "",
        f"{ERASE}20 % read, 6,000 frames, 4,800/s, 0:05 left",
        f"{ERASE}99 % read, 7,500 frames, 74/s, 0:00 left",
        f"{ERASE}100 % read, 9,000 frames, 45/s, 0:00 left",
    ]
    progress.remove()
    progress.remove()
    assert terminal.text() == ERASE


def test_nothing_read_yet(terminal: Terminal) -> None:
    now = [0.0]
    for size, said in (0, "0 % read, 0 frames, 0/s, 0:00 left"), (120, "0 % read, 0 frames, 0/s, 4:00 left"):
        progress = Progress(terminal.theirs, size, lambda: 0, clock=lambda: now[0])
        now[0] += 2
        progress.process([])
        assert terminal.text() == ERASE + said


def test_a_narrow_terminal(terminal: Terminal) -> None:
    terminal.make_narrow(10)
    now = [0.0]
    progress = Progress(terminal.theirs, 10, lambda: 5, clock=lambda: now[0])
    now[0] = 1.0
    progress.process([b""])
    assert terminal.text() == f"{ERASE}50 % read"


def test_the_terminal_goes(terminal: Terminal) -> None:
    now = [0.0]
    progress = Progress(terminal.theirs, 10, lambda: 5, clock=lambda: now[0])
    now[0] = 1.0
    terminal.hang_up()
    assert progress.process([b"1"]) == [b"1"]
    progress.remove()


STOP = encode_control_frame(ControlFrame(ControlType.STOP))


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show progress from the start, on a terminal that can erase."""
    monkeypatch.setattr(module, "Progress", partial(Progress, first_s=1e-9, period_s=0.0))
    monkeypatch.setenv("TERM", "xterm")


def run(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> list[str]:
    """Return what the command writes to the terminal, split where the line is erased."""
    with open(terminal.theirs, "w", closefd=False) as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        assert main([*map(str, arguments)]) == 0
    return terminal.text().split(ERASE)


@pytest.mark.usefixtures("_always")
def test_the_command(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress covers all files, by their compressed size; other lines are printed after it is removed."""
    compressed = tmp_path / "compressed"
    compressed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    sizes = [path.stat().st_size for path in (SAMPLE, compressed)]
    first, *shown = run(
        terminal, monkeypatch, "-r", SAMPLE, "-r", compressed, "-w", tmp_path / "out", "--stats", "--count", "970"
    )
    assert first == ""
    assert shown[0].startswith(f"{min(65536, sizes[0]) * 100 // sum(sizes)} % read, ")
    assert shown[-2].startswith("100 % read, ")
    came, rest, written, end = shown[-1].split("\r\n")
    assert came.startswith("dnstap: 972 frames of ")
    assert rest == "dnstap: 2 left out after the last of --count"
    assert written == f"dnstap: {tmp_path}/out: 970 frames: 970 written, 0 rejected, 0 dropped, 0 left"
    assert end == ""


@pytest.mark.usefixtures("_always")
def test_a_report_in_between(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is removed before a report, which stands on a line of its own."""
    joined = tmp_path / "joined"
    joined.write_bytes(SAMPLE.read_bytes().removesuffix(STOP) + SAMPLE.read_bytes())
    shown = run(terminal, monkeypatch, "-r", joined, "-r", SAMPLE, "-w", tmp_path / "out")
    (report,) = [text for text in shown if "dnstap: " in text]
    assert report.startswith(f"dnstap: {joined}: ")
    assert report.endswith("\r\n")


@pytest.mark.usefixtures("_always")
def test_no_place_for_it(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert len(run(terminal, monkeypatch, "-r", SAMPLE, "-w", out)) > 1
    assert run(terminal, monkeypatch, "-r", SAMPLE, "-w", out, "--no-progress") == [""]
    monkeypatch.setenv("TERM", "dumb")
    assert run(terminal, monkeypatch, "-r", SAMPLE, "-w", out) == [""]
    monkeypatch.setenv("TERM", "xterm")
    name = os.ttyname(terminal.theirs)
    (lines,) = run(terminal, monkeypatch, "-r", SAMPLE, "-q", "-w", name, "--count", "2")
    assert lines.count("\r\n") == 2
    reading, writing = os.pipe()
    assert run(terminal, monkeypatch, "-r", SAMPLE, "-q", "-w", f"/dev/fd/{writing}") == [""]
    os.close(reading)
    os.close(writing)
    with out.open("w") as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        assert main(["-r", str(SAMPLE), "-w", str(tmp_path / "other")]) == 0
        patch.setattr(sys, "stderr", None)
        assert main(["-r", str(SAMPLE), "-w", str(tmp_path / "other")]) == 0
    assert out.read_text() == ""
