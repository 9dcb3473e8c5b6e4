"""TLS through both front ends: peers trusted and refused, and other protocols in its place."""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import TcpEndpoint, Tls, TlsEndpoint
from framestream.errors import LocalProtocolError, RemoteProtocolError, TruncatedStreamError, UnexpectedFrameError
from framestream.protocol import Transport
from framestream.streams import Deadlines
from framestream.tls import TlsSession, connecting_session
from tests.framestream.both.ends import receive
from tests.framestream.fronts import FRONTS
from tests.framestream.nets import (
    CLIENT,
    MUTUAL,
    SERVER,
    background,
    dial,
    front_named,
    listening,
    nothing_left,
    pem,
)
from tests.framestream.test_recognition import POWERDNS, QUERY, over_tcp
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, data
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT_S = 0.05
"""For the time limits that are meant to pass."""

LARGE = bytes(range(256)) * 4096

ANY = "tls:localhost:0"

UNI, BI = Transport.UNIDIRECTIONAL, Transport.BIDIRECTIONAL


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> Any:
    """A front end with a blocking face."""
    return front_named(request.param)


def errors_of(reader: Any) -> list[Exception]:
    """Read twice, and return the error, which must be the same."""
    errors = []
    for _ in range(2):
        with pytest.raises((OSError, RemoteProtocolError)) as caught:
            list(reader)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    return errors


def serves_the_next(listener: Any, tls: Tls = CLIENT) -> None:
    """Check that the listener still accepts the next writer."""
    to = TlsEndpoint("localhost", listener.endpoint.port, tls)

    def write() -> None:
        with front_named("sync").open_writer(to) as writer:
            writer.write(b"next")

    with background(write) as finish:
        with listener.accept(DEADLINE_S) as reader:
            assert list(reader) == [b"next"]
        finish()


def read_next(listener: Any) -> list[Exception]:
    with listener.accept(DEADLINE_S) as reader:
        return errors_of(reader)


