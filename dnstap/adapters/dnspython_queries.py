"""Taps for the query functions of dnspython."""

from __future__ import annotations

import functools
import inspect
import sys
import time
from types import NoneType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import dns.inet
from dns.message import Message, Truncated

from dnstap.adapters.exchanges import bound_to, methods
from dnstap.schema.enums import MessageType, SocketProtocol
from framestream.arguments import check_callable, check_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from dnstap.adapters.exchanges import LogMethod
    from dnstap.tap.base import BaseTap

__all__ = ["tapped"]

P = ParamSpec("P")
R = TypeVar("R")

PROTOCOLS = {
    "udp": (SocketProtocol.UDP,),
    "udp_with_fallback": (SocketProtocol.UDP, SocketProtocol.TCP),
    "tcp": (SocketProtocol.TCP,),
    "tls": (SocketProtocol.DOT,),
    "https": (SocketProtocol.DOH,),
    "quic": (SocketProtocol.DOQ,),
}
"""By the name of the function: the protocol of its first query, and last that of the queries after it."""


def tapped(
    function: Callable[P, R],
    tap: BaseTap,
    *,
    log_as: MessageType = MessageType.TOOL_QUERY,
    protocol: SocketProtocol | None = None,
) -> Callable[P, R]:
    """Return a function of dns.query or dns.asyncquery that logs its queries and responses.

    It has the same signature, results and errors. A query is logged when it is encoded, as the bytes that are sent, and
    its response when it is received, as the bytes received. A response that dnspython rejects is not logged, except a
    truncated one that is raised as an error or makes the function ask again over TCP.

    Args:
        function: udp, udp_with_fallback, tcp, tls, https, quic, or a function with parameters of the same names.
        tap: gets the queries and responses.
        log_as: type of the queries; responses get the corresponding type.
        protocol: needed for a function with another name.
    Raises: ValueError: log_as is not a type of queries, or the function not one of those; TypeError: an argument of a
        wrong type.
    """
    check_callable("function", function, "a function of dns.query or dns.asyncquery")
    check_type("protocol", protocol, (SocketProtocol, NoneType), "a SocketProtocol")
    name = getattr(function, "__name__", repr(function))
    signature = inspect.signature(function)
    if "q" not in signature.parameters:
        raise ValueError(f"expected a query function, such as dns.query.udp, got {name}, which has no parameter q")
    protocols = (protocol,) if protocol else PROTOCOLS.get(name)
    if protocols is None:
        raise ValueError(f"expected {', '.join(PROTOCOLS)}, or a protocol for a function of another name, got {name}")
    new_call = functools.partial(_Call, methods(tap, log_as), signature, protocols)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def ask_async(*args: Any, **kwargs: Any) -> Any:
            with new_call(args, kwargs) as call:
                return call.log_response(await function(*call.args, **call.kwargs))

        return cast("Callable[P, R]", ask_async)

    @functools.wraps(function)
    def ask(*args: Any, **kwargs: Any) -> Any:
        with new_call(args, kwargs) as call:
            return call.log_response(function(*call.args, **call.kwargs))

    return ask


class _Call:
    """One call of a tapped function, with the queries that it sends and the responses that it gets.

    Attributes: args, kwargs: arguments to call the function with.
    """

    def __init__(
        self,
        methods: tuple[LogMethod, LogMethod],
        signature: inspect.Signature,
        protocols: tuple[SocketProtocol, ...],
        args: Any,
        kwargs: Any,
    ) -> None:
        self.args, self.kwargs = args, kwargs
        self._query, self._response = methods
        self._protocols = protocols
        self._values: dict[str, Any] | None = None
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            # Let the function raise its own error.
            return
        bound.apply_defaults()
        query = bound.arguments["q"]
        # A query that is watched already is logged by the tapped function that calls this one.
        if isinstance(query, Message) and not isinstance(query, _Watched):
            self._arguments = bound.arguments.copy()
            bound.arguments["q"] = _watched(query, self._log_query)
            self.args, self.kwargs = bound.args, bound.kwargs

    def _log_query(self, wire: bytes) -> None:
        """Log a query that has just been encoded."""
        arguments = self._arguments
        second = self._values is not None
        if isinstance(error := sys.exc_info()[1], Truncated):
            # The function asks again because of this truncated response, which it does not return. If this is the
            # first query of the call, the error is one that the caller is handling, and nothing is logged.
            self.log_response(error.message())  # type: ignore[no-untyped-call]
        query_address, query_port = bound_to((arguments.get("source"), arguments.get("source_port")))
        response_address, response_port = _server(arguments)
        self._values = {
            "query_address": query_address,
            # dnspython takes a source port of 0 for any port, so it is not known.
            "query_port": query_port or None,
            "response_address": response_address,
            "response_port": response_port,
            "socket_protocol": self._protocols[-1 if second else 0],
            "query_time": time.time_ns(),
        }
        self._query(wire, **self._values)

    def log_response(self, result: R) -> R:
        """Log the response in a result of the function, if it has sent a query, and return the result."""
        if self._values is not None:
            # udp_with_fallback returns a pair: the response, and whether TCP was used.
            response: Any = result[0] if isinstance(result, tuple) else result
            self._response(getattr(response, "wire", None), **self._values)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Truncated):
            self.log_response(error.message())  # type: ignore[no-untyped-call]


def _server(arguments: dict[str, Any]) -> tuple[str | None, int | None]:
    """Return the address and port of the server, as far as they are known: `https` takes a URL, too."""
    where, port = arguments.get("where"), arguments.get("port")
    if not isinstance(where, str):
        return None, None
    if "://" in where:
        try:
            url = urlsplit(where)
            port = url.port or 443
        except ValueError:
            # The function raises its own error for the URL.
            return None, None
        where = arguments.get("bootstrap_address") or url.hostname or ""
    return where if dns.inet.is_address(where) else None, port


class _Watched:
    """Mix-in for a dnspython message that reports the bytes it is encoded to.

    Encoding it separately for the log might give other bytes than those sent: a TSIG signature contains the time, and
    DNS over QUIC sets the ID before it encodes.
    """

    __slots__ = ()
    encoded: Callable[[bytes], None]

    def to_wire(self, *args: Any, **kwargs: Any) -> bytes:
        wire: bytes = super().to_wire(*args, **kwargs)  # type: ignore[misc]
        self.encoded(wire)
        return wire


@functools.cache
def _watched_class(kind: Any) -> Any:
    return type("Watched", (_Watched, kind), {"__slots__": ("encoded",)})


def _watched(query: Message, encoded: Callable[[bytes], None]) -> Any:
    """Return a watched query that shares all attributes with the given one, such as the MAC that signing sets."""
    kind: Any = type(query)
    cls = _watched_class(kind)
    watched = cls.__new__(cls)
    watched.__dict__ = query.__dict__
    watched.encoded = encoded
    return watched
