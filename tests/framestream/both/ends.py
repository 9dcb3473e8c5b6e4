"""Hand-written ends of a connection, standard streams and limits, for tests through both front ends."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.threads import Threads
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT_S = 0.05
"""For the time limits that are meant to pass."""

LARGE = bytes(range(256)) * 4096
"""The largest payload, 1 MiB: more than a socket or a pipe holds."""

both_fronts = pytest.mark.usefixtures("_front")

cut = pytest.mark.usefixtures("_cut")


@contextlib.contextmanager
def replaced(fd: int, by: int) -> Iterator[None]:
    """Another file in the place of standard input or output."""
    kept = os.dup(fd)
    os.dup2(by, fd)
    try:
        yield
    finally:
        os.dup2(kept, fd)
        os.close(kept)


@contextlib.contextmanager
def peer(path: Path, script: Callable[[socket.socket], None]) -> Iterator[None]:
    """A reader that does with its one connection what the script says, and closes it."""

    def run() -> None:
        sock, _ = listening.accept()
        with sock:
            sock.settimeout(DEADLINE_S)
            script(sock)

    with socket.socket(socket.AF_UNIX) as listening, Threads() as pool:
        listening.settimeout(DEADLINE_S)
        listening.bind(os.fspath(path))
        listening.listen()
        running = pool.submit(run)
        yield
        running.result(DEADLINE_S)


def dial(path: Path) -> socket.socket:
    """The other end of a Listener, for bytes of any kind."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    sock.connect(os.fspath(path))
    return sock


def receive(sock: socket.socket, size: int) -> bytes:
    """That many bytes, less at the end of the input."""
    received = bytearray()
    while len(received) < size and (some := sock.recv(size - len(received))):
        received += some
    return bytes(received)


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))
