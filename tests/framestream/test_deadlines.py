"""Time limits on peers: each ends at its time, and none delays another connection."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint
from framestream.protocol import Transport
from framestream.streams import Deadlines
from tests.framestream.both.ends import receive
from tests.framestream.fronts import FRONTS
from tests.framestream.nets import CLIENT, SERVER, background, dial, front_named, listening, nothing_left
from tests.framestream.test_recognition import client_hello
from tests.framestream.wire import ACCEPT, FINISH, READY, START, STOP, control, data, word
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT_S = 0.05
"""For the time limits that are meant to pass."""

LONGER_S = 3 * SHORT_S
"""Seconds that a peer takes for which a short limit would not have waited. The wait itself checks nothing."""

LARGE = bytes(1 << 20)

UNLIMITED = Deadlines(connect_s=None, handshake_s=None, write_s=None, finish_s=None, frame_s=None, keepalive_s=None)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> Any:
    """A front end with a blocking face."""
    return front_named(request.param)


@contextmanager
def short() -> Iterator[None]:
    """A limit passes in here, neither at once nor as late as one that starts anew with each byte."""
    before = time.monotonic()
    yield
    assert SHORT_S * 0.9 <= time.monotonic() - before < DEADLINE_S / 2


@contextmanager
def full(kind: str, path: Path) -> Iterator[tuple[Any, socket.socket]]:
    """An endpoint whose queue is full, and the socket that listens there."""
    with ExitStack() as stack:
        if kind == "unix":
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(os.fspath(path / "socket"))
            endpoint: Any = UnixEndpoint(os.fspath(path / "socket"))
        else:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            endpoint = TcpEndpoint("127.0.0.1", listener.getsockname()[1])
        listener.listen(0)
        listener.settimeout(DEADLINE_S)
        while True:
            waiting = stack.enter_context(socket.socket(listener.family))
            waiting.settimeout(SHORT_S)
            try:
                waiting.connect(listener.getsockname())
            except (BlockingIOError, TimeoutError):
                break
        waiting.close()
        yield endpoint, listener


def accept_all(listener: socket.socket, script: Callable[[socket.socket], None]) -> Callable[[], None]:
    """Accept connections after a while, until one of them sends something, and run the script with that."""

    def run() -> None:
        time.sleep(LONGER_S)
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(SHORT_S)
                try:
                    sock.recv(1, socket.MSG_PEEK)
                except TimeoutError:
                    continue
                sock.settimeout(DEADLINE_S)
                if sock.recv(1, socket.MSG_PEEK):
                    script(sock)
                    return

    return run


class TestConnect:
    @pytest.mark.parametrize("kind", ["unix", "tcp"])
    def test_a_full_queue(self, front: Any, tmp_path: Path, kind: str) -> None:
        with (
            full(kind, tmp_path) as (endpoint, _),
            short(),
            pytest.raises(TimeoutError, match=r"no connection within 0\.05 s"),
        ):
            front.open_writer(endpoint, deadlines=Deadlines(connect_s=SHORT_S))

    @pytest.mark.parametrize("connect_s", [DEADLINE_S, None])
    def test_a_queue_that_empties(self, front: Any, tmp_path: Path, connect_s: float | None) -> None:
        """TCP would do so as well, but only tries again after a second."""

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 1 << 16))

        received: list[bytes] = []
        with full("unix", tmp_path) as (endpoint, listener), background(accept_all(listener, script)) as finish:
            options = {"transport": Transport.UNIDIRECTIONAL, "deadlines": Deadlines(connect_s=connect_s)}
            with front.open_writer(endpoint, **options) as writer:
                writer.write(b"a")
            finish()
        assert received == [control(2) + data(b"a") + STOP]


def drip(sock: socket.socket, wire: bytes) -> None:
    """Send byte by byte, each sooner than a short limit, until the other side closes."""
    try:
        for byte in wire:
            sock.sendall(bytes([byte]))
            time.sleep(SHORT_S / 3)
    except OSError:
        pass


class TestHandshake:
    @pytest.mark.parametrize("tls", [None, SERVER], ids=["plain", "TLS"])
    def test_a_silent_writer(self, front: Any, tls: Tls | None) -> None:
        where = "tls:localhost:0" if tls else "tcp:localhost:0"
        options = {"tls": tls, "deadlines": Deadlines(handshake_s=SHORT_S)}
        with (
            front.listen_reader(where, **options) as listener,
            dial(listener.endpoint),
            short(),
            listener.accept(DEADLINE_S) as reader,
        ):
            for _ in range(2):
                with pytest.raises(TimeoutError, match=r"no START within 0\.05 s"):
                    list(reader)

    @pytest.mark.parametrize("tls", [None, SERVER], ids=["plain", "TLS"])
    def test_a_dripping_writer(self, front: Any, tls: Tls | None) -> None:
        where = "tls:localhost:0" if tls else "tcp:localhost:0"
        wire = client_hello() if tls else START
        options = {"tls": tls, "deadlines": Deadlines(handshake_s=SHORT_S)}
        with (
            front.listen_reader(where, **options) as listener,
            dial(listener.endpoint) as sock,
            background(drip, sock, wire) as finish,
        ):
            # The time of the handshake runs from the acceptance on.
            with short(), listener.accept(DEADLINE_S) as reader, pytest.raises(TimeoutError):
                list(reader)
            finish()

    @pytest.mark.parametrize("kind", [TcpEndpoint, TlsEndpoint])
    def test_a_dripping_reader(self, front: Any, kind: type) -> None:
        wire = b"\x16\x03\x03\x00\xff" + bytes(250) if kind is TlsEndpoint else ACCEPT
        with (
            listening(lambda sock: drip(sock, wire), kind) as endpoint,
            short(),
            pytest.raises(TimeoutError, match=r"no ACCEPT within 0\.05 s"),
        ):
            front.open_writer(endpoint, deadlines=Deadlines(handshake_s=SHORT_S))

    def test_tls_has_no_time_of_its_own(self, front: Any) -> None:
        """One limit is for TLS and ACCEPT together."""

        def script(sock: socket.socket) -> None:
            # On a busy machine the time is over, and the writer gone, in the middle of the TLS handshake.
            with (
                suppress(OSError),
                SERVER.context(listening=True).wrap_socket(sock, server_side=True) as secured,
            ):
                receive(secured, 1 << 16)

        with listening(script, TlsEndpoint) as endpoint, short(), pytest.raises(TimeoutError, match="no ACCEPT"):
            front.open_writer(endpoint, deadlines=Deadlines(handshake_s=SHORT_S))

    def test_without_limits(self, front: Any) -> None:
        """And at the end none for FINISH."""

        def script(sock: socket.socket) -> None:
            time.sleep(LONGER_S)
            with SERVER.context(listening=True).wrap_socket(sock, server_side=True) as secured:
                receive(secured, len(control(4)))
                time.sleep(LONGER_S)
                secured.sendall(ACCEPT)
                receive(secured, len(control(2) + STOP))
                time.sleep(LONGER_S)
                secured.sendall(FINISH)

        with listening(script, TlsEndpoint) as endpoint, front.open_writer(endpoint, deadlines=UNLIMITED):
            pass

    def test_data_may_be_idle(self, front: Any) -> None:
        deadlines = Deadlines(handshake_s=DEADLINE_S, write_s=SHORT_S, finish_s=SHORT_S)
        with (
            front.listen_reader("tcp:localhost:0", deadlines=deadlines) as listener,
            dial(listener.endpoint, first=START) as sock,
            listener.accept(DEADLINE_S) as reader,
        ):
            reader.handshake()
            # The time for the handshake is over.
            reader.deadline = time.monotonic()
            with background(lambda: list(reader)) as finish:
                time.sleep(LONGER_S)
                sock.sendall(data(b"a") + STOP)
                assert finish() == [b"a"]


class TestFrame:
    """A frame that has begun has a time limit; between two frames a writer may be silent."""

    @pytest.mark.parametrize("tls", [None, SERVER], ids=["plain", "TLS"])
    @pytest.mark.parametrize("rest", [b"", bytes(1000)], ids=["silent", "dripping"])
    def test_late(self, front: Any, tls: Tls | None, rest: bytes) -> None:
        where = "tls:localhost:0" if tls else "tcp:localhost:0"
        options = {"tls": tls, "deadlines": Deadlines(frame_s=SHORT_S)}
        context = CLIENT.context(listening=False) if tls else None
        wire = START + data(b"good") + word(2000) + b"bad"

        def write() -> None:
            with dial(listener.endpoint, context, wire) as sock:
                drip(sock, rest)
                with suppress(OSError):
                    receive(sock, 1)

        with front.listen_reader(where, **options) as listener, background(write) as finish:
            with listener.accept(DEADLINE_S) as reader:
                batches = reader.batches()
                assert next(batches) == [b"good"]
                expected = r"no end of a frame within 0\.05 s: [0-9]+ of 2004 bytes at byte [0-9]+"
                with short(), pytest.raises(TimeoutError, match=expected):
                    list(batches)
            finish()

    def test_the_end_of_a_stream_is_a_frame(self, front: Any) -> None:
        with (
            front.listen_reader("tcp:localhost:0", deadlines=Deadlines(frame_s=SHORT_S)) as listener,
            dial(listener.endpoint, first=START + STOP[:-1]),
            listener.accept(DEADLINE_S) as reader,
            short(),
            pytest.raises(TimeoutError, match="no end of a frame"),
        ):
            list(reader)

    def test_time_that_the_caller_takes(self, front: Any) -> None:
        """It is not the writer's: the time begins with the wait for the rest."""
        wire = START + data(b"a") + data(b"bcd")
        with (
            front.listen_reader("tcp:localhost:0", deadlines=Deadlines(frame_s=SHORT_S)) as listener,
            dial(listener.endpoint, first=wire[:-2]) as sock,
            listener.accept(DEADLINE_S) as reader,
        ):
            batches = reader.batches()
            assert next(batches) == [b"a"]
            sock.sendall(wire[-2:] + STOP)
            time.sleep(LONGER_S)
            assert list(batches) == [[b"bcd"]]

    def test_without_a_limit(self, front: Any) -> None:
        with (
            front.listen_reader("tcp:localhost:0", deadlines=UNLIMITED) as listener,
            dial(listener.endpoint, first=START + data(b"abc")[:-1]) as sock,
            listener.accept(DEADLINE_S) as reader,
            background(list, reader) as finish,
        ):
            time.sleep(LONGER_S)
            sock.sendall(b"c" + STOP)
            assert finish() == [b"abc"]


