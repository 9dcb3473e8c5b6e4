"""ConnectingSender: one receiver, connected to again when the connection breaks."""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from typing import TYPE_CHECKING

import pytest

from dnstap import Dnstap, Tap, TapCounts
from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.base import restart_all
from dnstap.tap.connecting import ConnectingSender
from dnstap.tap.drop_log import DropLog
from dnstap.tap.payloads import Payloads
from framestream import Backoff, Deadlines, FrameStreamError, Tls, listen_reader, open_writer, parse_endpoint
from framestream.reporting import MAX_PER_PERIOD
from tests.dnstap.tap.receivers import QUICK, adds_up, receiving
from tests.framestream.nets import MUTUAL, SERVER
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def sender_of(tap: Tap) -> ConnectingSender:
    sender = tap._sender
    assert isinstance(sender, ConnectingSender)
    return sender


def test_frames_wait_for_a_receiver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Tap(tmp_path / "s", queue=3, limits=QUICK) as tap:
        for number in range(5):
            tap.client_query(b"%d" % number)
        wait_for(lambda: "no connection: No such file" in caplog.text, "the line")
        assert tap.counts == TapCounts(submitted=5, waiting=3, not_connected=2)
        with receiving(tmp_path / "s") as receiver:
            wait_for(lambda: len(receiver.payloads) == 3 and tap.connected, "the frames")
            tap.client_query(b"5")
            assert tap.close() == 0
    wires = [Dnstap.parse(payload).message.query_message for payload in receiver.payloads]  # type: ignore[union-attr]
    assert wires == [b"2", b"3", b"4", b"5"]
    assert adds_up(tap)
    texts = [record.getMessage() for record in caplog.records]
    assert texts.count(f"unix:{tmp_path}/s: connected") == 1
    # Tried many times, reported once.
    assert len([text for text in texts if "no connection" in text]) == 1
    assert texts[-1] == f"unix:{tmp_path}/s: 2 frames dropped: 2 not connected"


@pytest.mark.parametrize("kind", ["tcp", "tls", "mutual"])
def test_frames_arrive_over_other_transports(kind: str) -> None:
    server, client = {"tcp": (None, None), "tls": (SERVER, Tls(verify=False)), "mutual": (MUTUAL, MUTUAL)}[kind]
    scheme = "tcp" if kind == "tcp" else "tls"
    with (
        receiving(f"{scheme}:localhost:0", tls=server) as receiver,
        Tap(f"{scheme}:localhost:{receiver.endpoint.port}", tls=client) as tap,
    ):
        for number in range(1000):
            tap.client_query(b"%d" % number)
        tap.close()
        wait_for(lambda: receiver.finished, "STOP")
    assert len(receiver.payloads) == 1000
    assert tap.counts == TapCounts(submitted=1000, sent=1000)


def test_a_broken_connection_is_noticed_without_a_frame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next connection is made at once, and no frame is sent twice."""
    with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", limits=QUICK) as tap:
        receiver.breaks = 3
        for number in range(3):
            tap.client_query(b"%d" % number)
        wait_for(lambda: receiver.connections == 2, "the second connection")
        assert "the connection broke: the receiver has closed" in caplog.text
        tap.client_query(b"3")
    assert len(set(receiver.payloads)) == len(receiver.payloads) == 4
    assert tap.counts == TapCounts(submitted=4, sent=4)


def test_a_frame_for_a_receiver_that_has_gone_goes_to_the_next(tmp_path: Path) -> None:
    limits = QUICK._replace(tick_s=DEADLINE_S)  # The sender notices by the frame alone.
    with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", limits=limits) as tap:
        sender = sender_of(tap)
        receiver.breaks = 1
        tap.client_query(b"1")
        wait_for(lambda: receiver.breaks is None, "the end of the connection")
        wait_for(lambda: sender._writer is None or sender._writer.gone(), "its sign")
        tap.client_query(b"2")
        wait_for(lambda: len(receiver.payloads) == 2, "the frame")
    assert receiver.connections == 2
    assert tap.counts == TapCounts(submitted=2, sent=2)


def test_a_receiver_of_another_content_type_gets_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listen_reader(tmp_path / "s", [b"other"]) as listener, Tap(tmp_path / "s", limits=QUICK) as tap:
        tap.client_query(b"1")
        for _ in range(2):
            with listener.accept(DEADLINE_S) as reader, pytest.raises(FrameStreamError):
                list(reader)
        assert tap.close(0.01) == 1
    assert "no connection: " in caplog.text
    assert tap.counts == TapCounts(submitted=1, not_connected=1)


def test_the_end_does_not_wait_for_a_receiver_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tap = Tap(tmp_path / "s", limits=QUICK)
    for number in range(3):
        tap.client_query(b"%d" % number)
    wait_for(lambda: "no connection" in caplog.text, "the first attempt")
    began = time.monotonic()
    assert tap.close(10 * DEADLINE_S) == 3
    assert time.monotonic() - began < DEADLINE_S
    assert tap.counts == TapCounts(submitted=3, not_connected=3)
    assert tap.close() == 0
    assert "3 frames dropped: 3 not connected" in caplog.text


def test_one_more_attempt_is_made_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that has just come back gets what waits."""
    limits = QUICK._replace(backoff=Backoff(first_s=10 * DEADLINE_S, most_s=10 * DEADLINE_S), away_s=DEADLINE_S)
    tap = Tap(tmp_path / "s", limits=limits)
    tap.client_query(b"1")
    wait_for(lambda: "no connection" in caplog.text, "the first attempt")
    with receiving(tmp_path / "s") as receiver:
        assert tap.close() == 0
    assert len(receiver.payloads) == 1
    assert tap.counts == TapCounts(submitted=1, sent=1)


