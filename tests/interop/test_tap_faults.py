"""Taps with faulty receivers, and in programs that fork or end: the server notices nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dnstap import CONTENT_TYPE, Dnstap, Message, MessageType, Tap
from dnstap.tap.limits import TapLimits
from framestream import Backoff, Deadlines, Reader, Tls, open_reader, parse_endpoint
from tests.dnstap.tap.receivers import sinks
from tests.framestream.nets import CLIENT, MUTUAL, dial, pem
from tests.interop.command import listening
from tests.interop.test_coredns import payloads
from tests.interop.test_tap_kills import WIRE, numbers
from tests.threads import Threads, start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


HASTY = TapLimits(
    deadlines=Deadlines(*[DEADLINE_S / 20] * 4), backoff=Backoff(first_s=0.05, most_s=0.2), tick_s=0.1, report_s=0.2
)
"""Fractions of a second for what takes seconds."""


@contextlib.contextmanager
def bad_receiver(says: bytes) -> Iterator[str]:
    """Accept connections, send these bytes on each, and do nothing more; yield the endpoint."""
    taken: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                taken.append(sock)
                sock.sendall(says)

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = start(accept)
        yield f"tcp:127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        accepting.result(DEADLINE_S)
    for sock in taken:
        sock.close()


def submit(tap: Tap, count: int, first: int = 0, size: int = 1) -> None:
    """Submit frames with consecutive numbers, padded to a number of digits."""
    for number in range(first, first + count):
        tap.submit(Message(MessageType.CLIENT_QUERY, query_message=WIRE + b"%0*d" % (size, number)))


def submitted_numbers(found: list[bytes]) -> list[int]:
    """Return the numbers in received frames, all of which decode."""
    messages = [dnstap.message for dnstap in map(Dnstap.parse, found)]
    return [int((message.query_message or b"")[len(WIRE) :]) for message in messages if message]


@pytest.mark.parametrize("fault", ["silent", "garbage", "DNS", "wrong certificate", "no TLS", "nobody there"])
def test_frames_for_a_receiver_that_is_none_are_dropped_and_counted(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 50,000 frames, all but the newest are dropped. The cause is logged once, their number once per interval."""
    says = {
        "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20,
        "DNS": b"\0\x0c" + bytes(12),
        "no TLS": b"220 hello\r\n",
    }
    tls = Tls(ca=pem("evil-ca")) if fault == "wrong certificate" else CLIENT
    with contextlib.ExitStack() as stack:
        if fault == "nobody there":
            where = f"unix:{tmp_path}/s"
        elif fault == "wrong certificate":
            certificate: list[str | Path] = ["--tls-cert", pem("good-here")]
            where = stack.enter_context(listening("tls:127.0.0.1:0", tmp_path, *certificate)).endpoint
        else:
            where = stack.enter_context(bad_receiver(says.get(fault, b"")))
            where = where.replace("tcp:", "tls:") if fault == "no TLS" else where
        before = threading.active_count()
        tap = Tap(where, queue=1000, tls=tls if where.startswith("tls:") else None, limits=HASTY)
        began = time.monotonic()
        submit(tap, 50_000)
        counts = tap.counts
        assert (counts.submitted, counts.waiting, counts.not_connected) == (50_000, 1000, 49_000)
        wait_for(lambda: "no connection: " in caplog.text and "frames dropped" in caplog.text, "the lines")
        assert not tap.connected
        assert tap.close(0.2) == 1000
        seconds = time.monotonic() - began
        # The thread may be in the middle of a handshake.
        wait_for(lambda: threading.active_count() == before, "the end of the thread")
    counts = tap.counts
    assert (counts.not_connected, counts.closed, counts.sent, counts.waiting) == (50_000, 0, 0, 0)
    lines = [record.message for record in caplog.records]
    assert len([line for line in lines if "frames dropped: " in line]) <= 2 + seconds / 0.2
    assert sum(int(line.split()[1]) for line in lines if "frames dropped: " in line) == 50_000
    # The error depends on the moment, and each is logged again only after another one.
    causes = [line for line in lines if "frames dropped: " not in line]
    assert all(one != other for one, other in pairwise(causes))
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.parametrize("how_long", ["a moment", "until the deadline"])
def test_a_stopped_receiver_delays_nothing(tmp_path: Path, how_long: str, caplog: pytest.LogCaptureFixture) -> None:
    """After SIGSTOP, 50,000 frames are submitted, and the oldest dropped; all others arrive after SIGCONT."""
    out = tmp_path / "out"
    seconds = DEADLINE_S if how_long == "a moment" else 0.5
    limits = TapLimits(deadlines=Deadlines(write_s=seconds, handshake_s=seconds))
    with (
        listening(tmp_path / "s", tmp_path, "-w", out) as command,
        Tap(f"unix:{tmp_path}/s", queue=5000, limits=limits) as tap,
    ):
        submit(tap, 1)
        wait_for(lambda: submitted_numbers(payloads(out)) == [0], "the first frame")
        command.process.send_signal(signal.SIGSTOP)
        try:
            submit(tap, 50_000, 1)
            counts = tap.counts
            assert counts.submitted == 50_001 == counts.sent + counts.waiting + counts.dropped
            assert counts.dropped == counts.queue_full + counts.not_connected > 30_000
            if how_long != "a moment":
                wait_for(lambda: not tap.connected, "the deadline")
                assert "the connection broke: timed out" in caplog.text
                submit(tap, 5000, 50_001)
                assert tap.counts.not_connected >= 1
        finally:
            command.process.send_signal(signal.SIGCONT)
        wait_for(lambda: tap.connected and not tap.counts.waiting, "the end of the queue")
        submit(tap, 1, 60_000)
        assert tap.close() == 0
        assert command.stop() == 0
    counts = tap.counts
    found = submitted_numbers(payloads(out))
    assert counts.submitted == counts.sent + counts.dropped
    assert len(set(found)) == len(found)
    assert 60_000 in found
    # The connection that was given up is read at the same time as the next one, so that frames may be interleaved.
    assert found == sorted(found) or how_long != "a moment"
    # It is read to its end, too.
    assert len(found) == counts.sent


