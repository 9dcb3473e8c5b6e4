"""Runs of trials: findings are shrunk, saved, counted once for each fault, and replayed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.steps import data
from framestream.conformance.targets import TargetError
from framestream.fuzzing.fuzzer import Fuzzer, replay, saved_streams
from framestream.fuzzing.samples import LAST
from tests.framestream.fuzzing.kit import FILE_HEAD, SOCKET_HEAD, around, file_trial, socket_trial
from tests.framestream.fuzzing.made_trials import MadeTrial

if TYPE_CHECKING:
    from framestream.fuzzing.trials import Trial

FOREVER = float("inf")


def fuzzed(trial: Trial, folder: Path, *wires: bytes, most: int | None = None, **options: float) -> Fuzzer:
    """Return the fuzzer after streams, which are drawn again and again."""
    fuzzer = Fuzzer(trial, str(folder), jobs=2, report=lambda line: None, **options)
    fuzzer.run(lambda number, size: [*wires][:size], most=most or len(wires), deadline=FOREVER)
    return fuzzer


def test_a_crash_is_shrunk_and_saved(tmp_path: Path) -> None:
    trial = file_trial("aborts")
    fuzzer = fuzzed(trial, tmp_path / "new" / "findings", around(b"good"), around(b"good", b"\x85 hostile"), most=6)
    (finding,) = fuzzer.findings.values()
    assert (finding.wire, finding.count, finding.confirmed) == (data(b"\x85"), 3, True)
    assert (fuzzer.streams, fuzzer.passing) == (6, 0)
    (path,) = saved_streams(str(tmp_path / "new" / "findings"))
    assert Path(path).read_bytes() == finding.wire
    text = Path(path).with_suffix(".txt").read_text()
    assert text.startswith(f"{finding.fault.name} crash: ended by SIGABRT (5 bytes)\n\n00000001 85\n")
    lines: list[str] = []
    assert replay(trial, [path], lines.append) == 1
    assert lines == [f"{path}: crash: ended by SIGABRT"]
    assert replay(file_trial("none"), [path], lines.append) == 0
    assert lines[1:] == [f"{path}: no fault"]


def test_lost_payloads_are_shrunk(tmp_path: Path) -> None:
    (finding,) = fuzzed(file_trial("falls silent"), tmp_path, around(b"good", b"\x85 hostile")).findings.values()
    assert finding.wire == FILE_HEAD + data(b"\x85", LAST)


def test_a_collector_that_hangs(tmp_path: Path) -> None:
    trial = socket_trial("hangs", keep=True, timeout_s=0.5)
    wire = around(b"good", b"\x85 bad", head=SOCKET_HEAD)
    fuzzer = fuzzed(trial, tmp_path, wire, shrinking_s=4)
    trial.close()
    (finding,) = fuzzer.findings.values()
    assert finding.fault.kind.value == "hang"
    assert len(finding.wire) < len(wire)


def test_several_faults(tmp_path: Path) -> None:
    trial = MadeTrial({b"a": "one", b"b": "two"})
    fuzzer = fuzzed(trial, tmp_path, b"xxa", b"xxb", b"xxaa", b"x")
    assert {(finding.fault.what, finding.wire, finding.count) for finding in fuzzer.findings.values()} == {
        ("one", b"a", 2),
        ("two", b"b", 1),
    }


def test_faults_that_do_not_come_again(tmp_path: Path) -> None:
    """A crash is one all the same; a slow machine makes a hang."""
    fuzzer = fuzzed(MadeTrial({b"a": "crash"}, times=1), tmp_path, b"xa")
    (finding,) = fuzzer.findings.values()
    assert (finding.wire, finding.confirmed) == (b"xa", False)
    assert str(finding) == f"{finding.fault.name} crash: crash (2 bytes, not again with this stream alone)"
    fuzzer = fuzzed(MadeTrial({b"a": "hang"}, times=1), tmp_path / "other", b"xa")
    assert (fuzzer.findings, fuzzer.passing) == ({}, 1)
    with pytest.raises(ValueError, match=r"expected files \*\.fstrm in .*, found none"):
        saved_streams(str(tmp_path / "other"))


def test_a_shorter_stream_that_fails_only_sometimes(tmp_path: Path) -> None:
    """The longer one, which was confirmed, is kept."""
    (finding,) = fuzzed(MadeTrial({b"a": "crash"}, times=3), tmp_path, b"xa").findings.values()
    assert (finding.wire, finding.confirmed) == (b"xa", True)


def test_a_program_that_ran_already_and_died(tmp_path: Path) -> None:
    fuzzer = Fuzzer(MadeTrial({b"a": "crash"}, dies=True), str(tmp_path), report=lambda line: None)
    with pytest.raises(TargetError, match="it is dead"):
        fuzzer.run(lambda number, size: [b"xa", b"x"], most=None, deadline=FOREVER)
    assert [finding.wire for finding in fuzzer.findings.values()] == [b"xa"]


def test_the_time_is_limited(tmp_path: Path) -> None:
    fuzzer = Fuzzer(MadeTrial({}), str(tmp_path))
    fuzzer.run(lambda number, size: [b""] * size, most=None, deadline=time.monotonic())
    assert fuzzer.streams == 0
    began = time.monotonic()
    fuzzer.run(lambda number, size: [b""] * size, most=None, deadline=began + 0.2)
    assert fuzzer.streams > 50
    before = fuzzer.streams
    end = time.monotonic() + 0.1

    def late(number: int, size: int) -> list[bytes]:
        while time.monotonic() < end:
            time.sleep(0.01)
        return [b""] * size

    fuzzer.run(late, most=None, deadline=end)
    assert fuzzer.streams == before


def test_good_streams(tmp_path: Path) -> None:
    lines: list[str] = []
    for fault, expected in (("none", True), ("discards", False)):
        trial = file_trial(fault)
        Fuzzer(trial, str(tmp_path), report=lines.append).check_good()
        assert trial.checks_output is expected
    (line,) = lines
    assert line.startswith("the output is not looked at: the payload frame-700001 (before the hostile part) missing")
    with pytest.raises(TargetError, match="the program does not take a good stream: crash: crash"):
        Fuzzer(MadeTrial({b"frame": "crash"}), str(tmp_path)).check_good()


def test_saved_streams(tmp_path: Path) -> None:
    for name in ("b.fstrm", "a.fstrm", "a.txt"):
        (tmp_path / name).touch()
    assert saved_streams(str(tmp_path)) == [str(tmp_path / name) for name in ("a.fstrm", "b.fstrm")]
    assert saved_streams(str(tmp_path / "a.txt")) == [str(tmp_path / "a.txt")]
    with pytest.raises(FileNotFoundError):
        saved_streams(str(tmp_path / "missing"))
