"""Listeners of both front ends, and the readers they accept."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from framestream.connections import Connections
from framestream.errors import (
    ContentTypeError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.protocol import State
from framestream.streams import Limits
from tests.framestream.both.ends import SHORT_S, both_fronts, cut, dial, open_descriptors, receive
from tests.framestream.fronts import listen_reader, listen_writer, read_file, write_file
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, TRAILING, control, data, word
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = both_fronts


class TestListener:
    @cut
    def test_bidirectional_writer(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(READY)
            with listener.accept() as reader, Threads() as pool:
                reading = pool.submit(list, reader)
                assert receive(sock, 42) == ACCEPT
                sock.sendall(START + data(b"a", b"bc") + STOP + TRAILING)
                assert reading.result(DEADLINE_S) == [b"a", b"bc"]
                assert (reader.frames, reader.bytes, reader.content_type) == (2, 3, DNSTAP)
                assert reader.ended
                assert list(reader) == []
                assert receive(sock, 12) == FINISH

    @cut
    def test_unidirectional_writer(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"bc") + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a", b"bc"]
            assert receive(sock, 1) == b""

    @cut
    @pytest.mark.parametrize(
        "wire", [READY + START + data(b"a"), START + data(b"a")], ids=["bidirectional", "unidirectional"]
    )
    def test_writer_that_ends_without_stop(self, tmp_path: Path, wire: bytes) -> None:
        """dnsdist and the PowerDNS recursor never send STOP."""
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(wire)
            sock.shutdown(socket.SHUT_WR)
            with listener.accept() as reader:
                assert list(reader) == [b"a"]
                assert reader.ended
                assert reader.protocol.state is State.STREAMING

    @cut
    def test_writer_that_is_gone_before_finish(self, tmp_path: Path) -> None:
        """Unbound sends STOP and closes. FINISH cannot be sent, and nothing is wrong."""
        with listen_reader(tmp_path / "socket") as listener:
            sock = dial(tmp_path / "socket")
            sock.sendall(READY)
            with listener.accept() as reader, Threads() as pool:
                reading = pool.submit(list, reader)
                assert receive(sock, 42) == ACCEPT
                sock.sendall(START + data(b"a") + STOP)
                sock.close()
                assert reading.result(DEADLINE_S) == [b"a"]
                assert reader.protocol.state is State.FINISHED

    def test_writer_that_says_all_at_once_and_goes(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(READY + START + data(b"a") + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a"]

    def test_writer_that_is_gone_before_accept(self, tmp_path: Path) -> None:
        """The error of the system passes unchanged."""
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(READY)
            with listener.accept() as reader, pytest.raises(BrokenPipeError):
                list(reader)

    @cut
    def test_truncated(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"bc")[:-1])
            sock.shutdown(socket.SHUT_WR)
            with listener.accept() as reader:
                with pytest.raises(TruncatedStreamError) as caught:
                    list(reader)
                assert reader.frames == 1
                assert caught.value.inside_frame

    @cut
    @pytest.mark.parametrize(
        ("wire", "kind"),
        [
            pytest.param(control(4, b"other"), ContentTypeError, id="another content type"),
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", UnexpectedFrameError, id="another protocol"),
            pytest.param(word(0xFFFFFFFF), UnexpectedFrameError, id="ffffffff"),
        ],
    )
    def test_refused_writer(self, tmp_path: Path, wire: bytes, kind: type[RemoteProtocolError]) -> None:
        """It gets no answer but the end, and the next one is served."""
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(wire)
                with listener.accept() as reader, pytest.raises(kind):
                    list(reader)
                # The bytes that were not read turn the end into a reset.
                with contextlib.suppress(ConnectionResetError):
                    assert receive(sock, 1) == b""
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + STOP)
                with listener.accept() as reader:
                    assert list(reader) == []

    def test_options(self, tmp_path: Path) -> None:
        options = listen_reader(
            tmp_path / "socket", limits=Limits(max_data_bytes=4, max_control_bytes=604, oversize="skip")
        )
        with options as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"12345", b"b") + control(77, fields=bytes(600)) + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a", b"b"]
                assert reader.protocol.decoder.skipped_frames == 1

    def test_iteration(self, tmp_path: Path) -> None:
        """A Reader of each writer that connects, in their order."""
        with listen_reader(tmp_path / "socket") as listener:
            readers = iter(listener)
            for payload in (b"a", b"b"):
                with dial(tmp_path / "socket") as sock:
                    sock.sendall(START + data(payload) + STOP)
                    with next(readers) as reader:
                        assert list(reader) == [payload]

    def test_accept_with_a_time_limit(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            for timeout_s in (0, SHORT_S):
                with pytest.raises(TimeoutError):
                    listener.accept(timeout_s)
            for patience_s in (0, DEADLINE_S, None):
                with dial(tmp_path / "socket") as sock, listener.accept(patience_s) as reader:
                    sock.sendall(START + data(b"a") + STOP)
                    assert list(reader) == [b"a"]

    @cut
    def test_end_input(self, tmp_path: Path) -> None:
        """Bytes received are still read, bytes that the writer sends later are not."""
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"b"))
            with listener.accept() as reader:
                reader.end_input()
                with pytest.raises(BrokenPipeError):
                    sock.sendall(data(b"c"))
                assert list(reader) == [b"a", b"b"]
                assert reader.ended
            reader.end_input()

    def test_end_input_of_a_writer_that_has_gone(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + data(b"a"))
            with listener.accept() as reader:
                reader.end_input()
                assert list(reader) == [b"a"]

    def test_path_and_descriptor(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        listener = listen_reader(path)
        assert str(listener.endpoint) == f"unix:{path}"
        assert listener.fileno() > 2
        assert stat.S_ISSOCK(path.stat().st_mode)
        listener.close()
        assert not path.exists()
        assert listener.fileno() == -1
        listener.close()

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), listen_reader(tmp_path / "socket"):
            raise ZeroDivisionError
        assert not (tmp_path / "socket").exists()

    def test_stale_socket_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(os.fspath(path))
        with listen_reader(path) as listener, dial(path) as sock:
            sock.sendall(START + STOP)
            with listener.accept() as reader:
                assert list(reader) == []

    def test_live_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path) as listener:
            with pytest.raises(OSError, match="listens there already") as caught:
                listen_reader(path)
            assert (caught.value.errno, caught.value.filename) == (errno.EADDRINUSE, os.fspath(path))
            # The attempt was a connection, which ends at once.
            with listener.accept() as reader, pytest.raises(TruncatedStreamError):
                list(reader)
            with dial(path) as sock, listener.accept() as reader:
                sock.sendall(START + STOP)
                assert list(reader) == []

    def test_live_socket_with_a_full_queue_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(os.fspath(path))
            listening.listen(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect(os.fspath(path))
            with pytest.raises(OSError, match="listens there already") as caught:
                listen_reader(path)
            assert caught.value.errno == errno.EADDRINUSE
            assert path.exists()

    @pytest.mark.parametrize("kind", ["file", "directory", "fifo", "dangling link"])
    def test_what_is_no_socket_is_left_alone(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "socket"
        match kind:
            case "file":
                path.write_bytes(b"precious")
            case "directory":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
            case _:
                path.symlink_to(tmp_path / "nowhere")
        before = path.lstat()
        with pytest.raises(FileExistsError) as caught:
            listen_reader(path)
        assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, os.fspath(path))
        assert path.lstat() == before

    def test_socket_of_another_kind_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(os.fspath(path))
            with pytest.raises(OSError, match="Protocol wrong type") as caught:
                listen_reader(path)
            assert (caught.value.errno, caught.value.filename) == (errno.EPROTOTYPE, os.fspath(path))
        assert path.exists()

    def test_where_no_socket_can_be(self, tmp_path: Path) -> None:
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            listen_reader(tmp_path / "missing" / "socket")
        with pytest.raises(OSError, match="too long"):
            listen_reader(tmp_path / ("x" * 200))
        assert open_descriptors() == before

    def test_the_socket_of_a_successor_is_not_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path):
            path.unlink()
            successor = listen_reader(path)
        with successor:
            assert path.exists()
        assert not path.exists()

    def test_a_socket_that_is_gone_is_not_missed(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path):
            path.unlink()


class TestRoom:
    """A listener with limits on its connections."""

    def test_the_oldest_silent_one_makes_it(self, tmp_path: Path) -> None:
        connections = Connections(2)
        with listen_reader(tmp_path / "socket", connections=connections) as listener, contextlib.ExitStack() as stack:
            socks = [stack.enter_context(dial(tmp_path / "socket")) for _ in range(3)]
            socks[2].sendall(START + data(b"a") + STOP)
            silent = [stack.enter_context(listener.accept()) for _ in range(2)]
            with Threads() as pool:
                reading = [pool.submit(list, reader) for reader in silent]
                accepting = pool.submit(listener.accept)
                with pytest.raises(ConnectionAbortedError, match="there are 2 connections"):
                    reading[0].result(DEADLINE_S)
                silent[0].close()
                with accepting.result(DEADLINE_S) as reader:
                    assert list(reader) == [b"a"]
                assert connections.number == 1
                socks[1].sendall(START + STOP)
                assert reading[1].result(DEADLINE_S) == []
        assert connections.number == 0

    def test_one_that_must_wait(self, tmp_path: Path) -> None:
        """It is not lost when the caller has no time left."""
        with dial_twice(tmp_path / "socket") as (listener, socks):
            socks[1].sendall(data(b"2") + STOP)
            with listener.accept() as reader:
                reader.handshake()
                for _ in range(2):
                    with pytest.raises(TimeoutError):
                        listener.accept(SHORT_S)
            with listener.accept() as reader:
                assert list(reader) == [b"2"]

    def test_closed_while_one_waits(self, tmp_path: Path) -> None:
        with Threads() as pool, dial_twice(tmp_path / "socket") as (listener, socks), listener.accept() as reader:
            reader.handshake()
            with pytest.raises(TimeoutError):
                listener.accept(SHORT_S)  # Held.
            accepting = pool.submit(listener.accept)
            wait_for(lambda: not listener._held, "the wait for room")
            listener.close()
            with pytest.raises(OSError, match="the listener is closed"):
                accepting.result(DEADLINE_S)
            assert_closed(socks[1])

    def test_closed_while_one_is_held(self, tmp_path: Path) -> None:
        with dial_twice(tmp_path / "socket") as (listener, socks), listener.accept() as reader:
            reader.handshake()
            with pytest.raises(TimeoutError):
                listener.accept(SHORT_S)
            listener.close()
            assert_closed(socks[1])

    @pytest.mark.parametrize("limited", [False, True])
    def test_no_descriptors(self, tmp_path: Path, limited: bool) -> None:
        """The oldest silent connection ends, if there are limits."""
        connections = Connections() if limited else None
        with (
            listen_reader(tmp_path / "socket", connections=connections) as listener,
            dial(tmp_path / "socket"),
            dial(tmp_path / "socket"),
            listener.accept() as silent,
            Threads() as pool,
        ):
            reading = pool.submit(list, silent)
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
            try:
                with pytest.raises(OSError, match="Too many open files"):
                    listener.accept()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            if not limited:
                silent.interrupt(ConnectionAbortedError("of the test"))
            with pytest.raises(ConnectionAbortedError, match="makes room" if limited else "of the test"):
                reading.result(DEADLINE_S)
            listener.accept().close()

    def test_unfinished_frames(self, tmp_path: Path) -> None:
        """Those that hold the most memory for the longest end; others go on."""
        connections = Connections(max_unfinished_bytes=3000)
        wire = START + data(b"good") + data(bytes(2000))
        with (
            listen_reader(tmp_path / "socket", connections=connections) as listener,
            dial(tmp_path / "socket") as old,
            dial(tmp_path / "socket") as new,
            Threads() as pool,
        ):
            readers = []
            for sock in (old, new):
                sock.sendall(wire[:-1])
                reader = listener.accept()
                readers.append(reader)
                batches = reader.batches()
                assert next(batches) == [b"good"]
                readings = pool.submit(list, batches)
                if sock is old:
                    wait_for(lambda: connections._unfinished, "the first unfinished frame")
                    first = readings
            with pytest.raises(ConnectionAbortedError, match="more than 3000 bytes of unfinished frames"):
                first.result(DEADLINE_S)
            readers[0].close()
            new.sendall(wire[-1:] + data(b"more") + STOP)
            assert readings.result(DEADLINE_S) == [[bytes(2000), b"more"]]
            readers[1].close()
            assert connections._unfinished_bytes == 0

    def test_writers_have_places_too(self, tmp_path: Path) -> None:
        connections = Connections(1)
        with (
            listen_writer(tmp_path / "socket", connections=connections) as listener,
            dial(tmp_path / "socket"),
            dial(tmp_path / "socket"),
            Threads() as pool,
        ):
            writer = listener.accept()
            assert (writer.started, writer.progress) == (False, 0)
            waiting = pool.submit(writer.handshake)
            accepting = pool.submit(listener.accept)
            with pytest.raises(ConnectionAbortedError, match="makes room"):
                waiting.result(DEADLINE_S)
            writer.abort()
            accepting.result(DEADLINE_S).abort()
            assert connections.number == 0


@contextlib.contextmanager
def dial_twice(path: Path) -> Iterator[tuple[Any, list[socket.socket]]]:
    """A listener with room for one connection, and two that have begun a stream."""
    with listen_reader(path, connections=Connections(1)) as listener, dial(path) as first, dial(path) as second:
        for sock in (first, second):
            sock.sendall(START)
        yield listener, [first, second]


def assert_closed(sock: socket.socket) -> None:
    """The other side has closed, perhaps with bytes that it has not read."""
    with contextlib.suppress(ConnectionResetError):
        assert receive(sock, 1) == b""


def test_interrupting_a_file(tmp_path: Path) -> None:
    """It is left alone."""
    (tmp_path / "file").write_bytes(START + data(b"a") + STOP)
    with read_file(tmp_path / "file") as reader:
        reader.interrupt()
        assert list(reader) == [b"a"]
    with write_file(tmp_path / "copy") as writer:
        writer.interrupt()
        writer.write(b"a")
    assert (tmp_path / "copy").read_bytes().endswith(data(b"a") + STOP)
