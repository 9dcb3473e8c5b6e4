"""ListeningSender: any number of receivers, of which none delays another."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import CONTENT_TYPE, Tap, TapCounts
from dnstap.tap.base import restart_all
from dnstap.tap.drop_log import DropLog
from dnstap.tap.listening import ListeningSender
from dnstap.tap.payloads import Payloads
from framestream import Deadlines, FrameStreamError, UnixEndpoint, open_reader
from framestream.reporting import MAX_PER_PERIOD
from tests.dnstap.tap.receivers import QUICK, adds_up, sink, sinks, stuck_sink
from tests.framestream.nets import MUTUAL
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def sender_of(tap: Tap) -> ListeningSender:
    sender = tap._sender
    assert isinstance(sender, ListeningSender)
    return sender


def test_each_sink_gets_what_is_submitted_while_it_is_connected(tmp_path: Path) -> None:
    with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
        assert tap.endpoint == UnixEndpoint(str(tmp_path / "s"))
        tap.client_query(b"0")
        with sink(tmp_path / "s") as first:
            wait_for(lambda: tap.connected, "the first")
            tap.client_query(b"1")
            with sink(tmp_path / "s") as second:
                wait_for(lambda: sinks(tap) == 2, "both")
                for number in range(2, 100):
                    tap.client_query(b"%d" % number)
                wait_for(lambda: len(second.payloads) == 98, "the frames")
                wait_for(lambda: len(first.payloads) == 99, "the frames")
                wait_for(lambda: not tap.counts.waiting, "that the tap has counted them")
                assert tap.counts == TapCounts(submitted=100, copies=98, sent=197, not_connected=1)
                assert tap.close() == 0
        tap.client_query(b"late")
    assert second.payloads == first.payloads[1:]
    assert first.finished == second.finished == 1
    assert tap.counts == TapCounts(submitted=101, copies=98, sent=197, not_connected=1, closed=1)
    assert not (tmp_path / "s").exists()


def test_frames_without_sinks_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Tap(tmp_path / "s", listen=True) as tap:
        tap.client_query(b"0")
    assert tap.counts == TapCounts(submitted=1, not_connected=1)
    assert caplog.records == []


def test_a_sink_may_break_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
        with sink(tmp_path / "s") as receiver:
            wait_for(lambda: tap.connected, "the sink")
            receiver.breaks = 1
            tap.client_query(b"0")
        wait_for(lambda: not tap.connected, "its end")
        with sink(tmp_path / "s") as receiver:
            wait_for(lambda: tap.connected, "the sink")
            tap.client_query(b"1")
            wait_for(lambda: receiver.payloads, "the frame")
            tap.close()
    assert re.search("connection 1 from pid [0-9]+ uid [0-9]+: the receiver has closed", caplog.text)
    assert tap.counts == TapCounts(submitted=2, sent=2)


def test_frames_arrive_over_tls() -> None:
    with Tap("tls:localhost:0", listen=True, tls=MUTUAL) as tap:
        where = f"tls:localhost:{tap.endpoint.port}"  # type: ignore[union-attr]
        with sink(where, tls=MUTUAL) as receiver:
            wait_for(lambda: tap.connected, "the sink")
            tap.client_query(b"0")
            wait_for(lambda: receiver.payloads, "the frame")
            assert tap.close() == 0
    assert tap.counts == TapCounts(submitted=1, sent=1)


def test_drops_name_the_port_that_was_chosen(caplog: pytest.LogCaptureFixture) -> None:
    anything: Any = Tap("tcp:localhost:0", listen=True)
    anything.submit("no message")
    anything.close()
    assert anything.endpoint.port > 0
    assert f"tcp:localhost:{anything.endpoint.port}: 1 frames dropped: 1 not encodable" in caplog.text


def test_a_silent_sink_delays_no_other(tmp_path: Path) -> None:
    """It is disconnected when its time for the handshake is over, and has no frames that would count."""
    limits = QUICK._replace(deadlines=Deadlines(handshake_s=0.2))
    with Tap(tmp_path / "s", listen=True, limits=limits) as tap, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(tmp_path / "s"))
        silent.settimeout(DEADLINE_S)
        with sink(tmp_path / "s") as receiver:
            wait_for(lambda: tap.connected, "the sink")
            tap.client_query(b"0")
            wait_for(lambda: receiver.payloads, "the frame")
            assert silent.recv(1000)  # READY
            assert silent.recv(1000) == b""
            tap.close()
    assert tap.counts == TapCounts(submitted=1, sent=1)


def test_a_sink_that_stops_reading_is_disconnected_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = QUICK._replace(deadlines=Deadlines(write_s=0.3))
    path = tmp_path / "s"
    with Tap(path, listen=True, queue=1000, limits=limits) as tap, stuck_sink(path) as stuck:
        with sink(path) as receiver:
            wait_for(lambda: sinks(tap) == 2, "both")
            number = 0
            while "timed out" not in caplog.text:
                tap.client_query(bytes(1000))
                number += 1
                wait_for(lambda number=number: len(receiver.payloads) == number, "the frame")  # type: ignore[misc]
            tap.client_query(b"last")
            wait_for(lambda: len(receiver.payloads) == number + 1, "the frame")
            tap.close()
        assert stuck.fileno() >= 0
    assert adds_up(tap)
    assert tap.counts.not_connected > 0


def test_close_returns_at_its_deadline_if_a_sink_does_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Tap(path, listen=True, queue=10, limits=QUICK) as tap, stuck_sink(path):
        wait_for(lambda: tap.connected, "the sink")
        while not tap.counts.queue_full:
            tap.client_query(bytes(60_000))
        began = time.monotonic()
        left = tap.close(0.1)
        assert time.monotonic() - began < DEADLINE_S / 2
        assert 0 < left == tap.counts.closed
    assert adds_up(tap)


def test_a_sink_that_connects_during_shutdown_gets_stop(tmp_path: Path) -> None:
    with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
        sender = sender_of(tap)
        sender.shutdown()
        sender._thread.join(DEADLINE_S)
        listener = sender._listener
        assert listener
        serving = start(lambda: sender._serve(listener.accept(DEADLINE_S)))
        with sink(tmp_path / "s") as receiver:
            wait_for(lambda: receiver.finished, "STOP")
        serving.result(DEADLINE_S)


def test_more_sinks_than_allowed_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = QUICK._replace(max_sinks=1, tick_s=0.01)
    with Tap(tmp_path / "s", listen=True, limits=limits) as tap:
        with sink(tmp_path / "s") as first:
            wait_for(lambda: tap.connected, "the first")
            with open_reader(tmp_path / "s", [CONTENT_TYPE]) as second:
                wait_for(lambda: "others wait until one of 1 receivers leaves" in caplog.text, "the line")
                first.breaks = 1
                tap.client_query(b"0")
                second.handshake()
        assert caplog.text.count("others wait") == 1
        tap.close(0)


def test_silent_sinks_make_room(tmp_path: Path) -> None:
    """They hold all places, and take each new one, and the next sink is served all the same."""
    limits = QUICK._replace(max_sinks=4, deadlines=Deadlines(handshake_s=10 * DEADLINE_S))
    with contextlib.ExitStack() as stack, Tap(tmp_path / "s", listen=True, limits=limits) as tap:
        for number in range(12):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(str(tmp_path / "s"))
            if number % 4 == 3:
                with sink(tmp_path / "s") as receiver:
                    wait_for(lambda: tap.connected, "the sink")
                    tap.client_query(b"0")
                    wait_for(lambda receiver=receiver: receiver.payloads, "the frame")  # type: ignore[misc]
                    receiver.breaks = 0
                    tap.client_query(b"1")
                wait_for(lambda: not tap.connected, "its end")
        tap.close(0)
    assert adds_up(tap)


def test_one_peer_makes_few_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
        for number in range(MAX_PER_PERIOD + 5):
            with socket.socket(socket.AF_UNIX) as bad:
                bad.connect(str(tmp_path / "s"))
                bad.settimeout(DEADLINE_S)
                bad.sendall(b"GET /%d HTTP/1.1\r\n\r\n" % number)
                with contextlib.suppress(ConnectionResetError):
                    while bad.recv(1000):
                        pass
        with sink(tmp_path / "s"):
            tap.close()
    assert caplog.text.count("got an HTTP request") == MAX_PER_PERIOD


def test_a_sink_for_which_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connection is closed, and the next is served."""
    begin = threading.Thread.start
    failed: list[bool] = []

    def fail_once(thread: threading.Thread) -> None:
        if "connection 1" in thread.name:
            failed.append(True)
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
        with pytest.raises(FrameStreamError), sink(tmp_path / "s"):
            pass
        with sink(tmp_path / "s"):
            tap.close()
    assert failed == [True]
    assert "can't start new thread" in caplog.text


