"""Bounded queue of the frames for one receiver, with an account of what becomes of them."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from dnstap.tap.counts import TapCounts
from dnstap.tap.limits import DEFAULT_LIMITS
from dnstap.tap.payloads import memory_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.tap.limits import TapLimits

__all__ = ["FrameQueue", "share_of"]

_NEVER = sys.maxsize


def share_of(max_frames: int, limits: TapLimits) -> int:
    """Return the memory that each of the frames that may wait can take, in bytes."""
    return max(1, limits.queue_bytes // max_frames)


class FrameQueue:
    """Queue between the threads of a server and the thread that sends its frames to one receiver.

    When it is full, the oldest frames are dropped. A frame is an argument for `Payloads.encode`, or a payload.

    Each frame has an equal share of the memory that all may take. Most take less, and are not measured: with each
    measured, a frame took 0.7 µs to put instead of 0.3. Larger ones take room from the others.

    A server's thread holds the lock for a few steps and never waits for anything else, as the sender does not hold it
    while it encodes and sends. The lock is reentrant, because a signal handler may put a frame while it interrupts the
    thread that holds it.

    Args:
        max_frames: most frames that may wait.
        limits: most memory of the waiting frames, sizes and intervals of batches.
        memory_of: returns the memory that a frame takes, in bytes.
        on_first_frame: called when the first frame is put; starts the thread that sends. It may raise RuntimeError,
            and is then called again for the next frame.
    Attributes:
        is_shutdown: whether `shutdown` has been called.
        left: number of frames that `drop_waiting` has dropped.
    """

    def __init__(
        self,
        max_frames: int,
        limits: TapLimits = DEFAULT_LIMITS,
        *,
        memory_of: Callable[[Any], int] = memory_of,
        on_first_frame: Callable[[], object] | None = None,
    ) -> None:
        self.is_shutdown = False
        self.left = 0
        self._max_frames = max_frames
        self._limits = limits
        self._memory_of = memory_of
        self._share = share_of(max_frames, limits)
        # Memory by which the waiting frames exceed their shares, and the number of frames that may wait beside it.
        self._excess = 0
        self._room = max_frames
        # How many frames were dropped is computed when somebody asks.
        self._frames: deque[Any] = deque()
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
        """Append a frame that takes no more than its share, without waiting for anything but the lock."""
        with self._lock:
            self._submitted += 1
            frames = self._frames
            frames.append(frame)
            if len(frames) > self._room:
                # Inline, so that it costs little more while the receiver is away.
                if self._excess:
                    self._drop_oldest()
                else:
                    frames.popleft()
            if len(frames) >= self._wake_at:
                self._wake()

    def put_any(self, frame: Any) -> None:
        """Append a frame of any size; otherwise as `put`.

        Raises: TypeError: it is not a frame.
        """
        excess = self._memory_of(frame) - self._share
        with self._lock:
            if excess > 0:
                self._change_excess(excess)
                if self._large_wait():
                    self._changed.notify_all()
            self.put(frame)

    def take(self, timeout_s: float) -> list[Any]:
        """Wait for frames and return the next batch; [] if none came in time, or if all is sent after `shutdown`.

        Few frames are held for a moment, so that others can be sent with them. Afterwards, `finish_batch` must be
        called, before the next `take`.
        """
        with self._lock:
            self._wait_for_frames(1, timeout_s)
            if self._frames and not self._large_wait():
                self._wait_for_frames(min(self._limits.gather_frames, self._max_frames), self._limits.gather_s)
            if self._excess:
                self._batch = self._take_measured()
            elif len(self._frames) <= self._limits.batch_frames:
                self._batch = list(self._frames)
                self._frames.clear()
            else:
                self._batch = [self._frames.popleft() for _ in range(self._limits.batch_frames)]
            # Counted as removed at once, so that _count_overflow finds only the frames that a full queue has dropped.
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
            self._frames.extendleft(reversed(unsent))
            excess = sum([max(0, self._memory_of(frame) - self._share) for frame in unsent])
            self._change_excess(excess)
            # After `shutdown` all stay.
            if not self.is_shutdown:
                self._drop_oldest()

    def pause(self, seconds: float) -> None:
        """Sleep until `shutdown` is called, but no longer than that."""
        with self._lock:
            self._changed.wait_for(lambda: self.is_shutdown, seconds)

    def shutdown(self) -> None:
        """Drop frames that are put from now on, and let `take` return those that wait at once."""
        with self._lock:
            if not self.is_shutdown:
                self.is_shutdown = True
                # A frame that comes too late must not displace one that waits: each further `put` calls _wake, which
                # drops its frame.
                self._room = _NEVER
                self._wake_at = 0
                self._changed.notify_all()

    def drop_waiting(self, *, closed: bool) -> int:
        """Drop the waiting frames, except those of a batch that is being sent.

        Args: closed: count them as `closed`; else as `not_connected`, since they have no receiver.
        Returns: the number of frames dropped.
        """
        with self._lock:
            dropped = len(self._frames)
            self._frames.clear()
            self._change_excess(-self._excess)
            self._removed += dropped
            self.left += dropped
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

    def _change_excess(self, change: int) -> None:
        self._excess += change
        if not self.is_shutdown:
            # Rounded in favour of memory.
            self._room = self._max_frames + -self._excess // self._share

    def _large_wait(self) -> bool:
        """Return whether the frames are so large that as much waits as is sent at once, however few they are."""
        return self._excess > self._share * self._max_frames // 2

    def _drop_oldest(self) -> None:
        """Drop the oldest frames of more than may wait; _count_overflow counts them."""
        while self._frames and len(self._frames) > self._room:
            self._take_oldest()

    def _take_oldest(self) -> tuple[Any, int]:
        """Return the oldest frame, and its memory."""
        frame = self._frames.popleft()
        size = self._memory_of(frame)
        if size > self._share:
            self._change_excess(self._share - size)
        return frame, size

    def _take_measured(self) -> list[Any]:
        """Take the oldest frames for a batch, at least one: half of what may wait, by memory."""
        batch: list[Any] = []
        left = self._share * self._max_frames // 2
        while self._frames and left > 0 and len(batch) < self._limits.batch_frames:
            frame, size = self._take_oldest()
            batch.append(frame)
            left -= size
        return batch

    def _count(self, **counts: int) -> None:
        self._counts = self._counts.plus(TapCounts(**counts))

    def _count_overflow(self) -> None:
        """Count the frames that have been dropped from the full queue since the last call."""
        if overflow := self._submitted - self._removed - len(self._frames):
            self._removed += overflow
            self._count(**{"queue_full" if self._connected else "not_connected": overflow})

    def _wake(self) -> None:
        """Wake or start the sender, or drop the frame just put if it came too late."""
        if self.is_shutdown:
            excess = self._memory_of(self._frames.pop()) - self._share
            self._change_excess(-max(0, excess))
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
            self._changed.wait_for(
                lambda: len(self._frames) >= count or self._large_wait() or self.is_shutdown, timeout_s
            )
            if not self.is_shutdown:
                self._wake_at = _NEVER
