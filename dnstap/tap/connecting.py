"""Sender of a tap that connects to a receiver."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.frame_queue import FrameQueue
from dnstap.tap.sending import CONNECTION_ERRORS, send_frames
from framestream.reporting import ChangeReporter, error_text
from framestream.streams import STABLE_S
from framestream.sync import open_writer

if TYPE_CHECKING:
    from dnstap.tap.drop_log import DropLog
    from dnstap.tap.limits import TapLimits
    from dnstap.tap.payloads import Payloads
    from framestream.endpoints import Endpoint
    from framestream.sync import Writer

__all__ = ["ConnectingSender"]


class ConnectingSender:
    """Thread that keeps a connection to a receiver, and sends it the frames of a queue.

    Attributes: queue: takes the frames of the server.
    """

    def __init__(
        self, endpoint: Endpoint, max_frames: int, payloads: Payloads, drops: DropLog, limits: TapLimits
    ) -> None:
        self.queue = FrameQueue(max_frames, limits)
        self._endpoint = endpoint
        self._max_frames = max_frames
        self._payloads = payloads
        self._drops = drops
        self._limits = limits
        # What is tried for hours fails in the same way each time.
        self._report = ChangeReporter(drops.warn)
        # Set by `close`: time.monotonic() at which the thread stops trying to connect.
        self._deadline: float | None = None
        # Whether there is a connection, or was one when it was tried last; None before the end of the first attempt.
        self._reached: bool | None = None
        self._writer: Writer | None = None
        self._thread = self._new_thread()

    def _new_thread(self) -> threading.Thread:
        # A daemon, because the interpreter waits for other threads before it calls functions of atexit.
        return threading.Thread(target=self._run, name=f"dnstap tap {self._endpoint}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def shutdown(self) -> None:
        """Take no more frames, and send those that wait at once."""
        self.queue.shutdown()

    def close(self, deadline: float) -> int:
        """Send the waiting frames, then STOP, and wait for the thread.

        Args: deadline: time.monotonic() at which what is left is dropped.
        Returns: the number of frames dropped.
        """
        # A second call returns only what was dropped since the first.
        left = self.queue.left
        if self._reached is False:
            # One more attempt is made, which may take no longer than this: a host that is down does not even refuse it.
            deadline = min(deadline, time.monotonic() + self._limits.away_s)
        # Before the shutdown, which wakes the thread: from then on it compares the time with the deadline.
        self._deadline = deadline
        self.queue.shutdown()
        # After a fork there is no thread until the first frame.
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self._writer:
                # The receiver does not read or does not answer STOP. Breaking the connection ends the wait for it; a
                # thread that is still connecting is left to itself, since it is a daemon.
                self._writer.interrupt()
                self._thread.join(self._limits.tick_s)
        self._drop_waiting()
        # The thread drops, too.
        return self.queue.left - left

    def after_fork(self) -> None:
        """Leave the connection and the waiting frames to the parent process; the first frame starts a thread here."""
        # Only the descriptor is closed: anything sent or shut down here would end the stream of the parent.
        if self._writer:
            self._writer.forget()
            self._writer = None
        # A lock of the old queue may be held by a thread that exists only in the parent.
        self.queue = FrameQueue(self._max_frames, self._limits, on_first_frame=self.start)
        self._report.reset()
        self._deadline = None
        self._reached = None
        self._thread = self._new_thread()

    def _run(self) -> None:
        try:
            self._keep_connected()
        finally:
            # A batch that was being sent while `close` dropped the waiting frames was put back after that.
            self._drop_waiting()

    def _drop_waiting(self) -> None:
        """Drop the frames that wait at the end: for a receiver that did not take them in time, or for none."""
        self.queue.drop_waiting(closed=self._reached is True)

    def _keep_connected(self) -> None:
        """Connect and send until the queue is shut down and empty, or the deadline of `close` has passed."""
        waits = self._limits.backoff.waits()
        last = False
        while True:
            self._pause(next(waits))
            if self.queue.is_shutdown:
                # After `close` a connection is made only for frames that wait, and tried once: the end of a program
                # does not wait for a receiver that is away.
                if last or not self.queue.waiting or self._deadline_passed():
                    return
                last = True
            try:
                self._writer = writer = open_writer(self._endpoint, [CONTENT_TYPE], deadlines=self._limits.deadlines)
            except CONNECTION_ERRORS as error:
                self._report(f"{self._endpoint}: no connection: {error_text(error)}")
                self._reached = False
                continue
            # Forgetting the last report lets the same trouble be reported again after a connection in between.
            self._drops.inform(f"{self._endpoint}: connected")
            self._report.reset()
            connected_at = time.monotonic()
            self._reached = True
            self.queue.connected = True
            try:
                send_frames(self.queue, writer, self._payloads, self._drops, self._limits.tick_s)
                writer.close()
            except CONNECTION_ERRORS as error:
                self._report(f"{self._endpoint}: the connection broke: {error_text(error)}")
                # Unless `close` has broken it, because its time was over.
                self._reached = self._deadline_passed()
            else:
                return
            finally:
                self.queue.connected = False
                self._writer = None
                writer.abort()
            # A receiver that breaks each connection soon is not tried without pauses.
            stable = time.monotonic() - connected_at >= STABLE_S
            if writer.frames or stable:
                waits = self._limits.backoff.waits()
                if not stable:
                    next(waits)  # The first is 0: at once.

    def _pause(self, seconds: float) -> None:
        """Wait before an attempt to connect, but after `close` make the last one at once."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.queue.is_shutdown:
            # In steps, so that drops are reported while no receiver is there.
            self.queue.pause(min(left, self._limits.tick_s))
            self._drops.report_if_due()

    def _deadline_passed(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline
