"""Text that several processes make of payloads, and one writes, in the order of the payloads.

Batches of payloads go round: of N workers each takes every Nth, and has two of them at the most. A batch, and then its
text, lies in a file without a name that both sides have open, and only sizes go through pipes: so a worker never has to
wait until somebody takes its text, and there are no threads, which could not be forked with.
"""

from __future__ import annotations

import errno
import os
import pickle
import signal
from array import array
from collections import deque
from contextlib import suppress
from itertools import accumulate, cycle, pairwise
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.outputs.text_batches import Text, Texts
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from dnstap.pipeline.rotation import Rotation

__all__ = ["BATCH_BYTES", "ParallelText", "Workers", "work"]

BATCH_BYTES = 1 << 19
"""Of payloads that are given to a worker at once; some thousand."""

SLOTS = 2
"""Batches that a worker has at the most: while one is collected, it makes the text of the other."""


class _Worker(NamedTuple):
    process: ForkProcess
    connection: Connection
    slots: Sequence[int]


class Workers:
    """Processes that make text of payloads.

    They end when this is closed, and when this process ends, however it does.

    Args: texts: what each of them has a copy of.
    Raises: OSError: the system has no more processes.
    Attributes: full: whether the next batch must be collected before another is submitted.
    """

    def __init__(self, number: int, texts: Texts) -> None:
        self._submitted = self._collected = 0
        self._workers: list[_Worker] = []
        self._slots: list[int] = []
        try:
            for _ in range(number):
                self._start(texts)
        except BaseException:
            self.close()
            raise

    @property
    def full(self) -> bool:
        return self._submitted - self._collected == SLOTS * len(self._workers)

    def submit(self, payloads: list[bytes]) -> None:
        """Have the text of payloads made.

        Raises: ChildProcessError: the worker whose turn it is has ended; OSError: there is no room for the payloads.
        """
        worker, slot = self._turn(self._submitted)
        _store(slot, b"".join(payloads))
        try:
            worker.connection.send_bytes(array("I", map(len, payloads)).tobytes())
        except ConnectionError:
            raise _ended(worker) from None
        self._submitted += 1

    def collect(self) -> Text:
        """The text of what was submitted first, of that which has not been collected.

        Raises: ChildProcessError: its worker has ended.
        """
        worker, slot = self._turn(self._collected)
        try:
            answer = worker.connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise _ended(worker) from None
        self._collected += 1
        size, bad, first_bad = pickle.loads(answer)  # noqa: S301 (of our own process)
        return Text(_load(slot, size), bad, first_bad)

    def close(self) -> None:
        """End them; what has not been collected is lost."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        for slot in self._slots:
            os.close(slot)
        self._workers.clear()
        self._slots.clear()

    def _start(self, texts: Texts) -> None:
        slots = [_nameless_file() for _ in range(SLOTS)]
        self._slots += slots
        context = get_context("fork")
        ours, theirs = context.Pipe()
        others = [*[worker.connection for worker in self._workers], ours]
        with theirs:
            process = context.Process(target=work, args=(texts, theirs, slots, others))
            try:
                process.start()
            except OSError as error:
                ours.close()
                raise OSError(error.errno, f"a worker process cannot be started: {error.strerror}") from None
        self._workers.append(_Worker(process, ours, slots))

    def _turn(self, batch: int) -> tuple[_Worker, int]:
        """Who has a batch, and where it lies."""
        turn, number = divmod(batch, len(self._workers))
        worker = self._workers[number]
        return worker, worker.slots[turn % SLOTS]


def work(texts: Texts, connection: Connection, slots: Iterable[int], others: Iterable[Connection] = ()) -> None:
    """What a worker does, until the other end of its connection is closed.

    Args: others: connections that a fork has left open here, and whose end is seen only when nobody has them.
    """
    # They are sent to all processes of a terminal or a service; it is for our parent to say what is to be done.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for other in others:
        other.close()
    turns = cycle(slots)
    with suppress(EOFError, ConnectionError):
        while True:
            slot = next(turns)
            ends = [*accumulate(array("I", connection.recv_bytes()), initial=0)]
            octets = _load(slot, ends[-1])
            text = texts([octets[start:end] for start, end in pairwise(ends)])
            _store(slot, text.octets)
            # Not `send`: where it fails, CPython 3.12 may crash while it tidies up its buffer.
            connection.send_bytes(pickle.dumps((len(text.octets), text.bad, text.first_bad)))


class ParallelText(TextOutput):
    """A TextOutput whose text is made by several processes, and the same. What it has been given it writes late:
    `flush` must be called before `close`.

    A file that is rotated by size or time gets the text of what was on its way, too.

    Args: jobs: how many processes.
    Raises: OSError; also ChildProcessError, by what writes: a process of them has been ended by somebody.
    """

    def __init__(
        self,
        path: str,
        format_name: str,
        style: Style = DEFAULT,
        *,
        jobs: int,
        append: bool = False,
        rotation: Rotation | None = None,
    ) -> None:
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._firsts: deque[int] = deque()
        # Before the rotation has a thread.
        self._workers = Workers(jobs, Texts(format_name, style))
        try:
            super().__init__(path, format_name, style, append=append, rotation=rotation)
        except BaseException:
            self._workers.close()
            raise

    def flush(self) -> None:
        if self._batch:
            self._submit()
        while self._firsts:
            self._collect()

    def close(self) -> None:
        self._workers.close()
        super().close()

    def _write(self, payloads: list[bytes]) -> None:
        self._batch += payloads
        self._batch_bytes += sum(map(len, payloads))
        if self._batch_bytes >= BATCH_BYTES:
            self._submit()

    def _submit(self) -> None:
        if self._workers.full:
            self._collect()
        self._workers.submit(self._batch)
        self._firsts.append(self.frames - len(self._batch) + 1)
        self._batch = []
        self._batch_bytes = 0

    def _collect(self) -> None:
        self._put(self._workers.collect(), self._firsts.popleft())

    def _reopen(self) -> None:
        self.flush()
        super()._reopen()


def _nameless_file() -> int:
    """The descriptor of a file that has no name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("dnstap")
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        return os.dup(file.fileno())


def _store(slot: int, octets: bytes) -> None:
    done = 0
    while done < len(octets):
        done += os.pwrite(slot, memoryview(octets)[done:], done)


def _load(slot: int, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        octets += os.pread(slot, size - len(octets), len(octets))
    return octets


def _ended(worker: _Worker) -> ChildProcessError:
    """What to say of a worker that has closed its connection."""
    worker.process.join()
    status = worker.process.exitcode or 0
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return ChildProcessError(errno.ECHILD, f"worker process {worker.process.pid} {how}")
