"""Part that the taps of threaded and of asyncio servers share: everything but how they are closed."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from types import NoneType
from typing import TYPE_CHECKING

from dnstap.messages import Message
from dnstap.messages.constructors import (
    AUTH_QUERY,
    AUTH_RESPONSE,
    CLIENT_QUERY,
    CLIENT_RESPONSE,
    FORWARDER_QUERY,
    FORWARDER_RESPONSE,
    RESOLVER_QUERY,
    RESOLVER_RESPONSE,
    STUB_QUERY,
    STUB_RESPONSE,
    TOOL_QUERY,
    TOOL_RESPONSE,
    UPDATE_QUERY,
    UPDATE_RESPONSE,
    message_values,
)
from dnstap.tap.connecting import ConnectingSender
from dnstap.tap.counts import TapCounts
from dnstap.tap.drop_log import DropLog
from dnstap.tap.frame_queue import share_of
from dnstap.tap.limits import DEFAULT_LIMITS, TapLimits
from dnstap.tap.listening import ListeningSender
from dnstap.tap.payloads import FRAME_BYTES, Payloads, field_values
from framestream.arguments import check_number, check_options, check_type
from framestream.endpoints import FileEndpoint, TlsEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError
from framestream.platforms import register_at_fork
from framestream.streams import Backoff, Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages.constructors import Address, Time, Wire
    from dnstap.schema.enums import MessageType, SocketProtocol
    from dnstap.tap.frame_queue import FrameQueue
    from dnstap.tap.payloads import Text
    from dnstap.tap.sink_queues import SinkQueues
    from framestream.endpoints import Endpoint, Path, Tls

__all__ = ["CLOSE_S", "QUEUE", "BaseTap", "close_all", "open_taps", "restart_all"]

QUEUE = 10_000
"""Default number of frames that wait for a receiver, as in CoreDNS."""

_TEXT = (str, bytes, NoneType)

CLOSE_S = 5.0
"""Default time in seconds for closing."""


class BaseTap:
    """Sender of one server's dnstap frames, which never makes the server wait.

    Neither `submit` nor the methods by message type raise an error for what they are given: a frame that cannot be
    sent is counted by its cause, and dropped frames are logged once in 10 s to the logger "dnstap.tap". Any thread may
    call any method.

    Args:
        endpoint: "unix:/run/dnstap.sock", "tcp:HOST:PORT", "tls:HOST:PORT", or an object from framestream.endpoints.
        identity, version: of the server, as text or bytes.
        extra: text or bytes for all frames, or a function that returns them for a Message.
        full: whether frames contain the DNS messages.
        queue: number of frames that may wait for a receiver. Of more, the oldest are dropped, as for their memory
            (`limits.queue_bytes`).
        listen: listen at the endpoint, for any number of receivers, instead of connecting to one.
        tls: for an endpoint given as text that begins with "tls:".
        limits: other sizes and intervals.
    Raises: LocalProtocolError: not an endpoint; TypeError, ValueError: an argument of a wrong type or value; OSError:
        it cannot listen there, or a file of `tls` cannot be read. If a receiver cannot be reached, no error is raised,
        and the tap tries again.
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
        limits: TapLimits = DEFAULT_LIMITS,
    ) -> None:
        for name, text in (("identity", identity), ("version", version)):
            check_type(name, text, _TEXT, "text or bytes")
        if not callable(extra):
            check_type("extra", extra, _TEXT, "text, bytes, or a function that returns them")
        check_number("queue", queue, 1)
        check_options("limits", limits, TapLimits)
        check_options("limits.deadlines", limits.deadlines, Deadlines, optional=True)
        check_options("limits.backoff", limits.backoff, Backoff)
        self.endpoint: Endpoint = parse_endpoint(endpoint, tls)
        if isinstance(self.endpoint, FileEndpoint):
            raise LocalProtocolError(
                f"expected unix:PATH, tcp:HOST:PORT or tls:HOST:PORT, got the file {self.endpoint}"
            )
        if isinstance(self.endpoint, TlsEndpoint) and not listen:
            # Files that are missing or do not fit will not come: the thread would try for ever.
            self.endpoint.tls.context(listening=False)
        self._payloads = Payloads(identity, version, extra, full=full)
        # The counts are given as a function, because the queue that keeps them does not exist yet.
        self._drops = DropLog(self.endpoint, lambda: self.counts, limits.report_s, expects_receiver=not listen)
        # Reentrant, because a signal handler may submit a message while it interrupts the thread that holds it.
        self._lock = threading.RLock()
        self._not_encodable = 0
        # Longest DNS message of a frame that takes no more than its share of the queue.
        self._small_bytes = share_of(queue, limits) - FRAME_BYTES
        self._sender: ConnectingSender | ListeningSender
        if listen:
            self._sender = ListeningSender(self.endpoint, queue, self._payloads, self._drops, limits)
            self.endpoint = self._drops.endpoint = self._sender.endpoint
        else:
            self._sender = ConnectingSender(self.endpoint, queue, self._payloads, self._drops, limits)
        self._queue: FrameQueue | SinkQueues = self._sender.queue
        self._sender.start()
        # Last, so that a tap whose constructor raises is not closed at the end of the program.
        open_taps.add(self)

    @property
    def counts(self) -> TapCounts:
        """Numbers of frames so far, by what became of them."""
        refused = TapCounts(submitted=self._not_encodable, not_encodable=self._not_encodable)
        return self._queue.counts().plus(refused)

    @property
    def connected(self) -> bool:
        """True while there is a receiver."""
        return self._queue.connected

    def submit(self, message: Message) -> None:
        """Send a message. It may be changed afterwards, but not its policy."""
        try:
            # A function for `extra` is called here, in the server's thread: what it looks at may have changed when the
            # frame is encoded. Everything else is left to the sender.
            values = field_values(message)
            if self._payloads.has_extra_function:
                self._queue.put_any(self._payloads.with_extra(values, message))
            # Inline, because a busy server does this for each of its messages: one DNS message, and none of the other
            # fields of any length.
            elif (
                len(values[9] or values[13] or b"") <= self._small_bytes
                and not (values[13] and values[9])
                and not (values[10] or values[14] or values[16])
            ):
                self._queue.put(values)
            else:
                self._queue.put_any(values)
        except Exception as error:  # noqa: BLE001 (an error of any kind must not reach the server)
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
        """Send a message of these values, without making a Message of them unless the function for `extra` needs it."""
        try:
            # No Message is made on the way: with one, client_query took 2.8 instead of 2.0 µs (docs/performance.md).
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
            if self._payloads.has_extra_function:
                self._queue.put_any(self._payloads.with_extra(values, Message(*values)))
            # Inline too; there is nothing but one DNS message.
            elif len(values[9] or values[13] or b"") <= self._small_bytes:
                self._queue.put(values)
            else:
                self._queue.put_any(values)
        except Exception as error:  # noqa: BLE001 (as in submit)
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """Count a message that is not one."""
        with self._lock:
            self._not_encodable += 1
        self._drops.note(error)

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
            AUTH_QUERY,
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
            AUTH_RESPONSE,
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
            RESOLVER_QUERY,
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
            RESOLVER_RESPONSE,
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
            CLIENT_QUERY,
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
            CLIENT_RESPONSE,
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
            FORWARDER_QUERY,
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
            FORWARDER_RESPONSE,
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
            STUB_QUERY,
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
            STUB_RESPONSE,
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
            TOOL_QUERY,
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
            TOOL_RESPONSE,
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
            UPDATE_QUERY,
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
            UPDATE_RESPONSE,
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

    def _shutdown(self) -> None:
        """Take no more frames, and send those that wait at once."""
        self._sender.shutdown()

    def _close(self, timeout_s: float) -> int:
        """Send what waits and end the stream; return the number of frames that were dropped."""
        check_number("timeout_s", timeout_s, 0, whole=False)
        deadline = time.monotonic() + timeout_s
        # So that it is not closed a second time at the end of the program.
        open_taps.discard(self)
        dropped = self._sender.close(deadline)
        self._drops.report()
        return dropped

    def _after_fork(self) -> None:
        """Begin anew in a forked process: the connection and the waiting frames are those of the parent."""
        # A thread that exists only in the parent may hold the old lock.
        self._lock = threading.RLock()
        self._not_encodable = 0
        self._sender.after_fork()
        self._queue = self._sender.queue
        self._drops.restart()


open_taps: weakref.WeakSet[BaseTap] = weakref.WeakSet()
"""Taps that have not been closed."""


def close_all(timeout_s: float = CLOSE_S) -> None:
    """Close the taps that are still open, all at the same time, at the end of the program."""
    taps = list(open_taps)
    # Before any is waited for, so that all send what waits at the same time.
    for tap in taps:
        tap._shutdown()  # noqa: SLF001 (here and below, of this module's own class)
    deadline = time.monotonic() + timeout_s
    for tap in taps:
        tap._close(max(0.0, deadline - time.monotonic()))  # noqa: SLF001


def restart_all() -> None:
    """Begin anew with the taps that are still open, in a forked process."""
    for tap in list(open_taps):
        tap._after_fork()  # noqa: SLF001


atexit.register(close_all)
register_at_fork(after_in_child=restart_all)
