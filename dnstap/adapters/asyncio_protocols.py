"""Mix-ins for the protocols of asyncio DNS servers, over UDP and over TCP or TLS.

A mix-in precedes the server's own protocol, which need not know of it: that gets its data as before, and a transport
that logs the responses written to it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from dnstap.adapters.exchanges import bound_to, host_and_port, methods
from dnstap.schema.enums import MessageType, SocketProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnstap.tap.base import BaseTap

__all__ = ["TappedDatagramProtocol", "TappedProtocol"]

MAX_PENDING = 4096
"""Unanswered queries whose time is kept, for each UDP socket or connection. Bounds memory; of more, the oldest go."""

MAX_NAME_END = 12 + 256
"""Offset before which a valid name that follows the header ends; a longer one is not searched to its end."""


class TappedDatagramProtocol(asyncio.DatagramProtocol):
    """Mix-in that taps a DNS server over UDP: `class Tapped(TappedDatagramProtocol, Server)`, `Tapped(..., tap=tap)`.

    Queries are the datagrams that `datagram_received` gets, responses those that the transport's `sendto` takes.

    Args:
        tap: gets the queries and responses.
        log_as: type of the queries; responses get the corresponding type.
        others: those of the server's own protocol.
    Raises: ValueError: log_as is not a type of queries.
    """

    def __init__(self, *args: Any, tap: BaseTap, log_as: MessageType = MessageType.CLIENT_QUERY, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Two underscores, because the server's own protocol may have an attribute of any name.
        self.__exchanges = _Exchanges(tap, log_as)

    def connection_made(self, transport: Any) -> None:
        """Give the server a transport that logs what is sent by it."""
        self.__exchanges.begin(transport, SocketProtocol.UDP)
        super().connection_made(_DatagramTransport(transport, self.__exchanges.response))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Log a query, and give it to the server."""
        self.__exchanges.query(data, addr)
        super().datagram_received(data, addr)


