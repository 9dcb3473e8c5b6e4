"""Sender of a tap that listens for receivers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.sending import CONNECTION_ERRORS, send_frames
from dnstap.tap.sink_queues import SinkQueues
from framestream.connections import Connections
from framestream.reporting import ChangeReporter, error_text
from framestream.sync import listen_writer

if TYPE_CHECKING:
    from dnstap.tap.drop_log import DropLog
    from dnstap.tap.frame_queue import FrameQueue
    from dnstap.tap.limits import TapLimits
    from dnstap.tap.payloads import Payloads
    from framestream.endpoints import Endpoint
    from framestream.sync import Writer
    from framestream.sync.listener import Listener

__all__ = ["ListeningSender"]


class ListeningSender:
    """Thread that accepts connections of receivers ("sinks"), and a thread for each that sends it frames.

    Each sink has a queue of its own, so that none delays another.

    Attributes:
        queue: takes the frames of the server.
        endpoint: the endpoint it listens on, with the actual port if the given one was 0.
    Raises: OSError: it cannot listen there; LocalProtocolError: not an endpoint to listen on.
    """

    def __init__(
        self, endpoint: Endpoint, max_frames: int, payloads: Payloads, drops: DropLog, limits: TapLimits
    ) -> None:
        self.queue = SinkQueues(max_frames, limits)
        self._max_frames = max_frames
        self._payloads = payloads
        self._drops = drops
        # Why nobody can be served now, which lasts.
        self._report = ChangeReporter(drops.warn)
        self._limits = limits
        self._lock = threading.Lock()
        self._writers: dict[FrameQueue, Writer] = {}
        self._threads: set[threading.Thread] = set()
        # Sinks are never idle for long while there are frames, and lose nothing while there are none.
        connections = Connections(limits.max_sinks, idle_s=None)
        listener = listen_writer(endpoint, [CONTENT_TYPE], deadlines=limits.deadlines, connections=connections)
        self._listener: Listener[Writer] | None = listener
        self.endpoint = listener.endpoint
        # Daemons, because the interpreter waits for other threads before it calls functions of atexit.
        self._thread = threading.Thread(
            target=self._accept_all, args=(listener,), name=f"dnstap tap {self.endpoint}", daemon=True
        )

    def start(self) -> None:
        """Start the thread that accepts connections."""
        self._thread.start()

    def shutdown(self) -> None:
        """Take no more frames, and send those that wait at once."""
        self.queue.shutdown()

    def close(self, deadline: float) -> int:
        """Send all sinks the frames that wait for them, then STOP, and wait for the threads.

        Args: deadline: time.monotonic() at which what is left is dropped.
        Returns: the number of frames dropped.
        """
        # A second call returns only what was dropped since the first.
        closed = self.queue.counts().closed
        self.queue.shutdown()
        if self._listener is None:
            return 0
        # First, so that no further sink comes. It also ends the thread that accepts.
        self._listener.close()
        threads = [thread for thread in (self._thread, *self._threads) if thread.ident is not None]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            # Sinks that have not taken everything by the deadline: their connection is broken to end their thread.
            stuck = dict(self._writers)
        for queue, writer in stuck.items():
            writer.interrupt()
            queue.drop_waiting(closed=True)
        for thread in threads:
            thread.join(self._limits.tick_s)
        return self.queue.counts().closed - closed

    def after_fork(self) -> None:
        """Leave the listening socket and all connections to the parent process, and drop all frames in this one."""
        if self._listener:
            # Not close(), which would remove the parent's unix socket.
            self._listener.forget()
            self._listener = None
        # Without the lock, which a thread of the parent may have held at the fork. No other thread is left here.
        for writer in self._writers.values():
            writer.forget()
        self._writers = {}
        self.queue = SinkQueues(self._max_frames, self._limits)

    def _accept_all(self, listener: Listener[Writer]) -> None:
        while not self.queue.is_shutdown:
            self._drops.report_if_due()
            try:
                writer = listener.accept(self._limits.tick_s)
            # Before OSError, of which it is a subclass: nobody has connected within a tick, or all places are taken.
            except TimeoutError:
                if self.queue.connections >= self._limits.max_sinks:
                    self._report(f"{self.endpoint}: others wait until one of {self._limits.max_sinks} receivers leaves")
                continue
            except OSError as error:
                if not self.queue.is_shutdown:
                    self._report(f"{self.endpoint}: cannot accept a connection: {error_text(error)}")
                    time.sleep(self._limits.retry_accept_s)
                continue
            self._report.reset()
            thread = threading.Thread(target=self._serve, args=(writer,), name=f"dnstap tap {writer.peer}", daemon=True)
            # Before it starts, because a thread removes itself at its end, which may come at once.
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError as error:  # The system allows no more threads now.
                self._threads.discard(thread)
                self._drops.warn(f"{writer.peer}: {error}")
                writer.abort()

    def _serve(self, writer: Writer) -> None:
        """Send frames to one sink."""
        with self._lock:
            # Before the handshake: a sink gets the frames from when it connects (docs/tapping.md).
            queue = self.queue.add()
            self._writers[queue] = writer
        try:
            writer.handshake()
            self.queue.begin(queue)
            send_frames(queue, writer, self._payloads, self._drops, self._limits.tick_s)
            writer.close()
        except CONNECTION_ERRORS as error:
            self._drops.warn(f"{writer.peer}: {error_text(error)}")
        finally:
            with self._lock:
                del self._writers[queue]
                self.queue.remove(queue)
            writer.abort()
            self._threads.discard(threading.current_thread())
