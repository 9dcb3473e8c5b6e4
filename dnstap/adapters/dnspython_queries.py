"""The query functions of dnspython, tapped."""

from __future__ import annotations

import functools
import inspect
import sys
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import dns.inet
from dns.message import Message, Truncated

from dnstap.adapters.exchanges import bound_to, methods
from dnstap.schema.enums import MessageType, SocketProtocol

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
"""By the names of the functions: those of the first query, and of the second."""


def tapped(
    function: Callable[P, R],
    tap: BaseTap,
    *,
    log_as: MessageType = MessageType.TOOL_QUERY,
    protocol: SocketProtocol | None = None,
) -> Callable[P, R]:
    """A function of dns.query or dns.asyncquery, with its signature, results and errors, that taps what it exchanges.

    A query is logged when it is encoded to be sent, with the octets that are sent, and its response when it has come,
    with those that came. A query without a good response stays alone, except that a truncated response is logged also
    where it is an error or makes the function ask again, over TCP.

    Args:
        function: udp, udp_with_fallback, tcp, tls, https, quic, or a function that takes what they take.
        log_as: the type of the queries; the responses have the one that goes with it.
        protocol: for functions of other names.
    Raises: ValueError: log_as is no type of queries, or function is not one of those.
    """
    name = getattr(function, "__name__", repr(function))
    signature = inspect.signature(function)
    if "q" not in signature.parameters:
        raise ValueError(f"{name} has no parameter q; a query function as of dns.query expected")
    protocols = (protocol,) if protocol else PROTOCOLS.get(name)
    if protocols is None:
        raise ValueError(f"{name} is none of {', '.join(PROTOCOLS)}; with any other, a protocol is expected")
    begin = functools.partial(_Call, methods(tap, log_as), signature, protocols)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def ask_async(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as call:
                return call.answered(await function(*call.args, **call.kwargs))

        return cast("Callable[P, R]", ask_async)

    @functools.wraps(function)
    def ask(*args: Any, **kwargs: Any) -> Any:
        with begin(args, kwargs) as call:
            return call.answered(function(*call.args, **call.kwargs))

    return ask


class _Call:
    """One call of a function: what it asks, and what it gets.

    Attributes: args, kwargs: for the function.
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
            # The function says so better.
            return
        bound.apply_defaults()
        query = bound.arguments["q"]
        # One that is watched already is logged by the tapped function which has called this one.
        if isinstance(query, Message) and not isinstance(query, _Watched):
            self._arguments = bound.arguments.copy()
            bound.arguments["q"] = _watched(query, self._asked)
            self.args, self.kwargs = bound.args, bound.kwargs

    def _asked(self, wire: bytes) -> None:
        arguments = self._arguments
        second = self._values is not None
        if isinstance(error := sys.exc_info()[1], Truncated):
            # It asks again because of this response, which nobody else will see. A first query is the caller's reaction
            # to one that is none of this call's.
            self.answered(error.message())  # type: ignore[no-untyped-call]
        query_address, query_port = bound_to((arguments.get("source"), arguments.get("source_port")))
        response_address, response_port = _server(arguments)
        self._values = {
            "query_address": query_address,
            "query_port": query_port or None,
            "response_address": response_address,
            "response_port": response_port,
            "socket_protocol": self._protocols[-1 if second else 0],
            "query_time": time.time_ns(),
        }
        self._query(wire, **self._values)

    def answered(self, result: R) -> R:
        """Log the response in what the function returns, if it has asked; and what it returns."""
        if self._values is not None:
            response: Any = result[0] if isinstance(result, tuple) else result
            self._response(getattr(response, "wire", None), **self._values)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Truncated):
            self.answered(error.message())  # type: ignore[no-untyped-call]


def _server(arguments: dict[str, Any]) -> tuple[str | None, int | None]:
    """The address and the port of who is asked, where it is known: of https it may be a URL."""
    where, port = arguments.get("where"), arguments.get("port")
    if not isinstance(where, str):
        return None, None
    if "://" in where:
        try:
            url = urlsplit(where)
            port = url.port or 443
        except ValueError:
            return None, None
        where = arguments.get("bootstrap_address") or url.hostname or ""
    return where if dns.inet.is_address(where) else None, port


class _Watched:
    """A message that tells what it is encoded to.

    The octets that are sent are these, and no others need be: a signature has the time in it, and DNS over QUIC sets
    the ID.
    """

    __slots__ = ()
    asked: Callable[[bytes], None]

    def to_wire(self, *args: Any, **kwargs: Any) -> bytes:
        wire: bytes = super().to_wire(*args, **kwargs)  # type: ignore[misc]
        self.asked(wire)
        return wire


@functools.cache
def _watched_class(kind: Any) -> Any:
    return type("Watched", (_Watched, kind), {"__slots__": ("asked",)})


def _watched(query: Message, asked: Callable[[bytes], None]) -> Any:
    """The same query, which shares its attributes, so that what is set in either is set in both."""
    kind: Any = type(query)
    cls = _watched_class(kind)
    watched = cls.__new__(cls)
    watched.__dict__ = query.__dict__
    watched.asked = asked
    return watched
