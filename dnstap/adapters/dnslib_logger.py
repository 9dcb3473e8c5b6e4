"""Logger for dnslib's DNSServer. Does not import dnslib."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnstap.adapters.exchanges import bound_to, host_and_port, methods
from dnstap.schema.enums import MessageType, SocketProtocol

if TYPE_CHECKING:
    from dnstap.tap.base import BaseTap

__all__ = ["TapLogger"]

_VALUES = "_dnstap_values"
"""Attribute in which a handler keeps the values of its query for the response; dnslib makes a handler per request."""


class TapLogger:
    """Logger that taps a dnslib server: `DNSServer(resolver, logger=TapLogger(tap))`.

    Each query and each response is logged once, as the bytes that dnslib has read or is about to write. Queries that
    dnslib cannot parse are logged too. Any number of servers and threads may share a logger.

    Args:
        tap: gets the queries and responses.
        logger: dnslib logger to call as well; None to log nothing else.
        log_as: type of the queries; responses get the corresponding type.
    Raises: ValueError: log_as is not a type of queries.
    """

    def __init__(self, tap: BaseTap, logger: Any = None, *, log_as: MessageType = MessageType.AUTH_QUERY) -> None:
        self._query, self._response = methods(tap, log_as)
        self._logger = logger

    def log_recv(self, handler: Any, data: bytes) -> None:
        """Log a query; dnslib calls this when it has read one."""
        values = _values(handler)
        setattr(handler, _VALUES, values)
        self._query(data, **values)
        if self._logger is not None:
            self._logger.log_recv(handler, data)

    def log_send(self, handler: Any, data: bytes) -> None:
        """Log a response; dnslib calls this before it writes one."""
        # Without a query before it, the time of the query is unknown.
        values = getattr(handler, _VALUES, None) or {**_values(handler), "query_time": None}
        self._response(data, **values)
        if self._logger is not None:
            self._logger.log_send(handler, data)

    def __getattr__(self, name: str) -> Any:
        """Return another method that dnslib calls: that of the other logger, or a function that does nothing."""
        # Names such as __deepcopy__ are looked up by Python, not by dnslib, and must be missing.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return _nothing if self._logger is None else getattr(self._logger, name)


def _values(handler: Any) -> dict[str, Any]:
    """Return the arguments that the query and the response of a request have in common."""
    tcp = getattr(handler, "protocol", None) == "tcp"
    query_address, query_port = host_and_port(handler.client_address)
    try:
        response_address, response_port = bound_to((handler.request if tcp else handler.server.socket).getsockname())
    except (AttributeError, OSError):
        # The socket has been closed meanwhile, or the handler is not one of dnslib's.
        response_address = response_port = None
    return {
        "query_address": query_address,
        "query_port": query_port,
        "response_address": response_address,
        "response_port": response_port,
        "socket_protocol": SocketProtocol.TCP if tcp else SocketProtocol.UDP,
        "query_time": time.time_ns(),
    }


def _nothing(*_: Any) -> None: ...
