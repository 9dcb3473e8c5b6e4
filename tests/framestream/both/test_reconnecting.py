"""Reconnecting writers of both front ends: every payload is sent or counted."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import framestream.aio
import framestream.sync
from framestream.errors import LocalProtocolError, TruncatedStreamError
from framestream.protocol import Transport, WriterProtocol
from framestream.streams import STABLE_S, Backoff, Batching
from tests.framestream.both.ends import both_fronts
from tests.framestream.fronts import (
    FRONTS,
    ReconnectingWriter,
    listen_reader,
    listen_writer,
    open_reader,
    open_writer,
)
from tests.framestream.nets import background
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path

FAST = Backoff(first_s=0.005, most_s=0.02)

NEVER = Batching(max_bytes=1 << 20, max_s=None)

pytestmark = both_fronts


@pytest.mark.parametrize("endpoint", ["unix:{}/socket", "tcp:127.0.0.1:0"])
@pytest.mark.parametrize("transport", Transport)
def test_readers_that_come_and_go(tmp_path: Path, endpoint: str, transport: Transport) -> None:
    """Each takes ten frames and goes; what none has taken reaches the next."""
    got: list[bytes] = []
    sent = [b"%d" % number for number in range(40)]
    with listen_reader(endpoint.format(tmp_path)) as listener:
        place = listener.endpoint

        def take() -> None:
            for _ in range(4):
                with listener.accept(DEADLINE_S) as reader:
                    payloads = iter(reader)
                    got.extend(next(payloads) for _ in range(10))

        writer = ReconnectingWriter(lambda: open_writer(place, transport=transport), FAST)
        with background(take) as done:
            for start in range(0, len(sent), 10):
                writer.write_many(sent[start : start + 10])
                wait_for(writer._writer.gone, "the end of the connection")  # type: ignore[union-attr]
            done()
        assert (writer.frames, writer.connections, writer.reconnects) == (40, 4, 3)
        with contextlib.suppress(OSError, TruncatedStreamError):
            writer.close()
    assert got == sent
    assert (writer.dropped, writer.waiting, writer.bytes) == (0, 0, sum(map(len, sent)))


def test_a_write_waits_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    writer = ReconnectingWriter(lambda: open_writer(path), FAST)
    with Threads() as pool:
        writing = pool.submit(writer.write, b"a")
        wait_for(lambda: isinstance(writer.error, FileNotFoundError), "the error")
        with listen_reader(path) as listener, listener.accept() as reader:
            reading = pool.submit(list, reader)
            writing.result(DEADLINE_S)
            writer.close()
            assert reading.result(DEADLINE_S) == [b"a"]
    assert (writer.frames, writer.dropped, writer.reconnects) == (1, 0, 0)


@pytest.mark.parametrize("default", [False, True])
def test_what_it_waits_for_is_reported(tmp_path: Path, default: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Once, whatever the number of attempts, and so is a connection after that."""
    path = tmp_path / "socket"
    lines: list[str] = []
    report: dict[str, Any] = {} if default else {"report": lines.append}
    attempts: list[None] = []

    def connect() -> Any:
        attempts.append(None)
        return open_writer(path)

    with Threads() as pool:
        writer = ReconnectingWriter(connect, FAST, **report)
        writing = pool.submit(writer.write, b"a")
        wait_for(lambda: len(attempts) > 3, "three attempts")
        with listen_reader(path) as listener, listener.accept() as reader:
            reading = pool.submit(list, reader)
            writing.result(DEADLINE_S)
            writer.close()
            reading.result(DEADLINE_S)
    logged = [(record.name, record.getMessage()) for record in caplog.records]
    expected = [f"no reader: [Errno 2] No such file or directory: 'unix:{path}'", "connected to a reader"]
    assert (lines, logged) == (([], [("framestream", line) for line in expected]) if default else (expected, []))


def test_a_report_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="report: expected a function that takes a line, got 'lines'"):
        ReconnectingWriter(lambda: open_writer("unix:x"), report="lines")  # type: ignore[arg-type]


def test_closing_ends_the_wait(tmp_path: Path) -> None:
    writer = ReconnectingWriter(lambda: open_writer(tmp_path / "missing"), FAST)
    with Threads() as pool:
        writing = pool.submit(writer.write_many, [b"a", b"b"])
        wait_for(lambda: writer.error, "an attempt")
        writer.close()
        with pytest.raises(LocalProtocolError, match="closed"):
            writing.result(DEADLINE_S)
    assert writer.dropped == 2
    with pytest.raises(LocalProtocolError, match="closed"):
        writer.write(b"c")


