"""Readers of both front ends: loops that are left, the handshake, frames passed on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framestream.errors import (
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import EncodedFrames
from framestream.protocol import State
from framestream.streams import Batching
from tests.framestream.both.ends import LARGE, both_fronts, cut, dial, receive
from tests.framestream.fronts import (
    listen_reader,
    listen_writer,
    open_reader,
    read_file,
    write_file,
)
from tests.framestream.nets import background
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, control, data
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = both_fronts


class TestLeftLoops:
    """A loop over a Reader that was left continues where it was."""

    def test_over_payloads(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes((START + data(b"1", b"2", b"3") + STOP) * 2)
        with read_file(path) as reader:
            got = []
            for payload in reader:
                got.append(payload)
                if len(got) in (1, 3, 5):
                    break
            got += reader
            assert got == [b"1", b"2", b"3"] * 2
            assert list(reader) == []

    def test_over_batches_with_an_answer_to_come(self, tmp_path: Path) -> None:
        """All is here in one read, and FINISH is awaited: nothing more may be read before it is sent."""
        path = tmp_path / "s"
        with listen_reader(path) as listener, dial(path) as sock:
            sock.sendall(READY + START + data(b"1") + control(9) + data(b"2") + STOP)
            with listener.accept(DEADLINE_S) as reader:
                assert next(reader.batches()) == [b"1"]
                assert not reader.ended
                assert list(reader.batches()) == [[b"2"]]
            assert receive(sock, len(ACCEPT + FINISH)) == ACCEPT + FINISH

    def test_an_error_is_raised_again(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"1") + READY + data(b"2") * 100)
        with read_file(path) as reader:
            assert next(reader.batches()) == [b"1"]
            for _ in range(3):
                with pytest.raises(UnexpectedFrameError):
                    next(reader.batches())


@cut
def test_frames_are_passed_on_as_they_came(tmp_path: Path) -> None:
    """Behind what the handshake has taken and what waits; counted as frames."""
    path, copy = tmp_path / "a", tmp_path / "b"
    sent = [b"1", b"22", b"", LARGE[:7_000], b"333"]
    path.write_bytes(START + data(*sent[:2]) + control(9) + data(*sent[3:]) + STOP)
    sent.remove(b"")
    with read_file(path, [DNSTAP]) as reader, write_file(copy, [DNSTAP], batching=Batching(1000)) as writer:
        reader.handshake()
        writer.write(b"first")
        for frames in reader.encoded():
            assert isinstance(frames, EncodedFrames)
            writer.write_encoded(frames)
        assert (reader.frames, reader.bytes) == (len(sent), sum(map(len, sent)))
        assert (writer.frames, writer.bytes) == (len(sent) + 1, sum(map(len, sent)) + 5)
        assert writer.waiting == []
    with read_file(copy, [DNSTAP]) as reader:
        assert list(reader) == [b"first", *sent]


class TestHandshake:
    def test_tells_the_content_type_and_takes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_writer(path, [b"a", b"b"]) as listener:

            def read() -> list[bytes]:
                with open_reader(path, [b"b", b"a"]) as reader:
                    reader.handshake()
                    assert (reader.content_type, reader.started) == (b"b", True)
                    reader.handshake()
                    return list(reader)

            with background(read) as got, listener.accept() as writer:
                assert (writer.content_type, writer.protocol.state) == (None, State.IDLE)
                writer.handshake()
                writer.handshake()
                assert (writer.content_type, writer.protocol.state) == (b"b", State.STREAMING)
                writer.write(b"1")
                writer.close()
                assert got() == [b"1"]

    def test_holds_what_came_with_it(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "socket"))
            sock.sendall(START + data(b"a", b"b") + STOP)
            with listener.accept() as reader:
                reader.handshake()
                assert reader.content_type == DNSTAP
                assert list(reader.batches()) == [[b"a", b"b"]]

    def test_of_nothing(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "socket"))
            sock.shutdown(socket.SHUT_WR)
            with listener.accept() as reader:
                for _ in range(2):
                    with pytest.raises(TruncatedStreamError):
                        reader.handshake()