class TestFinish:
    @pytest.mark.parametrize("answer", [b"", FINISH], ids=["silent", "dripping"])
    def test_late(self, front: Any, answer: bytes) -> None:
        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            receive(sock, len(control(4) + control(2) + STOP))
            drip(sock, answer)
            receive(sock, 1)

        with listening(script) as endpoint:
            writer = front.open_writer(endpoint, deadlines=Deadlines(finish_s=SHORT_S))
            with short(), pytest.raises(TimeoutError, match=r"no FINISH within 0\.05 s"):
                writer.close()


class TestWrite:
    @pytest.mark.parametrize("size", [0, 1], ids=["reads nothing", "reads a byte now and then"])
    @pytest.mark.parametrize("kind", [TcpEndpoint, TlsEndpoint])
    def test_late(self, front: Any, size: int, kind: type) -> None:
        over: list[bool] = []

        def script(sock: socket.socket) -> None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            if kind is TlsEndpoint:
                sock = SERVER.context(listening=True).wrap_socket(sock, server_side=True)
            with sock:
                while not over:
                    time.sleep(SHORT_S / 10)
                    if size:
                        sock.recv(size)

        options = {"transport": Transport.UNIDIRECTIONAL, "deadlines": Deadlines(write_s=SHORT_S)}
        with listening(script, kind) as endpoint:
            writer = front.open_writer(endpoint, **options)
            with short(), pytest.raises(TimeoutError):
                writer.write_many([LARGE] * 24)
            with pytest.raises(TimeoutError):
                writer.write(b"a")
            writer.close()
            over.append(True)

    def test_without_a_limit(self, front: Any) -> None:
        payloads = [LARGE] * 12
        received: list[int] = []

        def script(sock: socket.socket) -> None:
            time.sleep(LONGER_S)
            received.append(len(receive(sock, 1 << 30)))

        with (
            listening(script) as endpoint,
            front.open_writer(endpoint, transport=Transport.UNIDIRECTIONAL, deadlines=UNLIMITED) as writer,
        ):
            writer.write_many(payloads)
        assert received == [len(control(2) + STOP) + len(data(*payloads))]


