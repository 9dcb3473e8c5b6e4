"""Readers and writers that connect, through both front ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from framestream.errors import (
    ContentTypeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.protocol import State, Transport
from framestream.streams import Deadlines, Limits
from tests.framestream.both.ends import LARGE, SHORT_S, both_fronts, dial, open_descriptors, peer, receive
from tests.framestream.fronts import FRONTS, listen_reader, listen_writer, open_reader, open_writer
from tests.framestream.nets import SERVER
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, TRAILING, control, data
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = both_fronts


class TestConnect:
    def test_bidirectional(self, tmp_path: Path) -> None:
        """To a reader that answers byte by byte."""
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 42))
            for byte in ACCEPT:
                sock.sendall(bytes([byte]))
            received.append(receive(sock, 42 + 5 + 6 + 12))
            for byte in FINISH + TRAILING:
                with contextlib.suppress(BrokenPipeError):  # Behind FINISH, the writer does not wait for more.
                    sock.sendall(bytes([byte]))

        with peer(tmp_path / "socket", script), open_writer(tmp_path / "socket", [DNSTAP]) as writer:
            assert writer.content_type == DNSTAP
            writer.write(b"a")
            writer.write(b"bc")
            assert (writer.frames, writer.bytes) == (2, 3)
        assert received == [READY, START + data(b"a", b"bc") + STOP]
        assert writer.protocol.state is State.FINISHED

    def test_unidirectional(self, tmp_path: Path) -> None:
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 1 << 16))

        with (
            peer(tmp_path / "socket", script),
            open_writer(tmp_path / "socket", [DNSTAP], transport=Transport.UNIDIRECTIONAL) as writer,
        ):
            writer.write(b"a")
        assert received == [START + data(b"a") + STOP]

    def test_refused_payloads(self, tmp_path: Path) -> None:
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 1 << 16))

        with (
            peer(tmp_path / "socket", script),
            open_writer(
                tmp_path / "socket", transport=Transport.UNIDIRECTIONAL, limits=Limits(max_data_bytes=4)
            ) as writer,
        ):
            for payload in (b"", b"12345"):
                with pytest.raises(LocalProtocolError):
                    writer.write(payload)
            writer.write(b"1234")
        assert received == [control(2) + data(b"1234") + STOP]

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            pytest.param(b"", TruncatedStreamError, id="the end"),
            pytest.param(ACCEPT[:9], TruncatedStreamError, id="half an ACCEPT"),
            pytest.param(control(1, b"other"), ContentTypeError, id="ACCEPT of another type"),
            pytest.param(READY, UnexpectedFrameError, id="READY"),
            pytest.param(b"HTTP/1.1 400 Bad Request\r\n", UnexpectedFrameError, id="another protocol"),
        ],
    )
    def test_refused(self, tmp_path: Path, answer: bytes, kind: type[RemoteProtocolError]) -> None:
        ended = []

        def script(sock: socket.socket) -> None:
            assert receive(sock, 42) == READY
            sock.sendall(answer)
            sock.shutdown(socket.SHUT_WR)
            ended.append(receive(sock, 1))

        with peer(tmp_path / "socket", script), pytest.raises(kind):
            open_writer(tmp_path / "socket", [DNSTAP])
        assert ended == [b""]

    def test_handshake_takes_too_long(self, tmp_path: Path) -> None:
        """And the connection is closed."""
        ended = []

        def script(sock: socket.socket) -> None:
            assert receive(sock, 42) == READY
            ended.append(receive(sock, 1))

        with peer(tmp_path / "socket", script), pytest.raises(TimeoutError):
            open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(handshake_s=SHORT_S))
        assert ended == [b""]

    def test_no_finish(self, tmp_path: Path) -> None:
        """A collector that is stuck does not keep its servers from shutting down (fstrm#69)."""
        received = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            received.append(receive(sock, 1 << 16))

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(finish_s=SHORT_S))
            with pytest.raises(TimeoutError):
                writer.close()
            writer.close()
        assert received == [READY + START + STOP]

    def test_end_instead_of_finish(self, tmp_path: Path) -> None:
        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            assert receive(sock, 42 + 42 + 12) == READY + START + STOP

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP])
            with pytest.raises(TruncatedStreamError):
                writer.close()

    def test_reader_that_goes(self, tmp_path: Path) -> None:
        """The first error is what the body sees, and closing adds none."""

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            assert receive(sock, 42 + 42) == READY + START

        def fails() -> bool:
            try:
                writer.write(b"a")
            except ConnectionError:
                return True
            return False

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP])
            wait_for(fails, "the end of the connection")
            with pytest.raises(ConnectionError):
                writer.write(b"a")
            writer.close()

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        """It is worth more than the error that closing ends with."""
        received = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            received.append(receive(sock, 42 + 42 + 5 + 12))

        def body() -> None:
            with open_writer(tmp_path / "socket", [DNSTAP]) as writer:
                writer.write(b"a")
                raise ZeroDivisionError

        with peer(tmp_path / "socket", script), pytest.raises(ZeroDivisionError):
            body()
        assert received == [READY + START + data(b"a") + STOP]

    def test_write_takes_too_long(self, tmp_path: Path) -> None:
        """The reader gets a stream that is cut inside a frame, and never STOP in the place of data."""
        received = []
        timed_out: list[bool] = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            wait_for(lambda: timed_out, "the end of the writer's patience")
            received.append(receive(sock, 1 << 22))

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(write_s=SHORT_S))
            with pytest.raises(TimeoutError) as caught:
                writer.write_many(4 * [LARGE])
            timed_out.append(True)
            with pytest.raises(TimeoutError) as again:
                writer.write(b"a")
            assert str(again.value) == str(caught.value)
            writer.close()
        whole = READY + START + data(LARGE, LARGE, LARGE, LARGE)
        assert 84 < len(received[0]) < len(whole)
        assert whole.startswith(received[0])

    def test_no_listener(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            open_writer(path)
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(os.fspath(path))
        with pytest.raises(ConnectionRefusedError):
            open_writer(path)
        assert open_descriptors() == before


class TestBoth:
    @pytest.mark.parametrize("transport", Transport)
    def test_a_writer_and_a_reader(self, tmp_path: Path, transport: Transport) -> None:
        """Payloads larger than the socket's buffers, and more of them."""
        payloads = [LARGE, b"a", LARGE, *(bytes([number % 256]) * 100 for number in range(5000))]

        def run() -> tuple[int, int]:
            with open_writer(tmp_path / "socket", [b"x", DNSTAP], transport=transport) as writer:
                writer.write(payloads[0])
                writer.write_many(payloads[1:])
            return writer.frames, writer.bytes

        taken = [b"y", DNSTAP] if transport is Transport.BIDIRECTIONAL else []
        with listen_reader(tmp_path / "socket", taken) as listener, Threads() as pool:
            running = pool.submit(run)
            with listener.accept(DEADLINE_S) as reader:
                assert list(reader) == payloads
                assert reader.content_type == (DNSTAP if taken else b"x")
            assert running.result(DEADLINE_S) == (reader.frames, reader.bytes)

    def test_a_writer_that_is_refused(self, tmp_path: Path) -> None:
        """It learns from the end of the connection that nothing it offers is wanted."""
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener, Threads() as pool:
            running = pool.submit(open_writer, tmp_path / "socket", [b"other"])
            with listener.accept(DEADLINE_S) as reader, pytest.raises(ContentTypeError):
                list(reader)
            error = running.exception(DEADLINE_S)
        assert isinstance(error, TruncatedStreamError)
        assert error.expected == "ACCEPT"

    @pytest.mark.parametrize("listen", [listen_reader, listen_writer])
    def test_content_types_that_cannot_be(self, tmp_path: Path, listen: Callable[..., object]) -> None:
        """The error is raised at once, not at the first connection."""
        with pytest.raises(LocalProtocolError):
            listen(tmp_path / "socket", [bytes(257)])
        assert os.listdir(tmp_path) == []

    def test_a_connection_that_cannot_be_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is closed, and the next one is served."""

        def fail(sock: socket.socket, keepalive_s: float | None) -> socket.socket:
            raise OSError("no such option")

        with listen_reader(tmp_path / "socket") as listener:
            with monkeypatch.context() as patch, dial(tmp_path / "socket") as sock:
                for front in FRONTS:
                    patch.setattr(f"framestream.{front}.listener.for_stream", fail)
                with pytest.raises(OSError, match="no such option"):
                    listener.accept()
                assert receive(sock, 1) == b""
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + STOP)
                with listener.accept() as reader:
                    assert list(reader) == []

    def test_a_host_that_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system's own time limit is no matter of the handshake."""

        def late(*arguments: object) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a"))
            with listener.accept() as reader:
                assert next(iter(reader)) == b"a"
                for front in FRONTS:
                    monkeypatch.setattr(f"framestream.{front}.channels.SocketChannel.read", late)
                with pytest.raises(TimeoutError, match="Connection timed out"):
                    list(reader)


class TestErrorsNameTheEndpoint:
    """Errors of the system come without a name, or with an address that the caller never wrote."""

    def test_no_listener(self, tmp_path: Path) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            for endpoint in (f"tcp:127.0.0.1:{port}", f"tls:127.0.0.1:{port}"):
                for connect in (open_reader, open_writer):
                    with pytest.raises(ConnectionRefusedError, match=rf"Connection refused: '{endpoint}'$") as caught:
                        connect(endpoint)
                    assert caught.value.filename == endpoint
        for connect in (open_reader, open_writer):
            with pytest.raises(FileNotFoundError, match=f"unix:{tmp_path}/nothing"):
                connect(tmp_path / "nothing")

    def test_unknown_host(self) -> None:
        for opening in (open_reader, open_writer, listen_reader, listen_writer):
            with pytest.raises(socket.gaierror, match=r"'tcp:name.invalid:1'$"):
                opening("tcp:name.invalid:1")

    def test_a_port_in_use(self) -> None:
        with listen_reader("tcp:127.0.0.1:0") as listener:
            with pytest.raises(OSError, match=rf"'{listener.endpoint}'$") as caught:
                listen_writer(str(listener.endpoint))
            assert caught.value.errno == errno.EADDRINUSE

    def test_a_writer_without_a_certificate_that_is_trusted(self) -> None:
        with listen_reader("tls:localhost:0", tls=SERVER) as listener:
            endpoint = str(listener.endpoint)

            def read() -> None:
                with listener.accept(DEADLINE_S) as reader:
                    list(reader)

            with Threads() as pool:
                reading = pool.submit(read)
                with pytest.raises(ssl.SSLError, match=rf"certificate verify failed.*: {endpoint}$"):
                    open_writer(endpoint)
                with pytest.raises(OSError, match=f"{endpoint} connection 1"):
                    reading.result(DEADLINE_S)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((DNSTAP,), {}, "content_types: expected a list of bytes, got b'protobuf:dnstap.Dnstap' of type bytes"),
        ((), {"limits": (1, 2)}, "limits: expected Limits, got (1, 2) of type tuple"),
        ((), {"deadlines": 5}, "deadlines: expected Deadlines, got 5 of type int"),
        ((), {"deadlines": Deadlines(write_s=-1)}, "deadlines.write_s: expected a number of at least 0, got -1"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[Any], options: dict[str, Any], error: str) -> None:
    """They are refused at once: nothing is listened on, and nobody is called."""
    functions: list[Callable[..., object]] = [open_reader, open_writer, listen_reader, listen_writer]
    for function in functions:
        with pytest.raises((TypeError, ValueError)) as caught:
            function(tmp_path / "socket", *arguments, **options)
        assert str(caught.value) == error
    assert not (tmp_path / "socket").exists()
