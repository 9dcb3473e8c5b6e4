"""What is said about inputs and outputs while they run: at once, but not for each frame or each of many faults."""

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

__all__ = ["PERIOD_S", "Changes", "Reports", "endings", "new_reports", "words"]

PERIOD_S = 10.0
"""How often the same kind of line is repeated, in seconds."""

AT_ONCE = 10
"""Lines of a kind in a period that are said as they come; there may be hundreds of connections of one faulty sender."""


class Reports:
    """Says lines; of a kind that comes too often, how many there were once a period.

    Args: say: takes one line.
    Attributes: unsaid: lines that were only counted, in all.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self.unsaid = 0
        self._say = say
        self._kinds: dict[str, int] = {}
        self._begin = time.monotonic()

    def line(self, kind: str, text: str) -> None:
        """Say a line, or count it where its kind has come often in this period."""
        seen = self._kinds.get(kind, 0)
        self._kinds[kind] = seen + 1
        if seen < AT_ONCE:
            self._say(text)
        else:
            self.unsaid += 1

    def due(self) -> bool:
        """Whether a period is over, and it is time for `say_counted`."""
        return time.monotonic() - self._begin >= PERIOD_S

    def say_counted(self, more: Iterable[str] = ()) -> None:
        """Say how many lines were only counted, and more lines; a new period begins."""
        self._begin = time.monotonic()
        for kind, seen in self._kinds.items():
            if seen > AT_ONCE:
                self._say(f"{kind}: {seen - AT_ONCE} more such lines")
        self._kinds.clear()
        for line in more:
            self._say(line)


class Changes:
    """Says a line, unless it is the one that was said last: what is tried for an hour fails a thousand times."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.last = ""
        self._say = say

    def __call__(self, line: str) -> None:
        if line != self.last:
            self.last = line
            self._say(line)


def new_reports(*parts: object) -> Iterator[str]:
    """Yield what parts have to report since the last call, if they have a method for it."""
    for part in parts:
        if hasattr(part, "new_reports"):
            yield from part.new_reports()


_TLS = re.compile(r"\[SSL.*?\] (\S+ alert )?(.*?)(?: \(_ssl\.c:\d+\))?")
"""What Python says of an error of OpenSSL; an alert is what the other side has said."""


def words(error: FrameStreamError | OSError) -> str:
    """What an error says, without the number of the system."""
    # A TimeoutError of asyncio says nothing.
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or "timed out"
    if tls := _TLS.fullmatch(text):
        return f"TLS {'refused by the other side' if tls[1] else 'failed'}: {tls[2]}"
    if isinstance(error, OSError) and error.errno and text.startswith("Connect call failed"):
        return os.strerror(error.errno)  # asyncio says so whatever the reason is
    return text


def endings(name: str, reader: BaseReader, error: FrameStreamError | OSError | None) -> Iterator[str]:
    """What is to be said of an input that has ended: what was left out of it, and what was wrong."""
    protocol = reader.protocol
    if protocol.unknown_control_frames:
        yield f"{name}: {protocol.unknown_control_frames} control frames of unknown type ignored"
    if skipped := protocol.decoder.skipped_frames:
        yield f"{name}: {skipped} frames over {protocol.decoder.max_data_bytes} bytes left out"
    if protocol.state is State.FINISHED and protocol.unread:
        yield f"{name}: {protocol.unread} bytes behind STOP ignored"
    if error:
        yield f"{name}: {words(error)}"