def test_the_end_does_not_wait_for_a_host_that_does_not_answer(tmp_path: Path) -> None:
    """The attempt that is under way then is given up as soon as one that would begin then."""
    limits = QUICK._replace(deadlines=Deadlines(handshake_s=10 * DEADLINE_S), away_s=0.05)
    with socket.socket(socket.AF_UNIX) as listening:
        tap = Tap(tmp_path / "s", limits=limits)
        tap.client_query(b"1")
        sender = sender_of(tap)
        wait_for(lambda: sender._reached is False, "the first attempt")
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        listening.settimeout(DEADLINE_S)
        with listening.accept()[0] as silent:
            began = time.monotonic()
            assert tap.close(10 * DEADLINE_S) == 1
            assert time.monotonic() - began < DEADLINE_S
            assert tap.counts == TapCounts(submitted=1, not_connected=1)
            silent.shutdown(socket.SHUT_RDWR)
            sender._thread.join(DEADLINE_S)
    assert tap.counts == TapCounts(submitted=1, not_connected=1)


def test_frames_of_a_tap_that_was_never_connected(tmp_path: Path) -> None:
    """The first attempt has not failed yet, so it has the whole time, but there was no receiver."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        tap = Tap(tmp_path / "s", limits=QUICK)
        tap.client_query(b"1")
        sender_of(tap).shutdown()
        assert tap.close(0.05) == 1
        assert tap.counts == TapCounts(submitted=1, not_connected=1)
    sender_of(tap)._thread.join(DEADLINE_S)


def test_a_receiver_that_breaks_connections_at_once_is_tried_with_pauses(tmp_path: Path) -> None:
    limits = QUICK._replace(backoff=Backoff(first_s=0.05, factor=4, jitter=0))
    with listen_reader(tmp_path / "s") as listener, Tap(tmp_path / "s", limits=limits) as tap:
        times = []
        for _ in range(3):
            with listener.accept(DEADLINE_S) as reader:
                times.append(time.monotonic())
                reader.handshake()
        tap.close(0)
    assert times[1] - times[0] > 0.045
    assert times[2] - times[1] > 0.195


def test_a_receiver_that_breaks_after_each_frame_is_tried_with_pauses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It makes no more than some lines, either."""
    limits = QUICK._replace(backoff=Backoff(first_s=0.01, jitter=0))
    caplog.set_level(logging.INFO)
    with listen_reader(tmp_path / "s") as listener, Tap(tmp_path / "s", limits=limits) as tap:
        began = time.monotonic()
        for _ in range(30):
            tap.client_query(b"1")
            with listener.accept(DEADLINE_S) as reader:
                next(iter(reader))
        assert time.monotonic() - began > 29 * 0.01
        tap.close(0)
    assert caplog.text.count(": connected") == caplog.text.count("the connection broke") == MAX_PER_PERIOD


