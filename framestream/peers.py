"""Programs under test: connections to a function, a command or an address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Outcome", "Path", "Peer", "PeerError", "reached"]

RETRY_S = 0.01
"""Seconds between two checks whether a command listens, has connected, or has ended."""

TERMINATED = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""Exit statuses after SIGTERM: that of a program, and that of a shell which reports it."""

Path: TypeAlias = str | os.PathLike[str]

Peer: TypeAlias = Callable[[socket.socket], object] | tuple[str, int] | Path | Sequence[Path]
"""A program under test.

A function is called in a thread of its own with a connected socket, and must return when the connection ends.
A path, or a host and a port, is the address that a program listens on.
A list is the words of a command, in which "{socket}" is replaced by the path of a unix socket.
"""


class PeerError(AssertionError):
    """The program under test did not follow the conversation. An AssertionError, so that a test fails.

    Attributes:
        objection: description of the difference: expected and actual.
        did: description of what else it did; "" if it did not get that far.
    """

    def __init__(self, objection: str, did: str = "") -> None:
        super().__init__(objection, did)
        self.objection = objection
        self.did = did

    def __str__(self) -> str:
        return f"{self.objection}; {self.did}" if self.did else self.objection


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Result of a peer: the return value or exception of a function, the exit status and output of a command."""

    result: object = None
    error: BaseException | None = None
    status: int | None = None
    output: bytes = b""


def reached(peer: Peer, *, listens: bool, timeout_s: float) -> AbstractContextManager[tuple[socket.socket, Outcome]]:
    """Return a context manager for a connection to a peer and its outcome, complete once the connection is closed.

    Args:
        listens: whether a command listens on its socket, rather than connecting to it. If so, it is terminated at the
            end.
        timeout_s: time limit for reaching it, and again for its end, in seconds.
    Raises: PeerError: a command did not connect or listen, or a function did not return; OSError.
    """
    if callable(peer):
        return _called(peer, timeout_s)
    if isinstance(peer, str | os.PathLike | tuple):
        return _connected(peer, timeout_s)
    return _run(peer, timeout_s, listens=listens)


@contextmanager
def _called(peer: Callable[[socket.socket], object], timeout_s: float) -> Iterator[tuple[socket.socket, Outcome]]:
    outcome = Outcome()
    ours, theirs = socket.socketpair()

    def call() -> object:
        with theirs:
            return peer(theirs)

    pool = ThreadPoolExecutor(1, "framestream peer")
    future = pool.submit(call)
    try:
        with ours:
            yield ours, outcome
    finally:
        wait([future], timeout_s)
        pool.shutdown(wait=future.done())
    if not future.done():
        raise PeerError(f"expected {peer!r} to return when its connection had ended")
    outcome.error = future.exception()
    outcome.result = None if outcome.error else future.result()


@contextmanager
def _connected(address: tuple[str, int] | Path, timeout_s: float) -> Iterator[tuple[socket.socket, Outcome]]:
    with socket.create_connection(address, timeout_s) if isinstance(address, tuple) else _unix(address) as sock:
        yield sock, Outcome()


@contextmanager
def _run(words: Sequence[Path], timeout_s: float, *, listens: bool) -> Iterator[tuple[socket.socket, Outcome]]:
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix="framestream-") as folder,
        tempfile.TemporaryFile() as output,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        path = os.path.join(folder, "socket")
        if not listens:
            listening.bind(path)
            listening.listen()
            listening.settimeout(RETRY_S)
        command = [os.fspath(word).replace("{socket}", path) for word in words]
        with subprocess.Popen(  # noqa: S603 (the caller's own command)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            try:
                sock = _connection(process, path if listens else listening, time.monotonic() + timeout_s)
                if sock is not None:
                    with sock:
                        yield sock, outcome
                    outcome.status = _status(process, timeout_s, listens=listens)
            finally:
                process.kill()
        output.seek(0)
        outcome.output = output.read()
    if sock is None:
        did = "listen" if listens else "connect"
        raise PeerError(f"expected {command} to {did}, got its end", f"it printed {outcome.output!r}")


def _connection(process: subprocess.Popen[bytes], where: str | socket.socket, deadline: float) -> socket.socket | None:
    """Wait until the process listens on the path or connects to our socket; return None if it does neither."""
    while True:
        # Checked before the connection, because the process may connect, send everything and end in between.
        over = process.poll() is not None or time.monotonic() > deadline
        with suppress(OSError):
            return _unix(where) if isinstance(where, str) else where.accept()[0]
        if over:
            return None
        if isinstance(where, str):
            time.sleep(RETRY_S)


def _unix(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(os.fspath(path))
    except OSError:
        sock.close()
        raise
    return sock


def _status(process: subprocess.Popen[bytes], timeout_s: float, *, listens: bool) -> int | None:
    """Wait for the end of the process, and return its exit status; terminate it if it listens, kill it if it hangs."""
    if listens:
        process.terminate()
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    return None if listens and status in TERMINATED else status
