"""A logger for dnslib's DNSServer. dnslib itself is not loaded here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnstap.adapters.exchanges import bound_to, host_and_port, methods
from dnstap.schema.enums import MessageType, SocketProtocol

if TYPE_CHECKING:
    from dnstap.tap.base import BaseTap

__all__ = ["TapLogger"]

_VALUES = "_dnstap_values"
"""The attribute of a handler, of which dnslib makes one for each request."""


class TapLogger:
    """Taps what a server of dnslib receives and sends: `DNSServer(resolver, logger=TapLogger(tap))`.

    Each query and each response is logged once, as the octets that dnslib read or is about to write; queries that it
    cannot parse too. One logger may serve any number of servers and threads.

    Args:
        log_as: the type of the queries; the responses have the one that goes with it.
        logger: one of dnslib's, which goes on logging; without it nothing but the tap does.
    Raises: ValueError: log_as is no type of queries.
    """

    def __init__(self, tap: BaseTap, logger: Any = None, *, log_as: MessageType = MessageType.AUTH_QUERY) -> None:
        self._query, self._response = methods(tap, log_as)
        self._logger = logger

    def log_recv(self, handler: Any, data: bytes) -> None:
        """A query has come."""
        values = _values(handler)
        setattr(handler, _VALUES, values)
        self._query(data, **values)
        if self._logger is not None:
            self._logger.log_recv(handler, data)

    def log_send(self, handler: Any, data: bytes) -> None:
        """A response is about to be sent."""
        values = getattr(handler, _VALUES, None) or {**_values(handler), "query_time": None}
        self._response(data, **values)
        if self._logger is not None:
            self._logger.log_send(handler, data)

    def __getattr__(self, name: str) -> Any:
        """What else dnslib calls: the logger's own, or nothing."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return _nothing if self._logger is None else getattr(self._logger, name)


def _values(handler: Any) -> dict[str, Any]:
    """What the messages of a request have in common."""
    tcp = getattr(handler, "protocol", None) == "tcp"
    query_address, query_port = host_and_port(handler.client_address)
    try:
        response_address, response_port = bound_to((handler.request if tcp else handler.server.socket).getsockname())
    except (AttributeError, OSError):
        # It has been closed meanwhile, or the handler is of another kind.
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
