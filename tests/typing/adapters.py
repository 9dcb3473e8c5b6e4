"""dnstap.adapters: tapped functions keep their types, and server protocols theirs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

import dns.asyncquery
import dns.message
import dns.query

from dnstap import AsyncTap, MessageType, SocketProtocol, Tap
from dnstap.adapters import TapLogger, TappedDatagramProtocol, TappedProtocol, tapped


def a_blocking_function(tap: Tap, query: dns.message.Message) -> None:
    ask = tapped(dns.query.udp, tap, log_as=MessageType.RESOLVER_QUERY)
    assert_type(ask(query, "192.0.2.1", port=53), dns.message.Message)
    both = tapped(dns.query.udp_with_fallback, tap)
    assert_type(both(query, "192.0.2.1"), tuple[dns.message.Message, bool])
    ask(query)  # type: ignore[call-arg]
    ask(query, "192.0.2.1", port="53")  # type: ignore[arg-type]
    tapped(dns.query.udp)  # type: ignore[call-arg]
    tapped("udp", tap)  # type: ignore[arg-type]
    tapped(dns.query.udp, tap, protocol="udp")  # type: ignore[arg-type]


async def a_coroutine_function(tap: AsyncTap, query: dns.message.Message) -> None:
    ask = tapped(dns.asyncquery.tcp, tap)
    assert_type(await ask(query, "192.0.2.1"), dns.message.Message)
    await ask("query", "192.0.2.1")  # type: ignore[arg-type]


async def own_functions(
    tap: Tap, ask: Callable[[int], str], ask_async: Callable[[int], Coroutine[Any, Any, str]]
) -> None:
    assert_type(tapped(ask, tap, protocol=SocketProtocol.DOH)(1), str)
    assert_type(await tapped(ask_async, tap, protocol=SocketProtocol.DOH)(1), str)


class Server(asyncio.DatagramProtocol):
    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers


class TappedServer(TappedDatagramProtocol, Server):
    pass


class TappedStream(TappedProtocol, asyncio.StreamReaderProtocol):
    pass


def protocols(tap: AsyncTap, reader: asyncio.StreamReader) -> None:
    server: asyncio.DatagramProtocol = TappedServer([b"answer"], tap=tap, log_as=MessageType.AUTH_QUERY)
    stream: asyncio.Protocol = TappedStream(reader, tap=tap)
    assert_type(TappedServer([], tap=tap).answers, list[bytes])
    TappedServer([])  # type: ignore[call-arg]
    TappedServer([], tap=server)  # type: ignore[arg-type]
    TappedStream(reader, tap=stream)  # type: ignore[arg-type]


def loggers(tap: Tap, logger: object) -> None:
    assert_type(TapLogger(tap), TapLogger)
    assert_type(TapLogger(tap, logger, log_as=MessageType.CLIENT_QUERY), TapLogger)
    TapLogger()  # type: ignore[call-arg]
    TapLogger(tap, log_as="CLIENT_QUERY")  # type: ignore[arg-type]
