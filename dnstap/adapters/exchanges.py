"""What the adapters have in common: the methods of a tap, and the addresses of sockets.

Nothing here raises an error for what it is given by a server or a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dnstap.schema.enums import MessageType

if TYPE_CHECKING:
    from dnstap.messages.constructors import Address, Time, Wire
    from dnstap.schema.enums import SocketProtocol
    from dnstap.tap.base import BaseTap

__all__ = ["LogMethod", "bound_to", "host_and_port", "methods"]

WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 (nothing is bound here)


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
    """A tap's methods for the queries of a type, and for the responses to them.

    Raises: ValueError: no type of queries.
    """
    name = MessageType(log_as).name or ""
    if not name.endswith("_QUERY"):
        raise ValueError(f"log_as is {log_as!r}; a type of queries expected, such as MessageType.CLIENT_QUERY")
    name = name.lower()
    return getattr(tap, name), getattr(tap, name.replace("query", "response"))


def host_and_port(address: Any) -> tuple[str | None, int | None]:
    """The address and the port of an IP socket's address, as the socket module has it; None, None of anything else."""
    match address:
        case (str(host), int(port), *_):
            return host, port
    return None, None


def bound_to(address: Any) -> tuple[str | None, int | None]:
    """The same of a socket's own address. If it is bound to all, to which one a datagram came is not known."""
    host, port = host_and_port(address)
    return None if host in WILDCARDS else host, port
