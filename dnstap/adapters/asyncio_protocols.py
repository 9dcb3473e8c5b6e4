"""Mix-ins for the protocols of DNS servers on asyncio, over UDP and over TCP or TLS.

They stand before the server's own protocol, which need not know of them: it gets its data as ever, and a transport that
looks at what goes through it.
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
"""Of how many queries without a response the time is kept: by a socket for datagrams, or by a connection."""

MAX_QUESTION = 12 + 256
"""Where a name that begins behind the header has ended."""


class TappedDatagramProtocol(asyncio.DatagramProtocol):
    """Taps a DNS server over UDP: `class Tapped(TappedDatagramProtocol, Server)`, `Tapped(..., tap=tap)`.

    A query is what `datagram_received` gets, a response what the transport's `sendto` takes.

    Args:
        tap: where they are logged; whatever else is given is the server's.
        log_as: the type of the queries; the responses have the one that goes with it.
    Raises: ValueError: log_as is no type of queries.
    """

    def __init__(self, *args: Any, tap: BaseTap, log_as: MessageType = MessageType.CLIENT_QUERY, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__exchanges = _Exchanges(tap, log_as)

    def connection_made(self, transport: Any) -> None:
        self.__exchanges.begin(transport, SocketProtocol.UDP)
        super().connection_made(_DatagramTransport(transport, self.__exchanges.response))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.__exchanges.query(data, addr)
        super().datagram_received(data, addr)


class TappedProtocol(asyncio.Protocol):
    """Taps a DNS server over TCP, or over TLS: `class Tapped(TappedProtocol, Server)`, `Tapped(..., tap=tap)`.

    A query is a message with its length before it in what `data_received` gets, a response one in what the transport
    takes, in whatever pieces they come. What a connection breaks off is no message.

    Args, Raises: as of TappedDatagramProtocol.
    """

    def __init__(self, *args: Any, tap: BaseTap, log_as: MessageType = MessageType.CLIENT_QUERY, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__exchanges = _Exchanges(tap, log_as)
        self.__queries = _Messages()
        self.__responses = _Messages()
        self.__peer: Any = None

    def connection_made(self, transport: Any) -> None:
        is_tls = transport.get_extra_info("ssl_object") is not None
        self.__exchanges.begin(transport, SocketProtocol.DOT if is_tls else SocketProtocol.TCP)
        self.__peer = transport.get_extra_info("peername")
        super().connection_made(_Transport(transport, self.__wrote))

    def data_received(self, data: bytes) -> None:
        for wire in self.__queries.feed(data):
            self.__exchanges.query(wire, self.__peer)
        super().data_received(data)

    def __wrote(self, data: bytes) -> None:
        for wire in self.__responses.feed(data):
            self.__exchanges.response(wire, self.__peer)


class _Exchanges:
    """The queries and responses of one socket, each logged with what is known of it."""

    def __init__(self, tap: BaseTap, log_as: MessageType) -> None:
        self._query, self._response = methods(tap, log_as)
        self._pending = _Pending()
        self._values: dict[str, Any] = {}

    def begin(self, transport: asyncio.BaseTransport, protocol: SocketProtocol) -> None:
        """Take from the socket what is the same for all."""
        address, port = bound_to(transport.get_extra_info("sockname"))
        self._values = {"response_address": address, "response_port": port, "socket_protocol": protocol}

    def query(self, wire: bytes, peer: Any) -> None:
        now = time.time_ns()
        address, port = host_and_port(peer)
        self._pending.add((address, port, _question(wire)), now)
        self._query(wire, query_address=address, query_port=port, query_time=now, **self._values)

    def response(self, data: bytes, peer: Any) -> None:
        wire = bytes(data)
        address, port = host_and_port(peer)
        asked = self._pending.take((address, port, _question(wire)))
        self._response(wire, query_address=address, query_port=port, query_time=asked, **self._values)


class _Pending:
    """When what was asked that has no response yet. Of the same question twice, the first response is to the first."""

    def __init__(self) -> None:
        self._times: dict[Any, list[int]] = {}
        self._count = 0

    def add(self, key: Any, time_ns: int) -> None:
        self._times.setdefault(key, []).append(time_ns)
        self._count += 1
        if self._count > MAX_PENDING:
            self.take(next(iter(self._times)))

    def take(self, key: Any) -> int | None:
        """The time of the query, which is forgotten; None if it is not known."""
        times = self._times.get(key)
        if times is None:
            return None
        self._count -= 1
        first = times.pop(0)
        if not times:
            del self._times[key]
        return first


def _question(wire: bytes) -> bytes:
    """What a query and its response have in common: the ID and the question, whose letters may differ in case."""
    end = 12
    try:
        while wire[end] and end < MAX_QUESTION:
            end += 1 + wire[end]
    except IndexError:
        # No question, or none that is whole.
        return wire[:2]
    return wire[:2] + wire[12:end].lower() + wire[end : end + 5]


class _Messages:
    """DNS messages out of a stream of octets, each behind its length of two octets."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Those that are whole now."""
        octets = self._octets
        octets += data
        messages = []
        begin = 2
        while begin <= len(octets) and (end := begin + int.from_bytes(octets[begin - 2 : begin])) <= len(octets):
            messages.append(bytes(octets[begin:end]))
            begin = end + 2
        del octets[: begin - 2]
        return messages


class _DatagramTransport(asyncio.DatagramTransport):
    """A transport that tells what has been sent by it. All else is that transport's."""

    def __init__(self, transport: asyncio.DatagramTransport, sent: Callable[[bytes, Any], None]) -> None:
        self._transport = transport
        self._sent = sent

    def sendto(self, data: Any, addr: Any = None) -> None:
        self._transport.sendto(data, addr)
        self._sent(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Transport(asyncio.Transport):
    """The same for connections."""

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


def _hand_on(name: str) -> Any:
    """A method that is the transport's own: asyncio's classes define all of theirs, to raise NotImplementedError."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._transport, name)(*args, **kwargs)

    return method


for _class in (_DatagramTransport, _Transport):
    for _name in dir(_class):
        if not _name.startswith("_") and _name not in vars(_class):
            setattr(_class, _name, _hand_on(_name))
