"""Both ends of programs that read files: what they read, as a file or a pipe, and a reader for what they send."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from framestream.conformance.files_descriptions import Given
from framestream.errors import FrameStreamError
from framestream.peers import RETRY_S
from framestream.streams import Limits
from framestream.sync.opening import listen_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framestream.endpoints import Endpoint

__all__ = ["collecting", "given_as"]

PIECE = 5
"""Bytes that are written at a time into a slow pipe: less than a control frame's head."""

PIECE_S = 0.001
"""Seconds between two pieces."""


@contextmanager
def given_as(path: str, wire: bytes, given: Given) -> Iterator[IO[bytes] | int]:
    """Return a context manager for an input; it is filled meanwhile if it is a pipe."""
    if given is Given.FOLDER:
        os.mkdir(path)
    elif given is Given.FILE:
        with open(path, "wb") as file:
            file.write(wire)
    if given in (Given.FILE, Given.FOLDER, Given.MISSING):
        yield subprocess.DEVNULL
        return
    over = threading.Event()
    if given is Given.STANDARD_INPUT:
        reading, writing = os.pipe()
        fill = partial(_fill, writing, wire, len(wire))
    else:
        os.mkfifo(path)
        reading = os.open(os.devnull, os.O_RDONLY)
        fill = partial(_fill_path, path, wire, PIECE if given is Given.SLOW_PIPE else len(wire), over)
    thread = threading.Thread(target=fill, name="framestream input", daemon=True)
    thread.start()
    try:
        with open(reading, "rb") as stdin:
            yield stdin
    finally:
        over.set()
        thread.join()


def _fill_path(path: str, wire: bytes, piece: int, over: threading.Event) -> None:
    """Write into a named pipe once it is read."""
    while not over.is_set():
        with suppress(OSError):
            # Not if nobody has opened it yet.
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(descriptor, True)
            _fill(descriptor, wire, piece)
            return
        time.sleep(RETRY_S)


def _fill(descriptor: int, wire: bytes, piece: int) -> None:
    with suppress(OSError), open(descriptor, "wb", buffering=0) as pipe:
        for offset in range(0, len(wire), piece):
            pipe.write(wire[offset : offset + piece])
            if piece < len(wire):
                time.sleep(PIECE_S)


@contextmanager
def collecting(where: Endpoint) -> Iterator[tuple[Endpoint, list[bytes]]]:
    """Return a context manager for a reader that takes any stream: its endpoint, and payloads at the end."""
    received: list[bytes] = []
    over = threading.Event()
    with listen_reader(where, limits=Limits(max_data_bytes=1 << 24)) as listener:

        def collect() -> None:
            while True:
                # A connection made before the end is still served.
                last = over.is_set()
                with suppress(TimeoutError), listener.accept(RETRY_S) as reader, suppress(FrameStreamError, OSError):
                    received.extend(reader)
                    continue
                if last:
                    return

        thread = threading.Thread(target=collect, name="framestream collector", daemon=True)
        thread.start()
        try:
            yield listener.endpoint, received
        finally:
            over.set()
            thread.join()
