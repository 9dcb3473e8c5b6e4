"""TapCounts: sums, differences and causes."""

from __future__ import annotations

from dnstap.tap.counts import TapCounts


def test_counts_can_be_added_and_subtracted() -> None:
    counts = TapCounts(submitted=10, copies=1, sent=3, waiting=2, queue_full=1, not_connected=2, closed=3)
    assert counts.dropped == 6
    assert counts.plus(counts).minus(counts) == counts
    assert counts.plus(counts).sent == 6


def test_causes_are_named_if_there_are_any() -> None:
    assert TapCounts(submitted=5, sent=5).causes() == ""
    dropped = TapCounts(queue_full=1, not_connected=2, too_large=3, not_encodable=4, closed=5)
    assert dropped.causes() == "1 queue full, 2 not connected, 3 too large, 4 not encodable, 5 closed"
    assert dropped.dropped == 15