class TestTrust:
    @pytest.mark.parametrize(
        ("server", "client", "host"),
        [
            pytest.param(SERVER, CLIENT, "localhost", id="name"),
            pytest.param(SERVER, CLIENT, "127.0.0.1", id="address"),
            pytest.param(SERVER, Tls(verify=False), "localhost", id="skipverify"),
            pytest.param(
                Tls(certificate=pem("evil-elsewhere")), Tls(verify=False), "localhost", id="any for skipverify"
            ),
            pytest.param(
                Tls(certificate=pem("good-elsewhere")),
                replace(CLIENT, server_name="elsewhere.test"),
                "localhost",
                id="server_name",
            ),
            pytest.param(MUTUAL, MUTUAL, "localhost", id="mutual"),
            pytest.param(MUTUAL, replace(MUTUAL, certificate=pem("good-here"), key=None), "localhost", id="key in one"),
        ],
    )
    @pytest.mark.parametrize("transport", Transport)
    def test_trusted(self, front: Any, server: Tls, client: Tls, host: str, transport: Transport) -> None:
        with front.listen_reader(ANY, tls=server) as listener:

            def write() -> None:
                to = TlsEndpoint(host, listener.endpoint.port, client)
                with front.open_writer(to, transport=transport) as writer:
                    writer.write(b"a")

            with background(write) as finish:
                with listener.accept(DEADLINE_S) as reader:
                    assert list(reader) == [b"a"]
                finish()

    @pytest.mark.parametrize(
        ("server", "client", "reason"),
        [
            pytest.param(SERVER, Tls(ca=pem("evil-ca")), "unable to get local issuer|self.signed", id="wrong CA"),
            pytest.param(SERVER, Tls(), "unable to get local issuer|self.signed", id="unknown to the system"),
            pytest.param(Tls(certificate=pem("good-elsewhere")), CLIENT, "Hostname mismatch", id="wrong name"),
            pytest.param(
                SERVER, replace(CLIENT, server_name="elsewhere.test"), "Hostname mismatch", id="wrong server_name"
            ),
        ],
    )
    def test_servers_that_are_not_trusted(self, front: Any, server: Tls, client: Tls, reason: str) -> None:
        """Both sides are told why, and the next connection is served."""
        with front.listen_reader(ANY, tls=server) as listener:
            with background(lambda: read_next(listener)) as finish:
                with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                    front.open_writer(TlsEndpoint("localhost", listener.endpoint.port, client))
                error = finish()[0]
            assert isinstance(error, ssl.SSLError)
            assert "ALERT" in str(error)
            serves_the_next(listener, Tls(verify=False))

    @pytest.mark.parametrize(
        ("client", "reason"),
        [
            pytest.param(CLIENT, "CERTIFICATE_REQUIRED", id="none"),
            pytest.param(replace(MUTUAL, certificate=pem("evil-here"), key=None), "UNKNOWN_CA", id="wrong CA"),
        ],
    )
    @pytest.mark.parametrize("transport", Transport)
    def test_clients_that_are_not_trusted(self, front: Any, client: Tls, reason: str, transport: Transport) -> None:
        """With TLS 1.3 a client learns of it late: one that only sends, when it writes or closes."""
        with front.listen_reader(ANY, tls=MUTUAL) as listener:
            with background(lambda: read_next(listener)) as finish:

                def write() -> None:
                    with front.open_writer(
                        TlsEndpoint("localhost", listener.endpoint.port, client), transport=transport
                    ) as writer:
                        writer.write(b"a")

                with pytest.raises(ssl.SSLError, match=reason):
                    write()
                error = finish()[0]
            assert isinstance(error, ssl.SSLError)
            serves_the_next(listener, MUTUAL)

    def test_a_refusal_that_is_met_by_writing(self, front: Any) -> None:
        """The connection is broken when the next write comes, and the error says why."""
        with front.listen_reader(ANY, tls=MUTUAL) as listener:
            to = TlsEndpoint("localhost", listener.endpoint.port, CLIENT)
            with background(lambda: front.open_writer(to, transport=UNI)) as opened:
                read_next(listener)
                writer = opened()

            def fails() -> ssl.SSLError | None:
                try:
                    writer.write(LARGE)
                except ssl.SSLError as error:
                    return error
                return None

            error = wait_for(fails, "the refusal")
            assert "CERTIFICATE_REQUIRED" in str(error)
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
                writer.write(b"a")
            writer.close()

    def test_a_broken_connection_is_no_refusal(self, front: Any) -> None:
        gone: list[bool] = []

        def script(sock: socket.socket) -> None:
            context = SERVER.context(listening=True)
            with context.wrap_socket(sock, server_side=True) as secured:
                assert secured.recv(1)
            gone.append(True)

        with listening(script, TlsEndpoint) as endpoint:
            writer = front.open_writer(endpoint, transport=UNI)
            writer.write(LARGE[:1000])
            wait_for(lambda: gone, "the end of the reader")

            def fails() -> bool:
                try:
                    writer.write(LARGE)
                except ConnectionError:
                    return True
                return False

            wait_for(fails, "the end of the connection")
            with pytest.raises(ConnectionError):
                writer.write(b"a")
            writer.close()

    def test_a_listener_without_a_certificate(self, front: Any) -> None:
        for open_it in (front.listen_reader, front.listen_writer):
            with pytest.raises(LocalProtocolError, match="needs a certificate"):
                open_it(ANY)

    def test_a_name_that_none_can_have(self, front: Any) -> None:
        with pytest.raises(LocalProtocolError, match="is not a server name"):
            front.open_writer("tls:localhost:1", tls=replace(CLIENT, server_name=".test"))

    def test_old_versions(self, front: Any) -> None:
        with front.listen_reader(ANY, tls=SERVER) as listener:
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with background(lambda: read_next(listener)) as finish:
                with pytest.raises((ssl.SSLError, OSError)), dial(listener.endpoint, old):
                    pass  # pragma: no cover
                error = finish()[0]
            assert "UNSUPPORTED_PROTOCOL" in str(error)
            serves_the_next(listener)

    def test_version_1_2(self, front: Any) -> None:
        context = CLIENT.context(listening=False)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            front.listen_reader(ANY, tls=SERVER) as listener,
            background(dial, listener.endpoint, context, START + data(b"a") + STOP) as dialled,
        ):
            with listener.accept(DEADLINE_S) as reader:
                assert list(reader) == [b"a"]
            dialled().close()


