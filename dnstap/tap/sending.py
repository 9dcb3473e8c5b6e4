"""What carries frames from a tap to receivers, each by a thread: to one that listens, or to any that connect to us."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.diagnostics import ChangeReporter, error_text
from dnstap.tap.counts import TapCounts
from dnstap.tap.outlet import Outlet
from framestream.errors import FrameStreamError
from framestream.frames import MAX_DATA_BYTES
from framestream.sockets import RETRY_ACCEPT_S
from framestream.streams import STABLE_S, Backoff, Deadlines
from framestream.sync import listen_writer, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.endpoints import Endpoint
    from framestream.sync import Writer

__all__ = ["Dialer", "Pump", "Sending", "Sinks"]

_log = logging.getLogger("dnstap.tap")

TICK_S = 1.0
"""How often the sender looks whether the receiver is still there, and whether there is something to report."""

DEADLINES = Deadlines(write_s=5.0)
BACKOFF = Backoff(first_s=0.1, most_s=5.0)

MAX_SINKS = 64
"""How many sinks are served at a time."""

FAULTS = (FrameStreamError, OSError)


class Sending(Protocol):
    """What a tap has of either.

    Attributes:
        put: takes what a payload is made of, and never waits.
        ready: whether it has a receiver.
    """

    @property
    def ready(self) -> bool: ...
    def put(self, frame: Any, /) -> None: ...
    def counts(self) -> TapCounts: ...
    def start(self) -> None: ...
    def end(self) -> None: ...
    def close(self, deadline: float) -> int: ...
    def forget(self) -> None: ...


class Pump:
    """Sends what waits in an outlet.

    Args:
        payload: makes a payload of what waits.
        fault: told why that could not be done.
        tick: called about once a second.
    """

    def __init__(
        self,
        payload: Callable[[Any], bytes],
        fault: Callable[[Exception], object],
        tick: Callable[[], object],
    ) -> None:
        self.tick = tick
        self._payload = payload
        self._fault = fault

    def run(self, outlet: Outlet, writer: Writer) -> None:
        """Send until the outlet ends.

        Raises: FrameStreamError, OSError: the connection broke. What it had not taken whole waits again.
        """
        while True:
            frames = outlet.take(TICK_S)
            if not frames and outlet.ending:
                return
            if writer.gone():
                outlet.settle(frames)
                raise ConnectionResetError("the receiver has closed")
            payloads, dropped = self._encoded(frames)
            before = writer.frames
            try:
                writer.write_many(payloads)
            finally:
                sent = writer.frames - before
                outlet.settle(payloads[sent:], sent=sent, **dropped)
            self.tick()

    def _encoded(self, frames: list[Any]) -> tuple[list[bytes], dict[str, int]]:
        """The payloads of frames, and how many were dropped why. Those that wait again are payloads already."""
        payloads = []
        make = self._payload
        too_large = not_encodable = 0
        for frame in frames:
            try:
                payload = frame if type(frame) is bytes else make(frame)
            except Exception as error:  # noqa: BLE001 (of any kind: it costs one frame)
                self._fault(error)
                not_encodable += 1
                continue
            if len(payload) <= MAX_DATA_BYTES:
                payloads.append(payload)
            else:
                too_large += 1
        return payloads, {"too_large": too_large, "not_encodable": not_encodable}


class Dialer:
    """Keeps a connection to a receiver that listens.

    Args:
        queue: how many frames wait at the most.
        pump: what sends them.
    """

    def __init__(self, endpoint: Endpoint, queue: int, pump: Pump) -> None:
        self._endpoint = endpoint
        self._outlet = Outlet(queue)
        self._say = ChangeReporter(_log.warning)
        self._pump = pump
        self._end: float | None = None
        self._writer: Writer | None = None
        self._thread = threading.Thread(target=self._run, name=f"dnstap tap {endpoint}", daemon=True)
        self.put = self._outlet.put
        self.counts = self._outlet.counts
        self.start = self._thread.start

    @property
    def ready(self) -> bool:
        return self._outlet.connected

    def end(self) -> None:
        """Take no more frames."""
        self._outlet.end()

    def close(self, deadline: float) -> int:
        """Send what waits, and STOP, until the deadline of time.monotonic(); how many frames were left."""
        self._end = deadline
        self._outlet.end()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self._writer:
                self._writer.interrupt()
                self._thread.join(TICK_S)
        return self._outlet.give_up(closed=True)

    def forget(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        if self._writer:
            self._writer.forget()

    def _run(self) -> None:
        waits = BACKOFF.waits()
        while True:
            self._pause(next(waits))
            if self._outlet.ending and (not self._outlet.waiting or self._is_over()):
                return
            try:
                self._writer = writer = open_writer(self._endpoint, [CONTENT_TYPE], deadlines=DEADLINES)
            except FAULTS as error:
                self._say(f"{self._endpoint}: no connection: {error_text(error)}")
                continue
            _log.info("%s: connected", self._endpoint)
            self._say.reset()
            began = time.monotonic()
            self._outlet.connected = True
            try:
                self._pump.run(self._outlet, writer)
                writer.close()
            except FAULTS as error:
                self._say(f"{self._endpoint}: the connection broke: {error_text(error)}")
            else:
                return
            finally:
                self._outlet.connected = False
                self._writer = None
                writer.abort()
            if writer.frames or time.monotonic() - began >= STABLE_S:
                waits = BACKOFF.waits()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not (self._outlet.ending and self._is_over()):
            self._outlet.pause(min(left, TICK_S))
            self._pump.tick()

    def _is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


class Sinks:
    """Listens, and sends frames to each receiver that is connected when they come.

    Each has a queue and a thread of its own, so that none delays another.

    Args: as of Dialer.
    Raises: OSError: it cannot listen there; LocalProtocolError: no endpoint to listen on.
    """

    def __init__(self, endpoint: Endpoint, queue: int, pump: Pump) -> None:
        self._queue = queue
        self._say = ChangeReporter(_log.warning)
        self._pump = pump
        self._lock = threading.RLock()
        self._sinks: dict[Outlet, Writer] = {}
        self._begun: set[Outlet] = set()
        self._threads: set[threading.Thread] = set()
        self._submitted = 0
        self._past = TapCounts()
        self._ending = False
        self._listener = listen_writer(endpoint, [CONTENT_TYPE], deadlines=DEADLINES)
        self.endpoint = self._listener.endpoint
        self._thread = threading.Thread(target=self._accept_all, name=f"dnstap tap {self.endpoint}", daemon=True)
        self.start = self._thread.start

    @property
    def ready(self) -> bool:
        return bool(self._begun)

    def put(self, frame: Any) -> None:
        """Have a frame sent to all. It never waits."""
        with self._lock:
            self._submitted += 1
            if not self._begun:
                cause = {"closed": 1} if self._ending else {"not_connected": 1}
                self._past = self._past.plus(TapCounts(submitted=1, **cause))
            for outlet in self._sinks:
                outlet.put(frame)

    def counts(self) -> TapCounts:
        """What became of the frames, of all sinks together whose streams have begun."""
        with self._lock:
            counts = self._past
            for outlet in self._begun:
                counts = counts.plus(outlet.counts())
            return counts._replace(submitted=self._submitted, copies=counts.submitted - self._submitted)

    def end(self) -> None:
        """Take no more frames."""
        with self._lock:
            self._ending = True
            for outlet in self._sinks:
                outlet.end()

    def close(self, deadline: float) -> int:
        """As of Dialer; to all sinks at the same time."""
        closed = self.counts().closed
        self.end()
        self._listener.close()
        threads = [thread for thread in (self._thread, *self._threads) if thread.ident is not None]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            stuck = dict(self._sinks)
        for outlet, writer in stuck.items():
            writer.interrupt()
            outlet.give_up(closed=True)
        for thread in threads:
            thread.join(TICK_S)
        return self.counts().closed - closed

    def forget(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._listener.forget()
        for writer in self._sinks.values():
            writer.forget()

    def _accept_all(self) -> None:
        while not self._ending:
            self._pump.tick()
            try:
                writer = self._listener.accept(TICK_S)
            except TimeoutError:
                continue
            except OSError as error:
                if not self._ending:
                    self._say(f"{self.endpoint}: cannot accept a connection: {error_text(error)}")
                    time.sleep(RETRY_ACCEPT_S)
                continue
            if len(self._threads) >= MAX_SINKS:
                self._say(f"{writer.peer}: refused, there are {MAX_SINKS} already")
                writer.abort()
                continue
            thread = threading.Thread(target=self._serve, args=(writer,), name=f"dnstap tap {writer.peer}", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _serve(self, writer: Writer) -> None:
        outlet = Outlet(self._queue)
        outlet.connected = True
        try:
            # It gets what is submitted from now on, but who never begins a stream counts for nothing.
            with self._lock:
                self._sinks[outlet] = writer
                if self._ending:
                    outlet.end()
            writer.handshake()
            with self._lock:
                self._begun.add(outlet)
            self._pump.run(outlet, writer)
            writer.close()
        except FAULTS as error:
            self._say(f"{writer.peer}: {error_text(error)}")
        finally:
            with self._lock:
                del self._sinks[outlet]
                outlet.give_up(closed=self._ending)
                if outlet in self._begun:
                    self._begun.remove(outlet)
                    self._past = self._past.plus(outlet.counts())
            writer.abort()
            self._threads.discard(threading.current_thread())