def test_without_a_reader_it_drops_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with ReconnectingWriter(lambda: open_writer(path), Backoff(first_s=0.005), drop=True) as writer:
        writer.write_many([b"a", b"b"])
        writer.write(b"c")
        assert (writer.dropped, writer.frames) == (3, 0)
        writer.flush()
        with listen_reader(path) as listener, background(listener.accept) as accepted:

            def connected() -> bool:
                writer.flush()
                return writer.connections == 1

            with background(wait_for, connected, "the connection") as done:
                reader = accepted()
                reader.handshake()
                done()
            writer.write(b"d")
            assert next(iter(reader)) == b"d"
            reader.close()
            wait_for(writer._writer.gone, "the end")  # type: ignore[union-attr]
            writer.write(b"e")
        assert writer.frames + writer.dropped == 5


def test_a_batch_that_failed_is_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    uni = Transport.UNIDIRECTIONAL
    with listen_reader(path) as listener:
        writer = ReconnectingWriter(lambda: open_writer(path, transport=uni, batching=NEVER), FAST)
        writer.write_many([b"a", b"b"])
        listener.accept().close()
        wait_for(writer._writer.gone, "the end")  # type: ignore[union-attr]
        writer.flush()
        assert (writer.frames, writer.waiting) == (0, 2)
        writer.write(b"c")
        with listener.accept() as reader:
            writer.close()
            assert list(reader) == [b"a", b"b", b"c"]
    assert (writer.frames, writer.dropped, writer.reconnects) == (3, 0, 1)


@pytest.fixture
def _not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a reader has gone is found by writing alone, as with TCP it often is."""
    for front in FRONTS:
        monkeypatch.setattr(f"framestream.{front}.Writer.gone", lambda writer: False)


@pytest.mark.usefixtures("_not_seen")
@pytest.mark.parametrize("batching", [Batching(), Batching(max_bytes=1 << 20, max_s=0.01), NEVER])
@pytest.mark.parametrize("then", ["write", "flush"])
def test_what_is_found_by_writing(tmp_path: Path, batching: Batching, then: str) -> None:
    path = tmp_path / "socket"
    uni = Transport.UNIDIRECTIONAL
    with listen_reader(path) as listener:
        writer = ReconnectingWriter(lambda: open_writer(path, transport=uni, batching=batching), FAST)
        writer.flush()
        first: Any = writer._writer
        listener.accept().close()
        wait_for(first._channel.gone, "the end")
        writer.write(b"a")
        if batching.max_s == 0.01:
            wait_for(lambda: first._unseen or first is not writer._writer, "the error")
        writer.flush() if then == "flush" else writer.write(b"b")
        writer.flush()
        writer.write(b"c")
        with listener.accept() as reader:
            writer.close()
            assert list(reader) == ([b"a", b"c"] if then == "flush" else [b"a", b"b", b"c"])
    assert (writer.dropped, writer.reconnects) == (0, 1)


@pytest.mark.usefixtures("_not_seen")
def test_connections_that_break_at_once(tmp_path: Path) -> None:
    """Payloads to be sent again are kept until they have been sent."""
    path = tmp_path / "socket"
    broken = iter([True, True, False])
    with listen_reader(path) as listener:

        def connect() -> framestream.sync.Writer:
            writer = open_writer(path, transport=Transport.UNIDIRECTIONAL)
            if next(broken):
                listener.accept().close()
                wait_for(cast("Any", writer)._channel.gone, "the end")
            return writer

        writer = ReconnectingWriter(connect, FAST)
        writer.write(b"a")
        with listener.accept() as reader:
            writer.close()
            assert list(reader) == [b"a"]
    assert (writer.frames, writer.flushes, writer.dropped, writer.reconnects) == (1, 1, 0, 2)


def test_a_refused_payload_costs_no_other(tmp_path: Path) -> None:
    with listen_reader(tmp_path / "socket") as listener:
        uni = Transport.UNIDIRECTIONAL
        with ReconnectingWriter(lambda: open_writer(tmp_path / "socket", transport=uni)) as writer:
            writer.write(b"a")
            with pytest.raises(LocalProtocolError):
                writer.write_many([b"b", b""])
            writer.write(b"c")
        with listener.accept() as reader:
            assert list(reader) == [b"a", b"c"]


def test_a_payload_that_is_not_bytes(tmp_path: Path) -> None:
    """Also while there is no reader that would refuse it."""
    with ReconnectingWriter(lambda: open_writer(tmp_path / "nobody"), FAST, drop=True) as writer:
        for payloads, error in ((["text"], "payload: expected bytes, got 'text'"), (b"a", "payloads: expected a list")):
            with pytest.raises(TypeError, match=error):
                writer.write_many(payloads)  # type: ignore[arg-type]
        assert writer.dropped == 0
    for kind in (framestream.sync.ReconnectingWriter, framestream.aio.ReconnectingWriter):
        with pytest.raises(TypeError, match="connect: expected a function that returns a Writer, got 'unix:x' of type"):
            kind("unix:x")  # type: ignore[arg-type]


def test_a_reader_that_wants_something_else(tmp_path: Path) -> None:
    """It is asked again and again, in case another takes its place."""
    path = tmp_path / "socket"
    with listen_reader(path, [b"other"]) as listener, Threads() as pool:
        writer = ReconnectingWriter(lambda: open_writer(path, [b"this"]), FAST, drop=True)
        writing = pool.submit(writer.write, b"a")
        with listener.accept() as reader, pytest.raises(Exception, match="content type"):
            list(reader)
        writing.result(DEADLINE_S)
        assert isinstance(writer.error, TruncatedStreamError)
        assert (writer.dropped, writer.connections) == (1, 0)
        writer.close()


def test_readers_that_connect_to_us(tmp_path: Path) -> None:
    """As CoreDNS's do when it listens."""
    path = tmp_path / "socket"
    with listen_writer(path, [b"a"]) as listener:
        writer = ReconnectingWriter(listener.accept, FAST)
        for number in range(3):
            with Threads() as pool:
                writing = pool.submit(writer.write, b"%d" % number)
                with open_reader(path, [b"a"]) as reader:
                    assert next(iter(reader)) == b"%d" % number
                    writing.result(DEADLINE_S)
            wait_for(writer._writer.gone, "the end")  # type: ignore[union-attr]
        assert writer.reconnects == 2
        with pytest.raises((OSError, TruncatedStreamError)):
            writer.close()


