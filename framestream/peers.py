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
from functools import partial
from typing import IO, TypeAlias

__all__ = ["Command", "Outcome", "Path", "Peer", "PeerError", "connect_unix", "reached", "running"]

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
    with socket.create_connection(address, timeout_s) if isinstance(address, tuple) else connect_unix(address) as sock:
        yield sock, Outcome()


@contextmanager
def running(words: Sequence[Path]) -> Iterator[Command]:
    """Start a command with its output in a file, and kill it at the end unless it has ended.

    Raises: OSError: it cannot be started.
    """
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(  # noqa: S603 (the caller's own command)
            [os.fspath(word) for word in words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Command(process, output)
        finally:
            process.kill()


class Command:
    """A command that has been started by `running`."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._output = output

    @property
    def process(self) -> int:
        """Number of its process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def printed(self) -> bytes:
        """Everything that it has written to standard output and standard error."""
        # Not by seeking: the command writes at the position of the same open file.
        return os.pread(self._output.fileno(), os.fstat(self._output.fileno()).st_size, 0)

    def connection(self, connect: Callable[[], socket.socket], deadline: float) -> socket.socket | None:
        """Call until it returns a connection; return None if the command has ended or the time is up."""
        while True:
            # Checked before the connection, because the command may connect, send everything and end in between.
            over = self.status is not None or time.monotonic() > deadline
            with suppress(OSError):
                return connect()
            if over:
                return None
            time.sleep(RETRY_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        self._process.send_signal(number)

    def end(self, timeout_s: float, signals: Sequence[signal.Signals] = ()) -> int:
        """Send signals, wait for the end, kill the command if it hangs, and return its exit status."""
        for number in signals:
            self.send(number)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


@contextmanager
def _run(words: Sequence[Path], timeout_s: float, *, listens: bool) -> Iterator[tuple[socket.socket, Outcome]]:
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix="framestream-") as folder,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        path = os.path.join(folder, "socket")
        if not listens:
            listening.bind(path)
            listening.listen()
            listening.settimeout(RETRY_S)
        words = [os.fspath(word).replace("{socket}", path) for word in words]
        with running(words) as command:
            connect = partial(connect_unix, path) if listens else lambda: listening.accept()[0]
            sock = command.connection(connect, time.monotonic() + timeout_s)
            if sock is not None:
                with sock:
                    yield sock, outcome
                status = command.end(timeout_s, [signal.SIGTERM] if listens else [])
                outcome.status = None if listens and status in TERMINATED else status
            outcome.output = command.printed
    if sock is None:
        did = "listen" if listens else "connect"
        raise PeerError(f"expected {words} to {did}, got its end", f"it printed {outcome.output!r}")


def connect_unix(path: Path) -> socket.socket:
    """Connect to the unix socket at a path."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(os.fspath(path))
    except OSError:
        sock.close()
        raise
    return sock
