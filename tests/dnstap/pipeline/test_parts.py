"""A part with nothing to report."""

from __future__ import annotations

from dnstap.pipeline.parts import Part


def test_nothing_to_report() -> None:
    part = Part()
    part.expect_paired()
    assert (list(part.counters()), list(part.new_reports()), part.summary()) == ([], [], "")
