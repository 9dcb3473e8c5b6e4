"""Listeners that block: a thread for each connection."""

from __future__ import annotations

import contextlib
import gc
import logging
import re
import signal
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from framestream import sync
from framestream.connections import Connections
from framestream.endpoints import UnixEndpoint
from framestream.reporting import MAX_PER_PERIOD, PERIOD_S
from tests.framestream.nets import background, dial, nothing_left
from tests.framestream.wire import START, STOP, data
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


def closed(listener: Any, wire: bytes) -> None:
    """Send that, and wait until the other side has closed."""
    with dial(listener.endpoint, first=wire) as sock, contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""


def test_each_in_a_thread_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """Silent peers delay no other; an error ends its own connection, and is logged."""
    got: list[bytes] = []

    def handle(reader: sync.Reader) -> None:
        assert threading.current_thread() is not threading.main_thread()
        payloads = list(reader)
        got.extend(payloads)
        if payloads == [b"bad"]:
            raise ZeroDivisionError

    with sync.listen_reader("tcp:localhost:0") as listener, background(listener.serve, handle) as finish:
        silent = dial(listener.endpoint)
        for wire in (b"garbage", START + data(b"bad") + STOP, START + data(b"good") + STOP):
            closed(listener, wire)
        silent.close()
        listener.close()
        finish()
    assert got == [b"bad", b"good"]
    wait_for(lambda: len(caplog.records) == 3, "the error of the silent one")
    for part in ("connection 2 .*: expected", "connection 3 .*: the handler failed", "connection 1 .*: expected"):
        assert sum(bool(re.search(part, message)) for message in caplog.messages) == 1


def test_when_nothing_can_be_accepted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again, until the listener is closed."""
    monkeypatch.setattr("framestream.sync.listener.RETRY_ACCEPT_S", 0.01)

    def fail(timeout_s: float | None = None) -> sync.Reader:
        raise OSError(24, "Too many open files")

    with caplog.at_level(logging.WARNING), sync.listen_reader("tcp:localhost:0") as listener:
        monkeypatch.setattr(listener, "accept", fail)
        with pytest.raises(OSError, match="Too many"):
            next(iter(listener))
        with background(listener.serve, print) as finish:
            wait_for(lambda: len(caplog.records) > 2, "three attempts")
            listener.close()
            finish()
    assert "cannot accept a connection: Too many open files" in caplog.messages[0]


def test_when_nobody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on waiting after each period, in which reports may be due."""
    waits: list[float | None] = []

    def time_out(timeout_s: float | None = None) -> sync.Reader:
        waits.append(timeout_s)
        if len(waits) == 3:
            listener.stop()
        raise TimeoutError

    with sync.listen_reader("tcp:localhost:0") as listener:
        monkeypatch.setattr(listener, "accept", time_out)
        listener.serve(print)
    assert waits == [PERIOD_S] * 3


def test_when_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The connection is closed, and the next is served."""
    start = threading.Thread.start
    failed: list[bool] = []

    def fail_once(thread: threading.Thread) -> None:
        if thread.name.startswith("framestream ") and not failed:
            failed.append(True)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    got: list[bytes] = []
    with sync.listen_reader("tcp:localhost:0") as listener, background(listener.serve, got.extend) as finish:
        for _ in range(2):
            closed(listener, START + data(b"a") + STOP)
        listener.close()
        finish()
    assert got == [b"a"]
    assert "can't start new thread" in caplog.messages[0]


def test_closed_while_iterating() -> None:
    with sync.listen_reader("tcp:localhost:0") as listener:

        def iterate() -> int:
            count = 0
            for reader in listener:
                reader.close()
                count += 1
            return count

        with background(iterate) as finish:
            closed(listener, b"")
            listener.close()
            assert finish() == 1


def test_stopped_while_iterating(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the next connection is waited for, which fails by that."""

    def fail(timeout_s: float | None = None) -> sync.Reader:
        listener.stop()
        raise OSError("closed")

    with sync.listen_reader("tcp:localhost:0") as listener:
        monkeypatch.setattr(listener, "accept", fail)
        assert list(listener) == []


def test_for_an_endpoint(tmp_path: Path) -> None:
    """serve() listens, and closes when it is stopped."""
    got: list[bytes] = []
    listeners: list[sync.Listener[sync.Reader]] = []
    with background(lambda: sync.serve(tmp_path / "socket", got.extend, started=listeners.append)) as finish:
        wait_for(lambda: listeners, "the listener")
        with sync.open_writer(tmp_path / "socket") as writer:
            writer.write(b"a")
        listeners[0].stop()
        finish()
    assert got == [b"a"]
    assert not (tmp_path / "socket").exists()