def test_a_second_tap_cannot_listen_at_the_same_path(tmp_path: Path) -> None:
    with Tap(tmp_path / "s", listen=True), pytest.raises(OSError, match=str(tmp_path / "s")):
        Tap(tmp_path / "s", listen=True)


def test_it_goes_on_after_running_out_of_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = QUICK._replace(retry_accept_s=0.01)
    with Tap(tmp_path / "s", listen=True, limits=limits) as tap:
        listener = sender_of(tap)._listener
        assert listener
        accept = listener.accept
        faults = [OSError(24, "Too many open files")] * 2

        def fail(timeout_s: float) -> object:
            if faults:
                raise faults.pop()
            return accept(timeout_s)

        monkeypatch.setattr(listener, "accept", fail)
        wait_for(lambda: not faults, "the faults")
        with sink(tmp_path / "s") as receiver:
            assert receiver.connections == 1
            tap.close()
    assert caplog.text.count("cannot accept a connection: Too many open files") == 1


class TestAfterFork:
    """Steps of a child process, here without a fork; tests/dnstap/tap/test_base.py has one."""

    def test_frames_are_dropped(self, tmp_path: Path) -> None:
        with Tap(tmp_path / "s", listen=True, limits=QUICK) as tap:
            with sink(tmp_path / "s") as receiver:
                wait_for(lambda: tap.connected, "the sink")
                sender_of(tap).close(time.monotonic() + DEADLINE_S)
            restart_all()
            tap.client_query(b"1")
            assert not tap.connected
            assert tap.counts == TapCounts(submitted=1, not_connected=1)
            assert tap.close() == 0
            tap.client_query(b"2")
            assert tap.counts == TapCounts(submitted=2, not_connected=1, closed=1)
            assert receiver.payloads == []

    def test_closing_leaves_the_sockets_of_the_parent_alone(self, tmp_path: Path) -> None:
        endpoint = UnixEndpoint(str(tmp_path / "s"))
        drops = DropLog(endpoint, TapCounts, 1.0, expects_receiver=False)
        sender = ListeningSender(endpoint, 10, Payloads(None, None, None, full=True), drops, QUICK)
        listener = sender._listener
        assert listener
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(endpoint.path)
            writer = listener.accept(DEADLINE_S)
            sender._writers[sender.queue.add()] = writer
            sender.after_fork()
            assert (listener.fileno(), writer.fileno()) == (-1, -1)
            assert sender.close(0) == 0
            sender.after_fork()
        assert (tmp_path / "s").exists()
