"""What the taps of threaded and of asyncio servers have in common: all but how they are closed."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from dnstap.messages import Message
from dnstap.messages.constructors import values_maker
from dnstap.schema.enums import MessageType
from dnstap.tap.counts import TapCounts
from dnstap.tap.payloads import Payloads
from dnstap.tap.sending import Dialer, Pump, Sending, Sinks
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages.constructors import MakeMessage
    from dnstap.schema.enums import SocketProtocol
    from dnstap.tap.payloads import Text
    from framestream.endpoints import Endpoint, Path, Tls

__all__ = ["CLOSE_S", "QUEUE", "BaseTap"]

_log = logging.getLogger("dnstap.tap")

QUEUE = 10_000
"""How many frames wait for a receiver, as in CoreDNS."""

CLOSE_S = 5.0

PERIOD_S = 10.0
"""How often drops are logged, in seconds."""


class BaseTap:
    """The frames of one server, on their way to who collects them.

    Neither `submit` nor one of the methods by type ever waits, and none raises an error for what it is given: what
    cannot be sent is counted, by cause, and logged once in 10 s by the logger "dnstap.tap". Any thread may call them.

    Args:
        endpoint: "unix:/run/dnstap.sock", "tcp:HOST:PORT" or "tls:HOST:PORT", or an object of framestream.endpoints.
        identity, version: of the server; text or octets.
        extra: text or octets for all frames, or a function from the Message to those for its frame.
        full: whether frames have the DNS messages; they are left out otherwise.
        queue: how many frames wait for a receiver; when there are more, the oldest are dropped.
        listen: listen there, for any number of receivers that connect (sinks), instead of connecting to one.
        tls: for an endpoint that is text and begins with "tls:".
    Raises: LocalProtocolError: no endpoint; OSError: it cannot listen there. A receiver that cannot be connected to is
        no error: it is tried again.
    """

    auth_query: MakeMessage[None]
    auth_response: MakeMessage[None]
    resolver_query: MakeMessage[None]
    resolver_response: MakeMessage[None]
    client_query: MakeMessage[None]
    client_response: MakeMessage[None]
    forwarder_query: MakeMessage[None]
    forwarder_response: MakeMessage[None]
    stub_query: MakeMessage[None]
    stub_response: MakeMessage[None]
    tool_query: MakeMessage[None]
    tool_response: MakeMessage[None]
    update_query: MakeMessage[None]
    update_response: MakeMessage[None]

    def __init__(
        self,
        endpoint: Path | Endpoint,
        *,
        identity: Text = None,
        version: Text = None,
        extra: Text | Callable[[Message], Text] = None,
        full: bool = True,
        queue: int = QUEUE,
        listen: bool = False,
        tls: Tls | None = None,
    ) -> None:
        parsed: Endpoint = parse_endpoint(endpoint, tls)
        if isinstance(parsed, FileEndpoint):
            raise LocalProtocolError(f"{parsed} is a file; unix:PATH, tcp:HOST:PORT or tls:HOST:PORT expected")
        if queue < 1:
            raise ValueError(f"queue is {queue}; 1 or more expected")
        self.endpoint: Endpoint = parsed
        self._queue = queue
        payloads = Payloads(identity, version, extra, full=full)
        self._values = payloads.values
        self._plain = payloads.plain
        self._pump = Pump(payloads.payload, self._note, self._tick)
        self._lock = threading.Lock()
        self._refused = TapCounts()
        self._fault = ""
        self._said = TapCounts()
        self._said_at = time.monotonic()
        self._sending: Sending
        if listen:
            sinks = Sinks(parsed, queue, self._pump)
            self.endpoint = sinks.endpoint
            self._sending = sinks
        else:
            self._sending = Dialer(parsed, queue, self._pump)
        self._listens = listen
        self._put: Callable[[Any], None] = self._sending.put
        self._sending.start()
        _taps.add(self)

    @property
    def counts(self) -> TapCounts:
        """What became of all frames so far."""
        return self._sending.counts().plus(self._refused)

    @property
    def connected(self) -> bool:
        """Whether there is a receiver."""
        return self._sending.ready

    def submit(self, message: Message) -> None:
        """Have a message sent. What is set in it later makes no difference; a policy in it must stay as it is."""
        try:
            self._put(self._values(message))
        except Exception as error:  # noqa: BLE001 (of any kind: it must not reach the server)
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        with self._lock:
            self._refused = self._refused.plus(TapCounts(submitted=1, not_encodable=1))
        self._note(error)

    def _note(self, error: Exception) -> None:
        self._fault = f"{type(error).__name__}: {error}"

    def _close(self, timeout_s: float) -> int:
        deadline = time.monotonic() + timeout_s
        _taps.discard(self)
        left = self._sending.close(deadline)
        self._say_drops()
        return left

    def _tick(self) -> None:
        if time.monotonic() - self._said_at >= PERIOD_S:
            self._say_drops()

    def _say_drops(self) -> None:
        self._said_at = time.monotonic()
        counts, before = self.counts, self._said
        self._said = counts
        new = counts.minus(before)
        if self._listens:
            # Nobody has connected: that is what it is for.
            new = new._replace(not_connected=0)
        if new.dropped:
            fault = f"; the last error was {self._fault}" if new.not_encodable else ""
            _log.warning("%s: %d frames dropped: %s%s", self.endpoint, new.dropped, new.causes(), fault)

    def _forked(self) -> None:
        """Begin anew in a process that was forked: what waited is the other's, as is the connection."""
        self._sending.forget()
        self._lock = threading.Lock()
        self._refused = self._said = TapCounts()
        if self._listens:
            # The other process goes on listening, and two cannot.
            self._sending = Nobody()
            self._put = self._sending.put
        else:
            self._sending = Dialer(self.endpoint, self._queue, self._pump)
            self._put = self._begin

    def _begin(self, frame: Any) -> None:
        """Take the first frame after a fork."""
        with self._lock:
            if self._put == self._begin:
                self._put = self._sending.put
                self._sending.start()
        self._put(frame)


