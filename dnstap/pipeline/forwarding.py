"""Forwarding of streams to a dispatcher, for asyncio."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dnstap.pipeline.counters import InputCounters
from dnstap.pipeline.diagnostics import stream_reports
from framestream.errors import FrameStreamError, TruncatedStreamError
from framestream.protocol import State
from framestream.reporting import RateLimitedReporter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from dnstap.pipeline.coalescing import Coalescer
    from dnstap.pipeline.dispatcher import Dispatcher
    from dnstap.pipeline.inputs.base import Input
    from dnstap.pipeline.tasks import Tasks
    from framestream.aio import Reader

__all__ = ["Forwarder"]


class Forwarder:
    """A link from streams to a dispatcher: passes on each to its end, and counts and reports what was wrong with it.

    Args:
        report: takes one line.
        period_s: interval at which lines of one kind are summed up.
        tasks: of the run.
        may_drop: whether frames of sockets are queued, and dropped where the queue is full.
        coalescer: pauses after reads, if there is one.

    Attributes:
        dispatcher: set when a run begins.
        counters: of all streams, with those that are open now.
        reports: reporter of what ended the streams.
        failed_files: number of files that could not be read to their end.
        complete: whether all that was asked for had been read when the run was stopped.
        interrupted: whether regular files were not read to their end although it was not.
    """

    def __init__(
        self,
        report: Callable[[str], object],
        period_s: float,
        tasks: Tasks,
        dispatcher: Dispatcher,
        *,
        may_drop: bool,
        coalescer: Coalescer | None,
    ) -> None:
        self.dispatcher = dispatcher
        self.counters: InputCounters[Reader] = InputCounters()
        self.reports = RateLimitedReporter(report, period_s)
        self.failed_files = 0
        self.complete = self.interrupted = False
        self._report = report
        self._tasks = tasks
        self._may_drop = may_drop
        self._coalescer = coalescer
        # A blocking output has one caller at a time, and is not ticked during a write (Output).
        self._turn = asyncio.Lock()

    async def tick(self) -> None:
        """Have the outputs do what is due, and sum up reports.

        Raises: OSError: an output fails.
        """
        for output in self.dispatcher.outputs:
            async with self._turn:
                output.tick()
        if self.reports.due():
            self.reports.end_period(self.dispatcher.new_reports())

    async def forward(self, source: Input, name: str, reader: Reader) -> None:
        """Pass on the payloads of a stream until it ends, close it, and report how it ended.

        The stream must have been counted by `counters.begin`.

        Raises: an exception of an output.
        """
        dispatcher, tasks = self.dispatcher, self._tasks
        # Frames of files are never dropped (docs/collecting.md). Encoded frames are written without waiting, so they
        # need no queue either.
        queued = self._may_drop and not source.file and not dispatcher.encoded
        batches: AsyncGenerator[Any, None] = reader.encoded() if dispatcher.encoded else reader.batches()
        # Only an interruptible input may be cancelled inside a stream. The others end where Collector._drain ends their
        # input, because frames that have been received must not be lost.
        idle = tasks.idle if source.interruptible else nullcontext
        error: FrameStreamError | OSError | None = None
        before = 0
        try:
            while not (source.interruptible and tasks.stopping):
                try:
                    with idle():
                        batch = await anext(batches, None)
                except (FrameStreamError, OSError) as caught:
                    error = caught
                    break
                if batch is None:
                    break
                if dispatcher.encoded:
                    dispatcher.write(batch)
                elif not queued:
                    await dispatcher.write_async(batch, self._run_blocking)
                # The batch that finds the queue empty starts the task that empties it; later ones only join the queue.
                elif dispatcher.enqueue(batch):
                    tasks.start(dispatcher.write_queued(self._run_blocking))
                # A pause lets more gather from a sender that is still writing. What a file has is there already.
                if self._coalescer and not source.interruptible:
                    self._coalescer.pause(reader.bytes - before)
                    before = reader.bytes
            else:
                self._note_interruption(source, name, reader)
        except asyncio.CancelledError:
            # `cancel_idle` stops an interruptible input in this way. Any other cancellation is meant for the whole run.
            if not (source.interruptible and tasks.stopping):
                raise
            self._note_interruption(source, name, reader)
        finally:
            # Counts are taken before the reader is closed, and the generator is closed before the reader that it uses.
            self.counters.end(reader)
            await batches.aclose()
            await reader.close()
        # At the end of a run this side ends the connections, so the missing STOP is not the sender's fault.
        if error and tasks.stopping and _lost_nothing(error):
            error = None
        if error:
            self.counters.count_broken()
            self.failed_files += source.file
        # One kind for all connections to a socket: a faulty server may make hundreds.
        kind = name.partition(" connection ")[0]
        for line in stream_reports(name, reader, error):
            self.reports.report(kind, line)

    def _note_interruption(self, source: Input, name: str, reader: Reader) -> None:
        if not self.complete:
            self.interrupted |= source.regular
            self._report(f"{name}: stopped at byte {reader.protocol.offset}")

    async def _run_blocking(self, write: Callable[[Any], object], batch: Any) -> None:
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(None, write, batch)


def _lost_nothing(error: FrameStreamError | OSError) -> bool:
    """Return whether an error only says that a connection ended, and not inside a data frame."""
    if not isinstance(error, TruncatedStreamError):
        return False
    # Before and after STREAMING there are only control frames: one that is cut off costs no data.
    return not error.inside_frame or error.state != State.STREAMING.name