def test_a_handshake_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    with listen_writer(tmp_path / "socket", [b"a"]) as listener:
        writer = ReconnectingWriter(listener.accept, FAST, drop=True)
        with Threads() as pool:
            writing = pool.submit(writer.write, b"1")
            with open_reader(tmp_path / "socket", [b"b"]) as reader, pytest.raises(Exception, match="content type"):
                list(reader)
            writing.result(DEADLINE_S)
        assert (writer.dropped, writer.connections) == (1, 0)
        writer.close()


class FakeChannel:
    """Channel that takes bytes while there is a reader, and then part of a frame."""

    whole = True
    transactional = False

    def __init__(self) -> None:
        self.room = 1 << 20
        self.got = bytearray()
        self.taken = 0

    def fileno(self) -> int:
        return -1

    def read(self, deadline: float | None) -> bytes:
        return b""

    def write(self, data: bytes, deadline: float | None) -> None:
        self.taken = min(self.room, len(data))
        self.got += data[: self.taken]
        if self.taken < len(data):
            raise BrokenPipeError

    def gone(self) -> bool:
        return False  # As with TCP, which reports it only to a write.

    def end_input(self) -> None: ...
    def interrupt(self) -> None: ...
    def forget(self) -> None: ...
    def close(self, *, keep: bool = True) -> None: ...


class Machine(RuleBasedStateMachine):
    """Readers come and go while frames are written; all that was written is somewhere, and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.up = True
        self.channels: list[FakeChannel] = []
        self.number = 0
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(time, "monotonic", lambda: self.now)
        self.writer = framestream.sync.ReconnectingWriter(self.connect, Backoff(first_s=1, most_s=4), drop=True)

    def connect(self) -> framestream.sync.Writer:
        if not self.up:
            raise ConnectionRefusedError
        self.channels.append(FakeChannel())
        protocol = WriterProtocol(transport=Transport.UNIDIRECTIONAL)
        return framestream.sync.Writer(self.channels[-1], protocol, batching=Batching(max_bytes=12, max_s=None))

    @rule(count=st.integers(0, 4))
    def write(self, count: int) -> None:
        self.writer.write_many([b"%04d" % (self.number + index) for index in range(count)])
        self.number += count

    @rule()
    def flush(self) -> None:
        self.writer.flush()

    @precondition(lambda self: self.up)
    @rule(room=st.integers(0, 40))
    def stops(self, room: int) -> None:
        self.up = False
        for channel in self.channels:
            channel.room = room

    @precondition(lambda self: not self.up)
    @rule()
    def starts(self) -> None:
        self.up = True

    @rule(seconds=st.sampled_from([0.1, STABLE_S, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def adds_up(self) -> None:
        writer = self.writer
        assert writer.frames + writer.waiting + writer.dropped == self.number
        got = self.received()
        assert got == sorted(set(got))
        assert len(got) == writer.frames
        assert writer.bytes == 4 * writer.frames

    def received(self) -> list[int]:
        start = bytes(4) + b"\0\0\0\4\0\0\0\2"
        numbers = []
        for channel in self.channels:
            rest = bytes(channel.got).removeprefix(start)
            # Behind the last frame there may be a part of another, which comes again, or STOP.
            frames = [rest[index : index + 8] for index in range(0, len(rest) - 7, 8)]
            numbers += [int(frame[4:]) for frame in frames if frame[:4] == b"\0\0\0\4"]
        return numbers

    def teardown(self) -> None:
        with contextlib.suppress(BrokenPipeError, TruncatedStreamError):
            self.writer.close()
        assert self.writer.waiting == 0
        self.adds_up()
        self.patches.undo()


def test_counters_always_add_up() -> None:
    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=30))


def test_no_thread_is_left() -> None:
    assert not [thread for thread in threading.enumerate() if thread.name == "framestream-flush"]