@pytest.mark.parametrize("tls", [None, SERVER], ids=["plain", "TLS"])
@pytest.mark.parametrize("listens", ["reader", "writer"])
def test_no_peer_delays_another(front: Any, tls: Tls | None, listens: str) -> None:
    """Silent peers, and ones that stop inside a handshake, have connected before. Nothing is timed here."""
    where = "tls:localhost:0" if tls else "tcp:localhost:0"
    listen = front.listen_reader if listens == "reader" else front.listen_writer
    with listen(where, tls=tls, deadlines=UNLIMITED) as listener, ExitStack() as stack:
        firsts = [b"", b"\x16", client_hello()] if tls else [b"", READY[:9], READY]
        for first in firsts:
            stack.enter_context(dial(listener.endpoint, first=first))
        to = TlsEndpoint("localhost", listener.endpoint.port, CLIENT) if tls else listener.endpoint
        delayed = [stack.enter_context(listener.accept(DEADLINE_S)) for _ in firsts]
        if listens == "reader":

            def write() -> None:
                with front_named("sync").open_writer(to) as writer:
                    writer.write(b"a")

            with background(write) as finish:
                with listener.accept(DEADLINE_S) as reader:
                    assert list(reader) == [b"a"]
                finish()
        else:

            def read() -> list[bytes]:
                with front_named("sync").open_reader(to) as reader:
                    return list(reader)

            with background(read) as finish:
                with listener.accept(DEADLINE_S) as writer:
                    writer.write(b"a")
                assert finish() == [b"a"]
        assert len(delayed) == len(firsts)
