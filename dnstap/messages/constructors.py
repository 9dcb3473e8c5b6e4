"""Constructors of Message by type, from what a program has: text addresses, nanoseconds, dnspython's messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from dnstap.schema.enums import MessageType, SocketFamily, SocketProtocol
from dnstap.schema.fields import Fields
from framestream.arguments import described

if TYPE_CHECKING:
    from typing import Self

    from dnstap.dns.dnspython import DnspythonMessage

__all__ = [
    "AUTH_QUERY",
    "AUTH_RESPONSE",
    "CLIENT_QUERY",
    "CLIENT_RESPONSE",
    "FORWARDER_QUERY",
    "FORWARDER_RESPONSE",
    "RESOLVER_QUERY",
    "RESOLVER_RESPONSE",
    "STUB_QUERY",
    "STUB_RESPONSE",
    "TOOL_QUERY",
    "TOOL_RESPONSE",
    "UPDATE_QUERY",
    "UPDATE_RESPONSE",
    "VALUES",
    "Address",
    "Constructors",
    "Time",
    "Wire",
    "message_values",
]

Address = str | IPv4Address | IPv6Address | bytes
"""An IP address: as text, of ipaddress, or 4 or 16 bytes in network order."""

Time = int | datetime
"""Nanoseconds since 1970 UTC, as returned by time.time_ns(); or a datetime with a time zone."""

Wire: TypeAlias = "bytes | bytearray | memoryview | DnspythonMessage"
"""A DNS message: in wire format, or of dnspython."""

MAX_CACHED_ADDRESSES = 4096
"""Number of text addresses whose bytes are cached; when it is reached, the cache is cleared."""

VALUES = 14
"""Number of values from message_values: those of the fields from type to response_message."""

# Members of MessageType as globals: looking one up in its class takes 70 ns on CPython 3.11, 4 % of what a tap's
# client_query takes.
AUTH_QUERY = MessageType.AUTH_QUERY
AUTH_RESPONSE = MessageType.AUTH_RESPONSE
RESOLVER_QUERY = MessageType.RESOLVER_QUERY
RESOLVER_RESPONSE = MessageType.RESOLVER_RESPONSE
CLIENT_QUERY = MessageType.CLIENT_QUERY
CLIENT_RESPONSE = MessageType.CLIENT_RESPONSE
FORWARDER_QUERY = MessageType.FORWARDER_QUERY
FORWARDER_RESPONSE = MessageType.FORWARDER_RESPONSE
STUB_QUERY = MessageType.STUB_QUERY
STUB_RESPONSE = MessageType.STUB_RESPONSE
TOOL_QUERY = MessageType.TOOL_QUERY
TOOL_RESPONSE = MessageType.TOOL_RESPONSE
UPDATE_QUERY = MessageType.UPDATE_QUERY
UPDATE_RESPONSE = MessageType.UPDATE_RESPONSE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_FAMILIES = {4: SocketFamily.INET, 16: SocketFamily.INET6}

_cached_addresses: dict[str, bytes] = {}


class Constructors(Fields):
    """The constructors of Message by type. Arguments that are not given stay absent; other fields can be set later.

    Args:
        wire: the DNS message, in wire format or of dnspython.
        query_address, response_address: as text, of ipaddress, or 4 or 16 bytes. They also set socket_family.
        query_port, response_port: 0 to 65535.
        query_time, response_time: nanoseconds since 1970 UTC, or a datetime with a time zone.
    Raises: ValueError: not an address, port or time; TypeError: a value of another type.
    """

    __slots__ = ()

    @classmethod
    def auth_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this authoritative server received (AUTH_QUERY)."""
        return cls(
            *message_values(
                AUTH_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def auth_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this authoritative server sent (AUTH_RESPONSE)."""
        return cls(
            *message_values(
                AUTH_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def resolver_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this resolver sent to a server (RESOLVER_QUERY)."""
        return cls(
            *message_values(
                RESOLVER_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def resolver_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this resolver received from a server (RESOLVER_RESPONSE)."""
        return cls(
            *message_values(
                RESOLVER_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def client_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this resolver received from a client (CLIENT_QUERY)."""
        return cls(
            *message_values(
                CLIENT_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def client_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this resolver sent to a client (CLIENT_RESPONSE)."""
        return cls(
            *message_values(
                CLIENT_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def forwarder_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this forwarder sent (FORWARDER_QUERY)."""
        return cls(
            *message_values(
                FORWARDER_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def forwarder_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this forwarder received (FORWARDER_RESPONSE)."""
        return cls(
            *message_values(
                FORWARDER_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def stub_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this stub resolver sent (STUB_QUERY)."""
        return cls(
            *message_values(
                STUB_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def stub_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this stub resolver received (STUB_RESPONSE)."""
        return cls(
            *message_values(
                STUB_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def tool_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a query that this tool, such as dig, sent (TOOL_QUERY)."""
        return cls(
            *message_values(
                TOOL_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def tool_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response that this tool, such as dig, received (TOOL_RESPONSE)."""
        return cls(
            *message_values(
                TOOL_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def update_query(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a dynamic update that this server received (UPDATE_QUERY)."""
        return cls(
            *message_values(
                UPDATE_QUERY,
                wire,
                None,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )

    @classmethod
    def update_response(
        cls,
        wire: Wire | None = None,
        *,
        query_address: Address | None = None,
        query_port: int | None = None,
        response_address: Address | None = None,
        response_port: int | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_time: Time | None = None,
        response_time: Time | None = None,
    ) -> Self:
        """Make the Message of a response to a dynamic update that this server sent (UPDATE_RESPONSE)."""
        return cls(
            *message_values(
                UPDATE_RESPONSE,
                None,
                wire,
                query_address,
                query_port,
                response_address,
                response_port,
                socket_protocol,
                query_time,
                response_time,
            )
        )


def message_values(
    message_type: MessageType,
    query_message: Any,
    response_message: Any,
    query_address: Any,
    query_port: Any,
    response_address: Any,
    response_port: Any,
    socket_protocol: SocketProtocol | None,
    query_time: Any,
    response_time: Any,
) -> tuple[Any, ...]:
    """Return the values of the first 14 fields of a Message, in the order of the schema.

    Separate from the constructors because a tap encodes values without making a Message. Arguments are those of the
    constructors, and are checked and converted here; the usual types are tested first, inline, since a busy server
    calls this for each of its messages.

    Raises: ValueError: not an address, port or time; TypeError: a value of another type.
    """
    family = None
    if query_address is not None:
        if type(query_address) is not bytes:
            query_address = _address_bytes(query_address)
        family = _FAMILIES.get(len(query_address)) or _refuse_address(query_address)
    if response_address is not None:
        if type(response_address) is not bytes:
            response_address = _address_bytes(response_address)
        response_family = _FAMILIES.get(len(response_address)) or _refuse_address(response_address)
        if family is None:
            family = response_family
        # A Message has one socket_family for both addresses.
        elif family is not response_family:
            raise ValueError(
                f"expected addresses of one family, got {family.name} in query_address and {response_family.name}"
                " in response_address"
            )

    if type(query_message) is not bytes and query_message is not None:
        query_message = _wire_bytes(query_message)
    if type(response_message) is not bytes and response_message is not None:
        response_message = _wire_bytes(response_message)

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
        query_message,
        None,  # query_zone
        response_sec,
        response_nsec,
        response_message,
    )


def _address_bytes(address: Any) -> bytes:
    """Return the bytes of an address that is not of type bytes."""
    if isinstance(address, str):
        packed = _cached_addresses.get(address)
        if packed is None:
            packed = ip_address(address).packed
            if len(_cached_addresses) >= MAX_CACHED_ADDRESSES:
                _cached_addresses.clear()
            _cached_addresses[address] = packed
        return packed
    if isinstance(address, IPv4Address | IPv6Address):
        return address.packed
    if not isinstance(address, bytes | bytearray | memoryview):
        raise TypeError(f"expected an address as text, bytes or of ipaddress, got {described(address)}")
    return bytes(address)


def _refuse_address(address: bytes) -> Any:
    raise ValueError(f"expected an address of 4 or 16 bytes, got {len(address)} bytes: {address[:20]!r}")


def _wire_bytes(wire: Any) -> bytes:
    """Return the bytes of a DNS message that is not of type bytes."""
    if isinstance(wire, bytes | bytearray | memoryview):
        return bytes(wire)
    try:
        # Its class is not asked for, which would load dnspython.
        encoded: bytes = wire.to_wire()
    except AttributeError:
        raise TypeError(f"wire: expected bytes or a message of dnspython, got {described(wire)}") from None
    return encoded


def _check_port(name: str, port: Any) -> None:
    if not isinstance(port, int):
        raise TypeError(f"{name}: expected int, got {described(port)}")
    if not 0 <= port <= 65535:
        raise ValueError(f"{name}: expected 0 to 65535, got {port:d}")


def _seconds(name: str, time: Any) -> tuple[int, int]:
    """Return seconds and nanoseconds of a time."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{name}: expected a datetime with a time zone, such as datetime.UTC, got {time}")
        # In integers; datetime.timestamp returns a float, which does not hold every microsecond up to the year 9999.
        nanoseconds = (time - _EPOCH) // _MICROSECOND * 1000
    elif isinstance(time, int):
        nanoseconds = time
    else:
        raise TypeError(f"{name}: expected nanoseconds as int, or datetime, got {described(time)}")
    if nanoseconds < 0:
        raise ValueError(f"{name}: expected a time since 1970, got {time}")
    return divmod(nanoseconds, 1_000_000_000)
