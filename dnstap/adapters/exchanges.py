"""Helpers of all adapters: the methods of a tap by message type, and addresses of sockets.

No function raises an error for an address that it is given, since a server must not notice that it is tapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dnstap.schema.enums import MessageType
from framestream.arguments import check_type, refuse_type

if TYPE_CHECKING:
    from dnstap.messages.constructors import Address, Time, Wire
    from dnstap.schema.enums import SocketProtocol
    from dnstap.tap.base import BaseTap

__all__ = ["LogMethod", "bound_to", "host_and_port", "methods"]

WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 (nothing is bound here)
"""Addresses of a socket that is bound to all addresses of the host."""


class LogMethod(Protocol):
    """A method of a tap that logs messages of one type, such as `client_query`."""

    def __call__(
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
        """Log a message."""


def methods(tap: BaseTap, log_as: MessageType) -> tuple[LogMethod, LogMethod]:
    """Return a tap's methods for queries of a type and for the responses to them, such as those of CLIENT_QUERY.

    Raises: ValueError: not a type of queries; TypeError: not a tap, or not a MessageType.
    """
    check_type("log_as", log_as, MessageType, "a type of queries, such as MessageType.CLIENT_QUERY")
    name = log_as.name or ""
    if not name.endswith("_QUERY"):
        raise ValueError(f"log_as: expected a type of queries, such as MessageType.CLIENT_QUERY, got {log_as!r}")
    name = name.lower()
    try:
        # Methods of a tap are named after the members of MessageType.
        return getattr(tap, name), getattr(tap, name.replace("query", "response"))
    except AttributeError:
        refuse_type("tap", "a Tap or an AsyncTap", tap)


def host_and_port(address: Any) -> tuple[str | None, int | None]:
    """Return the address and port in an address of the socket module; None, None if it is not one of IP."""
    match address:
        # Addresses of IPv6 have four items, those of IPv4 two.
        case (str(host), int(port), *_):
            return host, port
    return None, None


def bound_to(address: Any) -> tuple[str | None, int | None]:
    """Return the address and port to which a socket is bound; no address if it is bound to all of them.

    The address to which a single datagram was sent is not known then.
    """
    host, port = host_and_port(address)
    return None if host in WILDCARDS else host, port
