"""How far a long job has come: one line on a terminal, written over again and again, and removed at the end."""

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
"""Jobs that are shorter show nothing."""

PERIOD_S = 0.2
"""How long a line stands at least."""


class Progress(Stage):
    """A stage that passes all payloads on, counts them, and shows how far it has come when it is time.

    Args:
        terminal: its descriptor.
        size: octets that there are to read.
        position: how many have been read.
        clock: seconds.
    """

    def __init__(
        self,
        terminal: int,
        size: int,
        position: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._size = size
        self._position = position
        self._clock = clock
        self._frames = 0
        self._begun = clock()
        self._next = self._begun + FIRST_S
        self._shown = False

    def process(self, payloads: list[bytes]) -> list[bytes]:
        self._frames += len(payloads)
        now = self._clock()
        if now >= self._next:
            self._next = now + PERIOD_S
            self._write(self._line(now - self._begun))
            self._shown = True
        return payloads

    def remove(self) -> None:
        """Remove the line; to be called before anything else is written there, and at the end."""
        if self._shown:
            self._shown = False
            self._write("")

    def _write(self, line: str) -> None:
        # A job goes on when its terminal has gone.
        with suppress(OSError):
            # In the last column the line would go on in the next, which nobody erases.
            columns = os.get_terminal_size(self._terminal).columns or 80
            os.write(self._terminal, f"\r\x1b[K{line[: columns - 1]}".encode())

    def _line(self, elapsed: float) -> str:
        # A file may have grown since its size was asked for.
        done = min(self._position(), self._size)
        left = round(elapsed * (self._size - done) / max(done, 1))
        minutes, seconds = divmod(left, 60)
        return (
            f"{done * 100 // max(self._size, 1)} % read, {self._frames:,} frames, {self._frames / elapsed:,.0f}/s,"
            f" {minutes}:{seconds:02} left"
        )
