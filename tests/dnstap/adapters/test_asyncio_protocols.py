"""Mix-ins for asyncio: logs of servers that write in any way, and get any bytes."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Any

import dns.message
import pytest
import trustme

from dnstap import Message, MessageType, SocketProtocol, Tap
from dnstap.adapters import TappedDatagramProtocol, TappedProtocol, asyncio_protocols
from tests.dnstap.adapters.recorder import Recorder
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make_query(number: int = 1, name: str = "www.example.test.") -> bytes:
    return dns.message.make_query(name, "A", id=number, use_edns=False).to_wire()


def answer_to(query: bytes) -> bytes:
    return query[:2] + b"\x81" + query[3:]


class Datagrams(asyncio.DatagramProtocol):
    """Server with the given answers to a query, one by default."""

    def __init__(self, answers: Callable[[bytes], list[bytes]] = lambda query: [answer_to(query)]) -> None:
        self.answers = answers
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for answer in self.answers(data):
            self.transport.sendto(answer, addr)


class TappedDatagrams(TappedDatagramProtocol, Datagrams):
    pass


class Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.answers.put_nowait(data)


def exchange(server: Datagrams, *queries: bytes, answers: int | None = None, address: str = "127.0.0.1") -> Any:
    """Send queries over UDP and wait for answers; return the ports of client and server."""

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        theirs, _ = await loop.create_datagram_endpoint(lambda: server, (address, 0))
        port = theirs.get_extra_info("sockname")[1]
        to = (address.replace("0.0.0.0", "127.0.0.1"), port)
        ours, client = await loop.create_datagram_endpoint(Client, remote_addr=to)
        async with asyncio.timeout(DEADLINE_S):
            for query in queries:
                ours.sendto(query)
            for _ in range(len(queries) if answers is None else answers):
                await client.answers.get()
        ports = (ours.get_extra_info("sockname")[1], port)
        ours.close()
        theirs.close()
        return ports

    return asyncio.run(run())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_datagram_and_its_response_are_logged(address: str) -> None:
    recorder = Recorder()
    own, port = exchange(TappedDatagrams(tap=recorder.tap), make_query(), address=address)
    assert recorder.log == [("CLIENT_QUERY", make_query()), ("CLIENT_RESPONSE", answer_to(make_query()))]
    for message in recorder.messages:
        assert message.socket_protocol is SocketProtocol.UDP
        assert (str(message.query_ip), message.query_port) == (address, own)
        assert (str(message.response_ip), message.response_port) == (address, port)
        assert message.query_time_ns == recorder.messages[0].query_time_ns is not None


def test_the_address_of_a_socket_bound_to_all_is_unknown() -> None:
    recorder = Recorder()
    _, port = exchange(TappedDatagrams(tap=recorder.tap), make_query(), address="0.0.0.0")
    for message in recorder.messages:
        assert (message.response_address, message.response_port) == (None, port)


def test_log_as_sets_the_types() -> None:
    recorder = Recorder()
    exchange(TappedDatagrams(tap=recorder.tap, log_as=MessageType.AUTH_QUERY), make_query())
    assert [name for name, _ in recorder.log] == ["AUTH_QUERY", "AUTH_RESPONSE"]
    with pytest.raises(ValueError, match="expected a type of queries"):
        TappedDatagrams(tap=recorder.tap, log_as=MessageType.AUTH_RESPONSE)


BAD_NAME = make_query()[:12] + b"\1a" * 200
"""Query with a name of 400 bytes."""


@pytest.mark.parametrize(
    ("query", "response", "is_its"),
    [
        (make_query(), answer_to(make_query(name="WWW.Example.test.")), True),
        (make_query(), answer_to(make_query(2)), False),
        (make_query(), answer_to(make_query(name="other.test.")), False),
        (make_query(), make_query()[:-4] + b"\0\x1c\0\1", False),
        (make_query()[:12], make_query()[:12], True),
        (make_query()[:20], make_query()[:12], True),
        (BAD_NAME, BAD_NAME, True),
        (b"a", b"a", True),
        (make_query(), bytearray(answer_to(make_query())), True),
        (make_query(), memoryview(answer_to(make_query())), True),
    ],
    ids=["case", "id", "name", "type", "header", "cut", "long name", "one byte", "bytearray", "memoryview"],
)
def test_a_response_has_the_time_of_the_query_with_its_id_and_question(
    query: bytes, response: bytes, is_its: bool
) -> None:
    recorder = Recorder()
    exchange(TappedDatagrams(lambda _: [response], tap=recorder.tap), query)
    asked, answered = recorder.messages
    assert (asked.wire, answered.wire) == (query, bytes(response))
    assert answered.query_time_ns == (asked.query_time_ns if is_its else None)


def times(recorder: Recorder) -> tuple[list[int | None], list[int | None]]:
    """Return the query times of queries, and of responses."""
    queries = [message.query_time_ns for message in recorder.messages if message.is_query]
    return queries, [message.query_time_ns for message in recorder.messages if message.is_response]


def test_of_the_same_question_twice_the_first_is_answered_first() -> None:
    recorder = Recorder()
    waiting: list[bytes] = []

    def answers(query: bytes) -> list[bytes]:
        waiting.append(answer_to(query))
        return waiting if len(waiting) == 2 else []

    exchange(TappedDatagrams(answers, tap=recorder.tap), make_query(), make_query())
    asked, answered = times(recorder)
    assert answered == asked
    assert asked[0] != asked[1]


def test_a_second_response_has_no_query_time() -> None:
    recorder = Recorder()
    exchange(TappedDatagrams(lambda query: [query, query], tap=recorder.tap), make_query(), answers=2)
    asked, answered = times(recorder)
    assert answered == [*asked, None]


def test_the_oldest_times_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio_protocols, "MAX_PENDING", 3)
    recorder = Recorder()
    queries = [make_query(number) for number in (1, 1, 2, 3, 4)]

    def answers(query: bytes) -> list[bytes]:
        return [answer_to(each) for each in queries] if query == queries[-1] else []

    exchange(TappedDatagrams(answers, tap=recorder.tap), *queries)
    asked, answered = times(recorder)
    assert len(asked) == 5
    assert answered == [None, None, *asked[2:]]


def test_times_of_answered_queries_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio_protocols, "MAX_PENDING", 3)
    recorder = Recorder()
    exchange(TappedDatagrams(tap=recorder.tap), *[make_query(number) for number in range(10)])
    asked, answered = times(recorder)
    assert answered == asked


def test_a_long_name_is_not_searched_to_its_end() -> None:
    assert len(asyncio_protocols._question(bytes(12) + b"\1a" * 32_000)) < 300


class Stream(asyncio.Protocol):
    """Server that writes answers by a function of the transport and the answer with its length."""

    def __init__(self, write: Callable[[Any, bytes], None]) -> None:
        self.write = write
        self.transport: Any = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 2 and len(self.buffer) >= (end := 2 + int.from_bytes(self.buffer[:2])):
            answer = answer_to(self.buffer[2:end])
            self.write(self.transport, len(answer).to_bytes(2) + answer)
            self.buffer = self.buffer[end:]


class TappedStream(TappedProtocol, Stream):
    pass


def whole(transport: Any, data: bytes) -> None:
    transport.write(data)


def in_two(transport: Any, data: bytes) -> None:
    transport.write(data[:2])
    transport.write(memoryview(data)[2:])


def byte_by_byte(transport: Any, data: bytes) -> None:
    for byte in data:
        transport.write(bytearray([byte]))


def in_lines(transport: Any, data: bytes) -> None:
    transport.writelines([data[:2], data[2:]])


def framed(messages: list[bytes]) -> bytes:
    return b"".join([len(message).to_bytes(2) + message for message in messages])


def converse(
    protocol: Callable[[], asyncio.Protocol],
    pieces: list[bytes],
    expected: int,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
) -> tuple[bytes, int, int]:
    """Send pieces over one connection, each when the server has the previous one; return the answer and both ports."""

    async def run() -> tuple[bytes, int, int]:
        loop = asyncio.get_running_loop()
        got: asyncio.Queue[int] = asyncio.Queue()

        def make() -> asyncio.Protocol:
            made = protocol()
            received = made.data_received

            def data_received(data: bytes) -> None:
                received(data)
                got.put_nowait(len(data))

            made.data_received = data_received  # type: ignore[method-assign]
            return made

        server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls[0] if tls else None)
        port = server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls[1] if tls else None)
            for piece in pieces:
                writer.write(piece)
                came = 0
                while came < len(piece):
                    came += await got.get()
            answers = await reader.readexactly(expected)
            own = writer.get_extra_info("sockname")[1]
            writer.close()
            await writer.wait_closed()
        return answers, own, port

    return asyncio.run(run())


QUERIES = [make_query(number, f"n{number}.example.test.") for number in range(5)]
STREAM = framed(QUERIES)


@pytest.mark.parametrize("write", [whole, in_two, byte_by_byte, in_lines])
@pytest.mark.parametrize(
    "pieces",
    [[STREAM], [STREAM[at : at + 1] for at in range(len(STREAM))], [STREAM[at : at + 50] for at in range(0, 200, 50)]],
    ids=["at once", "byte by byte", "across"],
)
def test_messages_in_pieces_of_any_size_are_logged(write: Callable[[Any, bytes], None], pieces: list[bytes]) -> None:
    recorder = Recorder()
    stream = b"".join(pieces)
    answers, own, port = converse(lambda: TappedStream(write, tap=recorder.tap), pieces, len(STREAM))
    assert stream == STREAM
    assert answers == framed([answer_to(query) for query in QUERIES])
    assert sorted(recorder.log) == sorted(
        [
            *(("CLIENT_QUERY", query) for query in QUERIES),
            *(("CLIENT_RESPONSE", answer_to(query)) for query in QUERIES),
        ]
    )
    asked, answered = times(recorder)
    assert None not in asked
    assert answered == asked
    for message in recorder.messages:
        assert message.socket_protocol is SocketProtocol.TCP
        assert (str(message.query_ip), message.query_port) == ("127.0.0.1", own)
        assert (str(message.response_ip), message.response_port) == ("127.0.0.1", port)


def test_a_message_that_is_cut_off_is_not_logged() -> None:
    recorder = Recorder()
    query = framed([make_query()])
    converse(lambda: TappedStream(whole, tap=recorder.tap), [query + query[:-1]], len(query))
    assert [name for name, _ in recorder.log] == ["CLIENT_QUERY", "CLIENT_RESPONSE"]


def test_messages_of_any_length() -> None:
    recorder = Recorder()
    longest = make_query() + os.urandom(65535 - len(make_query()))
    messages = [b"abc", longest, longest]
    converse(lambda: TappedStream(whole, tap=recorder.tap), [framed(messages)], len(framed(messages)))
    assert sorted(wire or b"" for name, wire in recorder.log if name == "CLIENT_QUERY") == sorted(messages)


def test_connections_over_tls_are_logged_as_dot() -> None:
    recorder = Recorder()
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    query = framed([make_query()])
    converse(lambda: TappedStream(whole, tap=recorder.tap), [query], len(query), (theirs, ours))
    assert [message.socket_protocol for message in recorder.messages] == [SocketProtocol.DOT] * 2


def test_a_server_with_streams_is_logged() -> None:
    recorder = Recorder()

    class TappedReader(TappedProtocol, asyncio.StreamReaderProtocol):
        pass

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        writer.write(framed([answer_to(query)]))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    query = framed([make_query()])
    answers, _, _ = converse(lambda: TappedReader(asyncio.StreamReader(), serve, tap=recorder.tap), [query], len(query))
    assert answers == framed([answer_to(make_query())])
    assert recorder.log == [("CLIENT_QUERY", make_query()), ("CLIENT_RESPONSE", answer_to(make_query()))]


class Underneath:
    """Transport that keeps the calls of its methods."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Any]] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


