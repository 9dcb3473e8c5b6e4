"""Messages made from what a program has at hand: addresses as text, times in nanoseconds, DNS messages of dnspython."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dnstap.schema.enums import MessageType, SocketFamily, SocketProtocol

if TYPE_CHECKING:
    from dnstap.dns.dnspython import DnspythonMessage

__all__ = ["Address", "MakeMessage", "Time", "maker", "values_maker"]

M_co = TypeVar("M_co", covariant=True)

Address = str | IPv4Address | IPv6Address | bytes
"""An IP address; as bytes, 4 or 16 octets in network order."""

Time = int | datetime
"""Nanoseconds since 1970 UTC, as time.time_ns() gives them; or a datetime with a time zone."""

MAX_MEMO = 4096
"""Texts of addresses of which the octets are kept."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_FAMILIES = {4: SocketFamily.INET, 16: SocketFamily.INET6}

_octets_of_text: dict[str, bytes] = {}


class MakeMessage(Protocol[M_co]):
    """The constructor of the messages of one type.

    Args:
        wire: the DNS message, as octets or of dnspython.
        query_address, response_address: as text, of ipaddress, or 4 or 16 octets.
        query_time, response_time: nanoseconds since 1970 UTC, as of time.time_ns(), or a datetime with a time zone.
    """

    def __call__(
        self,
        wire: bytes | bytearray | memoryview | DnspythonMessage | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> M_co:
        """A Message of this type; what is not given is absent."""


def maker(cls: type[M_co], message_type: MessageType) -> MakeMessage[M_co]:
    """The constructor of the messages of a type. cls: Message.

    Other fields can be set in what the constructor returns.
    """
    new = object.__new__
    values = values_maker(message_type)

    def make(
        wire: Any = None,
        *,
        query_address: Any = None,
        query_port: Any = None,
        response_address: Any = None,
        response_port: Any = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Any = None,
        response_time: Any = None,
    ) -> Any:
        m: Any = new(cls)
        (
            m.type,
            m.socket_family,
            m.socket_protocol,
            m.query_address,
            m.response_address,
            m.query_port,
            m.response_port,
            m.query_time_sec,
            m.query_time_nsec,
            m.query_message,
            m.query_zone,
            m.response_time_sec,
            m.response_time_nsec,
            m.response_message,
            m.policy,
            m.http_protocol,
            _,
        ) = values(
            wire,
            query_address=query_address,
            query_port=query_port,
            response_address=response_address,
            response_port=response_port,
            socket_protocol=socket_protocol,
            query_time=query_time,
            response_time=response_time,
        )
        return m

    make.__name__ = make.__qualname__ = message_type.name.lower()
    make.__doc__ = f"A Message of type {message_type.name}; docs/messages.md says what may be given."
    return make


def values_maker(message_type: MessageType) -> MakeMessage[tuple[Any, ...]]:
    """The function that gives the values of a message's fields, by number, and its unknown fields: of one type.

    The `wire` of a query becomes its query_message, that of a response its response_message; socket_family is that of
    the addresses. It raises ValueError for what is no address, port or time, and TypeError for a value of another type.
    """
    is_query = message_type % 2

    def values(
        wire: Any = None,
        *,
        query_address: Any = None,
        query_port: Any = None,
        response_address: Any = None,
        response_port: Any = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Any = None,
        response_time: Any = None,
    ) -> tuple[Any, ...]:
        family = None
        if query_address is not None:
            if type(query_address) is not bytes:
                query_address = _octets(query_address)
            family = _FAMILIES.get(len(query_address)) or _bad_address(query_address)
        if response_address is not None:
            if type(response_address) is not bytes:
                response_address = _octets(response_address)
            response_family = _FAMILIES.get(len(response_address)) or _bad_address(response_address)
            if family is None:
                family = response_family
            elif family is not response_family:
                raise ValueError(f"query_address is {family.name}, response_address {response_family.name}")

        if type(wire) is not bytes and wire is not None:
            wire = _wire(wire)

        query_sec = query_nsec = response_sec = response_nsec = None
        if query_time is not None:
            if type(query_time) is int and query_time >= 0:
                query_sec, query_nsec = divmod(query_time, 1_000_000_000)
            else:
                query_sec, query_nsec = _seconds("query_time", query_time)
        if response_time is not None:
            if type(response_time) is int and response_time >= 0:
                response_sec, response_nsec = divmod(response_time, 1_000_000_000)
            else:
                response_sec, response_nsec = _seconds("response_time", response_time)

        if query_port is not None and not (type(query_port) is int and 0 <= query_port <= 65535):
            _check_port("query_port", query_port)
        if response_port is not None and not (type(response_port) is int and 0 <= response_port <= 65535):
            _check_port("response_port", response_port)
        return (
            message_type,
            family,
            socket_protocol,
            query_address,
            response_address,
            query_port,
            response_port,
            query_sec,
            query_nsec,
            wire if is_query else None,
            None,
            response_sec,
            response_nsec,
            None if is_query else wire,
            None,
            None,
            b"",
        )

    return values


def _octets(address: Any) -> bytes:
    """The octets of an address that is not of type bytes."""
    if isinstance(address, str):
        octets = _octets_of_text.get(address)
        if octets is None:
            octets = ip_address(address).packed
            if len(_octets_of_text) >= MAX_MEMO:
                _octets_of_text.clear()
            _octets_of_text[address] = octets
        return octets
    if isinstance(address, IPv4Address | IPv6Address):
        return address.packed
    if not isinstance(address, bytes | bytearray | memoryview):
        raise TypeError(
            f"{address!r:.60} is {type(address).__name__}; an address as text, octets or of ipaddress expected"
        )
    return bytes(address)


def _bad_address(octets: bytes) -> Any:
    raise ValueError(f"{octets[:20]!r} is no address: it has {len(octets)} octets; 4 or 16 expected")


def _wire(wire: Any) -> bytes:
    """The octets of a DNS message that is not of type bytes."""
    if isinstance(wire, bytes | bytearray | memoryview):
        return bytes(wire)
    try:
        octets: bytes = wire.to_wire()
    except AttributeError:
        raise TypeError(f"wire is {type(wire).__name__}; bytes or a message of dnspython expected") from None
    return octets


def _check_port(name: str, port: Any) -> None:
    if not isinstance(port, int):
        raise TypeError(f"{name} is {type(port).__name__}; int expected")
    if not 0 <= port <= 65535:
        raise ValueError(f"{name} is {port:d}; 0 to 65535 expected")


def _seconds(name: str, time: Any) -> tuple[int, int]:
    """Seconds and nanoseconds of a time."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{name} is {time}, without a time zone; one expected, such as datetime.UTC")
        nanoseconds = (time - _EPOCH) // _MICROSECOND * 1000
    elif isinstance(time, int):
        nanoseconds = time
    else:
        raise TypeError(f"{name} is {type(time).__name__}; int, of nanoseconds, or datetime expected")
    if nanoseconds < 0:
        raise ValueError(f"{name} is {time}, before 1970; a dnstap time cannot be")
    return divmod(nanoseconds, 1_000_000_000)
