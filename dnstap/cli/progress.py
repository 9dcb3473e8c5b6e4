"""Progress of a long run: one line on a terminal, overwritten again and again, and removed at the end."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dnstap.pipeline.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FIRST_S", "PERIOD_S", "Progress"]

FIRST_S = 1.0
"""Runs shorter than this show nothing."""

PERIOD_S = 0.2
"""Minimum interval between updates, in seconds: often enough to look alive, seldom enough to be read."""


class Progress(Stage):
    """A stage that keeps all payloads, counts them, and shows the progress of the run.

    Args:
        terminal: descriptor of the terminal.
        size: number of bytes to read.
        position: returns how many have been read.
        first_s: time before anything is shown, in seconds.
        period_s: minimum interval between updates, in seconds.
        clock: returns a time in seconds.
    """

    def __init__(
        self,
        terminal: int,
        size: int,
        position: Callable[[], int],
        *,
        first_s: float = FIRST_S,
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._size = size
        self._position = position
        self._clock = clock
        self._frames = 0
        self._period_s = period_s
        self._began = clock()
        self._next = self._began + first_s
        self._shown = False

    def process(self, payloads: list[bytes]) -> list[bytes]:
        self._frames += len(payloads)
        now = self._clock()
        if now >= self._next:
            self._next = now + self._period_s
            self._write(self._line(now - self._began))
            self._shown = True
        return payloads

    def remove(self) -> None:
        """Remove the line. Call it before writing anything else to the terminal, and at the end."""
        if self._shown:
            self._shown = False
            self._write("")

    def _write(self, line: str) -> None:
        # The run goes on without its terminal.
        with suppress(OSError):
            # A line as wide as the terminal would wrap, and the next one would not be erased.
            # Some terminals report a width of 0.
            columns = os.get_terminal_size(self._terminal).columns or 80
            os.write(self._terminal, f"\r\x1b[K{line[: columns - 1]}".encode())

    def _line(self, elapsed: float) -> str:
        # A file may have grown since its size was read.
        done = min(self._position(), self._size)
        left = round(elapsed * (self._size - done) / max(done, 1))
        minutes, seconds = divmod(left, 60)
        return (
            f"{done * 100 // max(self._size, 1)} % read, {self._frames:,} frames, {self._frames / elapsed:,.0f}/s,"
            f" {minutes}:{seconds:02} left"
        )
