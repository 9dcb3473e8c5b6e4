"""Tapping: what a server gives arrives, nothing reaches the server, and every frame is counted."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dns.message
import pytest

from dnstap import Dnstap, Message, MessageType, SocketFamily, SocketProtocol, Tap, TapCounts
from dnstap.tap import base, sending
from framestream import FrameStreamError, LocalProtocolError, Tls, UnixEndpoint, listen_reader
from framestream.streams import Backoff, Deadlines
from tests.dnstap.tap.receivers import receiving, sink
from tests.framestream.nets import MUTUAL, SERVER
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUERY = dns.message.make_query("www.example.org.", "A", id=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BACKOFF", Backoff(first_s=0.01, most_s=0.02))
    monkeypatch.setattr(sending, "TICK_S", 0.05)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("dnstap tap")], "the end of threads")
    assert not base._taps


def adds_up(tap: Tap) -> bool:
    counts = tap.counts
    return counts.submitted + counts.copies == counts.sent + counts.waiting + counts.dropped


class TestMessages:
    def test_what_a_server_has_at_hand(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver:
            before = time.time_ns()
            with Tap(f"unix:{tmp_path}/s", identity="ns1", version=b"1.0", extra="e") as tap:
                tap.client_query(QUERY, query_address="192.0.2.1", query_port=5353, socket_protocol=SocketProtocol.UDP)
                tap.client_response(
                    memoryview(b"answer"),
                    query_address=ipaddress.ip_address("2001:db8::1"),
                    response_address=bytes(15) + b"\1",
                    response_port=53,
                    query_time=datetime(2026, 1, 1, tzinfo=UTC),
                )
                tap.submit(Message(type=MessageType.RESOLVER_QUERY, query_zone=b"\0"))
            assert tap.counts == TapCounts(submitted=3, sent=3)
        first, second, third = map(Dnstap.parse, receiver.payloads)
        assert (first.identity, first.version, first.extra) == (b"ns1", b"1.0", b"e")
        assert first.message
        assert first.message.query_message == QUERY.to_wire()
        assert (first.message.query_ip, first.message.query_port) == (ipaddress.ip_address("192.0.2.1"), 5353)
        assert before <= (first.message.query_time_ns or 0) <= time.time_ns()
        assert first.message.response_time_ns is None
        assert second.message
        assert second.message.response_message == b"answer"
        assert second.message.socket_family is SocketFamily.INET6
        assert second.message.query_time == datetime(2026, 1, 1, tzinfo=UTC)
        assert before <= (second.message.response_time_ns or 0) <= time.time_ns()
        assert third.message == Message(type=MessageType.RESOLVER_QUERY, query_zone=b"\0")
        assert receiver.finished == 1

    def test_every_type(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s") as tap:
            for message_type in MessageType:
                getattr(tap, message_type.name.lower())(b"wire", query_time=1, response_time=2)
        messages = [Dnstap.parse(payload).message for payload in receiver.payloads]
        assert [message.type for message in messages if message] == list(MessageType)
        for message in messages:
            assert message
            assert (message.query_time_ns, message.response_time_ns) == (1, 2)
            assert (message.query_message, message.response_message) == (
                (b"wire", None) if message.is_query else (None, b"wire")
            )
        assert "CLIENT_QUERY" in (Tap.client_query.__doc__ or "")

    def test_without_the_dns_messages(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", full=False) as tap:
            tap.client_query(QUERY, query_address="192.0.2.1")
            tap.submit(Message(type=MessageType.CLIENT_RESPONSE, query_message=b"q", response_message=b"r"))
        for payload in receiver.payloads:
            message = Dnstap.parse(payload).message
            assert message
            assert message.query_message is message.response_message is None

    def test_nothing_is_raised(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever is given: it is counted, and said once, with the last error."""

        def extra(message: Message) -> str:
            if message.query_port == 1:
                raise RuntimeError("no extra for that")
            return "x" * (1 << 20 if message.query_port == 2 else 1)

        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", extra=extra) as tap:
            anything: Any = tap
            wrong: list[Callable[[], object]] = [
                lambda: tap.client_query(b"", query_address="nowhere"),
                lambda: tap.client_query(b"", query_port=65536),
                lambda: tap.client_query(b"", query_time=-1),
                lambda: anything.client_query(object()),
                lambda: anything.client_query(b"", query_address=7),
                lambda: anything.submit(None),
                lambda: anything.submit("message"),
                lambda: tap.submit(Message()),
                lambda: tap.submit(Message(type=MessageType.AUTH_QUERY, query_port=-1)),
                lambda: tap.client_query(b"", query_port=1),
            ]
            for call in wrong:
                assert call() is None
            tap.client_query(b"", query_port=2)
            tap.client_query(b"", query_port=3)
            wait_for(lambda: tap.counts.sent == 1, "the good one")
            assert tap.counts == TapCounts(submitted=12, sent=1, too_large=1, not_encodable=10)
        assert len(receiver.payloads) == 1
        lines = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
        assert lines == [
            f"unix:{tmp_path}/s: 11 frames dropped: 1 too large, 10 not encodable; the last error was "
            + lines[0].partition("the last error was ")[2]
        ]
        assert lines[0].endswith(("to 4294967295", "no extra for that"))

    @pytest.mark.parametrize("queue", [0, -1])
    def test_no_queue(self, tmp_path: Path, queue: int) -> None:
        with pytest.raises(ValueError, match="1 or more expected"):
            Tap(tmp_path / "s", queue=queue)

    @pytest.mark.parametrize("endpoint", ["-", "file:x", "tcp:nowhere"])
    def test_no_endpoint(self, endpoint: str) -> None:
        with pytest.raises(LocalProtocolError):
            Tap(endpoint)


