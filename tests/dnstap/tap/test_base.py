"""BaseTap: at the end of the program, after a fork, and in signal handlers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import CONTENT_TYPE, Dnstap, Message, MessageType, Policy, Tap
from dnstap.tap import base
from framestream import Backoff, Deadlines, FrameStreamError, LocalProtocolError, Tls, listen_reader, open_reader
from tests.dnstap.tap.receivers import QUICK, adds_up, receiving
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def script(code: str, *arguments: str, warnings: str = "error") -> subprocess.CompletedProcess[str]:
    """Run a program."""
    return subprocess.run(
        [sys.executable, "-W", warnings, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


class TestEndOfTheProgram:
    def test_open_taps_send_what_waits_and_stop(self, tmp_path: Path) -> None:
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

    def test_all_are_closed_at_the_same_time(self, tmp_path: Path) -> None:
        taps = [Tap(tmp_path / "s") for _ in range(3)]
        for tap in taps:
            tap.client_query(b"1")
        listening = Tap(tmp_path / "l", listen=True)
        began = time.monotonic()
        base.close_all(timeout_s=0.2)
        assert time.monotonic() - began < DEADLINE_S / 2
        assert [tap.counts.not_connected for tap in taps] == [1, 1, 1]
        listening.client_query(b"")
        assert listening.counts.closed == 1


class TestFork:
    def test_each_worker_has_a_connection_of_its_own(self, tmp_path: Path) -> None:
        """The parent's connection goes on, and the frames that waited in the parent are sent once."""
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
            # Python 3.12 and later warn of a fork with threads.
            done = script(code, str(tmp_path / "s"), warnings="ignore::DeprecationWarning")
            assert done.returncode == 0, done.stderr
            wait_for(lambda: len(streams) == 4, "the streams")
        serving.result(DEADLINE_S)
        assert sorted(streams) == sorted([[b"parent"] * 200, *[[b"worker"] * 100] * 3])


def test_signal_handlers_may_submit_bad_messages(tmp_path: Path) -> None:
    """They interrupt the thread that counts one, whose lock must therefore be reentrant."""
    tap: Any = Tap(tmp_path / "s")
    handled = []

    def handle(number: int, frame: object) -> None:
        tap.submit(None)
        handled.append(number)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        submitted = 0
        while len(handled) < 100:
            tap.submit(None)
            submitted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    tap.close()
    assert adds_up(tap)
    assert tap.counts.not_encodable == submitted + len(handled)


@pytest.mark.parametrize("listen", [False, True])
@pytest.mark.parametrize("extra", [None, lambda message: bytes(30_000)], ids=["", "extra"])
def test_frames_are_dropped_for_their_memory(tmp_path: Path, listen: bool, extra: Any) -> None:
    """However they are submitted."""
    limits = QUICK._replace(queue_bytes=1_000_000, gather_s=DEADLINE_S, backoff=Backoff(first_s=10 * DEADLINE_S))
    tap = Tap(tmp_path / "s", queue=100, extra=extra, listen=listen, limits=limits)
    sizes = [10_000, 30_000]
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(FrameStreamError, OSError))
        stack.callback(tap.close, 0)
        if listen:
            reader = stack.enter_context(open_reader(tmp_path / "s", [CONTENT_TYPE]))
            reader.handshake()
            wait_for(lambda: tap.connected, "the sink")
        for number in range(100):
            large = bytes(sizes[number % 2])
            tap.client_query(large)
            tap.submit(Message(type=MessageType.CLIENT_RESPONSE, query_message=large, response_message=large))
            tap.submit(Message(type=MessageType.CLIENT_RESPONSE, query_zone=large))
            tap.submit(Message(type=MessageType.CLIENT_RESPONSE, policy=Policy(rule=large)))
        counts = tap.counts
        assert counts.submitted == 400
        assert counts.waiting + counts.sent + counts.dropped == 400
        # As many as take 1 MB: a frame takes from 10 KB to 60 KB.
        assert 10 < counts.waiting < 100


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"queue": "x"}, "queue: expected a whole number of at least 1, got 'x'"),
        ({"queue": 0}, "queue: expected a whole number of at least 1, got 0"),
        ({"identity": 5}, "identity: expected text or bytes, got 5"),
        ({"version": []}, r"version: expected text or bytes, got \[\]"),
        ({"extra": 5}, "extra: expected text, bytes, or a function that returns them, got 5"),
        ({"limits": 5}, "limits: expected TapLimits, got 5"),
        ({"limits": QUICK._replace(max_sinks=0)}, "limits.max_sinks: expected a whole number of at least 1, got 0"),
        ({"limits": QUICK._replace(tick_s=-1)}, "limits.tick_s: expected a number of at least 0, got -1"),
        ({"limits": QUICK._replace(deadlines=Deadlines(write_s=-1))}, "limits.deadlines.write_s: expected a number"),
        ({"limits": QUICK._replace(backoff=Backoff(first_s=-1))}, "limits.backoff.first_s: expected a number"),
        ({"tls": "ca.pem"}, "tls: expected Tls, got 'ca.pem'"),
        ({"endpoint": 5}, "endpoint: expected text, a path of pathlib or an endpoint of this package, got 5"),
        ({"endpoint": b"/s"}, "endpoint: expected text, a path of pathlib or an endpoint of this package, got b'/s'"),
    ],
)
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    """They are refused by the call, not by the thread that sends."""
    before = len(base.open_taps)
    with pytest.raises((TypeError, ValueError), match=f"^{text}"):
        Tap(**{"endpoint": tmp_path / "s", **options})
    assert len(base.open_taps) == before
    with Tap(tmp_path / "s", limits=QUICK) as tap:
        anything: Any = tap.close
        for timeout_s in (None, "5", -1):
            with pytest.raises((TypeError, ValueError), match=r"^timeout_s: expected a number of at least 0, got "):
                anything(timeout_s)


@pytest.mark.parametrize("listen", [False, True])
def test_files_for_tls_are_read_at_once(tmp_path: Path, listen: bool) -> None:
    """A tap that connects would otherwise try again for ever."""
    before = len(base.open_taps)
    for tls in (Tls(ca=tmp_path / "missing"), Tls(certificate=tmp_path / "missing")):
        with pytest.raises((OSError, LocalProtocolError), match=r"missing|certificate"):
            Tap("tls:127.0.0.1:0", tls=tls, listen=listen)
    assert len(base.open_taps) == before