class Nobody:
    """Where the frames of a tap that listens go in a process that was forked: nowhere."""

    ready = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames = 0

    def put(self, frame: Any) -> None:  # noqa: ARG002
        with self._lock:
            self._frames += 1

    def counts(self) -> TapCounts:
        return TapCounts(submitted=self._frames, not_connected=self._frames)

    def start(self) -> None: ...
    def end(self) -> None: ...
    def forget(self) -> None: ...
    def close(self, deadline: float) -> int:  # noqa: ARG002
        return 0


def _method(message_type: MessageType) -> Any:
    """The method of the messages of a type."""
    name = message_type.name.lower()
    make_message, make_values = getattr(Message, name), values_maker(message_type)
    now = time.time_ns

    is_query = message_type % 2

    def tap(
        self: BaseTap,
        wire: Any = None,
        *,
        query_address: Any = None,
        query_port: Any = None,
        response_address: Any = None,
        response_port: Any = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Any = None,
        response_time: Any = None,
    ) -> None:
        try:
            if is_query:
                if query_time is None:
                    query_time = now()
            elif response_time is None:
                response_time = now()
            make: MakeMessage[Any] = make_values if self._plain else make_message
            made = make(
                wire,
                query_address=query_address,
                query_port=query_port,
                response_address=response_address,
                response_port=response_port,
                socket_protocol=socket_protocol,
                query_time=query_time,
                response_time=response_time,
            )
            self._put(made if self._plain else self._values(made))
        except Exception as error:  # noqa: BLE001 (as in submit)
            self._refuse(error)

    tap.__name__ = tap.__qualname__ = name
    tap.__doc__ = f"Have a {message_type.name} sent, made of what Message.{name} takes; its own time is now by default."
    return tap


for _type in MessageType:
    setattr(BaseTap, _type.name.lower(), _method(_type))

_taps: weakref.WeakSet[BaseTap] = weakref.WeakSet()
"""Those that have not been closed."""


def _close_all() -> None:
    """At the end of the program: all at the same time."""
    taps = list(_taps)
    for tap in taps:
        tap._sending.end()  # noqa: SLF001 (here and below, of this module's own class)
    deadline = time.monotonic() + CLOSE_S
    for tap in taps:
        tap._close(max(0.0, deadline - time.monotonic()))  # noqa: SLF001


def _fork_all() -> None:
    for tap in list(_taps):
        tap._forked()  # noqa: SLF001


atexit.register(_close_all)
os.register_at_fork(after_in_child=_fork_all)
