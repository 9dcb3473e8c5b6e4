"""tapped: logs of dnspython's query functions, which otherwise work as before."""

from __future__ import annotations

import asyncio
import functools
import inspect
import socketserver
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.resolver
import dns.tsigkeyring
import dns.update
import pytest
import trustme

from dnstap import MessageType, SocketProtocol, Tap
from dnstap.adapters import tapped
from tests.dnstap.adapters.recorder import Recorder
from tests.interop.servers import free_port
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT_S = 0.2
LONG_S = 20.0


class Server:
    """Server over UDP and TCP at one address, which keeps queries and responses.

    Args:
        answer: returns the response to a query and whether it came over TCP; None for no response.
        context: for TLS instead of TCP.
    """

    def __init__(self, answer: Callable[[bytes, bool], bytes | None], context: ssl.SSLContext | None = None) -> None:
        self.queries: list[bytes] = []
        self.responses: list[bytes] = []

        def reply(query: bytes, is_tcp: bool) -> bytes | None:
            self.queries.append(query)
            wire = answer(query, is_tcp)
            if wire is not None:
                self.responses.append(wire)
            return wire

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, sock = self.request
                if wire := reply(query, False):
                    sock.sendto(wire, self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                if context:
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.request.close()

            def handle(self) -> None:
                query = self.rfile.read(int.from_bytes(self.rfile.read(2)))
                if wire := reply(query, True):
                    self.wfile.write(len(wire).to_bytes(2) + wire)

        self.port = free_port()
        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Stream)
        self.udp = socketserver.UDPServer(("127.0.0.1", self.port), Datagram)


@contextmanager
def serving(
    answer: Callable[[bytes, bool], bytes | None] | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(answer or respond, context)
    for each in (server.udp, server.tcp):
        start(each.serve_forever, poll_interval=0.01)
    try:
        yield server
    finally:
        for each in (server.udp, server.tcp):
            each.shutdown()
            each.server_close()


def respond(query: bytes, is_tcp: bool) -> bytes:
    """Return a response with an uncompressed name, which dnspython would compress."""
    wire = dns.message.make_response(dns.message.from_wire(query, keyring=False)).to_wire()
    name = query[12 : query.index(0, 12) + 1]
    return wire[:7] + b"\1" + wire[8:] + name + bytes.fromhex("0001 0001 00000000 0004 c0000201")


def truncate(query: bytes, is_tcp: bool) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(query))
    if not is_tcp:
        response.flags |= dns.flags.TC
    return response.to_wire()


