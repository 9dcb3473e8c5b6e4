"""Diagnostics about inputs and outputs: reported at once, but not for each frame, nor for each of many faults."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from framestream.protocol import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from framestream.errors import FrameStreamError
    from framestream.streams import BaseReader

__all__ = ["PERIOD_S", "ChangeReporter", "RateLimitedReporter", "error_text", "stream_reports"]

PERIOD_S = 10.0
"""Interval at which reports of a kind that comes too often are summed up, in seconds."""

MAX_PER_PERIOD = 10
"""Reports of one kind in a period before they are only counted: one faulty sender may make hundreds of connections."""


class RateLimitedReporter:
    """A reporter that passes on some reports of each kind, and counts the others until the end of a period.

    Args: report: takes one line.
    Attributes: suppressed: number of reports that were only counted, over the whole run.
    """

    def __init__(self, report: Callable[[str], object], period_s: float = PERIOD_S) -> None:
        self.suppressed = 0
        self._report = report
        self._period_s = period_s
        self._kinds: dict[str, int] = {}
        self._began = time.monotonic()

    def report(self, kind: str, line: str) -> None:
        """Report a line, or count it if there have been too many of its kind in this period."""
        seen = self._kinds.get(kind, 0)
        self._kinds[kind] = seen + 1
        if seen < MAX_PER_PERIOD:
            self._report(line)
        else:
            self.suppressed += 1

    def due(self) -> bool:
        """Return whether the period is over, and `end_period` should be called."""
        return time.monotonic() - self._began >= self._period_s

    def end_period(self, more: Iterable[str] = ()) -> None:
        """Report how many lines of each kind were only counted, then other lines, and begin a new period."""
        self._began = time.monotonic()
        for kind, seen in self._kinds.items():
            if seen > MAX_PER_PERIOD:
                self._report(f"{kind}: {seen - MAX_PER_PERIOD} more such lines")
        self._kinds.clear()
        for line in more:
            self._report(line)


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
    """Return the text of an error without the error number."""
    # asyncio raises TimeoutError without a text.
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or "timed out"
    if tls := re.fullmatch(_TLS_ERROR, text):
        return f"TLS {'refused by the other side' if tls[1] else 'failed'}: {tls[2]}"
    if isinstance(error, OSError) and error.errno and text.startswith("Connect call failed"):
        return os.strerror(error.errno)  # asyncio's own text leaves the reason out.
    return text


def stream_reports(name: str, reader: BaseReader, error: FrameStreamError | OSError | None) -> Iterator[str]:
    """Yield lines about a stream that has ended: what was left out of it, and the error that ended it."""
    protocol = reader.protocol
    if protocol.unknown_control_frames:
        yield f"{name}: {protocol.unknown_control_frames} control frames of unknown type ignored"
    if skipped := protocol.decoder.skipped_frames:
        yield f"{name}: {skipped} frames over {protocol.decoder.max_data_bytes} bytes left out"
    # In any other state the unread bytes are part of a frame that was cut off, which the error says.
    if protocol.state is State.FINISHED and protocol.unread:
        yield f"{name}: {protocol.unread} bytes behind STOP ignored"
    if error:
        yield f"{name}: {error_text(error)}"