@pytest.mark.parametrize("kind", ["stops reading", "is silent", "sends garbage", "goes"])
@pytest.mark.parametrize("transport", ["unix", "tls"])
def test_a_bad_sink_is_disconnected_alone(
    kind: str, transport: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where, tls = (f"unix:{tmp_path}/s", None) if transport == "unix" else ("tls:127.0.0.1:0", MUTUAL)
    count = 20_000
    before = threading.active_count()
    with (
        Tap(where, listen=True, tls=tls, queue=2 * count, limits=HASTY) as tap,
        Threads() as pool,
        contextlib.ExitStack() as stack,
    ):
        there = parse_endpoint(str(tap.endpoint), MUTUAL) if tls else tap.endpoint
        if kind in ("stops reading", "goes"):
            bad = stack.enter_context(contextlib.closing(open_reader(there, [CONTENT_TYPE], deadlines=Deadlines())))
            bad.handshake()
            wait_for(lambda: tap.connected, "the bad sink")
        else:
            sock = dial(there, None, b"" if kind == "is silent" else b"GET / HTTP/1.1\r\n\r\n")
            stack.enter_context(sock)

        good = stack.enter_context(contextlib.closing(open_reader(there, [CONTENT_TYPE])))
        good.handshake()
        wait_for(lambda: sinks(tap) == (2 if kind in ("stops reading", "goes") else 1), "the good sink")
        if kind == "goes":
            bad.close()
        received = pool.submit(list, good)
        # More than the buffers of a TCP connection hold.
        submit(tap, count, size=1000)
        wait_for(lambda: sinks(tap) == 1, "that the bad sink is dropped")
        wait_for(lambda: not tap.counts.waiting, "that all is sent")
        submit(tap, 1, count)
        assert tap.close() == 0
        assert submitted_numbers(received.result(DEADLINE_S)) == list(range(count + 1))
        stack.close()
    counts = tap.counts
    assert counts.submitted + counts.copies == counts.sent + counts.dropped
    assert counts.queue_full == counts.closed == 0
    if kind == "stops reading":
        assert "timed out" in caplog.text
    wait_for(lambda: threading.active_count() == before, "the end of all threads")


def test_frames_of_eight_threads_arrive_in_the_order_of_each(tmp_path: Path) -> None:
    count = 3000
    with listening(tmp_path / "s", tmp_path, "-w", tmp_path / "out") as command:
        with Tap(f"unix:{tmp_path}/s", queue=8 * count) as tap:
            barrier = threading.Barrier(8)

            def run(number: int) -> None:
                barrier.wait(DEADLINE_S)
                submit(tap, count, number * count)

            for running in [start(run, number) for number in range(8)]:
                running.result(DEADLINE_S)
        assert command.stop() == 0
    found = submitted_numbers(payloads(tmp_path / "out"))
    assert sorted(found) == list(range(8 * count))
    for number in range(8):
        own = range(number * count, (number + 1) * count)
        assert [one for one in found if one in own] == list(own)


PREFORKING = """
import os, sys
from dnstap import Tap

where, listens = sys.argv[1:]
tap = Tap(where, identity="server", listen=bool(listens))
WIRE = bytes.fromhex("7e5701000001000000000000076578616d706c650000010001")

def submit(worker, count):
    for number in range(count):
        tap.client_query(WIRE, query_address="192.0.2.1", query_port=worker * 10_000 + number)

submit(0, 500)
workers = []
for worker in 1, 2, 3, 4:
    pid = os.fork()
    if not pid:
        submit(worker, 1000)
        if worker % 2:
            sys.exit()  # which sends what waits
        tap.close()
        os._exit(0)
    workers.append(pid)
if not (idle := os.fork()):
    os._exit(0)  # which has done nothing
workers.append(idle)
for number in range(500, 1000):
    tap.client_query(WIRE, query_address="192.0.2.1", query_port=number)
for pid in workers:
    assert os.waitpid(pid, 0)[1] == 0
for number in range(1000, 1500):
    tap.client_query(WIRE, query_address="192.0.2.1", query_port=number)
print(*tap.counts)
"""


def script(source: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )


def test_each_worker_of_a_preforking_server_has_its_connection(tmp_path: Path) -> None:
    """Workers that end by sys.exit do not disturb the connection of the server."""
    out = tmp_path / "out"
    with listening(tmp_path / "s", tmp_path, "-w", out, "--stats") as command:
        done = script(PREFORKING, f"unix:{tmp_path}/s", "")
        assert (done.returncode, done.stderr) == (0, "")
        assert command.stop() == 0
    assert done.stdout.startswith("1500 0 ")
    assert done.stdout.endswith(" 0 0 0 0 0\n")
    ports = [dnstap.message.query_port for dnstap in map(Dnstap.parse, payloads(out)) if dnstap.message]
    for worker, count in (0, 1500), (1, 1000), (2, 1000), (3, 1000), (4, 1000):
        own = [port for port in ports if port is not None and port // 10_000 == worker]
        assert own == [worker * 10_000 + number for number in range(count)]
    statistics = command.stderr.read_text()
    assert " 5500 frames of " in statistics
    assert " from 0 files and 5 connections; 0 streams were broken" in statistics


def connected(where: str) -> Reader:
    """Return a reader that is connected, once the tap listens."""

    def attempt() -> Reader | None:
        with contextlib.suppress(OSError):
            return open_reader(where, [CONTENT_TYPE])
        return None

    reader = wait_for(attempt, "the listener")
    assert reader is not None
    return reader


def test_workers_of_a_preforking_server_that_listens_send_nothing(tmp_path: Path) -> None:
    """All frames of the server itself arrive, in one stream."""
    source = PREFORKING.replace(
        "submit(0, 500)\n", "import time\nwhile not tap.connected: time.sleep(0.01)\nsubmit(0, 500)\n"
    )
    with Threads() as pool:
        running = pool.submit(script, source, f"unix:{tmp_path}/s", "listen")
        with connected(f"unix:{tmp_path}/s") as reader:
            found = [dnstap.message for dnstap in map(Dnstap.parse, reader)]
        done = running.result(2 * DEADLINE_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert [message.query_port for message in found if message] == list(range(1500))


EXITING = """
import sys
from dnstap import Tap

tap = Tap(sys.argv[1], identity="server", extra="1")
for number in range(3000):
    tap.client_query(b"1" * 100, query_address="192.0.2.1", query_port=number)
"""


def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with listening(tmp_path / "s", tmp_path, "-w", out, "--stats") as command:
        done = script(EXITING, f"unix:{tmp_path}/s")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert command.stop() == 0
    assert numbers(payloads(out)) == [1] * 3000
    assert " from 0 files and 1 connections; 0 streams were broken" in command.stderr.read_text()


@pytest.mark.parametrize("fault", ["nobody there", "silent"])
def test_a_program_ends_in_time_without_a_receiver(fault: str, tmp_path: Path) -> None:
    """It ends within the deadline of 5 s, and logs the drops."""
    with contextlib.ExitStack() as stack:
        where = f"unix:{tmp_path}/s" if fault == "nobody there" else stack.enter_context(bad_receiver(b""))
        began = time.monotonic()
        done = script(EXITING, where)
        assert time.monotonic() - began < DEADLINE_S
    assert done.returncode == 0
    assert f"{where}: 3000 frames dropped: 3000 not connected" in done.stderr
