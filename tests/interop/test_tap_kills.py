"""Taps with receivers that are killed and restarted: lost frames are counted, or their number is bounded."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dnstap import Dnstap, Tap
from framestream import FrameStreamError, TruncatedStreamError, read_file
from tests.interop import dying_receiver
from tests.interop.command import listening
from tests.wait import listens, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

WIRE = b"\x7e\x57\1\0\0\1\0\0\0\0\0\0\7example\0\0\1\0\1"

SOCKET_BYTES = int(Path("/proc/sys/net/core/wmem_default").read_text())
"""Capacity of a unix socket in bytes, including the kernel's own structures."""

ROUNDS = int(os.environ.get("DNSTAP_KILLS", "8"))
"""Number of times that a receiver is killed."""


def whole_frames(path: Path) -> list[bytes]:
    """Return the payloads of a file that may end inside a frame, or before the stream begins."""
    found: list[bytes] = []
    with suppress(FrameStreamError, FileNotFoundError), read_file(path) as reader:
        found.extend(reader)
    return found


def ends_inside_a_frame(path: Path) -> bool:
    try:
        with read_file(path) as reader:
            list(reader)
    except TruncatedStreamError as error:
        return error.inside_frame
    return False


def numbers(payloads: list[bytes]) -> list[int]:
    """Return the numbers that `submit_next` has put into frames."""
    return [int(dnstap.extra or b"") for dnstap in map(Dnstap.parse, payloads)]


@contextmanager
def dying(path: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, dying_receiver.__file__, str(path), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as process:
        try:
            wait_for(lambda: listens(path), "the receiver")
            yield process
            assert process.stdin
            process.stdin.close()
            process.wait()
        finally:
            process.kill()


def test_frames_are_received_or_counted_however_often_a_receiver_is_killed(tmp_path: Path) -> None:
    """Each frame is either received, in order and once, or counted as dropped.

    Frames that the kernel has taken for a process that never reads them cannot be counted, so here they are saved.
    """
    chance = random.Random(9)
    submitted = 0
    received: list[int] = []
    folder = tmp_path / "received"
    folder.mkdir()
    last = (0, 0)

    def arrived(sent: int) -> bool:
        """Return whether this number of frames is in the files, of which the last ones may still grow."""
        nonlocal last
        while True:
            number, known = last
            found = numbers(whole_frames(folder / str(number)))
            received.extend(found[known:])
            last = number, len(found)
            if not (folder / str(number + 1)).exists():
                return len(received) >= sent
            if numbers(whole_frames(folder / str(number))) == found:
                last = number + 1, 0

    with dying(tmp_path / "s", folder) as receiver:
        assert receiver.stdin
        # In full queues and in empty ones, and frames of all sizes.
        with Tap(f"unix:{tmp_path}/s", extra=lambda _: str(submitted), queue=2000) as tap:
            wait_for(lambda: tap.connected, "the connection")
            before = len(os.listdir("/proc/self/fd")), threading.active_count()
            for number in range(ROUNDS):
                receiver.stdin.write(b"%d\n" % chance.choice((1, chance.randrange(1, 400_000))))
                wire = WIRE + bytes(chance.choice((0, 100, 1000)))

                def comes_back(wire: bytes = wire, next_file: Path = folder / str(number + 1)) -> bool:
                    nonlocal submitted
                    for _ in range(500):
                        tap.client_query(wire, query_address="192.0.2.1", query_port=1024)
                        submitted += 1
                    return next_file.exists()

                wait_for(comes_back, f"connection {number + 1}")
                wait_for(lambda: not tap.counts.waiting and tap.connected, "the end of the queue")
                counts = tap.counts
                assert counts.submitted == submitted == counts.sent + counts.dropped
                wait_for(lambda: arrived(tap.counts.sent), f"the frames of round {number}")
                assert len(received) + counts.dropped == submitted, number
                wait_for(
                    lambda: (len(os.listdir("/proc/self/fd")), threading.active_count()) == before,
                    "the descriptors and threads as they were",
                )
            assert tap.counts.dropped == tap.counts.queue_full + tap.counts.not_connected
    assert len(os.listdir(folder)) == ROUNDS + 1
    assert received == sorted(set(received))
    # Of some it had part of a frame, which came again whole.
    assert any(ends_inside_a_frame(path) for path in folder.iterdir()) or ROUNDS < 20


def test_few_frames_are_lost_when_our_command_is_killed(tmp_path: Path) -> None:
    """A killed process loses frames that the kernel has taken for it and it has not read, which cannot be counted.

    They are no more than a socket and a read can hold. All others are received in order, or counted.
    """
    chance = random.Random(10)
    submitted = lost = 0
    received: list[int] = []
    with Tap(f"unix:{tmp_path}/s", extra=lambda _: str(submitted), queue=100_000) as tap:
        for number in range(ROUNDS + 1):
            out = tmp_path / str(number)
            # Without a receiver, frames wait, and are sent as soon as there is one.
            before = tap.counts.sent
            with listening(tmp_path / "s", tmp_path, "-w", out) as command:
                wait_for(lambda: tap.connected, "the connection")
                enough = tap.counts.submitted + chance.randrange(1, 5000)
                while submitted < enough:
                    tap.client_query(WIRE, query_address="192.0.2.1", query_port=1024)
                    submitted += 1
                wait_for(lambda before=before: tap.counts.sent > before, "that some are sent")  # type: ignore[misc]
                if number == ROUNDS:
                    wait_for(lambda: not tap.counts.waiting, "the end of the queue")
                    assert tap.close() == 0
                    assert command.stop() == 0
                else:
                    command.process.send_signal(signal.SIGKILL)
                    command.process.wait()
                    wait_for(lambda: not tap.connected, "that the tap has seen it")
            found = numbers(whole_frames(out))
            received += found
            sent = tap.counts.sent - before
            assert len(found) <= sent
            lost += sent - len(found)
            assert (sent - len(found)) * len(WIRE) <= SOCKET_BYTES + (1 << 18)
    counts = tap.counts
    assert counts.submitted == submitted == counts.sent + counts.dropped
    assert counts.sent == len(received) + lost
    assert received == sorted(set(received))
