"""DropLog: a line per interval, about what was dropped since the last one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dnstap.tap.counts import TapCounts
from dnstap.tap.drop_log import DropLog
from framestream import UnixEndpoint
from framestream.reporting import MAX_PER_PERIOD

if TYPE_CHECKING:
    import pytest


class Counted:
    """Counts that the test sets, and the log about them."""

    def __init__(self, interval_s: float = 0.0, *, expects_receiver: bool = True) -> None:
        self.counts = TapCounts()
        self.log = DropLog(
            UnixEndpoint("/s"), lambda: self.counts, interval_s=interval_s, expects_receiver=expects_receiver
        )


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_each_line_counts_from_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    counted.log.report()
    counted.counts = TapCounts(submitted=9, queue_full=3, too_large=1)
    counted.log.report()
    counted.log.report()
    counted.counts = TapCounts(submitted=9, queue_full=3, too_large=1, closed=2)
    counted.log.report()
    assert lines(caplog) == [
        "unix:/s: 4 frames dropped: 3 queue full, 1 too large",
        "unix:/s: 2 frames dropped: 2 closed",
    ]


def test_it_waits_for_the_end_of_the_interval(caplog: pytest.LogCaptureFixture) -> None:
    for interval_s, expected in (3600.0, 0), (0.0, 1):
        counted = Counted(interval_s)
        counted.counts = TapCounts(submitted=1, queue_full=1)
        counted.log.report_if_due()
        assert len(lines(caplog)) == expected


def test_the_last_error_is_in_the_line_of_frames_that_cannot_be_encoded(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    counted.log.note(ValueError("first"))
    counted.log.note(TypeError("second"))
    counted.counts = TapCounts(submitted=2, not_encodable=2)
    counted.log.report()
    counted.counts = TapCounts(submitted=3, not_encodable=2, queue_full=1)
    counted.log.report()
    assert lines(caplog) == [
        "unix:/s: 2 frames dropped: 2 not encodable; the last error was TypeError: second",
        "unix:/s: 1 frames dropped: 1 queue full",
    ]


def test_a_tap_that_listens_may_have_no_receiver(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted(expects_receiver=False)
    counted.counts = TapCounts(submitted=5, not_connected=4)
    counted.log.report()
    assert lines(caplog) == []
    counted.counts = TapCounts(submitted=6, not_connected=4, queue_full=1)
    counted.log.report()
    assert lines(caplog) == ["unix:/s: 1 frames dropped: 1 queue full"]


def test_after_a_restart_counts_begin_at_zero(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    counted.counts = TapCounts(submitted=5, queue_full=5)
    counted.log.report()
    counted.log.restart()
    counted.counts = TapCounts(submitted=1, queue_full=1)
    counted.log.report()
    assert lines(caplog)[1:] == ["unix:/s: 1 frames dropped: 1 queue full"]


def test_of_many_lines_about_receivers_some_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    counted = Counted(3600.0)
    for number in range(MAX_PER_PERIOD + 3):
        counted.log.warn(f"connection {number}: fault")
        counted.log.inform("connected")
    assert len(lines(caplog)) == 2 * MAX_PER_PERIOD
    counted.log.report_if_due()
    assert len(lines(caplog)) == 2 * MAX_PER_PERIOD
    counted.log.restart()
    counted.log.warn("connection 1: fault")
    assert len(lines(caplog)) == 2 * MAX_PER_PERIOD + 1


def test_lines_that_were_only_counted_are_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    for _ in range(MAX_PER_PERIOD + 3):
        counted.log.warn("fault")
    counted.log.report_if_due()
    assert lines(caplog)[MAX_PER_PERIOD:] == ["unix:/s: 3 more such lines"]
