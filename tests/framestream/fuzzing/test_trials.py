"""Trials of a reader with faults: each kind is found, and a good reader has none."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.steps import STOP, data
from framestream.conformance.targets import Settings, TargetError
from framestream.conversations import wire_of
from framestream.endpoints import UnixEndpoint
from framestream.fuzzing.faults import Fault, Signs
from framestream.fuzzing.samples import FIRST
from framestream.fuzzing.trials import FileTrial, SocketTrial
from tests.framestream.fuzzing.kit import SOCKET_HEAD, around, file_trial, socket_trial
from tests.interop.command import listening

if TYPE_CHECKING:
    from pathlib import Path

BAD = b"\x80 hostile"

SHORT_S = 1.0
"""Time limit of programs that hang."""


def described(fault: Fault | None) -> tuple[str, str]:
    assert fault
    return fault.kind.value, fault.what


@pytest.mark.parametrize("place", ["{input}", "-"])
def test_a_good_file_reader(place: str) -> None:
    trial = file_trial("none", place=place)
    for wire in (around(BAD), b"", b"\0\0\0", around(BAD)[:-20]):
        assert trial.run(wire) is None
    trial.close()


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        ("aborts", "crash", "ended by SIGABRT"),
        ("raises", "crash", "ended with status 1"),
        ("falls silent", "lost", "the payload frame-700002 (after the hostile part) missing in the output"),
    ],
)
def test_faults_of_file_readers(fault: str, kind: str, what: str) -> None:
    trial = file_trial(fault)
    assert described(trial.run(around(BAD))) == (kind, what)
    assert trial.run(around(b"good")) is None


def test_exit_statuses_that_are_crashes() -> None:
    assert file_trial("exits").run(data(BAD)) is None
    fault = file_trial("exits", statuses=frozenset([99])).run(data(BAD))
    assert described(fault) == ("crash", "ended with status 99")


def test_files_that_are_never_read_to_the_end() -> None:
    trial = file_trial("hangs", timeout_s=SHORT_S)
    assert described(trial.run(around(BAD))) == ("hang", "no end of the program in time")


def test_memory_of_file_readers() -> None:
    trial = file_trial("takes memory", max_memory_bytes=80 << 20)
    assert described(trial.run(around(BAD))) == ("memory", "more than 80 MiB of memory")
    assert trial.run(around(b"good")) is None


def test_output_that_is_not_looked_at() -> None:
    trial = file_trial("discards")
    assert described(trial.run(around()))[0] == "lost"
    trial.checks_output = False
    assert trial.run(around()) is None


def test_standard_output_is_output() -> None:
    trial = FileTrial(Settings(command=("cat",)), Signs())
    assert trial.run(around(BAD)) is None
    assert trial.run(around(BAD)[:-20]) is None
    trial = FileTrial(Settings(command=("head", "-c", "150")), Signs())
    assert described(trial.run(around(BAD)))[0] == "lost"


def test_programs_that_cannot_be_run() -> None:
    with pytest.raises(TargetError, match="cannot run '/missing': No such file"):
        FileTrial(Settings(command=("/missing",)), Signs()).run(b"")


@pytest.mark.parametrize("keep", [False, True])
def test_a_good_collector(keep: bool) -> None:
    trial = socket_trial("none", keep=keep)
    for wire in (around(BAD, head=SOCKET_HEAD), b"", SOCKET_HEAD, around(BAD)[:-20], 3 * wire_of(STOP)):
        assert trial.run(wire) is None
    trial.close()


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        ("aborts", "crash", "ended by SIGABRT"),
        ("raises", "crash", "ended with status 1"),
        ("exits", "crash", "ended with status 99 by itself"),
        ("falls silent", "lost", "the payload frame-700002 (after the hostile part) missing in the output"),
        ("leaks", "crash", "ended by SIGTERM"),
    ],
)
def test_faults_of_collectors(fault: str, kind: str, what: str) -> None:
    trial = socket_trial(fault)
    assert described(trial.run(around(BAD, head=SOCKET_HEAD))) == (kind, what)
    assert trial.run(around(b"good", head=SOCKET_HEAD)) is None
    trial.close()


def test_payloads_of_the_next_connection_are_lost() -> None:
    trial = socket_trial("falls silent")
    what = "the payload frame-700005 (of the next connection) missing in the output"
    assert described(trial.run(SOCKET_HEAD + data(BAD))) == ("lost", what)


def test_memory_of_collectors() -> None:
    trial = socket_trial("takes memory", signs=Signs(max_memory_bytes=80 << 20))
    assert described(trial.run(data(FIRST, BAD))) == ("memory", "more than 80 MiB of memory")


@pytest.mark.parametrize(
    ("fault", "what"), [("hangs", "^expected .* of a good stream, got "), ("does not end", "no end after")]
)
def test_collectors_that_hang(fault: str, what: str) -> None:
    kind, got = described(socket_trial(fault, timeout_s=SHORT_S).run(SOCKET_HEAD + data(BAD)))
    assert kind == "hang"
    assert re.search(what, got), got


def test_a_collector_that_is_kept_is_started_anew() -> None:
    trial = socket_trial("aborts", keep=True)
    for _ in range(2):
        assert described(trial.run(data(BAD))) == ("crash", "ended by SIGABRT")
        assert trial.run(data(b"good")) is None
    trial.close()


def test_a_collector_that_runs_already(tmp_path: Path) -> None:
    with listening(tmp_path / "socket", tmp_path, "-w", tmp_path / "output") as command:
        trial = SocketTrial(Settings(at=UnixEndpoint(str(tmp_path / "socket"))), Signs())
        assert trial.run(around(BAD, head=SOCKET_HEAD)) is None
        command.stop(signal.SIGKILL)
        trial = SocketTrial(Settings(at=UnixEndpoint(str(tmp_path / "socket")), start_s=0.1), Signs())
        with pytest.raises(TargetError, match="expected a listener"):
            trial.run(b"")
        trial.close()
