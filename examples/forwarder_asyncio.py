"""A small forwarding proxy on asyncio and dnspython, over UDP and TCP, that taps both clients and upstream.

    dnstap -u dnstap.sock &
    python examples/forwarder_asyncio.py --port 5300 --upstream 192.0.2.53 --tap unix:dnstap.sock &
    dig @127.0.0.1 -p 5300 www.example.test

A query over TCP is forwarded over TCP, so that a client gets the whole of an answer that was truncated over UDP.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import signal
from typing import TYPE_CHECKING, Any

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode

from dnstap import AsyncTap, MessageType
from dnstap.adapters import TappedDatagramProtocol, TappedProtocol, tapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUT_S = 5.0


class Server:
    """Common base of both protocols: answers each query in a task of its own.

    Args: ask: returns the response to a query.
    """

    def __init__(self, ask: Callable[[dns.message.Message], Awaitable[dns.message.Message]]) -> None:
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def start(self, wire: bytes, send: Callable[[bytes], object]) -> None:
        task = asyncio.create_task(self._answer(wire, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, wire: bytes, send: Callable[[bytes], object]) -> None:
        with contextlib.suppress(dns.exception.DNSException):  # Malformed queries get no response.
            query = dns.message.from_wire(wire)
            try:
                answer = await self._ask(query)
            except (dns.exception.DNSException, OSError, EOFError):
                answer = dns.message.make_response(query)
                answer.set_rcode(dns.rcode.SERVFAIL)
            send(answer.to_wire())


class Datagrams(Server, asyncio.DatagramProtocol):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.start(data, lambda answer: self._transport.sendto(answer, addr))


class Stream(Server, asyncio.Protocol):
    _received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 2 and len(self._received) >= (end := 2 + int.from_bytes(self._received[:2])):
            if end == 2:  # No message is empty; whatever follows is no DNS.
                self._received = b""
                self._transport.close()
                return
            self.start(self._received[2:end], lambda answer: self._transport.write(len(answer).to_bytes(2) + answer))
            self._received = self._received[end:]


class TappedDatagrams(TappedDatagramProtocol, Datagrams):
    pass


class TappedStream(TappedProtocol, Stream):
    pass


async def serve(given: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    upstream = {"where": given.upstream, "port": given.upstream_port, "timeout": TIMEOUT_S}
    at = (given.address, given.port)

    async with AsyncTap(given.tap, identity="forwarder", version="asyncio") as tap:
        ask_udp, ask_tcp = (
            functools.partial(tapped(function, tap, log_as=MessageType.FORWARDER_QUERY), **upstream)
            for function in (dns.asyncquery.udp, dns.asyncquery.tcp)
        )
        datagrams, _ = await loop.create_datagram_endpoint(lambda: TappedDatagrams(ask_udp, tap=tap), at)
        async with await loop.create_server(lambda: TappedStream(ask_tcp, tap=tap), *at):
            print(f"listening on {given.address} port {given.port}", flush=True)
            await stop.wait()
        datagrams.close()
    print(tap.counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5300)
    parser.add_argument("--upstream", required=True, metavar="ADDRESS")
    parser.add_argument("--upstream-port", type=int, default=53, metavar="PORT")
    parser.add_argument("--tap", default="unix:dnstap.sock", metavar="ENDPOINT")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