class TestNoTls:
    @pytest.mark.parametrize(
        ("first", "name"),
        [
            pytest.param(READY, "Frame Streams without TLS", id="Frame Streams"),
            pytest.param(START + data(b"a"), "Frame Streams without TLS", id="unidirectional Frame Streams"),
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", "an HTTP request", id="HTTP"),
            pytest.param(POWERDNS, "PowerDNS protobuf", id="PowerDNS"),
            pytest.param(over_tcp(QUERY), "DNS over TCP", id="DNS"),
            pytest.param(b"\xffgarbage", "no TLS, b'\\xffgarbage'", id="garbage"),
            pytest.param(b"\x16garbage", "no TLS, b'\\x16garbage'", id="garbage that begins as TLS does"),
        ],
    )
    def test_to_a_tls_port(self, front: Any, first: bytes, name: str) -> None:
        with front.listen_reader(ANY, tls=SERVER) as listener:
            with dial(listener.endpoint, first=first):
                error = read_next(listener)[0]
            assert isinstance(error, UnexpectedFrameError)
            assert error.expected == "a TLS ClientHello"
            assert name in error.got
            serves_the_next(listener)

    @pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03\x01\x02"], ids=len)
    def test_silence_on_a_tls_port(self, front: Any, first: bytes) -> None:
        with (
            front.listen_reader(ANY, tls=SERVER, deadlines=Deadlines(handshake_s=SHORT_S)) as listener,
            dial(listener.endpoint, first=first),
            listener.accept(DEADLINE_S) as reader,
        ):
            for _ in range(2):
                with pytest.raises(TimeoutError, match="no START within"):
                    list(reader)
        with front.listen_reader(ANY, tls=SERVER) as listener:
            serves_the_next(listener)

    @pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02"], ids=len)
    def test_a_tls_port_that_is_looked_at(self, front: Any, first: bytes) -> None:
        """A port scanner connects, and closes."""
        with front.listen_reader(ANY, tls=SERVER) as listener:
            dial(listener.endpoint, first=first).close()
            error = read_next(listener)[0]
            assert isinstance(error, TruncatedStreamError)
            assert (error.expected, error.offset) == ("a TLS handshake", len(first))
            serves_the_next(listener)

    def test_a_plain_listener_that_speaks_first(self, front: Any) -> None:
        with front.listen_writer("tcp:localhost:0", [DNSTAP], transport=UNI) as listener:

            def write() -> None:
                # The reader closes at once when it has seen that.
                with contextlib.suppress(ConnectionError), listener.accept(DEADLINE_S) as writer:
                    writer.write(b"a")

            with background(write) as finish:
                with front.open_reader(TlsEndpoint("localhost", listener.endpoint.port, CLIENT)) as reader:
                    error = errors_of(reader)[0]
                finish()
        assert isinstance(error, UnexpectedFrameError)
        assert error.expected == "a TLS ServerHello"
        assert "Frame Streams without TLS" in error.got

    def test_a_plain_listener_that_is_silent(self, front: Any) -> None:
        short = Deadlines(handshake_s=SHORT_S)

        def script(sock: socket.socket) -> None:
            while sock.recv(1 << 16):
                pass

        with listening(script, TlsEndpoint) as endpoint, front.open_reader(endpoint, deadlines=short) as reader:
            for _ in range(2):
                with pytest.raises(TimeoutError, match="no START"):
                    list(reader)
        with listening(script, TlsEndpoint) as endpoint, pytest.raises(TimeoutError, match="no ACCEPT"):
            front.open_writer(endpoint, deadlines=short)

    def test_tls_to_a_plain_port(self, front: Any) -> None:
        with front.listen_reader("tcp:localhost:0") as listener, background(lambda: read_next(listener)) as finish:
            with pytest.raises((TruncatedStreamError, ConnectionError)):
                front.open_writer(TlsEndpoint("localhost", listener.endpoint.port, CLIENT))
            error = finish()[0]
        assert isinstance(error, UnexpectedFrameError)
        assert "TLS ClientHello (is TLS expected here?)" in error.got


