"""The engine of every pipeline: from batches of payloads, through stages, to outputs.

It does no input and knows no event loop. A runner gives it batches: FileRunner by `write`, which blocks, Collector by
`write_async`.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from dnstap.pipeline.outputs.custom import as_output
from dnstap.pipeline.stages import as_stage
from dnstap.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.stages import Stage

__all__ = ["QUEUE_BYTES", "Dispatcher"]

QUEUE_BYTES = 1 << 24
"""Length of the payloads that may wait for the outputs before further ones are dropped: memory against loss."""


class Dispatcher:
    """Stages and outputs, and a queue in front of them for inputs that must not wait.

    Args:
        outputs: each is given every payload that the stages keep.
        stages: applied in this order; functions are allowed, too.
        queue_bytes: length of the payloads that may be in the queue.

    Attributes:
        encoded: whether batches are EncodedFrames instead of lists of payloads, because nothing has to look into them
            and every output takes them so without waiting.
        dropped: number of frames for which the queue had no room.
    """

    def __init__(
        self,
        outputs: Sequence[Output | Writable],
        stages: Sequence[Stage | Callable[[list[bytes]], list[bytes]]] = (),
        *,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.outputs = [as_output(output) for output in outputs]
        self.stages = [as_stage(stage) for stage in stages]
        # Stages need payloads. Encoded frames are written in the thread of the event loop, so no output may block, and
        # an output that would have to take them apart gains nothing from them.
        blocking = [output.blocking for output in self.outputs]
        self.encoded = (
            bool(outputs) and not stages and not any(blocking) and all(output.takes_encoded for output in self.outputs)
        )
        writes: list[Callable[[Any], Awaitable[object] | None]] = [
            output.write_encoded if self.encoded else output.write_many for output in self.outputs
        ]
        self._writes = list(zip(writes, blocking, strict=True))
        self._queue: deque[list[bytes]] = deque()
        self._queue_bytes = queue_bytes
        self._queued_bytes = 0
        self._drops = Problems()

    @property
    def dropped(self) -> int:
        return self._drops.count

    def write(self, batch: Any) -> None:
        """Pass a batch to outputs that return nothing to await, and block until they have it."""
        batch = self._processed(batch)
        for write, _ in self._writes:
            write(batch)

    async def write_async(
        self, batch: Any, run_blocking: Callable[[Callable[[Any], object], Any], Awaitable[object]]
    ) -> None:
        """Pass a batch to all outputs, and wait until they have it.

        Args: run_blocking: calls the write of a blocking output with a batch, in a thread; only one at a time.
        """
        batch = self._processed(batch)
        # One output after the other, and the caller waits: that is the back-pressure by which nothing is lost between
        # inputs and outputs (docs/collecting.md).
        for write, blocking in self._writes if batch else ():
            if blocking:
                await run_blocking(write, batch)
            elif (pending := write(batch)) is not None:
                await pending

    def enqueue(self, batch: list[bytes]) -> bool:
        """Add a batch to the queue, or drop it if the queue has no room.

        Returns: whether `write_queued` must be started.
        """
        size = sum(map(len, batch))
        # An empty queue takes a batch of any size. A batch larger than the queue could never be written otherwise.
        if self._queue and self._queued_bytes + size > self._queue_bytes:
            self._drops.count += len(batch)
            return False
        self._queued_bytes += size
        self._queue.append(batch)
        return len(self._queue) == 1

    async def write_queued(self, run_blocking: Callable[[Callable[[Any], object], Any], Awaitable[object]]) -> None:
        """Pass on the batches in the queue until it is empty. A batch leaves it when the outputs have it."""
        while self._queue:
            # The batch stays in the queue until it is written: its bytes still take memory, and `enqueue` must not find
            # the queue empty and have a second task started.
            batch = self._queue[0]
            await self.write_async(batch, run_blocking)
            self._queued_bytes -= sum(map(len, batch))
            self._queue.popleft()

    def drop_queued(self) -> None:
        """Count what is in the queue as dropped, except the first batch: the outputs were given it, and count it."""
        self._drops.count += sum(map(len, islice(self._queue, 1, None)))

    def new_reports(self) -> Iterator[str]:
        """Yield lines about problems since the last call."""
        if new := self._drops.new():
            yield f"{new} frames dropped, because the outputs were behind; {self._drops.count} in all"
        for part in (*self.stages, *self.outputs):
            yield from part.new_reports()

    def _processed(self, batch: Any) -> Any:
        for stage in self.stages:
            batch = stage.process(batch)
        return batch
