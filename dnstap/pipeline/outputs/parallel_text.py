"""Text rendered by several worker processes and written by one, in the order of the payloads.

Batches of payloads are handed out in turn: of N workers each takes every Nth batch, and has at most two at a time. A
batch, and later its text, is in an anonymous file that both sides have open, and only lengths go through pipes. So a
worker never waits for its text to be taken, and no threads are needed, which do not survive a fork.
"""

from __future__ import annotations

import atexit
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
from dnstap.pipeline.outputs.text_batches import BatchRenderer, RenderedBatch
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from dnstap.pipeline.rotation import Rotation

__all__ = ["BATCH_BYTES", "ParallelText", "Workers", "work"]

BATCH_BYTES = 1 << 19
"""Length of the payloads given to a worker at once: some thousand frames, so that handing them over costs little."""

SLOTS = 2
"""Batches per worker: while one is collected, the worker renders the other."""


class _Worker(NamedTuple):
    process: ForkProcess
    connection: Connection
    slots: Sequence[int]


class Workers:
    """Worker processes that render payloads.

    They end when this is closed, and when this process ends for any reason.

    Args: renderer: copied into each worker.
    Raises: OSError: no process can be started.
    Attributes: full: whether a batch must be collected before another is submitted.
    """

    def __init__(self, number: int, renderer: BatchRenderer) -> None:
        self._submitted = self._collected = 0
        self._workers: list[_Worker] = []
        self._slots: list[int] = []
        try:
            for _ in range(number):
                self._start(renderer)
        except BaseException:
            self.close()
            raise
        # Otherwise multiprocessing would wait at exit for workers that wait for this process.
        atexit.register(self.close)

    @property
    def full(self) -> bool:
        return self._submitted - self._collected == SLOTS * len(self._workers)

    def submit(self, payloads: list[bytes]) -> None:
        """Give a batch to the next worker.

        Raises: ChildProcessError: this worker has ended; OSError: there is no space for the payloads.
        """
        worker, slot = self._turn(self._submitted)
        # The payloads before their lengths, because the worker reads the file as soon as the lengths arrive.
        _store(slot, b"".join(payloads))
        try:
            worker.connection.send_bytes(array("I", map(len, payloads)).tobytes())
        except ConnectionError:
            raise _ended(worker) from None
        self._submitted += 1

    def collect(self) -> RenderedBatch:
        """Wait for the oldest batch that has not been collected, and return its text.

        Raises: ChildProcessError: its worker has ended.
        """
        worker, slot = self._turn(self._collected)
        try:
            answer = worker.connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise _ended(worker) from None
        self._collected += 1
        size, left_out, first_left_out = pickle.loads(answer)  # noqa: S301 (written by our own process)
        return RenderedBatch(_load(slot, size), left_out, first_left_out)

    def close(self) -> None:
        """End the workers. Batches that have not been collected are lost."""
        atexit.unregister(self.close)
        for worker in self._workers:
            # A worker has nothing to save: text that has been collected is written by this process.
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        for slot in self._slots:
            os.close(slot)
        self._workers.clear()
        self._slots.clear()

    def _start(self, renderer: BatchRenderer) -> None:
        slots = [_anonymous_file() for _ in range(SLOTS)]
        self._slots += slots
        # A fork copies the renderer and the slots without pickling them. It also copies our ends of the pipes to the
        # workers before, which `work` closes.
        context = get_context("fork")
        ours, theirs = context.Pipe()
        others = [*[worker.connection for worker in self._workers], ours]
        with theirs:
            process = context.Process(target=work, args=(renderer, theirs, slots, others))
            try:
                process.start()
            except OSError as error:
                ours.close()
                raise OSError(error.errno, f"a worker process cannot be started: {error.strerror}") from None
        self._workers.append(_Worker(process, ours, slots))

    def _turn(self, batch: int) -> tuple[_Worker, int]:
        """Return the worker of a batch, and the file that holds it."""
        turn, number = divmod(batch, len(self._workers))
        worker = self._workers[number]
        return worker, worker.slots[turn % SLOTS]


