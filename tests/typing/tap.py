"""dnstap.Tap, AsyncTap, TapCounts and TapLimits."""

from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import assert_type

from dns.message import Message as DnspythonMessage

from dnstap import AsyncTap, Message, SocketProtocol, Tap, TapCounts, TapLimits
from framestream import Backoff, Deadlines, Endpoint, TcpEndpoint, Tls, UnixEndpoint


def endpoints(path: Path) -> None:
    assert_type(Tap("unix:/run/dnstap.sock"), Tap)
    Tap(path, listen=True)
    Tap(UnixEndpoint("/run/dnstap.sock"))
    Tap("tls:localhost:6000", tls=Tls(verify=False))
    assert_type(Tap(TcpEndpoint("localhost", 6000)).endpoint, Endpoint)
    Tap(3)  # type: ignore[arg-type]
    Tap()  # type: ignore[call-arg]
    Tap(path, "ns1")  # type: ignore[call-arg]


def options(path: Path) -> None:
    limits = TapLimits(deadlines=Deadlines(write_s=1.0), backoff=Backoff(most_s=1.0), max_sinks=2, report_s=60)
    Tap(path, identity="ns1", version=b"1", extra=None, full=False, queue=10, limits=limits)
    Tap(path, extra=lambda message: assert_type(message, Message).query_zone)
    Tap(path, extra=lambda message: 3)  # type: ignore[arg-type, return-value]
    Tap(path, identity=3)  # type: ignore[arg-type]
    Tap(path, limits={"report_s": 60})  # type: ignore[arg-type]


def messages(tap: Tap, query: DnspythonMessage) -> None:
    tap.client_query(
        query,
        query_address=IPv4Address("192.0.2.1"),
        query_port=5353,
        response_address="192.0.2.53",
        response_port=53,
        socket_protocol=SocketProtocol.UDP,
        query_time=1,
        response_time=datetime.now(UTC),
    )
    tap.auth_response(memoryview(b"wire"), response_address=b"\0\0\0\0")
    tap.submit(Message())
    tap.submit(b"wire")  # type: ignore[arg-type]
    tap.tool_query("wire")  # type: ignore[arg-type]
    tap.tool_query(b"wire", "192.0.2.1")  # type: ignore[call-arg]
    tap.tool_query(b"wire", query_port="53")  # type: ignore[arg-type]
    tap.axfr_query(b"wire")  # type: ignore[attr-defined]


def counts(tap: Tap) -> None:
    assert_type(tap.counts, TapCounts)
    assert_type(tap.counts.dropped, int)
    assert_type(tap.counts.causes(), str)
    assert_type(tap.connected, bool)


def closing(path: Path) -> None:
    with Tap(path) as tap:
        assert_type(tap, Tap)
    assert_type(tap.close(), int)
    tap.close("1")  # type: ignore[arg-type]


async def closing_in_asyncio(path: Path) -> None:
    async with AsyncTap(path) as tap:
        assert_type(tap, AsyncTap)
        tap.client_query(b"wire")
    assert_type(await tap.close(timeout_s=1.0), int)
    with AsyncTap(path):  # type: ignore[attr-defined]
        pass
