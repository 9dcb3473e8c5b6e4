"""Programs under test, and a connection to each: a function, a command or an address."""

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
"""How long to wait before a command is asked again whether it listens, has connected, or has ended without."""

TERMINATED = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""Exit statuses of what ends when it is told to: of a program itself, and of a shell about it."""

Path: TypeAlias = str | os.PathLike[str]

Peer: TypeAlias = Callable[[socket.socket], object] | tuple[str, int] | Path | Sequence[Path]
"""What is tested.

A function: called in a thread of its own with a connected socket; it must end when its connection does.
A path, or a host and a port: the program listens there.
A list: the words of a command, where "{socket}" becomes the path of a unix socket.
"""


class PeerError(AssertionError):
    """The program under test departed from its part: for a test, a failure.

    Attributes:
        objection: what was expected, and what came.
        did: what it did besides, in words; "" if it did not get that far.
    """

    def __init__(self, objection: str, did: str = "") -> None:
        super().__init__(objection, did)
        self.objection = objection
        self.did = did

    def __str__(self) -> str:
        return f"{self.objection}; {self.did}" if self.did else self.objection


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a peer ended: what a function returned or raised, the exit status of a command and what it printed."""

    result: object = None
    error: BaseException | None = None
    status: int | None = None
    output: bytes = b""


def reached(peer: Peer, *, listens: bool, timeout_s: float) -> AbstractContextManager[tuple[socket.socket, Outcome]]:
    """A connection to a peer, and its outcome, which is filled in when the connection has been closed.

    Args:
        listens: whether a command listens on its socket, or connects to it. One that listens is terminated in the end.
        timeout_s: how long it may take to be reached, and to end.
    Raises: PeerError: a command that did not connect or listen, a function that does not return; OSError.
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
                sock = _meet(process, path if listens else listening, time.monotonic() + timeout_s)
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


def _meet(process: subprocess.Popen[bytes], where: str | socket.socket, deadline: float) -> socket.socket | None:
    """The connection, as soon as the process listens on the path, or has connected to our socket; None: it does not."""
    while True:
        # Asked first: it may connect, say all and end while it is being waited for.
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
    """How the process ends: told to if it listens, and killed if it does not."""
    if listens:
        process.terminate()
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    return None if listens and status in TERMINATED else status
