"""Steps of writers in conditions that the cases of today do not have, or that good and wrong writers do not cause."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Case, Level
from framestream.conformance.runner import Verdict
from framestream.conformance.steps import Step, payload
from framestream.conformance.writer_steps import ExpectFirst, Open, TakeSome
from tests.framestream.conformance.kit import judge_writer, writer


def case(*steps: Step, sends: tuple[bytes, ...] = ()) -> Case:
    """Return a case for writers."""
    return Case(id="X-WRITER-001", level=Level.MUST, rule="", source="", failure="", steps=steps, sends=sends)


@pytest.mark.parametrize(
    ("fault", "steps", "expected", "got"),
    [
        ("STOP first", (ExpectFirst(),), "READY or START", "STOP ["),
        ("cuts", (Open(), TakeSome()), "payloads that it was given, in order and once", "a data frame of 65535 bytes"),
        ("reorders", (Open(), TakeSome()), "payloads that it was given, in order and once", "a data frame of 65600"),
        ("none", (Open(), TakeSome(5)), "data frames", "STOP ["),
        ("closes at STOP", (Open(), TakeSome(), TakeSome(1)), "data frames", "the connection closed"),
    ],
)
def test_deviations(fault: str, steps: tuple[Step, ...], expected: str, got: str) -> None:
    chosen = case(*steps, sends=(payload(1, 65600), payload(2)))
    (result,) = judge_writer([chosen], writer(fault), timeout_s=1.0)
    assert result.verdict is Verdict.FAIL
    assert result.fault
    assert result.fault.expected == expected
    assert result.fault.got.startswith(got)


def test_payloads_of_its_own_are_taken_in_part() -> None:
    (result,) = judge_writer([case(Open(), TakeSome(2))], writer("none", payloads="-"), any_payloads=True)
    assert result.verdict is Verdict.PASS


def test_a_writer_that_finds_no_reader_may_report_an_error() -> None:
    (result,) = judge_writer("FS-WRITER-207", writer("gives up"))
    assert result.verdict is Verdict.PASS
    assert result.notes == ("ended with status 1 by itself",)
