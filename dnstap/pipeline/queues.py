"""Queues between the inputs and each output of an asyncio runner, bounded by the memory that they take.

An output that takes a batch at once, as a regular file does, has an empty queue. But it may stand still: a pipe whose
reader has stopped, a relay whose receiver is away, a disk that is full. The others go on then, until its queue is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dnstap.pipeline.dispatcher import Dispatcher
from framestream.aio.daemon import DaemonThread
from framestream.reporting import error_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.outputs.handlers import MessageHandler
    from dnstap.pipeline.sources import Source
    from dnstap.pipeline.stages import AnyStage

__all__ = ["QUEUE_BYTES", "OutputQueue", "Overload", "QueueingDispatcher", "memory"]

QUEUE_BYTES = 1 << 26
"""Memory that may wait for one output: 300,000 frames of 150 bytes, some seconds of a busy server."""

MERGED_BYTES = 1 << 18
"""Most bytes of batches that are written together: an output that is behind catches up in larger steps."""

FRAME_BYTES = 57
"""Memory of a payload besides its bytes: 33 of the object, up to 15 to the next multiple of 16, and 9 in the list.

A payload of 2 bytes takes 30 times its length.
"""

BATCH_BYTES = 250
"""Memory of a batch besides its payloads: the list, its place in the queue."""

Overload = Literal["wait", "drop"]


RETRY_S = 1.0
"""Seconds between two attempts to write to a disk that is full."""


def memory(payloads: list[bytes]) -> int:
    """Return the memory that a batch of payloads takes, in bytes; at most a little less."""
    return sum(map(len, payloads)) + FRAME_BYTES * len(payloads) + BATCH_BYTES


def _payloads(batch: Any) -> list[bytes]:
    return batch if isinstance(batch, list) else batch.payloads()


class _Waiting(NamedTuple):
    """A batch in a queue."""

    payloads: list[bytes]
    size: int
    source: Source


class OutputQueue:
    """Batches that wait for one output, and the task that writes them, one after the other.

    A blocking output is written to by a thread of its own.

    Args:
        start: starts a task of the run, whose exception ends it.
        limit_bytes: memory that may wait.
        drops: drop the oldest frames of sockets that wait when there is no more room, instead of having inputs wait.
        retry_s: seconds between two attempts to write to a disk that is full.
    """

    def __init__(
        self,
        output: Output,
        start: Callable[[Coroutine[Any, Any, None]], object],
        *,
        limit_bytes: int = QUEUE_BYTES,
        drops: bool = False,
        retry_s: float = RETRY_S,
    ) -> None:
        self._output = output
        self._retry_s = retry_s
        self._no_space = ""
        self._start = start
        self._limit_bytes = limit_bytes
        self._drops = drops
        self._thread = DaemonThread(f"dnstap-output {output.name}") if output.blocking else None
        self._waiting: deque[_Waiting] = deque()
        # That of the batches being written included.
        self._bytes = 0
        self._written_bytes = 0
        self._busy = False
        self._pending: Awaitable[object] | None = None
        self._ending = False
        self._rooms: deque[asyncio.Future[None]] = deque()
        self._dropped_before = 0
        self._held_up = False

    def put(self, batch: Any, number: int, source: Source) -> None:
        """Write a batch now if the output takes it at once, or have it wait. It never waits itself.

        Args:
            batch: payloads, or EncodedFrames if the dispatcher passes these on.
            number: number of its frames.
        Raises: an exception of the output.
        """
        output = self._output
        if not self._busy and self._thread is None:
            if output.uses_source:
                output.set_source(source)
            output.given += number
            if (pending := self._write_now(batch)) is not None:
                self._written_bytes = self._bytes = memory(_payloads(batch))
                self._begin(pending, 1)
            return
        output.waiting += number
        payloads = _payloads(batch)
        size = memory(payloads)
        self._waiting.append(_Waiting(payloads, size, source))
        self._bytes += size
        if not self._busy:
            self._begin(*self._write_next())
        elif self._drops and self._bytes > self._limit_bytes:
            self._drop_oldest()

    def full(self, source: Source) -> bool:
        """Return whether an input must wait before it reads on."""
        return self._bytes > self._limit_bytes and (source.file or not (self._drops or self._ending))

    async def room(self, source: Source) -> None:
        """Wait until an input may read on. It may be cancelled."""
        while self.full(source):
            self._held_up = True
            room = asyncio.get_running_loop().create_future()
            self._rooms.append(room)
            await room

    def end(self) -> None:
        """Have sockets wait no more: what the system has taken of them is bounded by its buffers."""
        self._ending = True
        self._wake(len(self._rooms))

    def tick(self) -> None:
        """Have the output do what is due, unless it is busy.

        Raises: OSError: of an output that is not blocking.
        """
        if self._busy or self._output.failed:
            return
        if self._thread is None:
            self._output.tick()
        else:
            self._begin(self._thread.call(self._output.tick), 0)

    def close(self) -> None:
        """End the thread, without waiting for a write that stands still. Called when the task has ended."""
        if self._thread:
            self._output.stuck = self._thread.busy
            self._thread.close()
        elif iscoroutine(self._pending):
            self._pending.close()  # No-op, unless the task was cancelled before its first step.

    def new_reports(self) -> Iterator[str]:
        """Yield lines about what the queue had no room for since the last call."""
        output, new = self._output, self._output.dropped - self._dropped_before
        if self._no_space:
            yield f"{output.name}: cannot write, and tries again: {self._no_space}; {output.counts.left} frames wait"
        if new:
            self._dropped_before = output.dropped
            yield f"{output.name}: {new} frames dropped, because it was behind; {output.dropped} in all"
        if self._held_up:
            self._held_up = False
            yield f"{output.name}: the inputs waited, because it was behind"

    def _begin(self, pending: Awaitable[object] | None, batches: int) -> None:
        self._busy = True
        self._pending = pending
        self._start(self._work(batches))

    async def _work(self, batches: int) -> None:
        """Await a write of some batches, and then write those that wait, until there are none."""
        try:
            while True:
                if self._pending is not None:
                    await self._pending
                self._bytes -= self._written_bytes
                self._written_bytes = 0
                if not self._waiting:
                    self._wake(len(self._rooms))
                    break
                if self._bytes <= self._limit_bytes:
                    self._wake(batches)
                self._pending, batches = self._write_next()
        except Exception:
            self._output.failed = True
            self._waiting.clear()
            self._bytes = 0
            self._wake(len(self._rooms))
            raise
        finally:
            self._busy = False

    def _write_next(self) -> tuple[Awaitable[object] | None, int]:
        """Begin to write the oldest batches, and return what to await and their number."""
        payloads, self._written_bytes, source = self._waiting.popleft()
        if self._output.uses_source:
            self._output.set_source(source)
        batches = 1
        while self._waiting and self._written_bytes + self._waiting[0].size <= MERGED_BYTES:
            if self._output.uses_source and self._waiting[0].source != source:
                break
            if batches == 1:
                payloads = payloads.copy()  # Other outputs have the same list.
            more, size, _ = self._waiting.popleft()
            payloads += more
            self._written_bytes += size
            batches += 1
        output = self._output
        output.waiting -= len(payloads)
        output.given += len(payloads)
        if self._thread:
            return self._thread.call(output.write_many, payloads), batches
        return self._write_now(payloads), batches

    def _write_now(self, batch: Any) -> Awaitable[object] | None:
        """Have the output write a batch, and return what to await, if anything.

        Raises: an exception of the output.
        """
        output = self._output
        try:
            return output.write_many(batch) if isinstance(batch, list) else output.write_encoded(batch)
        except OSError as error:
            if not output.goes_on_after(error):
                raise
            return self._write_rest(error)

    async def _write_rest(self, error: OSError) -> None:
        """Try again, until there is space for it, what a write has left."""
        while True:
            self._no_space = error_text(error)
            await asyncio.sleep(self._retry_s)
            try:
                self._output.write_rest()
            except OSError as caught:
                if not self._output.goes_on_after(caught):
                    raise
                error = caught
            else:
                self._no_space = ""
                return

    def _drop_oldest(self) -> None:
        """Drop the oldest batches of sockets, but not the newest, whatever its size, until the others have room."""
        kept: list[_Waiting] = []
        while self._bytes > self._limit_bytes and len(self._waiting) > 1:
            batch = self._waiting.popleft()
            if batch.source.file:
                kept.append(batch)
            else:
                self._bytes -= batch.size
                self._output.waiting -= len(batch.payloads)
                self._output.dropped += len(batch.payloads)
        self._waiting.extendleft(reversed(kept))

    def _wake(self, number: int) -> None:
        """Have inputs read on, those first that have waited longest."""
        # As many as batches were written: if all inputs went on at once, each would add another batch.
        while number and self._rooms:
            room = self._rooms.popleft()
            if not room.done():
                room.set_result(None)
                number -= 1


class QueueingDispatcher(Dispatcher):
    """A Dispatcher for event loops, in which each output has a queue.

    Args:
        start: see OutputQueue.
        overload: what all outputs do when their queues are full; None if each does what it does by default.
        queue_bytes: memory that may wait for each output.
        retry_s: see OutputQueue.
    """

    def __init__(
        self,
        outputs: Sequence[MessageHandler | Output | Writable],
        stages: Sequence[AnyStage],
        start: Callable[[Coroutine[Any, Any, None]], object],
        *,
        overload: Overload | None = None,
        queue_bytes: int = QUEUE_BYTES,
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__(outputs, stages)
        self._queues = {
            output: OutputQueue(
                output,
                start,
                limit_bytes=queue_bytes,
                drops=output.drops if overload is None else overload == "drop",
                retry_s=retry_s,
            )
            for output in self.outputs
        }

    @property
    def dropped(self) -> int:
        """Return the number of frames dropped, over all outputs."""
        return sum(output.dropped for output in self.outputs)

    def full(self, source: Source) -> bool:
        """Return whether an input must wait for an output before it reads on."""
        return any(queue.full(source) for queue in self._queues.values())

    async def room(self, source: Source) -> None:
        """Wait until an input may read on. It may be cancelled."""
        for queue in self._queues.values():
            await queue.room(source)

    def end(self) -> None:
        """Have sockets wait for no output any more. Called when the run is stopped."""
        for queue in self._queues.values():
            queue.end()

    def tick(self) -> None:
        super().tick()
        for queue in self._queues.values():
            queue.tick()

    def close(self) -> None:
        """End the threads. Called at the end of the run, when all tasks have ended."""
        for queue in self._queues.values():
            queue.close()

    def new_reports(self) -> Iterator[str]:
        for queue in self._queues.values():
            yield from queue.new_reports()
        yield from super().new_reports()

    def _give(self, output: Output, batch: Any, number: int, source: Source) -> None:
        self._queues[output].put(batch, number, source)