def make_query() -> dns.message.QueryMessage:
    return dns.message.make_query("www.example.test.", "A", use_edns=False)


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the result of a function or coroutine function."""
    result = function(*args, **kwargs)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


MODULES = [dns.query, dns.asyncquery]
"""Modules with the same functions; `of` is one of them in most tests."""


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
@pytest.mark.parametrize(("name", "protocol"), [("udp", SocketProtocol.UDP), ("tcp", SocketProtocol.TCP)])
def test_a_query_and_its_response_are_logged(of: Any, name: str, protocol: SocketProtocol) -> None:
    recorder = Recorder()
    ask = tapped(getattr(of, name), recorder.tap)
    query = make_query()
    with serving() as server:
        result = call(ask, query, "127.0.0.1", LONG_S, port=server.port)
    assert isinstance(result, dns.message.QueryMessage)
    assert result.wire == server.responses[0]
    assert result.to_wire() != server.responses[0]
    assert recorder.log == [("TOOL_QUERY", server.queries[0]), ("TOOL_RESPONSE", server.responses[0])]
    asked, answered = recorder.messages
    for message in (asked, answered):
        assert message.socket_protocol is protocol
        assert (str(message.response_ip), message.response_port) == ("127.0.0.1", server.port)
        assert (message.query_address, message.query_port) == (None, None)
    assert asked.query_time_ns == answered.query_time_ns is not None


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_tls_is_logged_as_dot(of: Any) -> None:
    recorder = Recorder()
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    with serving(context=theirs) as server:
        call(
            tapped(of.tls, recorder.tap, log_as=MessageType.RESOLVER_QUERY),
            make_query(),
            "127.0.0.1",
            port=server.port,
            ssl_context=ours,
            server_hostname="127.0.0.1",
        )
    assert recorder.log == [("RESOLVER_QUERY", server.queries[0]), ("RESOLVER_RESPONSE", server.responses[0])]
    assert {message.socket_protocol for message in recorder.messages} == {SocketProtocol.DOT}


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_both_queries_are_logged_when_falling_back_to_tcp(of: Any) -> None:
    recorder = Recorder()
    ask = tapped(of.udp_with_fallback, recorder.tap)
    with serving(truncate) as server:
        response, is_tcp = call(ask, make_query(), "127.0.0.1", port=server.port)
    assert is_tcp
    assert response.wire == server.responses[1]
    assert recorder.log == [
        ("TOOL_QUERY", server.queries[0]),
        ("TOOL_RESPONSE", server.responses[0]),
        ("TOOL_QUERY", server.queries[1]),
        ("TOOL_RESPONSE", server.responses[1]),
    ]
    protocols = [message.socket_protocol for message in recorder.messages]
    assert protocols == [SocketProtocol.UDP, SocketProtocol.UDP, SocketProtocol.TCP, SocketProtocol.TCP]
    times = [message.query_time_ns for message in recorder.messages]
    assert times[0] == times[1] != times[2] == times[3]


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_one_query_is_logged_without_falling_back(of: Any) -> None:
    recorder = Recorder()
    with serving() as server:
        _, is_tcp = call(tapped(of.udp_with_fallback, recorder.tap), make_query(), "127.0.0.1", port=server.port)
    assert not is_tcp
    assert [wire for _, wire in recorder.log] == [server.queries[0], server.responses[0]]
    assert {message.socket_protocol for message in recorder.messages} == {SocketProtocol.UDP}


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_a_truncated_response_is_logged_if_it_is_an_error(of: Any) -> None:
    recorder = Recorder()
    with serving(truncate) as server, pytest.raises(dns.message.Truncated):
        call(tapped(of.udp, recorder.tap), make_query(), "127.0.0.1", port=server.port, raise_on_truncation=True)
    assert recorder.log == [("TOOL_QUERY", server.queries[0]), ("TOOL_RESPONSE", server.responses[0])]


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_a_truncated_response_is_logged_once_if_the_caller_asks_again(of: Any) -> None:
    """It is the error being handled when the second query is sent."""
    recorder = Recorder()
    udp, tcp = tapped(of.udp, recorder.tap), tapped(of.tcp, recorder.tap)
    with serving(truncate) as server:
        try:
            call(udp, make_query(), "127.0.0.1", port=server.port, raise_on_truncation=True)
        except dns.message.Truncated:
            call(tcp, make_query(), "127.0.0.1", port=server.port)
    assert [name for name, _ in recorder.log] == ["TOOL_QUERY", "TOOL_RESPONSE"] * 2


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda query, is_tcp: None, dns.exception.Timeout),
        (lambda query, is_tcp: b"no message", dns.message.ShortHeader),
        (lambda query, is_tcp: respond(b"\xff\xff" + query[2:], False), dns.query.BadResponse),
    ],
    ids=["no answer", "no message", "to another query"],
)
def test_a_query_without_a_good_response_is_logged_alone(
    of: Any, answer: Callable[[bytes, bool], bytes | None], error: type[Exception]
) -> None:
    recorder = Recorder()
    query = make_query()
    query.id = 1
    with serving(answer) as server, pytest.raises(error):
        call(tapped(of.udp, recorder.tap), query, "127.0.0.1", SHORT_S, server.port)
    assert recorder.log == [("TOOL_QUERY", server.queries[0])]


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_a_signed_query_is_logged_as_it_is_sent(of: Any) -> None:
    """The signature contains the time, and dnspython must know the MAC of the query to check the response."""
    recorder = Recorder()
    keyring = dns.tsigkeyring.from_text({"key.": "c2VjcmV0c2VjcmV0"})

    def sign(wire: bytes, is_tcp: bool) -> bytes:
        return dns.message.make_response(dns.message.from_wire(wire, keyring=keyring)).to_wire()

    query = make_query()
    query.use_tsig(keyring)
    with serving(sign) as server:
        response = call(tapped(of.tcp, recorder.tap), query, "127.0.0.1", port=server.port)
    assert response.had_tsig
    assert query.mac
    assert recorder.log == [("TOOL_QUERY", server.queries[0]), ("TOOL_RESPONSE", server.responses[0])]


def test_an_update_is_logged() -> None:
    recorder = Recorder()
    update = dns.update.UpdateMessage("example.test.")
    update.add("www", 300, "A", "192.0.2.1")
    with serving() as server:
        tapped(dns.query.tcp, recorder.tap, log_as=MessageType.UPDATE_QUERY)(update, "127.0.0.1", port=server.port)
    assert [name for name, _ in recorder.log] == ["UPDATE_QUERY", "UPDATE_RESPONSE"]
    assert server.queries[0] == update.to_wire()


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
@pytest.mark.parametrize("with_port", [True, False], ids=["with port", "without port"])
def test_the_source_address_is_logged(of: Any, with_port: bool) -> None:
    recorder = Recorder()
    own = free_port() if with_port else 0
    with serving() as server:
        ask = tapped(of.udp, recorder.tap)
        call(ask, make_query(), "127.0.0.1", port=server.port, source="127.0.0.1", source_port=own)
    for message in recorder.messages:
        assert (str(message.query_ip), message.query_port) == ("127.0.0.1", own or None)


def stand_in(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of this name and signature that sends nothing."""

    @functools.wraps(function)
    def ask(q: dns.message.Message, *args: Any, **kwargs: Any) -> dns.message.Message:
        q.id = 0
        return dns.message.from_wire(respond(q.to_wire(), True))

    return ask