class TestEnds:
    @pytest.mark.parametrize("tickets", [0, 2])
    @pytest.mark.parametrize("payloads", [[b"a"], [LARGE, b"a"]], ids=["small", "large"])
    def test_a_writer_that_only_sends(self, front: Any, payloads: list[bytes], tickets: int) -> None:
        """It closes at once, and what the other side says of the handshake is never read: still nothing is lost."""
        read: list[bytes] = []

        def script(sock: socket.socket) -> None:
            context = SERVER.context(listening=True)
            context.num_tickets = tickets
            with context.wrap_socket(sock, server_side=True) as secured:
                while some := secured.recv(1 << 16):
                    read.append(some)

        with listening(script, TlsEndpoint) as endpoint, front.open_writer(endpoint, [DNSTAP], transport=UNI) as writer:
            writer.write_many(payloads)
        assert b"".join(read) == START + data(*payloads) + STOP

    def test_a_reader_that_never_closes(self, front: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is not waited for for ever; and it has all."""
        for name in FRONTS:
            monkeypatch.setattr(f"framestream.{name}.channels.LINGER_S", SHORT_S)
        closed: list[bool] = []
        read: list[bytes] = []

        def script(sock: socket.socket) -> None:
            with SERVER.context(listening=True).wrap_socket(sock, server_side=True) as secured:
                wait_for(lambda: closed, "the end of the writer")
                while some := secured.recv(1 << 16):
                    read.append(some)

        with listening(script, TlsEndpoint) as endpoint:
            # The handshake must not wait for what happens after it.
            with front.open_writer(endpoint, [DNSTAP], transport=UNI) as writer:
                writer.write(b"a")
            closed.append(True)
        assert b"".join(read) == START + data(b"a") + STOP

    @pytest.mark.parametrize(
        ("wire", "payloads"),
        [(START + data(b"a"), [b"a"]), (START + data(b"a", b"bc")[:-1], [b"a"]), (START, [])],
        ids=["between frames", "in a frame", "after START"],
    )
    def test_cut(self, front: Any, wire: bytes, payloads: list[bytes]) -> None:
        """TLS has an end of its own: without it, an attacker may have cut the stream."""
        with front.listen_reader(ANY, tls=SERVER) as listener:
            context = CLIENT.context(listening=False)
            with background(dial, listener.endpoint, context, wire) as dialled, listener.accept(DEADLINE_S) as reader:
                got: list[bytes] = []

                def read() -> TruncatedStreamError:
                    with pytest.raises(TruncatedStreamError) as caught:
                        got.extend(reader)
                    return caught.value

                with background(read) as finish:
                    sock = dialled()
                    sock.shutdown(socket.SHUT_WR)  # Which in Python says nothing of TLS.
                    error = finish()
                    sock.close()
                assert error.expected == "the end of TLS (close_notify)"
                assert error.offset > len(wire)
                assert got == payloads
                assert errors_of(reader)[0] is error
            serves_the_next(listener)

    @pytest.mark.parametrize("wire", [START + data(b"a"), START + data(b"a") + STOP], ids=["no STOP", "STOP"])
    def test_the_end_of_tls_is_an_end(self, front: Any, wire: bytes) -> None:
        with (
            front.listen_reader(ANY, tls=SERVER) as listener,
            background(dial, listener.endpoint, CLIENT.context(listening=False), wire) as dialled,
            listener.accept(DEADLINE_S) as reader,
        ):
            with background(lambda: list(reader)) as finish:
                with contextlib.suppress(ssl.SSLWantReadError), dialled() as sock:
                    sock.settimeout(0)  # Not to wait for an answer.
                    sock.unwrap()
                assert finish() == [b"a"]
            assert list(reader) == []

    def test_cut_without_stop_behind_stop(self, front: Any) -> None:
        """After STOP nothing more is wanted, the end of TLS neither."""
        with front.listen_reader(ANY, tls=SERVER) as listener:
            context = CLIENT.context(listening=False)
            with background(dial, listener.endpoint, context, START + data(b"a") + STOP) as dialled:
                with listener.accept(DEADLINE_S) as reader:
                    assert list(reader) == [b"a"]
                dialled().close()

    def test_garbage_inside(self, front: Any) -> None:
        """Bytes that are not a record are found by TLS, after the payloads before them."""
        with front.listen_reader(ANY, tls=SERVER) as listener:
            with (
                background(dial, listener.endpoint, CLIENT.context(listening=False), START + data(b"a")) as dialled,
                listener.accept(DEADLINE_S) as reader,
            ):
                got: list[bytes] = []
                payloads = iter(reader)
                got.append(next(payloads))
                with dialled() as sock, socket.socket(fileno=sock.detach()) as raw:
                    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
                    error = errors_of(reader)[0]
                assert got == [b"a"]
                assert isinstance(error, ssl.SSLError)
            serves_the_next(listener)

    def test_closed_twice(self, front: Any) -> None:
        with front.listen_reader(ANY, tls=SERVER) as listener:
            with dial(listener.endpoint), listener.accept(DEADLINE_S) as reader:
                reader.close()
            reader.close()

    def test_end_input_before_the_handshake(self, front: Any) -> None:
        with (
            front.listen_reader(ANY, tls=SERVER) as listener,
            dial(listener.endpoint),
            listener.accept(DEADLINE_S) as reader,
        ):
            reader.end_input()
            with pytest.raises(TruncatedStreamError):
                list(reader)


def test_no_session_without_tls() -> None:
    assert connecting_session(TlsEndpoint("localhost", 1, CLIENT)) is not None
    assert connecting_session(TcpEndpoint("localhost", 1)) is None


def test_bidirectional_peers_made_by_hand(front: Any) -> None:
    """The handshake and FINISH in one read each, over TLS."""
    received = []

    def script(sock: socket.socket) -> None:
        with SERVER.context(listening=True).wrap_socket(sock, server_side=True) as secured:
            received.append(receive(secured, len(READY)))
            secured.sendall(ACCEPT)
            received.append(receive(secured, len(START + data(b"a") + STOP)))
            secured.sendall(FINISH)

    with listening(script, TlsEndpoint) as endpoint, front.open_writer(endpoint, [DNSTAP]) as writer:
        writer.write(b"a")
    assert received == [READY, START + data(b"a") + STOP]


def test_sessions_by_themselves() -> None:
    """Two of them, each byte alone."""
    server = TlsSession(SERVER.context(listening=True))
    client = TlsSession(CLIENT.context(listening=False), "localhost")
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            one.handshake()
            for byte in one.data_to_send():
                other.receive_data(bytes([byte]))
    assert [server.established, client.established, client.unsettled] == [True, True, False]
    client.write(LARGE)
    client.write(b"")
    assert client.unsettled is True
    client.end()
    sent = client.data_to_send()
    assert client.data_to_send() == b""
    server.receive_data(sent[:-1])
    assert server.read() == LARGE
    assert server.read() is None
    server.receive_data(sent[-1:])
    assert server.read() == b""
    assert server.read() == b""
    assert not server.unsettled
