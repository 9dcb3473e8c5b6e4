"""Writers of both front ends: batches by size and time, counters, what is seen when the reader has gone."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import framestream.sync
from framestream.errors import (
    LocalProtocolError,
    TruncatedStreamError,
)
from framestream.frames import EncodedFrames
from framestream.protocol import Transport
from framestream.streams import Batching
from tests.framestream.both.ends import both_fronts, dial
from tests.framestream.fronts import (
    listen_reader,
    listen_writer,
    open_writer,
    write_file,
)
from tests.framestream.wire import DNSTAP, START, STOP, data
from tests.threads import Threads, start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path

SOON = Batching(max_bytes=1 << 20, max_s=0.02)

NEVER = Batching(max_bytes=1 << 20, max_s=None)

UNI = Transport.UNIDIRECTIONAL

pytestmark = both_fronts


class TestBatching:
    def test_by_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with write_file(path, [DNSTAP], batching=Batching(max_bytes=5, max_s=None)) as writer:
            writer.write(b"ab")
            writer.write(b"cd")
            assert path.read_bytes() == START
            assert (writer.frames, writer.bytes, writer.flushes, writer.waiting) == (0, 0, 0, [b"ab", b"cd"])
            writer.write(b"e")
            assert path.read_bytes() == START + data(b"ab", b"cd", b"e")
            assert (writer.frames, writer.bytes, writer.flushes, writer.waiting) == (3, 5, 1, [])
            writer.write(b"f")
        assert path.read_bytes() == START + data(b"ab", b"cd", b"e", b"f") + STOP
        assert (writer.frames, writer.bytes, writer.flushes, writer.waiting_bytes) == (4, 6, 2, 0)

    def test_by_time(self, tmp_path: Path) -> None:
        """Without another word; and again after that."""
        path = tmp_path / "file"
        with write_file(path, [DNSTAP], batching=SOON) as writer:
            for number, payload in enumerate([b"a", b"b", b"c"], 1):
                writer.write(payload)
                wait_for(lambda number=number: writer.frames == number, "the frame")  # type: ignore[misc]
            assert path.read_bytes() == START + data(b"a", b"b", b"c")

    def test_never(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with write_file(path, [DNSTAP], batching=NEVER) as writer:
            writer.write(b"a")
            assert path.read_bytes() == START
            writer.flush()
            assert path.read_bytes() == START + data(b"a")
            writer.flush()
            assert writer.flushes == 1

    def test_nothing_at_all(self, tmp_path: Path) -> None:
        with write_file(tmp_path / "file", [DNSTAP]) as writer:
            writer.write_many([])
            assert writer.flushes == 0

    def test_a_refused_payload_costs_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with write_file(path, [DNSTAP], batching=NEVER) as writer:
            writer.write(b"a")
            with pytest.raises(LocalProtocolError):
                writer.write_many([b"b", b""])
            assert writer.waiting == [b"a"]
        assert path.read_bytes() == START + data(b"a") + STOP

    @pytest.mark.parametrize("batching", [Batching(), Batching(max_bytes=300, max_s=0.001), SOON])
    def test_many_at_once(self, tmp_path: Path, batching: Batching) -> None:
        """Frames stay whole, and each writer's stay in order."""
        path = tmp_path / "socket"
        with listen_reader(path) as listener, Threads() as pool:

            def read() -> list[bytes]:
                with listener.accept(DEADLINE_S) as reader:
                    return list(reader)

            reading = pool.submit(read)
            with open_writer(path, batching=batching) as writer:

                def write(name: int) -> None:
                    for number in range(200):
                        writer.write(b"%d %d" % (name, number))

                for writing in [pool.submit(write, name) for name in range(4)]:
                    writing.result(DEADLINE_S)
            got = [tuple(map(int, payload.split())) for payload in reading.result(DEADLINE_S)]
        assert len(got) == 800
        for name in range(4):
            assert [number for owner, number in got if owner == name] == list(range(200))


class TestAReaderThatGoes:
    def test_is_seen_without_writing(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path) as listener:
            writer = open_writer(path, transport=UNI)
            reader = listener.accept()
            assert not writer.gone()
            reader.close()
            wait_for(writer.gone, "the end")
            writer.abort()

    @pytest.mark.parametrize("then", ["write", "flush", "close"])
    def test_between_two_calls(self, tmp_path: Path, then: str) -> None:
        """The error of a batch in the background is raised by the next call of any kind."""
        path = tmp_path / "socket"
        with listen_reader(path) as listener:
            writer = open_writer(path, transport=UNI, batching=SOON)
            listener.accept().close()
            wait_for(writer.gone, "the end")
            writer.write(b"a")
            wait_for(lambda: failed(writer), "the error")
            with pytest.raises(ConnectionError):
                writer.write(b"b") if then == "write" else writer.flush() if then == "flush" else writer.close()
            assert (writer.frames, writer.waiting) == (0, [b"a"])
            writer.close()

    def test_nothing_is_left_of_it(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path) as listener:
            for end in ("close", "abort"):
                writer = open_writer(path, transport=UNI, batching=SOON)
                reader = listener.accept()
                writer.write(b"a")
                writer.close() if end == "close" else writer.abort()
                writer.close()
                writer.abort()
                assert list(reader) == ([b"a"] if end == "close" else [])
                reader.close()


def failed(writer: framestream.sync.Writer) -> bool:
    """Return whether a batch sent in the background has failed."""
    return writer._unseen


def test_a_writer_that_is_accepted_is_refused(tmp_path: Path) -> None:
    """Its first write says so, and every further one."""
    with listen_writer(tmp_path / "socket", [b"a"]) as listener, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "socket"))
        sock.shutdown(socket.SHUT_WR)
        with listener.accept() as writer:
            for _ in range(2):
                with pytest.raises(TruncatedStreamError):
                    writer.write(b"1")


class TestInterrupted:
    """Ctrl-C inside a write to a socket: blocking only, for asyncio writes whole or not at all."""

    def test_stop_is_not_written_into_a_frame(self, tmp_path: Path) -> None:
        path = str(tmp_path / "socket")

        def handler(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            writer = framestream.sync.open_writer(path, transport=UNI)
            sock, _ = listening.accept()
            before = signal.signal(signal.SIGALRM, handler)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                with pytest.raises(KeyboardInterrupt):
                    writer.write_many([bytes(1 << 20)] * 4)
            finally:
                signal.signal(signal.SIGALRM, before)
            with pytest.raises(LocalProtocolError, match="interrupted"):
                writer.write(b"a")
            got = bytearray()

            def drain() -> None:
                with sock:
                    while some := sock.recv(1 << 20):
                        got.extend(some)

            draining = start(drain)
            writer.close()
            draining.result(DEADLINE_S)
        assert 12 < len(got) < 4 << 20
        assert not got.endswith(STOP)


def test_frames_as_they_came_are_not_written_to_what_has_failed(tmp_path: Path) -> None:
    with write_file(tmp_path / "a") as writer:
        pass
    with pytest.raises(LocalProtocolError):
        writer.write_encoded(EncodedFrames(data(b"1"), 1))


def test_a_flush_before_the_handshake(tmp_path: Path) -> None:
    """There is nothing to send."""
    with listen_writer(tmp_path / "socket") as listener, dial(tmp_path / "socket"), listener.accept() as writer:
        writer.flush()
        assert (writer.flushes, writer.started) == (0, False)
        writer.abort()