@pytest.mark.parametrize(
    ("given", "address", "port"),
    [
        ({"where": "192.0.2.1"}, "192.0.2.1", 443),
        ({"where": "2001:db8::1", "port": 8443}, "2001:db8::1", 8443),
        ({"where": "https://192.0.2.1/dns-query"}, "192.0.2.1", 443),
        ({"where": "https://[2001:db8::1]:8443/dns-query"}, "2001:db8::1", 8443),
        ({"where": "https://dns.example:8443/dns-query"}, None, 8443),
        ({"where": "https://dns.example/", "bootstrap_address": "192.0.2.1"}, "192.0.2.1", 443),
        ({"where": "https:///"}, None, 443),
        ({"where": "https://192.0.2.1:port/"}, None, None),
        ({"where": None}, None, None),
    ],
)
def test_the_server_of_https_may_be_given_by_a_url(
    given: dict[str, Any], address: str | None, port: int | None
) -> None:
    recorder = Recorder()
    tapped(stand_in(dns.query.https), recorder.tap)(make_query(), **given)
    for message in recorder.messages:
        assert message.socket_protocol is SocketProtocol.DOH
        assert (message.response_ip and str(message.response_ip), message.response_port) == (address, port)


def test_quic_is_logged_with_the_id_that_dnspython_sets() -> None:
    recorder = Recorder()
    query = make_query()
    tapped(stand_in(dns.query.quic), recorder.tap)(query, "192.0.2.1")
    assert query.id == 0
    asked, answered = recorder.messages
    assert asked.wire == query.to_wire()
    assert asked.socket_protocol is answered.socket_protocol is SocketProtocol.DOQ
    assert (str(asked.response_ip), asked.response_port) == ("192.0.2.1", 853)


def test_a_function_of_another_name_needs_a_protocol() -> None:
    def ask(q: dns.message.Message, where: str) -> dns.message.Message | None:
        """Send a query in another way."""
        q.to_wire()
        return None

    recorder = Recorder()
    with pytest.raises(
        ValueError, match=r"expected udp, .*, quic, or a protocol for a function of another name, got ask"
    ):
        tapped(ask, recorder.tap)
    own = tapped(ask, recorder.tap, protocol=SocketProtocol.DNSCryptUDP)
    assert own.__name__ == "ask"
    assert own.__doc__ == "Send a query in another way."
    assert own(make_query(), where="a name") is None
    asked, answered = recorder.messages
    assert asked.socket_protocol is SocketProtocol.DNSCryptUDP
    assert (asked.response_address, asked.response_port, answered.wire) == (None, None, None)


