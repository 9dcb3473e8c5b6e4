"""Cases for the handshake of writers: good ones pass them all, and each wrong one is found by the case made for it."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Level
from framestream.conformance.runner import Verdict
from tests.framestream.conformance.kit import OUR_WRITER, failing, judge_writer, writer

FAULTS = {
    "garbage first": "FS-WRITER-001",
    "data before ACCEPT": "FS-WRITER-005",
    "long READY": "FS-WRITER-006",
    "refuses an empty ACCEPT": "FS-WRITER-008",
    "reads one type": "FS-WRITER-010",
    "short limit": "FS-WRITER-016",
    "reads once": "FS-WRITER-018",
    "takes any type": "FS-WRITER-020",
    "compares beginnings": "FS-WRITER-022",
    "strings of C": "FS-WRITER-023",
    "ignores case": "FS-WRITER-024",
    "takes READY for ACCEPT": "FS-WRITER-025",
    "ignores errors": "FS-WRITER-044",
    "only its first type": "FS-WRITER-046",
}


def test_ours_passes() -> None:
    assert failing(judge_writer("FS-WRITER-0[02]?", OUR_WRITER)) == {}


@pytest.mark.parametrize("fault", ["none", "several types"])
def test_good_writers_pass(fault: str) -> None:
    assert failing(judge_writer("FS-WRITER-0??", writer(fault))) == {}


@pytest.mark.parametrize(("fault", "id"), FAULTS.items(), ids=FAULTS)
def test_wrong_writers_are_found(fault: str, id: str) -> None:
    (result,) = judge_writer(id, writer(fault), timeout_s=1.0)
    assert result.fault
    assert result.verdict is (Verdict.FAIL if result.case.level is Level.MUST else Verdict.NON_STRICT)


def test_writers_that_repeat_ready_are_not_strict() -> None:
    (result,) = judge_writer("FS-WRITER-020", writer("repeats READY"))
    assert result.verdict is Verdict.NON_STRICT
    assert result.fault
    assert result.fault.got.startswith("READY")