class TappedProtocol(asyncio.Protocol):
    """Mix-in that taps a DNS server over TCP or TLS: `class Tapped(TappedProtocol, Server)`, `Tapped(..., tap=tap)`.

    Queries are the messages, each preceded by its length, in the data that `data_received` gets, and responses those
    in the data written to the transport, in pieces of any size. A message that is cut off by the end of a connection is
    not logged.

    Args:
        tap: gets the queries and responses.
        log_as: type of the queries; responses get the corresponding type.
        others: those of the server's own protocol.
    Raises: ValueError: log_as is not a type of queries.
    """

    def __init__(self, *args: Any, tap: BaseTap, log_as: MessageType = MessageType.CLIENT_QUERY, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__exchanges = _Exchanges(tap, log_as)
        self.__queries = _Messages()
        self.__responses = _Messages()
        self.__peer: Any = None

    def connection_made(self, transport: Any) -> None:
        """Give the server a transport that logs what is written to it."""
        # The mix-in cannot know by itself: asyncio gives a server over TLS the same calls as one over TCP.
        is_tls = transport.get_extra_info("ssl_object") is not None
        self.__exchanges.begin(transport, SocketProtocol.DOT if is_tls else SocketProtocol.TCP)
        self.__peer = transport.get_extra_info("peername")
        super().connection_made(_Transport(transport, self.__wrote))

    def data_received(self, data: bytes) -> None:
        """Log the queries that are complete now, and give the data to the server."""
        for wire in self.__queries.feed(data):
            self.__exchanges.query(wire, self.__peer)
        super().data_received(data)

    def __wrote(self, data: bytes) -> None:
        for wire in self.__responses.feed(data):
            self.__exchanges.response(wire, self.__peer)


class _Exchanges:
    """Log of the queries and responses of one socket, with the addresses and times that are known."""

    def __init__(self, tap: BaseTap, log_as: MessageType) -> None:
        self._query, self._response = methods(tap, log_as)
        self._pending = _Pending()
        self._values: dict[str, Any] = {}

    def begin(self, transport: asyncio.BaseTransport, protocol: SocketProtocol) -> None:
        """Look up what all messages of the socket have in common."""
        address, port = bound_to(transport.get_extra_info("sockname"))
        self._values = {"response_address": address, "response_port": port, "socket_protocol": protocol}

    def query(self, wire: bytes, peer: Any) -> None:
        """Log a query, and keep its time for the response."""
        now = time.time_ns()
        address, port = host_and_port(peer)
        self._pending.add((address, port, _question(wire)), now)
        self._query(wire, query_address=address, query_port=port, query_time=now, **self._values)

    def response(self, data: bytes, peer: Any) -> None:
        """Log a response, with the time of its query."""
        # A copy, because the server may use its buffer again before the frame is encoded.
        wire = bytes(data)
        address, port = host_and_port(peer)
        query_time = self._pending.take((address, port, _question(wire)))
        self._response(wire, query_address=address, query_port=port, query_time=query_time, **self._values)


class _Pending:
    """Times of the queries that have no response yet.

    If the same question is asked twice, the first response belongs to the first query.
    """

    def __init__(self) -> None:
        self._times: dict[Any, list[int]] = {}
        self._count = 0

    def add(self, key: Any, time_ns: int) -> None:
        """Keep the time of a query."""
        self._times.setdefault(key, []).append(time_ns)
        self._count += 1
        if self._count > MAX_PENDING:
            # A dict keeps the order of its keys, so the first key is that of an old query.
            self.take(next(iter(self._times)))

    def take(self, key: Any) -> int | None:
        """Remove the time of the first query with this key and return it; None if there is none."""
        times = self._times.get(key)
        if times is None:
            return None
        self._count -= 1
        first = times.pop(0)
        if not times:
            del self._times[key]
        return first


def _question(wire: bytes) -> bytes:
    """Return what a query and its response have in common: the ID and the question, in lower case.

    A server may change the case of a name, and some clients use random case to recognize forged responses.
    """
    end = 12  # Length of the header.
    try:
        while wire[end] and end < MAX_NAME_END:
            end += 1 + wire[end]
    except IndexError:
        # No question, or a truncated one.
        return wire[:2]
    return wire[:2] + wire[12:end].lower() + wire[end : end + 5]


class _Messages:
    """Splitter of a stream into DNS messages, each preceded by its length in two bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now."""
        buffer = self._buffer
        buffer += data
        messages = []
        begin = 2
        while begin <= len(buffer) and (end := begin + int.from_bytes(buffer[begin - 2 : begin])) <= len(buffer):
            messages.append(bytes(buffer[begin:end]))
            begin = end + 2
        # Only once per call, since each deletion moves the rest of the buffer.
        del buffer[: begin - 2]
        return messages


class _DatagramTransport(asyncio.DatagramTransport):
    """Wrapper of a transport that reports each datagram sent; all other methods are those of the transport."""

    def __init__(self, transport: asyncio.DatagramTransport, sent: Callable[[bytes, Any], None]) -> None:
        self._transport = transport
        self._sent = sent

    def sendto(self, data: Any, addr: Any = None) -> None:
        # First: a datagram that the transport refuses with an error is not logged.
        self._transport.sendto(data, addr)
        self._sent(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Transport(asyncio.Transport):
    """Wrapper of the transport of a connection that reports all data written."""

    def __init__(self, transport: asyncio.Transport, wrote: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._wrote = wrote

    def write(self, data: Any) -> None:
        self._transport.write(data)
        self._wrote(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _delegate(name: str) -> Any:
    """Return a method that calls that of the wrapped transport.

    `__getattr__` is not enough: asyncio's base classes define all methods of theirs, to raise NotImplementedError. They
    are taken from there, so that the methods which later versions of Python add are delegated too.
    """

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._transport, name)(*args, **kwargs)

    return method


for _class in (_DatagramTransport, _Transport):
    for _name in dir(_class):
        if not _name.startswith("_") and _name not in vars(_class):
            setattr(_class, _name, _delegate(_name))