def test_a_function_that_sends_nothing_logs_nothing() -> None:
    def udp(q: dns.message.Message, where: str) -> dns.message.Message:
        return q

    recorder = Recorder()
    query = make_query()
    assert tapped(udp, recorder.tap)(query, "192.0.2.1") == query
    assert recorder.messages == []


def test_a_function_without_a_query_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected a query function, such as dns.query.udp, got from_wire, which has no parameter q"
    ):
        tapped(dns.message.from_wire, Recorder().tap)
    with pytest.raises(ValueError, match="expected a type of queries"):
        tapped(dns.query.udp, Recorder().tap, log_as=MessageType.TOOL_RESPONSE)


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((b"wire", "127.0.0.1"), {}), ((), {"nothing": 1})])
def test_wrong_arguments_are_the_functions_own_errors(of: Any, args: Any, kwargs: Any) -> None:
    recorder = Recorder()
    errors = []
    for function in (of.udp, tapped(of.udp, recorder.tap)):
        with pytest.raises((TypeError, AttributeError)) as caught:
            call(function, *args, **kwargs)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]
    assert recorder.messages == []


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Tap the functions of both modules in place."""
    recorder = Recorder()
    for of in MODULES:
        for name in ("udp", "tcp", "udp_with_fallback"):
            monkeypatch.setattr(of, name, tapped(getattr(of, name), recorder.tap))
    return recorder


@pytest.mark.parametrize("of", MODULES, ids=lambda of: of.__name__)
def test_a_tapped_function_that_calls_another_logs_once(of: Any, replaced: Recorder) -> None:
    with serving(truncate) as server:
        call(of.udp_with_fallback, make_query(), "127.0.0.1", port=server.port)
    exchanged = zip(server.queries, server.responses, strict=True)
    assert [wire for _, wire in replaced.log] == [wire for pair in exchanged for wire in pair]
    assert len(replaced.log) == 4


@pytest.mark.parametrize("resolver_class", [dns.resolver.Resolver, dns.asyncresolver.Resolver])
def test_a_resolver_calls_the_functions_in_the_module(resolver_class: type[Any], replaced: Recorder) -> None:
    with serving(truncate) as server:
        resolver = resolver_class(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
        call(resolver.resolve, "www.example.test.", "A", raise_on_no_answer=False)
    exchanged = zip(server.queries, server.responses, strict=True)
    assert [wire for _, wire in replaced.log] == [wire for pair in exchanged for wire in pair]
    protocols = [message.socket_protocol for message in replaced.messages]
    assert protocols == [SocketProtocol.UDP, SocketProtocol.UDP, SocketProtocol.TCP, SocketProtocol.TCP]


def test_many_threads_may_send_one_query() -> None:
    recorder = Recorder()
    ask = tapped(dns.query.tcp, recorder.tap)
    query = make_query()
    with serving() as server:
        for asking in [start(ask, query, "127.0.0.1", port=server.port) for _ in range(20)]:
            asking.result(DEADLINE_S)
    assert (
        sorted(recorder.log) == [("TOOL_QUERY", query.to_wire())] * 20 + [("TOOL_RESPONSE", server.responses[0])] * 20
    )
    assert "to_wire" not in vars(query)


def test_bad_addresses_are_counted_by_the_tap(tmp_path: Path) -> None:
    with Tap(f"unix:{tmp_path}/nobody.sock") as tap:
        tapped(stand_in(dns.query.https), tap)(make_query(), "192.0.2.1", source="2001:db8::1")
        assert tap.counts.not_encodable == 2


def test_wrong_arguments() -> None:
    anything: Any = tapped
    with pytest.raises(TypeError, match=r"^function: expected a function of dns\.query"):
        anything("udp", Recorder())
    with pytest.raises(TypeError, match=r"^protocol: expected a SocketProtocol, got 'udp'"):
        anything(dns.query.udp, Recorder(), protocol="udp")
