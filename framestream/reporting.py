"""Reporters of what peers cause: reported at once, but not for each connection, nor for each of many faults."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.errors import FrameStreamError

__all__ = ["MAX_PER_PERIOD", "PERIOD_S", "ChangeReporter", "RateLimitedReporter", "error_text"]

PERIOD_S = 10.0
"""Interval at which reports of a kind that comes too often are summed up, in seconds."""

MAX_PER_PERIOD = 10
"""Reports of one kind in a period before they are only counted: one faulty peer may make thousands of connections."""


class RateLimitedReporter:
    """A reporter that passes on some reports of each kind, and counts the others until the end of a period.

    Any thread may call it. Call `report_if_due`, or `due` and `end_period`, now and then: each second, or when
    `left_s` says.

    Args:
        report: takes one line.
        period_s: length of a period, in seconds.
    Attributes: suppressed: number of reports that were only counted, over the whole run.
    """

    def __init__(self, report: Callable[[str], object], period_s: float = PERIOD_S) -> None:
        self.suppressed = 0
        self._report = report
        self._period_s = period_s
        self._kinds: dict[str, int] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def report(self, kind: str, line: str) -> None:
        """Report a line, or count it if there have been too many of its kind in this period.

        Args: kind: one of few, because each is remembered until the end of the period: an endpoint, but no peer.
        """
        with self._lock:
            seen = self._kinds.get(kind, 0)
            self._kinds[kind] = seen + 1
            if seen < MAX_PER_PERIOD:
                self._report(line)
            else:
                self.suppressed += 1

    def due(self) -> bool:
        """Return whether the period is over, and `end_period` should be called."""
        return time.monotonic() - self._began >= self._period_s

    def left_s(self) -> float | None:
        """Return the seconds until the end of the period if any line was only counted in it; None otherwise."""
        with self._lock:
            if all(seen <= MAX_PER_PERIOD for seen in self._kinds.values()):
                return None
        return max(0.0, self._began + self._period_s - time.monotonic())

    def end_period(self, more: Iterable[str] = ()) -> None:
        """Report how many lines of each kind were only counted, then other lines, and begin a new period."""
        with self._lock:
            self._began = time.monotonic()
            for kind, seen in self._kinds.items():
                if seen > MAX_PER_PERIOD:
                    self._report(f"{kind}: {seen - MAX_PER_PERIOD} more such lines")
            self._kinds.clear()
            for line in more:
                self._report(line)

    def report_if_due(self) -> None:
        """End the period if it is over."""
        if self.due():
            self.end_period()


class ChangeReporter:
    """A reporter that drops a line equal to the previous one: what is tried for an hour fails a thousand times.

    Attributes: last: the previous line; "" if there is none.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        self.last = ""
        self._report = report

    def __call__(self, line: str) -> None:
        if line != self.last:
            self.last = line
            self._report(line)

    def reset(self) -> None:
        """Forget the previous line, so that it is reported when it comes again."""
        self.last = ""


# Compiled at first use, not at import: the command loads this module at each start, and few runs have TLS errors.
_TLS_ERROR = r"\[SSL.*?\] (\S+ alert )?(.*?)(?: \(_ssl\.c:\d+\))?"
"""The text of an ssl.SSLError. An alert was sent by the peer."""


def error_text(error: FrameStreamError | OSError) -> str:
    """Return the text of an error without the error number, and without the endpoint that it names."""
    # asyncio raises TimeoutError without a text.
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or "timed out"
    # An ssl.SSLError of a connection has its name at the end, one of a certificate the file.
    if isinstance(error, OSError) and str(error.filename).startswith("tls:"):
        text = text.removesuffix(f": {error.filename}")
    if tls := re.fullmatch(_TLS_ERROR, text):
        return f"TLS {'refused by the other side' if tls[1] else 'failed'}: {tls[2]}"
    return text