class TestConnecting:
    def test_frames_wait_for_a_receiver(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        with Tap(tmp_path / "s", queue=3) as tap:
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
        # Tried many times, said once.
        assert len([text for text in texts if "no connection" in text]) == 1
        assert texts[-1] == f"unix:{tmp_path}/s: 2 frames dropped: 2 not connected"

    @pytest.mark.parametrize("kind", ["tcp", "tls", "mutual"])
    def test_over_other_transports(self, kind: str) -> None:
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

    def test_a_receiver_that_breaks_off(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Found without a frame, and connected to again at once; nothing is sent twice."""
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s") as tap:
            receiver.breaks = 3
            for number in range(3):
                tap.client_query(b"%d" % number)
            wait_for(lambda: receiver.connections == 2, "the second connection")
            assert "the connection broke: the receiver has closed" in caplog.text
            tap.client_query(b"3")
        assert len(set(receiver.payloads)) == len(receiver.payloads) == 4
        assert tap.counts == TapCounts(submitted=4, sent=4)

    def test_a_receiver_that_has_gone_before_a_frame(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was about to be sent waits again."""
        monkeypatch.setattr(sending, "TICK_S", DEADLINE_S)
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s") as tap:
            receiver.breaks = 1
            tap.client_query(b"1")
            wait_for(lambda: receiver.breaks is None, "the end")
            wait_for(lambda: tap._sending._writer is None or tap._sending._writer.gone(), "its sign")  # type: ignore[attr-defined]
            tap.client_query(b"2")
            wait_for(lambda: len(receiver.payloads) == 2, "the frame")
        assert receiver.connections == 2
        assert tap.counts == TapCounts(submitted=2, sent=2)

    def test_a_receiver_that_wants_something_else(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with listen_reader(tmp_path / "s", [b"other"]) as listener, Tap(tmp_path / "s") as tap:
            tap.client_query(b"1")
            for _ in range(2):
                with listener.accept(DEADLINE_S) as reader, pytest.raises(FrameStreamError):
                    list(reader)
            assert tap.close(0.01) == 1
        assert "no connection: " in caplog.text
        assert tap.counts == TapCounts(submitted=1, closed=1)

    def test_a_receiver_that_stops_reading(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Submitting does not wait; the oldest give way; close ends at its deadline, and says what was left."""
        monkeypatch.setattr(sending, "DEADLINES", Deadlines(write_s=DEADLINE_S))
        with listen_reader(tmp_path / "s") as listener:
            tap = Tap(tmp_path / "s", queue=100)
            with listener.accept(DEADLINE_S) as reader:
                reader.handshake()
                wait_for(lambda: tap.connected, "the connection")
                while not tap.counts.queue_full:
                    tap.client_query(bytes(10_000))
                counts = tap.counts
                began = time.monotonic()
                left = tap.close(0.1)
                assert time.monotonic() - began < DEADLINE_S / 2
                assert left == tap.counts.closed == counts.waiting - tap.counts.sent + counts.sent
                # What it had taken whole can be read.
                got: list[bytes] = []
                with pytest.raises(FrameStreamError):
                    got.extend(reader)
                assert len(got) == tap.counts.sent
        assert adds_up(tap)
        assert tap.counts.waiting == 0

    def test_closing(self, tmp_path: Path) -> None:
        """Twice; and what comes afterwards is counted."""
        with receiving(tmp_path / "s") as receiver:
            tap = Tap(tmp_path / "s")
            tap.client_query(b"1")
            assert tap.close() == 0
            assert tap.close() == 0
            tap.client_query(b"2")
            assert tap.counts == TapCounts(submitted=2, sent=1, closed=1)
        assert receiver.finished == 1

    def test_closing_without_a_receiver(self, tmp_path: Path) -> None:
        tap = Tap(tmp_path / "s")
        assert tap.close() == 0
        tap = Tap(tmp_path / "s")
        tap.client_query(b"1")
        began = time.monotonic()
        assert tap.close(0.2) == 1
        assert 0.19 < time.monotonic() - began < DEADLINE_S / 2

    def test_drops_are_said_once_a_period(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(base, "PERIOD_S", 0.3)
        with Tap(tmp_path / "s", queue=1) as tap:
            for number in range(3):
                tap.client_query(b"1")
                tap.client_query(b"2")
                wait_for(lambda number=number: caplog.text.count("dropped") == number + 1, "the line")  # type: ignore[misc]
            tap.close(0)
        counts = [record.args[1] for record in caplog.records if "dropped" in record.getMessage()]  # type: ignore[index]
        assert counts == [1, 2, 2, 1]


class TestListening:
    def test_sinks_come_and_go(self, tmp_path: Path) -> None:
        """Each gets what is submitted while it is connected; nobody gets what is submitted while nobody is."""
        with Tap(tmp_path / "s", listen=True) as tap:
            assert tap.endpoint == UnixEndpoint(str(tmp_path / "s"))
            tap.client_query(b"0")
            with sink(tmp_path / "s") as first:
                wait_for(lambda: tap.connected, "the first")
                tap.client_query(b"1")
                with sink(tmp_path / "s") as second:
                    wait_for(lambda: len(tap._sending._begun) == 2, "both")  # type: ignore[attr-defined]
                    for number in range(2, 100):
                        tap.client_query(b"%d" % number)
                    wait_for(lambda: len(second.payloads) == 98, "the frames")
                    wait_for(lambda: len(first.payloads) == 99, "the frames")
                    assert tap.counts == TapCounts(submitted=100, copies=98, sent=197, not_connected=1)
                    assert tap.close() == 0
            tap.client_query(b"late")
        assert second.payloads == first.payloads[1:]
        assert first.finished == second.finished == 1
        assert tap.counts == TapCounts(submitted=101, copies=98, sent=197, not_connected=1, closed=1)
        assert not (tmp_path / "s").exists()

    def test_nobody_there_is_no_news(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with Tap(tmp_path / "s", listen=True) as tap:
            tap.client_query(b"0")
        assert caplog.records == []

    def test_a_sink_that_breaks_off(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with Tap(tmp_path / "s", listen=True) as tap:
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
        assert "connection 1: the receiver has closed" in caplog.text
        assert tap.counts == TapCounts(submitted=2, sent=2)

    def test_over_tls(self) -> None:
        with Tap("tls:localhost:0", listen=True, tls=MUTUAL) as tap:
            where = f"tls:localhost:{tap.endpoint.port}"  # type: ignore[union-attr]
            with sink(where, tls=MUTUAL) as receiver:
                wait_for(lambda: tap.connected, "the sink")
                tap.client_query(b"0")
                wait_for(lambda: receiver.payloads, "the frame")
                tap.close()

    def test_silent_ones_delay_nobody(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are ended when their time to begin is over, and have no frames that would count."""
        monkeypatch.setattr(sending, "DEADLINES", Deadlines(handshake_s=DEADLINE_S / 20))
        with Tap(tmp_path / "s", listen=True) as tap, socket.socket(socket.AF_UNIX) as silent:
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

    def test_one_that_stops_reading_is_dropped_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sending, "DEADLINES", Deadlines(write_s=0.3))
        with Tap(tmp_path / "s", listen=True, queue=1000) as tap, listen_nowhere(tmp_path) as stuck:
            with sink(tmp_path / "s") as receiver:
                wait_for(lambda: len(tap._sending._begun) == 2, "both")  # type: ignore[attr-defined]
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

    def test_closing_with_one_that_does_not_read(self, tmp_path: Path) -> None:
        with Tap(tmp_path / "s", listen=True, queue=10) as tap, listen_nowhere(tmp_path):
            wait_for(lambda: tap.connected, "the sink")
            while not tap.counts.queue_full:
                tap.client_query(bytes(60_000))
            began = time.monotonic()
            left = tap.close(0.1)
            assert time.monotonic() - began < DEADLINE_S / 2
            assert 0 < left == tap.counts.closed
        assert adds_up(tap)

    def test_one_that_comes_at_the_end(self, tmp_path: Path) -> None:
        """Is told so."""
        with Tap(tmp_path / "s", listen=True) as tap:
            mine: Any = tap._sending
            mine.end()
            mine._thread.join(DEADLINE_S)
            serving = start(lambda: mine._serve(mine._listener.accept(DEADLINE_S)))
            with sink(tmp_path / "s") as receiver:
                wait_for(lambda: receiver.finished, "STOP")
            serving.result(DEADLINE_S)

    def test_not_too_many(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sending, "MAX_SINKS", 1)
        with Tap(tmp_path / "s", listen=True) as tap, sink(tmp_path / "s"):
            with pytest.raises(FrameStreamError), sink(tmp_path / "s"):
                pass
            wait_for(lambda: "refused, there are 1 already" in caplog.text, "the line")
            tap.close()

    def test_in_use(self, tmp_path: Path) -> None:
        with Tap(tmp_path / "s", listen=True), pytest.raises(OSError, match="somebody listens there"):
            Tap(tmp_path / "s", listen=True)

    def test_out_of_descriptors(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sending, "RETRY_ACCEPT_S", 0.01)
        with Tap(tmp_path / "s", listen=True) as tap:
            accept = tap._sending._listener.accept  # type: ignore[attr-defined]
            faults = [OSError(24, "Too many open files")] * 2

            def fail(timeout_s: float) -> object:
                if faults:
                    raise faults.pop()
                return accept(timeout_s)

            monkeypatch.setattr(tap._sending._listener, "accept", fail)  # type: ignore[attr-defined]
            wait_for(lambda: not faults, "the faults")
            with sink(tmp_path / "s"):
                tap.close()
        assert caplog.text.count("cannot accept a connection: Too many open files") == 1


def listen_nowhere(tmp_path: Path) -> socket.socket:
    """A sink that has begun the stream and reads no more."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(tmp_path / "s"))
    ready = sock.recv(1000)
    sock.sendall(ready[:8] + b"\0\0\0\1" + ready[12:])  # ACCEPT of the same
    return sock


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


class TestEnds:
    def test_of_the_program(self, tmp_path: Path) -> None:
        """Who forgets to close loses nothing, and STOP is sent."""
        code = """
import sys
from dnstap import Tap
taps = [Tap(path) for path in sys.argv[1:]]
for number in range(1000):
    for tap in taps:
        tap.client_query(b"%d" % number)
"""
        with receiving(tmp_path / "a") as first, receiving(tmp_path / "b") as second:
            done = script(code, str(tmp_path / "a"), str(tmp_path / "b"))
            assert (done.returncode, done.stderr) == (0, "")
            wait_for(lambda: first.finished and second.finished, "STOP")
        assert len(first.payloads) == len(second.payloads) == 1000

    def test_all_are_closed_together(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(base, "CLOSE_S", 0.2)
        taps = [Tap(tmp_path / "s") for _ in range(3)]
        for tap in taps:
            tap.client_query(b"1")
        listening = Tap(tmp_path / "l", listen=True)
        began = time.monotonic()
        base._close_all()
        assert time.monotonic() - began < DEADLINE_S / 2
        assert [tap.counts.closed for tap in taps] == [1, 1, 1]
        listening.client_query(b"")
        assert listening.counts.closed == 1


class TestFork:
    def test_a_server_that_forks_its_workers(self, tmp_path: Path) -> None:
        """Each has a connection of its own; that of the parent goes on; what waited in the parent is sent once."""
        code = """
import os, sys
from dnstap import Tap
tap = Tap(sys.argv[1], queue=5000)
for number in range(100):
    tap.client_query(b"parent")
workers = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        assert tap.counts.submitted == 0
        for _ in range(100):
            tap.client_query(b"worker")
        sys.exit(0)
    workers.append(pid)
for _ in range(100):
    tap.client_query(b"parent")
for pid in workers:
    assert os.waitpid(pid, 0)[1] == 0
tap.close()
assert tap.counts.sent == 200, tap.counts
"""
        with listen_reader(tmp_path / "s") as listener:
            streams: list[list[bytes]] = []

            def handle(reader: Any) -> None:
                streams.append([Dnstap.parse(payload).message.query_message for payload in reader])  # type: ignore[misc, union-attr]

            serving = start(listener.serve, handle)
            done = script(code.replace("-W error", ""), str(tmp_path / "s"))
            assert done.returncode == 0, done.stderr
            wait_for(lambda: len(streams) == 4, "the streams")
        serving.result(DEADLINE_S)
        assert sorted(streams) == sorted([[b"parent"] * 200, *[[b"worker"] * 100] * 3])

    def test_in_this_process(self, tmp_path: Path) -> None:
        """What is done after a fork, without one."""
        with receiving(tmp_path / "s") as receiver:
            tap = Tap(tmp_path / "s")
            wait_for(lambda: tap.connected, "the connection")
            tap._sending.close(time.monotonic() + DEADLINE_S)
            base._fork_all()
            assert tap.counts == TapCounts()
            assert receiver.connections == 1
            tap.client_query(b"1")
            tap.client_query(b"2")
            tap.close()
        assert (len(receiver.payloads), receiver.connections) == (2, 2)
        unused = Tap(tmp_path / "s")
        unused._sending.close(0)
        base._fork_all()
        assert unused.close() == 0

    def test_the_first_frames_of_many_threads(self, tmp_path: Path) -> None:
        """The thread that sends is started once."""
        with receiving(tmp_path / "s") as receiver:
            tap = Tap(tmp_path / "s")
            tap._sending.close(time.monotonic() + DEADLINE_S)
            base._fork_all()
            begin = tap._begin
            tap.client_query(b"1")
            begin(tap._values(Message(type=MessageType.AUTH_QUERY)))
            tap.close()
        assert len(receiver.payloads) == 2

    def test_one_that_listens(self, tmp_path: Path) -> None:
        """Stays with the process that has made it."""
        with Tap(tmp_path / "s", listen=True) as tap:
            with sink(tmp_path / "s") as receiver:
                wait_for(lambda: tap.connected, "the sink")
                mine = tap._sending
                listener = mine._listener  # type: ignore[attr-defined]
                mine.end()
                mine.close(time.monotonic() + DEADLINE_S)
                writer = mine._sinks  # type: ignore[attr-defined]
                assert writer == {}
                base._fork_all()
                assert listener.fileno() < 0
            tap.client_query(b"1")
            assert not tap.connected
            assert tap.counts == TapCounts(submitted=1, not_connected=1)
            base._close_all()
            assert receiver.payloads == []

    def test_the_sockets_are_the_other_process_s(self, tmp_path: Path) -> None:
        """They are closed without a word, over TLS too."""
        with receiving("tls:localhost:0", tls=SERVER) as receiver:
            tap = Tap(f"tls:localhost:{receiver.endpoint.port}", tls=Tls(verify=False))
            wait_for(lambda: tap.connected, "the connection")
            writer = tap._sending._writer  # type: ignore[attr-defined]
            tap._sending.forget()
            assert writer.fileno() < 0
            tap.close(0.5)
        with Tap(tmp_path / "s", listen=True) as listening, sink(tmp_path / "s"):
            wait_for(lambda: listening.connected, "the sink")
            listening._sending.forget()
