"""What waits for one receiver: a queue with an end, of which the oldest frames give way, and what became of them."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import Any

from dnstap.tap.counts import TapCounts

__all__ = ["Outlet"]

GATHER_S = 0.1
BATCH = 2000
"""The sender lets frames gather for so long, or until there are so many."""

MAX_BATCH = 5000
"""How many frames are sent by one call. Each costs the sender a wait for the interpreter's lock."""


_NEVER = sys.maxsize


class Outlet:
    """A queue between the threads of a server and the one that sends.

    A server's thread holds the lock for a few steps and never waits for anything else; nor does the sender hold it
    while it sends. It may be taken again by a signal handler that has interrupted its holder.

    Args: limit: how many frames may wait.
    Attributes: ending: set by `end`: no more frames are taken, and what waits is to be sent.
    """

    def __init__(self, limit: int) -> None:
        self.ending = False
        self._limit = limit
        # It drops the oldest by itself: who puts a frame into a full queue does no more than who puts one into another.
        self._queue: deque[Any] = deque(maxlen=limit)
        self._sending: list[Any] = []
        self._connected = False
        self._submitted = 0
        self._left_queue = 0
        self._counts = TapCounts()
        # The sender is woken when so many wait.
        self._wanted = _NEVER
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def put(self, frame: Any) -> None:
        """Have a frame sent, or what one can be made of. It never waits."""
        with self._lock:
            self._submitted += 1
            self._queue.append(frame)
            if len(self._queue) >= self._wanted:
                self._arrived()

    def take(self, timeout_s: float) -> list[Any]:
        """What is to be sent now, at once when there is much, in a moment when there is little; [] after the timeout.

        Until `settle` is told what has become of it, it is on its way.
        """
        with self._lock:
            self._await(1, timeout_s)
            if self._queue:
                self._await(min(BATCH, self._limit), GATHER_S)
            if len(self._queue) <= MAX_BATCH:
                self._sending = list(self._queue)
                self._queue.clear()
            else:
                self._sending = [self._queue.popleft() for _ in range(MAX_BATCH)]
            self._left_queue += len(self._sending)
            return self._sending

    def settle(self, rest: list[Any], **became: int) -> None:
        """Some of what `take` gave was sent or dropped: counts by name. The rest waits again, before all others."""
        with self._lock:
            self._sending = []
            self._count(**became)
            self._left_queue -= len(rest)
            if not self.ending:
                rest = rest[max(0, len(rest) + len(self._queue) - self._limit) :]
            self._queue.extendleft(reversed(rest))

    def pause(self, seconds: float) -> None:
        """Wait; once it is ending, for no longer than a moment."""
        end = time.monotonic() + seconds
        with self._lock:
            if not self.ending:
                self._changed.wait_for(lambda: self.ending, seconds)
        if self.ending:
            time.sleep(max(0.0, min(end - time.monotonic(), GATHER_S)))

    def end(self) -> None:
        """Take no more frames, and let the sender send at once what waits."""
        with self._lock:
            if not self.ending:
                self.ending = True
                self._queue = deque(self._queue)
                self._wanted = 0
                self._changed.notify_all()

    def give_up(self, *, closed: bool) -> int:
        """Drop what waits and is not on its way: at the end, or because the receiver has gone; how much that was."""
        with self._lock:
            left = len(self._queue)
            self._queue.clear()
            self._left_queue += left
            self._count(**{"closed" if closed else "not_connected": left})
            return left

    @property
    def connected(self) -> bool:
        """Whether there is a receiver: it decides what drops are counted as."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        with self._lock:
            self._count_overflow()
            self._connected = connected

    @property
    def waiting(self) -> int:
        """How many frames have not been sent yet."""
        return len(self._queue) + len(self._sending)

    def counts(self) -> TapCounts:
        """What became of its frames."""
        with self._lock:
            self._count_overflow()
            return self._counts._replace(submitted=self._submitted, waiting=self.waiting)

    def _count(self, **became: int) -> None:
        self._counts = self._counts.plus(TapCounts(**became))

    def _count_overflow(self) -> None:
        """Count what the queue has dropped since this was done last."""
        if surplus := self._submitted - self._left_queue - len(self._queue):
            self._left_queue += surplus
            self._count(**{"queue_full" if self._connected else "not_connected": surplus})

    def _arrived(self) -> None:
        """A frame has come which the sender was waiting for, or which comes too late."""
        if self.ending:
            self._queue.pop()
            self._left_queue += 1
            self._count(closed=1)
        else:
            self._wanted = _NEVER
            self._changed.notify_all()

    def _await(self, frames: int, timeout_s: float) -> None:
        """Wait until so many frames wait, or it ends."""
        if len(self._queue) < frames and not self.ending:
            self._wanted = frames
            self._changed.wait_for(lambda: len(self._queue) >= frames or self.ending, timeout_s)
            if not self.ending:
                self._wanted = _NEVER