@pytest.mark.parametrize(
    ("server", "interface"),
    [
        (lambda tap: TappedDatagrams(tap=tap), asyncio.DatagramTransport),
        (lambda tap: TappedStream(whole, tap=tap), asyncio.Transport),
    ],
    ids=["datagrams", "stream"],
)
def test_other_methods_are_those_of_the_transport(server: Callable[[Any], Any], interface: type) -> None:
    protocol, underneath = server(Recorder().tap), Underneath()
    protocol.connection_made(underneath)
    expected = []
    for name in [name for name in dir(interface) if not name.startswith("_")] + ["of_another_loop"]:
        if name not in ("get_extra_info", "write", "writelines", "sendto"):
            getattr(protocol.transport, name)(1, two=2)
            expected.append((name, (1,), {"two": 2}))
    assert len(expected) > 5
    assert underneath.calls == expected
    assert protocol.transport.get_extra_info("peername", "nobody") == "nobody"


class Broken(Underneath):
    """Transport whose methods raise RuntimeError."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_response_that_the_transport_refuses_is_not_logged() -> None:
    recorder = Recorder()
    datagrams, stream = TappedDatagrams(tap=recorder.tap), TappedStream(whole, tap=recorder.tap)
    for protocol in (datagrams, stream):
        protocol.connection_made(Broken())
    with pytest.raises(RuntimeError, match="sendto"):
        datagrams.datagram_received(make_query(), ("192.0.2.1", 53))
    with pytest.raises(RuntimeError, match="write"):
        stream.data_received(framed([make_query()]))
    assert [name for name, _ in recorder.log] == ["CLIENT_QUERY"] * 2


@pytest.mark.parametrize("peer", [None, "/run/client.sock", ("192.0.2.1",), ([], 53)])
def test_an_address_that_is_not_of_ip_is_unknown(peer: Any) -> None:
    recorder = Recorder()
    protocol = TappedDatagrams(tap=recorder.tap)
    protocol.connection_made(Underneath())
    protocol.datagram_received(make_query(), peer)
    assert recorder.log == [("CLIENT_QUERY", make_query()), ("CLIENT_RESPONSE", answer_to(make_query()))]
    assert all(message.query_address is None for message in recorder.messages)


def test_bad_addresses_are_counted_by_the_tap(tmp_path: Path) -> None:
    with Tap(f"unix:{tmp_path}/nobody.sock") as tap:
        protocol = TappedDatagrams(tap=tap)
        underneath = Underneath()
        protocol.connection_made(underneath)
        protocol.datagram_received(make_query(), ("no address", 53))
        assert underneath.calls == [("sendto", (answer_to(make_query()), ("no address", 53)), {})]
        assert tap.counts.not_encodable == 2


def test_the_server_may_use_its_buffer_again() -> None:
    recorder = Recorder()
    buffer = bytearray(answer_to(make_query()))
    protocol = TappedDatagrams(lambda _: [buffer], tap=recorder.tap)
    protocol.connection_made(Underneath())
    protocol.datagram_received(make_query(), ("192.0.2.1", 53))
    buffer[:] = b"other"
    message: Message = recorder.messages[1]
    assert message.wire == answer_to(make_query())
