"""Bounded queue of the frames for one receiver, with an account of what becomes of them."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from dnstap.tap.counts import TapCounts
from dnstap.tap.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.tap.limits import TapLimits

__all__ = ["FrameQueue"]

_NEVER = sys.maxsize


class FrameQueue:
    """Queue between the threads of a server and the thread that sends its frames to one receiver.

    When it is full, the oldest frame is dropped. A frame is an argument for `Payloads.encode`, or a payload.

    A server's thread holds the lock for a few steps and never waits for anything else, as the sender does not hold it
    while it encodes and sends. The lock is reentrant, because a signal handler may put a frame while it interrupts the
    thread that holds it.

    Args:
        max_frames: most frames that may wait.
        limits: sizes and intervals of batches.
        on_first_frame: called when the first frame is put; starts the thread that sends. It may raise RuntimeError,
            and is then called again for the next frame.
    Attributes: is_shutdown: whether `shutdown` has been called.
    """

    def __init__(
        self,
        max_frames: int,
        limits: TapLimits = DEFAULT_LIMITS,
        *,
        on_first_frame: Callable[[], object] | None = None,
    ) -> None:
        self.is_shutdown = False
        self._max_frames = max_frames
        self._limits = limits
        # A deque with a maximum length drops the oldest frame by itself, so putting a frame into a full queue takes
        # no longer. How many were dropped is computed when somebody asks.
        self._frames: deque[Any] = deque(maxlen=max_frames)
        self._batch: list[Any] = []
        self._connected = False
        self._submitted = 0
        self._removed = 0
        self._counts = TapCounts()
        self._on_first_frame = on_first_frame
        # Number of waiting frames at which `put` does more than append.
        self._wake_at = 1 if on_first_frame else _NEVER
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def put(self, frame: Any) -> None:
        """Append a frame, without waiting for anything but the lock."""
        with self._lock:
            self._submitted += 1
            self._frames.append(frame)
            if len(self._frames) >= self._wake_at:
                self._wake()

    def take(self, timeout_s: float) -> list[Any]:
        """Wait for frames and return the next batch; [] if none came in time, or if all is sent after `shutdown`.

        Few frames are held for a moment, so that others can be sent with them. Afterwards, `finish_batch` must be
        called, before the next `take`.
        """
        with self._lock:
            self._wait_for_frames(1, timeout_s)
            if self._frames:
                self._wait_for_frames(min(self._limits.gather_frames, self._max_frames), self._limits.gather_s)
            if len(self._frames) <= self._limits.batch_frames:
                self._batch = list(self._frames)
                self._frames.clear()
            else:
                self._batch = [self._frames.popleft() for _ in range(self._limits.batch_frames)]
            # Counted as removed at once, so that _count_overflow finds only the frames that the full deque dropped.
            self._removed += len(self._batch)
            return self._batch

    def finish_batch(self, unsent: list[Any], **counts: int) -> None:
        """Account for the last batch: put back the frames that were not sent, before all others, and count the rest.

        Args:
            unsent: frames to be sent later; of more than fit into the queue, the oldest are dropped.
            counts: what became of the others, by the names of TapCounts.
        """
        with self._lock:
            self._batch = []
            self._count(**counts)
            self._removed -= len(unsent)
            if not self.is_shutdown:
                # extendleft on a full deque drops frames at its other end, the newest; the oldest must go instead, so
                # they are left out here, and _count_overflow counts them. After `shutdown` the deque is unbounded, and
                # all frames stay.
                unsent = unsent[max(0, len(unsent) + len(self._frames) - self._max_frames) :]
            self._frames.extendleft(reversed(unsent))

    def pause(self, seconds: float) -> None:
        """Sleep, but after `shutdown` for no longer than frames are let gather."""
        end = time.monotonic() + seconds
        with self._lock:
            if not self.is_shutdown:
                self._changed.wait_for(lambda: self.is_shutdown, seconds)
        if self.is_shutdown:
            time.sleep(max(0.0, min(end - time.monotonic(), self._limits.gather_s)))

    def shutdown(self) -> None:
        """Drop frames that are put from now on, and let `take` return those that wait at once."""
        with self._lock:
            if not self.is_shutdown:
                self.is_shutdown = True
                # Without a maximum length: a frame that comes too late must not displace one that waits.
                self._frames = deque(self._frames)
                # Each further `put` calls _wake, which drops its frame.
                self._wake_at = 0
                self._changed.notify_all()

    def drop_waiting(self, *, closed: bool) -> int:
        """Drop the waiting frames, except those of a batch that is being sent.

        Args: closed: count them as `closed`; else as `not_connected`, since their receiver has gone.
        Returns: the number of frames dropped.
        """
        with self._lock:
            dropped = len(self._frames)
            self._frames.clear()
            self._removed += dropped
            self._count(**{"closed" if closed else "not_connected": dropped})
            return dropped

    @property
    def connected(self) -> bool:
        """True while there is a receiver, which decides how dropped frames are counted."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        with self._lock:
            # Frames that were dropped up to now are counted by the cause that was true until now.
            self._count_overflow()
            self._connected = connected

    @property
    def waiting(self) -> int:
        """Number of frames not sent yet, those of the current batch included."""
        return len(self._frames) + len(self._batch)

    def counts(self) -> TapCounts:
        """Return what became of the frames so far."""
        with self._lock:
            self._count_overflow()
            return self._counts._replace(submitted=self._submitted, waiting=self.waiting)

    def _count(self, **counts: int) -> None:
        self._counts = self._counts.plus(TapCounts(**counts))

    def _count_overflow(self) -> None:
        """Count the frames that the full queue has dropped since the last call."""
        if overflow := self._submitted - self._removed - len(self._frames):
            self._removed += overflow
            self._count(**{"queue_full" if self._connected else "not_connected": overflow})

    def _wake(self) -> None:
        """Wake or start the sender, or drop the frame just put if it came too late."""
        if self.is_shutdown:
            self._frames.pop()
            self._removed += 1
            self._count(closed=1)
            return
        if self._on_first_frame:
            try:
                self._on_first_frame()
            except RuntimeError:
                return  # The system allows no more threads now; the next frame tries again.
            self._on_first_frame = None
        self._wake_at = _NEVER
        self._changed.notify_all()

    def _wait_for_frames(self, count: int, timeout_s: float) -> None:
        """Wait until `count` frames wait, or `shutdown` is called."""
        if len(self._frames) < count and not self.is_shutdown:
            # Until that many wait, `put` only appends: the sender is woken once for a batch, not for each frame.
            self._wake_at = count
            self._changed.wait_for(lambda: len(self._frames) >= count or self.is_shutdown, timeout_s)
            if not self.is_shutdown:
                self._wake_at = _NEVER
