"""Log lines of a tap: about dropped frames, and about connections."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dnstap.tap.counts import TapCounts
from framestream.reporting import RateLimitedReporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.endpoints import Endpoint

__all__ = ["DropLog"]

_log = logging.getLogger("dnstap.tap")


class DropLog:
    """Reporter of dropped frames, one line per interval, and of what receivers do, some lines of many.

    Args:
        counts: returns the counts of the tap so far.
        interval_s: shortest time between two lines.
        expects_receiver: report frames dropped for lack of a receiver; a tap that listens may well have none.
    Attributes: endpoint: named in each line.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        counts: Callable[[], TapCounts],
        interval_s: float,
        *,
        expects_receiver: bool,
    ) -> None:
        self.endpoint = endpoint
        self._counts = counts
        self._interval_s = interval_s
        self._expects_receiver = expects_receiver
        self._last_error = ""
        self.restart()

    def restart(self) -> None:
        """Begin with counts of zero, as after a fork."""
        self._reported = TapCounts()
        self._reported_at = time.monotonic()
        # New ones, because a thread of the parent may have held their locks.
        self._warnings = RateLimitedReporter(_log.warning, self._interval_s)
        self._news = RateLimitedReporter(_log.info, self._interval_s)

    def warn(self, line: str) -> None:
        """Log a fault of a receiver or its connection, or count it if there are many in this interval."""
        # One kind for all, because any receiver can cause as many as it likes.
        self._warnings.report(str(self.endpoint), line)

    def inform(self, line: str) -> None:
        """Log that something is in order again; otherwise as `warn`."""
        self._news.report(str(self.endpoint), line)

    def note(self, error: Exception) -> None:
        """Keep the error of a frame that could not be encoded for the next line."""
        self._last_error = f"{type(error).__name__}: {error}"

    def report_if_due(self) -> None:
        """Report what was dropped, and how many lines were only counted, if the interval is over."""
        self._warnings.report_if_due()
        self._news.report_if_due()
        if time.monotonic() - self._reported_at >= self._interval_s:
            self.report()

    def report(self) -> None:
        """Log what was dropped since the last report, if anything was."""
        self._reported_at = time.monotonic()
        counts, before = self._counts(), self._reported
        self._reported = counts
        new = counts.minus(before)
        # A tap that listens may well have no receiver, so that is not worth a line.
        if not self._expects_receiver:
            new = new._replace(not_connected=0)
        if new.dropped:
            # An error of earlier frames says nothing about these, so it is named only beside new ones.
            error = f"; the last error was {self._last_error}" if new.not_encodable else ""
            _log.warning("%s: %d frames dropped: %s%s", self.endpoint, new.dropped, new.causes(), error)