def work(
    renderer: BatchRenderer, connection: Connection, slots: Iterable[int], others: Iterable[Connection] = ()
) -> None:
    """Render batches until the other end of the connection is closed. Runs in a worker.

    Args: others: connections inherited by the fork, closed here so that their own workers notice when they end.
    """
    # Terminals and services send these to all processes; our parent decides what they mean.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    for other in others:
        other.close()
    turns = cycle(slots)
    with suppress(EOFError, ConnectionError):
        while True:
            slot = next(turns)
            ends = [*accumulate(array("I", connection.recv_bytes()), initial=0)]
            data = _load(slot, ends[-1])
            batch = renderer.render([data[start:end] for start, end in pairwise(ends)])
            _store(slot, batch.text)
            # Not `send`: if it fails, CPython 3.12 may crash while it frees its buffer.
            connection.send_bytes(pickle.dumps((len(batch.text), batch.left_out, batch.first_left_out)))


class ParallelText(TextOutput):
    """A TextOutput whose text is rendered by several processes. The text is the same.

    It is written late: call `flush` before `close`. Before a new file begins, all text is written to the old one, so a
    file that is rotated by size or time gets the text of all batches submitted before.

    Args:
        jobs: number of processes.
        batch_bytes: length of the payloads given to a worker at once.
    Raises: OSError. All methods that write also raise ChildProcessError, when a worker has been killed.
    """

    def __init__(
        self,
        path: str,
        format_name: str,
        style: Style = DEFAULT,
        *,
        jobs: int,
        append: bool = False,
        compression: str | None = None,
        rotation: Rotation | None = None,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._max_bytes = batch_bytes
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        # Of each batch that is submitted: number of its first payload, over the whole run, for the report of bad
        # payloads; and number of its payloads.
        self._submitted: deque[tuple[int, int]] = deque()
        # Fork before the rotation starts its thread.
        self._workers = Workers(jobs, BatchRenderer(format_name, style))
        try:
            super().__init__(path, format_name, style, append=append, compression=compression, rotation=rotation)
        except BaseException:
            self._workers.close()
            raise

    def goes_on_after(self, _error: OSError) -> bool:
        # Of runs over files, which end by any error: the text of a batch is not kept.
        return False

    def flush(self) -> None:
        if self._batch:
            self._submit()
        while self._submitted:
            self._collect()

    def close(self) -> None:
        self._workers.close()
        super().close()

    def _write(self, payloads: list[bytes]) -> None:
        self._batch += payloads
        self._batch_bytes += sum(map(len, payloads))
        if self._batch_bytes >= self._max_bytes:
            self._submit()

    def _submit(self) -> None:
        if self._workers.full:
            self._collect()
        self._workers.submit(self._batch)
        self._submitted.append((self.frames - len(self._batch) + 1, len(self._batch)))
        self._batch = []
        self._batch_bytes = 0

    def _collect(self) -> None:
        self._write_rendered(self._workers.collect(), *self._submitted.popleft())


def _anonymous_file() -> int:
    """Return the descriptor of a file without a name, in memory if the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("dnstap")
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        return os.dup(file.fileno())


def _store(slot: int, data: bytes) -> None:
    # pwrite and pread, not write and read: after the fork both processes share one file position. Either call may move
    # less than it was asked for.
    done = 0
    while done < len(data):
        done += os.pwrite(slot, memoryview(data)[done:], done)


def _load(slot: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.pread(slot, size - len(data), len(data))
    return data


def _ended(worker: _Worker) -> ChildProcessError:
    """Return the error for a worker that has closed its connection."""
    worker.process.join()
    status = worker.process.exitcode or 0
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return ChildProcessError(errno.ECHILD, f"worker process {worker.process.pid} {how}")
