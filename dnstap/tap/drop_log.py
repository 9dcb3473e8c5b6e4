"""Log lines about dropped frames."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dnstap.tap.counts import TapCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.endpoints import Endpoint

__all__ = ["DropLog"]

_log = logging.getLogger("dnstap.tap")


class DropLog:
    """Reporter of dropped frames: one line per interval, with their number and causes.

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
        self._reported = TapCounts()
        self._reported_at = time.monotonic()

    def restart(self) -> None:
        """Begin with counts of zero, as after a fork."""
        self._reported = TapCounts()
        self._reported_at = time.monotonic()

    def note(self, error: Exception) -> None:
        """Keep the error of a frame that could not be encoded for the next line."""
        self._last_error = f"{type(error).__name__}: {error}"

    def report_if_due(self) -> None:
        """Report what was dropped, if the interval is over."""
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