def test_a_receiver_that_stops_reading_delays_nothing(tmp_path: Path) -> None:
    """Submitting does not wait, the oldest frames are dropped, and close returns at its deadline."""
    limits = QUICK._replace(deadlines=Deadlines(write_s=DEADLINE_S))
    with listen_reader(tmp_path / "s") as listener:
        tap = Tap(tmp_path / "s", queue=100, limits=limits)
        with listener.accept(DEADLINE_S) as reader:
            reader.handshake()
            wait_for(lambda: tap.connected, "the connection")
            while not tap.counts.queue_full:
                tap.client_query(bytes(10_000))
            began = time.monotonic()
            left = tap.close(0.1)
            assert time.monotonic() - began < DEADLINE_S / 2
            assert 0 < left == tap.counts.closed
            # Frames that the kernel has taken completely can be read.
            received: list[bytes] = []
            with pytest.raises(FrameStreamError):
                received.extend(reader)
            assert len(received) == tap.counts.sent
    assert adds_up(tap)
    assert tap.counts.waiting == 0


def test_a_batch_that_was_being_sent_at_the_end_is_counted(tmp_path: Path) -> None:
    """The sender puts it back after `close` has dropped what waited, and no longer waits for the thread."""
    limits = QUICK._replace(deadlines=Deadlines(write_s=DEADLINE_S), tick_s=0.0)
    with listen_reader(tmp_path / "s") as listener:
        tap = Tap(tmp_path / "s", queue=100, limits=limits)
        with listener.accept(DEADLINE_S) as reader:
            reader.handshake()
            wait_for(lambda: tap.connected, "the connection")
            # More than fit into the queue: a batch is being sent.
            while tap.counts.waiting <= 100:
                tap.client_query(bytes(10_000))
            with sender_of(tap).queue._lock:
                # So the thread cannot put the batch back before `close` returns.
                left = tap.close(0.0)
            wait_for(lambda: not tap.counts.waiting, "the end of the thread")
    assert adds_up(tap)
    assert tap.counts.closed > left > 0


def test_drops_are_logged_once_per_interval(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Tap(tmp_path / "s", queue=1, limits=QUICK._replace(report_s=0.3)) as tap:
        for number in range(3):
            tap.client_query(b"1")
            tap.client_query(b"2")
            wait_for(lambda number=number: caplog.text.count("dropped") == number + 1, "the line")  # type: ignore[misc]
        tap.close(0)
    counts = [record.args[1] for record in caplog.records if "dropped" in record.getMessage()]  # type: ignore[index]
    assert counts == [1, 2, 2, 1]


class TestAfterFork:
    """Steps of a child process, here without a fork; tests/dnstap/tap/test_base.py has one."""

    def test_the_first_frame_connects_again(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver:
            tap = Tap(tmp_path / "s", limits=QUICK)
            wait_for(lambda: tap.connected, "the connection")
            sender_of(tap).close(time.monotonic() + DEADLINE_S)
            restart_all()
            assert not tap.connected
            assert tap.counts == TapCounts()
            assert receiver.connections == 1
            tap.client_query(b"1")
            tap.client_query(b"2")
            tap.close()
        assert (len(receiver.payloads), receiver.connections) == (2, 2)

    def test_without_a_frame_there_is_nothing_to_close(self, tmp_path: Path) -> None:
        tap = Tap(tmp_path / "s", limits=QUICK)
        sender_of(tap).close(0)
        restart_all()
        assert tap.close() == 0

    @pytest.mark.parametrize("tls", [False, True], ids=["unix", "tls"])
    def test_the_descriptor_is_closed_without_a_word(self, tmp_path: Path, tls: bool) -> None:
        """The parent goes on using the connection; over TLS, closing it would send an alert."""
        where = "tls:localhost:0" if tls else tmp_path / "s"
        with receiving(where, tls=SERVER if tls else None) as receiver:
            endpoint = parse_endpoint(str(receiver.endpoint), Tls(verify=False) if tls else None)
            drops = DropLog(endpoint, TapCounts, 1.0, expects_receiver=True)
            sender = ConnectingSender(endpoint, 10, Payloads(None, None, None, full=True), drops, QUICK)
            writer = sender._writer = open_writer(endpoint, [CONTENT_TYPE])
            with socket.socket(fileno=os.dup(writer.fileno())) as parent:
                sender.after_fork()
                assert writer.fileno() < 0
                assert select.select([parent], [], [], 0.05)[0] == []  # The receiver has nothing to say to it.
                assert receiver.finished == 0
            assert sender.close(0) == 0
