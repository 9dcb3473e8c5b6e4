"""Cases for connections of writers: good writers pass them all, and each wrong one is found by the case made for it."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Level
from framestream.conformance.runner import Verdict
from tests.framestream.conformance.kit import OUR_WRITER, failing, judge_writer, writer

FAULTS = {
    "no new handshake": "FS-WRITER-202",
    "resumes": "FS-WRITER-203",
    "ignores errors": "FS-WRITER-207",
    "ignores TERM": "FS-WRITER-208",
    "floods": "FS-WRITER-209",
}


@pytest.mark.parametrize("command", [OUR_WRITER, writer("none")], ids=["ours", "another"])
def test_good_writers_pass(command: tuple[str, ...]) -> None:
    assert failing(judge_writer("FS-WRITER-2??", command)) == {}


def test_good_writers_that_listen_pass() -> None:
    results = judge_writer("FS-WRITER-2??", writer("none", "listen"), listens=True)
    assert failing(results) == {}
    assert [result.verdict for result in results[9:]] == [Verdict.PASS] * 5


@pytest.mark.parametrize(("fault", "id"), FAULTS.items(), ids=FAULTS)
def test_wrong_writers_are_found(fault: str, id: str) -> None:
    (result,) = judge_writer(id, writer(fault), timeout_s=1.0)
    assert result.fault
    assert result.verdict is (Verdict.FAIL if result.case.level is Level.MUST else Verdict.NON_STRICT)


def test_a_writer_that_serves_one_reader_at_a_time_is_found() -> None:
    results = judge_writer("FS-WRITER-21[0-2]", writer("one at a time", "listen"), listens=True, timeout_s=1.0)
    assert [result.verdict for result in results] == [Verdict.NON_STRICT, Verdict.FAIL, Verdict.FAIL]


def test_a_writer_that_does_not_connect_again_lacks_that() -> None:
    (result,) = judge_writer("FS-WRITER-202", writer("gives up"), timeout_s=1.0)
    assert result.verdict is Verdict.UNIMPLEMENTED
    assert result.notes == (
        "FS-WRITER-201 shows that it has no reconnection: expected a connection within 3 s, got its end with status 1",
    )
