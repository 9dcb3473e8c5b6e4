"""Real readers, fuzzed: their faults that are known are found in little time, with the shortest streams."""

from __future__ import annotations

import shlex
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType
from framestream.cli.main import main
from framestream.conformance.steps import TYPE, control, data
from framestream.conformance.targets import Settings
from framestream.fuzzing.faults import Signs
from framestream.fuzzing.samples import FIRST, LAST
from framestream.fuzzing.trials import FileTrial, SocketTrial
from tests.framestream.fuzzing.kit import FILE_HEAD, SOCKET_HEAD, around
from tests.interop.peers import require
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE_WITHOUT_MESSAGE = b"\x78\x01"
UNDECODABLE = b"\xff"
LATE = bytes(
    Dnstap(
        message=Message(type=MessageType.CLIENT_QUERY, query_time_sec=1, query_time_nsec=10**9), type=DnstapType.MESSAGE
    )
)


def findings(command: list[str], folder: Path, count: int) -> dict[str, bytes]:
    """Return the streams that were found, by their faults, after a number of streams that is the same each time."""
    arguments = ["--payloads", "dnstap.strategies:hostile_payloads", "--count", str(count), "--seed", "1"]
    main(["fuzz", "--spawn", shlex.join(command), "--findings", str(folder), "--timeout", "20", *arguments])
    return {
        path.with_suffix(".txt").read_text().splitlines()[0].partition(" ")[2]: path.read_bytes()
        for path in folder.glob("*.fstrm")
    }


def test_the_go_tool(tmp_path: Path) -> None:
    """It crashes on a Dnstap without a message, and prints nothing more after a payload that it cannot decode."""
    found = findings([require("dnstap"), "-q", "-r", "{input}"], tmp_path, 300)
    (crash,) = [wire for fault, wire in found.items() if "QuietTextFormat.go" in fault]
    assert crash == FILE_HEAD + data(MESSAGE_WITHOUT_MESSAGE)
    (lost,) = [wire for fault, wire in found.items() if fault.startswith("lost")]
    assert len(lost) <= len(FILE_HEAD + data(b"x", LAST))


@pytest.mark.parametrize(
    ("command", "bad", "expected"),
    [
        (["dnstap-read", "{input}"], data(MESSAGE_WITHOUT_MESSAGE), "crash: ended by SIGSEGV"),
        (["dnstap-read", "{input}"], data(LATE), "crash: ended by SIGABRT: time.c"),
        (["dnstap-read", "-y", "{input}"], data(MESSAGE_WITHOUT_MESSAGE), "crash: ended by SIGSEGV"),
        (["dnstap-ldns", "-q", "-r", "{input}"], data(UNDECODABLE), "lost: the payload frame-700002"),
        (["fstrm_dump", "{input}"], control(6), "lost: the payload frame-700002"),
    ],
)
def test_readers_of_files(command: list[str], bad: bytes, expected: str) -> None:
    trial = FileTrial(Settings(command=(require(command[0]), *command[1:]), timeout_s=DEADLINE_S), Signs())
    assert trial.run(around()) is None
    assert str(trial.run(FILE_HEAD + data(FIRST) + bad + data(LAST))).startswith(expected)


@pytest.mark.parametrize(
    ("command", "stop", "bad", "expected"),
    [
        (
            ["fstrm_capture", "-t", TYPE.decode(), "-u", "{socket}", "-w", "{output}"],
            signal.SIGTERM,
            control(6),
            "lost: the payload frame-700002",
        ),
        (["dnstap", "-q", "-u", "{socket}"], signal.SIGINT, data(UNDECODABLE), "lost: the payload frame-70000"),
        (
            ["dnstap", "-q", "-u", "{socket}"],
            signal.SIGINT,
            data(MESSAGE_WITHOUT_MESSAGE),
            "crash: ended with status 2: panic",
        ),
    ],
)
def test_collectors(command: list[str], stop: signal.Signals, bad: bytes, expected: str) -> None:
    words = (require(command[0]), *command[1:])
    trial = SocketTrial(Settings(command=words, stop=(stop,), timeout_s=DEADLINE_S), Signs())
    assert str(trial.run(SOCKET_HEAD + data(FIRST) + bad + data(LAST))).startswith(expected)


@pytest.mark.parametrize("mode", [["-r", "{input}"], ["-u", "{socket}"]])
def test_ours(mode: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "dnstap", "-y", *mode]
    assert findings(command, tmp_path, 20) == {}
    assert "20 streams, seed 1: 0 faults" in capsys.readouterr().out