def test_summaries_of_errors(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Of many errors some are logged, and the number of the others at the end of a period, though nobody comes."""
    monkeypatch.setattr("framestream.sync.listener.PERIOD_S", 0.01)

    def handle(reader: sync.Reader) -> None:
        raise OSError("wrong")

    with sync.listen_reader("tcp:localhost:0") as listener, background(listener.serve, handle) as finish:
        for _ in range(MAX_PER_PERIOD + 3):
            with dial(listener.endpoint) as sock:
                assert sock.recv(1) == b""
        wait_for(lambda: listener._reports.suppressed == 3, "the lines that are only counted")
        assert len(caplog.records) == MAX_PER_PERIOD
        listener._reports._began -= 3600
        wait_for(lambda: len(caplog.records) > MAX_PER_PERIOD, "the summary")
        listener.close()
        finish()
    assert caplog.messages[-1].endswith(": 3 more such lines")


def test_limits(tmp_path: Path) -> None:
    connections = Connections(1)
    listeners: list[sync.Listener[sync.Reader]] = []

    def handle(reader: sync.Reader) -> None:
        list(reader)

    options: dict[str, Any] = {"connections": connections, "started": listeners.append}
    with background(lambda: sync.serve(tmp_path / "s", handle, **options)) as finish:
        wait_for(lambda: listeners, "the listener")
        with dial(UnixEndpoint(str(tmp_path / "s"))) as first, dial(UnixEndpoint(str(tmp_path / "s"))):
            assert first.recv(1) == b""  # The oldest makes room.
        wait_for(lambda: connections.number == 0, "the end of both")
        listeners[0].stop()
        finish()


def test_a_stream_that_broke_leaves_nothing_in_memory() -> None:
    """Also without a look for reference cycles."""
    readers: list[weakref.ref[sync.Reader]] = []

    def handle(reader: sync.Reader) -> None:
        readers.append(weakref.ref(reader))
        list(reader)

    gc.collect()
    gc.disable()
    try:
        with sync.listen_reader("tcp:localhost:0") as listener, background(listener.serve, handle) as finish:
            for wire in (START + data(bytes(1000))[:-1], b"garbage", START + STOP):
                dial(listener.endpoint, first=wire).close()
            wait_for(lambda: len(readers) == 3, "all connections")
            # The loop that accepts keeps the last one until the next.
            wait_for(lambda: sum(reader() is not None for reader in readers) <= 1, "the end of the others")
            listener.close()
            finish()
    finally:
        gc.enable()


class TestStop:
    """The end of serve() that loses nothing: readers take what they have received, and their handlers return."""

    def test_by_another_thread(self, caplog: pytest.LogCaptureFixture) -> None:
        """A missing STOP is not the sender's fault then, but a frame that was cut off is."""
        got: list[bytes] = []
        with (
            sync.listen_reader("tcp:localhost:0") as listener,
            background(listener.serve, got.extend) as finish,
            dial(listener.endpoint),
            dial(listener.endpoint, first=START + data(b"whole")),
            dial(listener.endpoint, first=START + data(b"cut") + data(b"off")[:-1]),
        ):
            wait_for(lambda: len(got) == 2, "the payloads")
            listener.stop()
            finish()
        assert sorted(got) == [b"cut", b"whole"]
        assert len(caplog.messages) == 1
        assert "expected 1 more bytes of a frame, got the end of input" in caplog.messages[0]

    def test_by_a_handler(self, tmp_path: Path) -> None:
        listeners: list[sync.Listener[sync.Reader]] = []
        got: list[bytes] = []

        def handle(reader: sync.Reader) -> None:
            for payload in reader:
                got.append(payload)
                listeners[0].stop()

        with background(lambda: sync.serve(tmp_path / "s", handle, started=listeners.append)) as finish:
            wait_for(lambda: listeners, "the listener")
            with dial(listeners[0].endpoint, first=START + data(b"1") + data(b"2")):
                finish()
        assert got == [b"1", b"2"]
        assert not (tmp_path / "s").exists()

    def test_by_a_signal_handler(self) -> None:
        """While connections are waited for, in the main thread."""
        with sync.listen_reader("tcp:localhost:0") as listener:
            before = signal.signal(signal.SIGALRM, lambda *_: listener.stop())
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                listener.serve(print)
            finally:
                signal.signal(signal.SIGALRM, before)
            assert listener.fileno() < 0

    def test_by_an_interrupt(self, tmp_path: Path) -> None:
        """Ctrl-C, of a program that asks for no listener to stop; the socket is removed."""

        def interrupt() -> None:
            wait_for((tmp_path / "s").exists, "the socket")
            signal.raise_signal(signal.SIGINT)  # Handled by the main thread.

        with background(interrupt) as finish, pytest.raises(KeyboardInterrupt):
            sync.serve(tmp_path / "s", print)
        finish()
        assert not (tmp_path / "s").exists()

    def test_writers_are_waited_for(self) -> None:
        """Nothing tells their handlers to end."""
        may = threading.Event()

        def handle(writer: sync.Writer) -> None:
            writer.write(b"1")
            assert may.wait(DEADLINE_S)
            writer.write(b"2")

        with sync.listen_writer("tcp:localhost:0") as listener, background(listener.serve, handle) as finish:
            with sync.open_reader(listener.endpoint) as reader:
                payloads = iter(reader)
                assert next(payloads) == b"1"
                listener.stop()
                may.set()
                assert list(payloads) == [b"2"]
            finish()

    def test_before_it_begins(self) -> None:
        with sync.listen_reader("tcp:localhost:0") as listener:
            listener.stop()
            listener.serve(print)
            assert list(listener) == []

    def test_started_is_a_function(self, tmp_path: Path) -> None:
        wrong: Any = 5
        with pytest.raises(TypeError, match=r"^started: expected a function that takes a Listener, got 5"):
            sync.serve(tmp_path / "s", print, started=wrong)
