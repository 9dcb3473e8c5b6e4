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
from dnstap.messages.constructors import message_values
from dnstap.schema.enums import MessageType
from dnstap.tap.counts import TapCounts
from dnstap.tap.payloads import Payloads
from dnstap.tap.sending import Dialer, Pump, Sending, Sinks
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages.constructors import Address, Time, Wire
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

    def _submit_values(
        self,
        message_type: MessageType,
        query_message: Wire | None,
        response_message: Wire | None,
        query_address: Address | None,
        query_port: int | None,
        response_address: Address | None,
        response_port: int | None,
        socket_protocol: SocketProtocol | None,
        query_time: Time | None,
        response_time: Time | None,
    ) -> None:
        """Have a message of these values sent, without making one where no function needs it for `extra`."""
        try:
            values = message_values(
                message_type,
                query_message,
                response_message,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
            self._put(values if self._plain else self._values(Message(*values)))
        except Exception as error:  # noqa: BLE001 (as in submit)
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        with self._lock:
            self._refused = self._refused.plus(TapCounts(submitted=1, not_encodable=1))
        self._note(error)

    def _note(self, error: Exception) -> None:
        self._fault = f"{type(error).__name__}: {error}"

    def auth_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this authoritative server received (AUTH_QUERY)."""
        self._submit_values(
            MessageType.AUTH_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def auth_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this authoritative server sent (AUTH_RESPONSE)."""
        self._submit_values(
            MessageType.AUTH_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def resolver_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this resolver sent to a server (RESOLVER_QUERY)."""
        self._submit_values(
            MessageType.RESOLVER_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def resolver_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this resolver received from a server (RESOLVER_RESPONSE)."""
        self._submit_values(
            MessageType.RESOLVER_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def client_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this resolver received from a client (CLIENT_QUERY)."""
        self._submit_values(
            MessageType.CLIENT_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def client_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this resolver sent to a client (CLIENT_RESPONSE)."""
        self._submit_values(
            MessageType.CLIENT_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def forwarder_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this forwarder sent (FORWARDER_QUERY)."""
        self._submit_values(
            MessageType.FORWARDER_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def forwarder_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this forwarder received (FORWARDER_RESPONSE)."""
        self._submit_values(
            MessageType.FORWARDER_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def stub_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this stub resolver sent (STUB_QUERY)."""
        self._submit_values(
            MessageType.STUB_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def stub_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this stub resolver received (STUB_RESPONSE)."""
        self._submit_values(
            MessageType.STUB_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def tool_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a query that this tool, such as dig, sent (TOOL_QUERY)."""
        self._submit_values(
            MessageType.TOOL_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def tool_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response that this tool, such as dig, received (TOOL_RESPONSE)."""
        self._submit_values(
            MessageType.TOOL_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

    def update_query(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a dynamic update that this server received (UPDATE_QUERY)."""
        self._submit_values(
            MessageType.UPDATE_QUERY,
            wire,
            None,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            time.time_ns() if query_time is None else query_time,
            response_time,
        )

    def update_response(
        self,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> None:
        """Log a response to a dynamic update that this server sent (UPDATE_RESPONSE)."""
        self._submit_values(
            MessageType.UPDATE_RESPONSE,
            None,
            wire,
            query_address,
            query_port,
            response_address,
            response_port,
            socket_protocol,
            query_time,
            time.time_ns() if response_time is None else response_time,
        )

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
