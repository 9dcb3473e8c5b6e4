"""Batches of frames over a unix socket: joined for one `send`, as our writers do, beside `sendmsg`.

    python benchmarks/sending.py [--json] [--rounds N]

Measures the processor time of the sending thread, for frames of several sizes, in batches of 64 KiB or of one frame.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest
from framestream import encode_data_frames

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_BYTES = 1 << 16
BATCHES = 200
MAX_PARTS = 1024
"""IOV_MAX of Linux, the most buffers that one sendmsg() takes."""

WORD = struct.Struct(">I")


def joined(sock: socket.socket, payloads: list[bytes]) -> None:
    """Send with one copy of everything, in one call."""
    sock.sendall(encode_data_frames(payloads))


def scattered(sock: socket.socket, payloads: list[bytes]) -> None:
    """Send without a copy, with a buffer for each length word and each payload."""
    parts: list[bytes] = []
    for payload in payloads:
        parts += (WORD.pack(len(payload)), payload)
    for start in range(0, len(parts), MAX_PARTS):
        some = parts[start : start + MAX_PARTS]
        sent = sock.sendmsg(some)
        if sent < sum(map(len, some)):
            sock.sendall(b"".join(some)[sent:])


def drain(sock: socket.socket) -> None:
    """Receive and discard everything."""
    buffer = bytearray(1 << 20)
    while sock.recv_into(buffer):
        pass


def seconds(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call in this thread."""
    began = time.thread_time()
    run()
    return time.thread_time() - began


def send(send_batch: Callable[[socket.socket, list[bytes]], None], payloads: list[bytes]) -> None:
    """Send all batches to a thread that discards them."""
    ours, theirs = socket.socketpair()
    receiver = threading.Thread(target=drain, args=(theirs,))
    receiver.start()
    for _ in range(BATCHES):
        send_batch(ours, payloads)
    ours.close()
    receiver.join()
    theirs.close()


if __name__ == "__main__":
    options = arguments(__doc__.splitlines()[0])
    for size in (200, 4000, 65_000, 1_000_000):
        payloads = [bytes(size)] * max(1, BATCH_BYTES // size)
        contest(
            f"send frames of {size} bytes",
            BATCHES * len(payloads),
            {"joined": partial(send, joined, payloads), "sendmsg": partial(send, scattered, payloads)},
            options,
            [],
            seconds,
        )
