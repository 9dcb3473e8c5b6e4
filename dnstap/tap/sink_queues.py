"""Queues of all receivers ("sinks") of a tap that listens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dnstap.tap.counts import TapCounts
from dnstap.tap.frame_queue import FrameQueue
from dnstap.tap.limits import DEFAULT_LIMITS
from dnstap.tap.payloads import memory_of

if TYPE_CHECKING:
    from dnstap.tap.limits import TapLimits

__all__ = ["SinkQueues"]


class SinkQueues:
    """One FrameQueue for each connected sink, each of which gets every frame.

    A sink gets the frames submitted since it connected, but takes part in the counts only once its stream has begun:
    a port scan or a receiver that never answers is no reason to count frames.

    Args:
        max_frames, limits: for each queue.
    Attributes: is_shutdown: whether `shutdown` has been called.
    """

    def __init__(self, max_frames: int, limits: TapLimits = DEFAULT_LIMITS) -> None:
        self.is_shutdown = False
        self._max_frames = max_frames
        self._limits = limits
        self._queues: set[FrameQueue] = set()
        self._begun: set[FrameQueue] = set()
        self._submitted = 0
        # Frames that no queue accounts for, and those of sinks that have gone.
        self._counts = TapCounts()
        # Reentrant for signal handlers, as in FrameQueue.
        self._lock = threading.RLock()

    def put(self, frame: Any) -> None:
        """Append a frame that takes no more than its share to all queues, without waiting for anything but locks."""
        with self._lock:
            self._count_put()
            for queue in self._queues:
                queue.put(frame)

    def put_any(self, frame: Any) -> None:
        """Append a frame of any size to all queues; otherwise as `put`.

        Raises: TypeError: it is not a frame.
        """
        memory_of(frame)  # Raises before the frame is counted, or put into some of the queues.
        with self._lock:
            self._count_put()
            for queue in self._queues:
                queue.put_any(frame)

    def add(self) -> FrameQueue:
        """Make the queue of a sink that has just connected."""
        queue = FrameQueue(self._max_frames, self._limits)
        # Its sink is there, so what it drops is counted as queue_full.
        queue.connected = True
        with self._lock:
            self._queues.add(queue)
            # A sink that connects while the tap is closing gets STOP at once.
            if self.is_shutdown:
                queue.shutdown()
        return queue

    def begin(self, queue: FrameQueue) -> None:
        """Count the frames of a queue from now on: the stream to its sink has begun."""
        with self._lock:
            self._begun.add(queue)

    def remove(self, queue: FrameQueue) -> None:
        """Drop what waits for a sink that has gone, and add up what became of its frames."""
        with self._lock:
            self._queues.remove(queue)
            queue.drop_waiting(closed=self.is_shutdown)
            if queue in self._begun:
                self._begun.remove(queue)
                self._counts = self._counts.plus(queue.counts())

    def shutdown(self) -> None:
        """Drop frames that are put from now on, and let the senders send those that wait at once."""
        with self._lock:
            self.is_shutdown = True
            for queue in self._queues:
                queue.shutdown()

    @property
    def connected(self) -> bool:
        """True while the stream to any sink has begun."""
        return bool(self._begun)

    @property
    def connections(self) -> int:
        """Number of sinks whose stream has begun."""
        return len(self._begun)

    def _count_put(self) -> None:
        self._submitted += 1
        # No queue that takes part in the counts gets this frame, so it is counted here.
        if not self._begun:
            cause = {"closed": 1} if self.is_shutdown else {"not_connected": 1}
            self._counts = self._counts.plus(TapCounts(submitted=1, **cause))

    def counts(self) -> TapCounts:
        """Return what became of the frames so far, those for the second and more sinks counted as copies."""
        with self._lock:
            counts = self._counts
            for queue in self._begun:
                counts = counts.plus(queue.counts())
            # Each queue counts a frame as submitted. One of these is the server's, the others are copies.
            return counts._replace(submitted=self._submitted, copies=counts.submitted - self._submitted)
