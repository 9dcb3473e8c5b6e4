"""Servers of examples/, as processes, with our command: it records their queries and responses byte for byte."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import pytest

from dnstap import Dnstap, Message, SocketProtocol
from tests.interop.accounting import payloads
from tests.interop.command import listening
from tests.interop.servers import ask, free_port
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

QUESTIONS = [
    ("www.example.test.", "A", dns.rcode.NOERROR),
    ("WEB.example.test.", "AAAA", dns.rcode.NOERROR),
    ("example.test.", "MX", dns.rcode.NOERROR),
    ("mail.example.test.", "TXT", dns.rcode.NOERROR),
    ("nothing.example.test.", "A", dns.rcode.NXDOMAIN),
    ("www.example.org.", "A", dns.rcode.REFUSED),
    ("large.example.test.", "TXT", dns.rcode.NOERROR),
]

Entry = tuple[str, str, bool, bytes]
"""Type of a message, identity of the server, whether it went over TCP, and its bytes."""


@contextmanager
def example(workdir: Path, name: str, number: signal.Signals, *arguments: str | int) -> Iterator[int]:
    """Run a server of examples/, which a signal ends; yield its port."""
    port = free_port()
    log = workdir / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                ROOT / "examples" / f"{name}.py",
                "--port",
                str(port),
                *map(str, arguments),
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        wait_for(lambda: b"listening" in log.read_bytes() or process.poll() is not None, f"the start of {name}")
        assert process.poll() is None, log.read_text()
        yield port
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0, log.read_text()
        listened, counts = log.read_text().splitlines()
        assert listened == f"listening on 127.0.0.1 port {port}"
        assert "waiting=0, queue_full=0, not_connected=0, too_large=0, not_encodable=0, closed=0" in counts
    finally:
        process.kill()
        process.wait()


def make_queries() -> list[bytes]:
    """Return a query for each question, with EDNS and without, with unique IDs."""
    queries = []
    for number, (name, qtype, _) in enumerate(QUESTIONS * 2):
        query = dns.message.make_query(name, qtype, use_edns=number % 2 == 0, id=number + 1)
        queries.append(query.to_wire())
    return queries


def ask_all(port: int, queries: list[bytes]) -> list[bytes]:
    """Send queries together over one connection, in pieces of 37 bytes; return the answers."""
    stream = b"".join([len(query).to_bytes(2) + query for query in queries])
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as connection, connection.makefile("rb") as file:
        for at in range(0, len(stream), 37):
            connection.sendall(stream[at : at + 37])
        return [file.read(int.from_bytes(file.read(2))) for _ in queries]


def logged(recording: Path) -> tuple[Counter[Entry], list[Message]]:
    """Return the messages that the servers have logged, and how often each occurs."""
    entries: Counter[Entry] = Counter()
    messages = []
    for dnstap in map(Dnstap.parse, payloads(recording)):
        message = dnstap.message
        assert message is not None
        assert message.type is not None
        assert message.wire is not None
        is_tcp = message.socket_protocol is SocketProtocol.TCP
        entries[message.type.name, (dnstap.identity or b"").decode(), is_tcp, message.wire] += 1
        messages.append(message)
    return entries, messages


def hostile_queries() -> list[bytes]:
    """Return DNS messages that are cut, hold garbage, or are no queries."""
    query = dns.message.make_query("www.example.test.", "A", use_edns=True, id=1).to_wire()
    cut = [query[:end] for end in (0, 1, 11, 12, 13, 20, len(query) - 1)]
    response, no_question, many = bytearray(query), bytearray(query), bytearray(query)
    response[2] |= 0x80
    no_question[5] = 0
    many[6:12] = b"\xff" * 6
    loop = query[:12] + b"\xc0\x0c" + bytes(4)
    signed = query[:10] + b"\0\2" + query[12:] + b"\1k\0\0\xfa\0\xff\0\0\0\0\0\0"
    odd = [query[:2] + bytes([opcode << 3]) + query[3:] for opcode in (2, 4, 5, 6, 15)]
    return [*cut, bytes(response), bytes(no_question), bytes(many), loop, signed, *odd, b"\xff" * 500]


def hostile_streams() -> list[bytes]:
    """Return what clients send over TCP: the same with lengths, wrong lengths, and none."""
    framed = [len(query).to_bytes(2) + query for query in hostile_queries()]
    return [*framed, b"\0\0" + bytes(100_000), b"\xff\xff\0", b"\0", b"", b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("name", ["authoritative_dnslib", "forwarder_asyncio"])
def test_the_servers_survive_hostile_clients(tmp_path: Path, name: str) -> None:
    """Each of the next clients gets its answer, and what came is logged."""
    recording = tmp_path / "log.fstrm"
    query = dns.message.make_query("www.example.test.", "A", id=9).to_wire()
    with listening(tmp_path / "tap.sock", tmp_path, "-w", recording) as command:
        tap = ("--tap", command.endpoint)
        with contextlib.ExitStack() as stack:
            port = stack.enter_context(example(tmp_path, "authoritative_dnslib", signal.SIGTERM, *tap))
            if name == "forwarder_asyncio":
                to = ("--upstream", "127.0.0.1", "--upstream-port", port)
                port = stack.enter_context(example(tmp_path, name, signal.SIGTERM, *tap, *to))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                for hostile in hostile_queries():
                    datagrams.sendto(hostile, ("127.0.0.1", port))
                    assert dns.message.from_wire(ask(port, query)).rcode() == dns.rcode.NOERROR
            for hostile in hostile_streams():
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE_S))
                with contextlib.suppress(OSError):  # It may be closed before all of it is sent.
                    connection.sendall(hostile)
                    connection.shutdown(socket.SHUT_WR)
                assert dns.message.from_wire(ask(port, query, tcp=True)).rcode() == dns.rcode.NOERROR
            if name == "forwarder_asyncio":
                # No message is empty: the connection is closed, and nothing that follows is kept.
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE_S))
                connection.sendall(bytes(2))
                assert connection.recv(1) == b""
        assert command.stop() == 0
    kinds = {entry[0] for entry in logged(recording)[0]}
    assert {"AUTH_QUERY", "AUTH_RESPONSE"} <= kinds


def entries(kind: str, identity: str, *, tcp: bool, wires: list[bytes]) -> Counter[Entry]:
    return Counter([(kind, identity, tcp, wire) for wire in wires])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_authoritative_server_logs_all_it_sends_and_receives(tmp_path: Path, number: signal.Signals) -> None:
    recording = tmp_path / "log.fstrm"
    queries, bad = make_queries(), b"\0\1no message"
    with listening(tmp_path / "tap.sock", tmp_path, "-w", recording) as command:
        with example(tmp_path, "authoritative_dnslib", number, "--tap", command.endpoint) as port:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.sendto(bad, ("127.0.0.1", port))
            udp = [ask(port, query) for query in queries]
            tcp = [ask(port, query, tcp=True) for query in queries]
        assert command.stop() == 0
    for (_, _, rcode), response, whole in zip(QUESTIONS * 2, udp, tcp, strict=True):
        assert dns.message.from_wire(response).rcode() == dns.message.from_wire(whole).rcode() == rcode
    assert dns.message.from_wire(udp[6]).flags & dns.flags.TC
    found, messages = logged(recording)
    expected = entries("AUTH_QUERY", "authoritative", tcp=False, wires=[*queries, bad])
    expected += entries("AUTH_RESPONSE", "authoritative", tcp=False, wires=udp)
    expected += entries("AUTH_QUERY", "authoritative", tcp=True, wires=queries)
    expected += entries("AUTH_RESPONSE", "authoritative", tcp=True, wires=tcp)
    assert found == expected
    check_exchanges(messages, port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_forwarder_logs_both_of_its_sides(tmp_path: Path, number: signal.Signals) -> None:
    """The log of the authoritative server behind it tells what the forwarder should have logged on that side."""
    recording = tmp_path / "log.fstrm"
    queries, bad = make_queries(), b"\0\1no message"
    with listening(tmp_path / "tap.sock", tmp_path, "-w", recording) as command:
        tap = ("--tap", command.endpoint)
        with (
            example(tmp_path, "authoritative_dnslib", number, *tap) as upstream,
            example(
                tmp_path, "forwarder_asyncio", number, *tap, "--upstream", "127.0.0.1", "--upstream-port", upstream
            ) as port,
        ):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.sendto(bad, ("127.0.0.1", port))
            udp = [ask(port, query) for query in queries]
            tcp = ask_all(port, queries)
        assert command.stop() == 0
    assert dns.message.from_wire(udp[6]).flags & dns.flags.TC
    assert sorted(wire[:2] for wire in tcp) == [query[:2] for query in queries]
    found, messages = logged(recording)
    expected = entries("CLIENT_QUERY", "forwarder", tcp=False, wires=[*queries, bad])
    expected += entries("CLIENT_RESPONSE", "forwarder", tcp=False, wires=udp)
    expected += entries("CLIENT_QUERY", "forwarder", tcp=True, wires=queries)
    expected += entries("CLIENT_RESPONSE", "forwarder", tcp=True, wires=tcp)
    upstream_log = Counter({entry: count for entry, count in found.items() if entry[1] == "authoritative"})
    assert upstream_log.total() == 4 * len(queries)
    for (kind, _, is_tcp, wire), count in upstream_log.items():
        expected[kind.replace("AUTH", "FORWARDER"), "forwarder", is_tcp, wire] += count
    assert found == expected + upstream_log
    for kind, server in (("CLIENT", port), ("AUTH", upstream)):
        check_exchanges([m for m in messages if m.type is not None and m.type.name.startswith(kind)], server)
    for message in messages:
        if message.type is not None and message.type.name.startswith("FORWARDER"):
            assert (str(message.response_ip), message.response_port) == ("127.0.0.1", upstream)


def check_exchanges(messages: list[Message], port: int) -> None:
    """Check addresses, ports and times: a response has the time of its query."""
    asked: dict[tuple[bytes, int | None], int] = {}
    for message in messages:
        assert message.wire is not None
        assert str(message.query_ip) == str(message.response_ip) == "127.0.0.1"
        assert message.response_port == port
        assert message.query_port
        assert message.query_time_ns is not None
        if message.is_query:
            asked[message.wire[:2], message.query_port] = message.query_time_ns
    for message in messages:
        if message.is_response:
            assert message.wire is not None
            assert message.query_time_ns == asked[message.wire[:2], message.query_port]
            assert message.response_time_ns is not None
            assert message.response_time_ns >= message.query_time_ns
