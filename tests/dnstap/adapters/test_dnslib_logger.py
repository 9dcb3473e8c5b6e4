"""TapLogger: logs of dnslib servers."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dns.message
import pytest
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from dnstap import MessageType, SocketProtocol, Tap
from dnstap.adapters import TapLogger
from tests.dnstap.adapters.recorder import Recorder
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(logger: Any, *, tcp: bool = False, address: str = "127.0.0.1") -> Iterator[int]:
    """Serve NXDOMAIN to all queries; yield the port."""
    server = DNSServer(BaseResolver(), address=address, port=0, tcp=tcp, logger=logger)
    server.start_thread()
    try:
        yield server.server.server_address[1]
    finally:
        server.stop()
        server.server.server_close()


def make_query(number: int = 1) -> bytes:
    return dns.message.make_query(f"n{number}.example.test.", "A", id=number).to_wire()


def ask(port: int, query: bytes, *, tcp: bool = False, address: str = "127.0.0.1") -> tuple[bytes, int]:
    """Return an answer, and the port of the client."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE_S)
        client.connect((address, port))
        own = client.getsockname()[1]
        if not tcp:
            client.send(query)
            return client.recv(65535), own
        client.sendall(len(query).to_bytes(2) + query)
        with client.makefile("rb") as file:
            return file.read(int.from_bytes(file.read(2))), own


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_query_and_its_response_are_logged(address: str, tcp: bool) -> None:
    recorder = Recorder()
    before = time.time_ns()
    with serving(TapLogger(recorder.tap), tcp=tcp, address=address) as port:
        answer, own = ask(port, make_query(), tcp=tcp, address=address)
    query, response = recorder.messages
    assert recorder.log == [("AUTH_QUERY", make_query()), ("AUTH_RESPONSE", answer)]
    for message in (query, response):
        assert message.socket_protocol is (SocketProtocol.TCP if tcp else SocketProtocol.UDP)
        assert (str(message.query_ip), message.query_port) == (address, own)
        assert (str(message.response_ip), message.response_port) == (address, port)
        assert message.query_time_ns == query.query_time_ns
    assert query.query_time_ns is not None
    assert before <= query.query_time_ns <= time.time_ns()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_server_bound_to_all_addresses_knows_only_those_of_connections(tcp: bool) -> None:
    recorder = Recorder()
    with serving(TapLogger(recorder.tap), tcp=tcp, address="") as port:
        ask(port, make_query(), tcp=tcp)
    for message in recorder.messages:
        assert message.response_address == (bytes([127, 0, 0, 1]) if tcp else None)
        assert message.response_port == port


def test_log_as_sets_the_types() -> None:
    recorder = Recorder()
    with serving(TapLogger(recorder.tap, log_as=MessageType.CLIENT_QUERY)) as port:
        ask(port, make_query())
    assert [name for name, _ in recorder.log] == ["CLIENT_QUERY", "CLIENT_RESPONSE"]


def test_a_query_that_dnslib_cannot_parse_is_logged() -> None:
    recorder = Recorder()
    with serving(TapLogger(recorder.tap)) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"no message", ("127.0.0.1", port))
        recorder.wait(1)
        ask(port, make_query())
    assert [name for name, _ in recorder.log] == ["AUTH_QUERY", "AUTH_QUERY", "AUTH_RESPONSE"]
    assert recorder.messages[0].wire == b"no message"


def test_responses_of_many_threads_have_the_times_of_their_queries() -> None:
    recorder = Recorder()
    with serving(TapLogger(recorder.tap), tcp=True) as port:
        for asking in [start(ask, port, make_query(n), tcp=True) for n in range(50)]:
            asking.result(DEADLINE_S)
    recorder.wait(100)
    times = {m.wire[:2]: (m.query_time_ns, m.query_port) for m in recorder.messages if m.wire and m.is_query}
    assert len(times) == 50
    for message in recorder.messages:
        assert message.wire is not None
        assert (message.query_time_ns, message.query_port) == times[message.wire[:2]]


def test_another_logger_goes_on() -> None:
    recorder = Recorder()
    lines: list[str] = []
    logger = DNSLogger("request,reply,recv,send,error", prefix=False, logf=lines.append)
    with serving(TapLogger(recorder.tap, logger)) as port:
        ask(port, make_query())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"no message", ("127.0.0.1", port))
            wait_for(lambda: len(lines) == 6, "six lines")
    words = [line.partition(":")[0] for line in lines]
    assert words == ["Received", "Request", "Reply", "Sent", "Received", "Invalid Request"]
    assert len(recorder.messages) == 3


def test_other_attributes_are_those_of_the_logger() -> None:
    logger = DNSLogger()
    tapped = TapLogger(Recorder().tap, logger)
    assert tapped.log_prefix == logger.log_prefix
    with pytest.raises(AttributeError, match="'DNSLogger' object has no attribute 'log_nothing'"):
        _ = tapped.log_nothing
    with pytest.raises(AttributeError, match="'TapLogger' object has no attribute '_private'"):
        _ = tapped._private


def test_a_handler_without_socket_protocol_and_query_is_logged() -> None:
    recorder = Recorder()
    handler = SimpleNamespace(client_address=("192.0.2.1", 4000))
    TapLogger(recorder.tap).log_send(handler, b"response")
    (message,) = recorder.messages
    assert (str(message.query_ip), message.query_port) == ("192.0.2.1", 4000)
    assert (message.response_address, message.response_port, message.query_time) == (None, None, None)
    assert message.socket_protocol is SocketProtocol.UDP


def test_the_address_of_a_closed_connection_is_unknown() -> None:
    recorder = Recorder()
    closed = socket.socket()
    closed.close()
    handler = SimpleNamespace(client_address=("192.0.2.1", 4000), protocol="tcp", request=closed)
    TapLogger(recorder.tap).log_recv(handler, b"query")
    assert recorder.messages[0].response_address is None


def test_bad_addresses_are_counted_by_the_tap(tmp_path: Path) -> None:
    with Tap(f"unix:{tmp_path}/nobody.sock") as tap:
        handler = SimpleNamespace(client_address=("no address", 4000), protocol="udp")
        TapLogger(tap).log_recv(handler, b"query")
        TapLogger(tap).log_send(handler, b"response")
        assert tap.counts.not_encodable == 2
