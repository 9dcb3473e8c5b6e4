"""Coalescing of small reads."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Coalescer"]

SMALL_BYTES = 1 << 16
DENSE_S = 0.003
"""A read of less than SMALL_BYTES, and not later than DENSE_S after the last one, is worth a pause before the next.

A busy server writes 8 KiB at a time, and waking up for each of these takes longer than passing it on. Together with one
receive buffer for all sockets and a shorter walk over frames, the pause brought recording from 1.20 to 0.92 of
fstrm_capture's processor time (docs/performance.md).
"""


class Coalescer:
    """A pause while servers are busy: it blocks the event loop briefly, so that the next read finds more.

    Args: pause_s: how long; nothing else runs meanwhile, so this is for programs that only receive.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._last = 0.0
        self._paused = False

    def pause(self, size: int) -> None:
        """Block after a read of this size if more is likely to come; at most once in an iteration of the loop."""
        now = time.monotonic()
        dense = now - self._last < DENSE_S
        self._last = now
        if dense and size < SMALL_BYTES and not self._paused:
            # One pause in an iteration of the loop serves all connections that are ready in it; one for each would add
            # up.
            self._paused = True
            asyncio.get_running_loop().call_soon(self._resume)
            time.sleep(self._pause_s)
            # The time of the pause itself is no sign that the sender has become slow.
            self._last += self._pause_s

    def _resume(self) -> None:
        self._paused = False
