"""Forwarding of streams to a dispatcher, for asyncio."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dnstap.pipeline.counters import InputCounters
from dnstap.pipeline.diagnostics import stream_reports
from dnstap.pipeline.sources import Source
from framestream.errors import FrameStreamError, TruncatedStreamError
from framestream.protocol import State
from framestream.reporting import RateLimitedReporter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from dnstap.pipeline.coalescing import Coalescer
    from dnstap.pipeline.inputs.base import Input
    from dnstap.pipeline.queues import QueueingDispatcher
    from dnstap.pipeline.tasks import Tasks
    from framestream.aio import Reader

__all__ = ["Forwarder"]


class Forwarder:
    """A link from streams to a dispatcher: passes on each to its end, and counts and reports what was wrong with it.

    Args:
        report: takes one line.
        period_s: interval at which lines of one kind are summed up.
        tasks: of the run.
        coalescer: pauses after reads, if there is one.
        verbose: report each connection that begins or ends.

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
        dispatcher: QueueingDispatcher,
        *,
        coalescer: Coalescer | None,
        verbose: bool = False,
    ) -> None:
        self.dispatcher = dispatcher
        self.counters: InputCounters[Reader] = InputCounters()
        self.reports = RateLimitedReporter(report, period_s)
        self.failed_files = 0
        self.complete = self.interrupted = False
        self._report = report
        self._tasks = tasks
        self._coalescer = coalescer
        self._verbose = verbose

    def tick(self) -> None:
        """Have the outputs do what is due, and sum up reports.

        Raises: OSError: an output fails.
        """
        self.dispatcher.tick()
        if self.reports.due():
            self.reports.end_period(self.dispatcher.new_reports())

    async def forward(self, source: Input, name: str, reader: Reader) -> None:
        """Pass on the payloads of a stream until it ends, close it, and report how it ended.

        The stream must have been counted by `counters.begin`.

        Raises: an exception of an output.
        """
        dispatcher, tasks = self.dispatcher, self._tasks
        # One kind for all connections to a socket: a faulty server may make hundreds.
        kind = name.partition(" connection ")[0]
        origin = Source(name if source.file else kind, source.file, reader.address)
        verbose = self._verbose and not source.file
        if verbose:
            self.reports.report(f"{kind}: beginning", f"{name}: connected")
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
                    # The reader keeps the error, and the traceback its frames, and with them the reader: up to 1 MiB of
                    # a frame would stay until the next look for such cycles, which are rare here (cli/main.py).
                    error.__traceback__ = error.__context__ = None
                    break
                if batch is None:
                    break
                dispatcher.write(batch, origin)
                # Every output has the batch, or will have it from its queue. Only the next one waits for room.
                if dispatcher.full(origin):
                    with idle():
                        await dispatcher.room(origin)
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
        except Exception:
            # An output has failed.
            self.interrupted |= source.regular
            raise
        finally:
            # Counts are taken before the reader is closed, and the generator is closed before the reader that it uses.
            self.counters.end(reader)
            await batches.aclose()
            await reader.close()
        # At the end of a run this side ends the connections, so the missing STOP is not the sender's fault.
        if tasks.stopping and isinstance(error, TruncatedStreamError) and error.lost_nothing:
            error = None
        stopped = reader.protocol.state is State.FINISHED
        if error:
            self.counters.count_broken()
            # The end of a file that is followed, which was cut or replaced, is a matter of its writer, and reported.
            self.failed_files += source.file and not (source.followed and isinstance(error, TruncatedStreamError))
        elif not (stopped or source.file or tasks.stopping):
            self.counters.count_without_stop()
        if verbose:
            how = "by an error" if error else "by STOP" if stopped else "without STOP"
            self.reports.report(f"{kind}: ending", f"{name}: ended {how} after {reader.frames} frames")
        # Peers that never begin a stream must not use up the lines about those that do.
        if not reader.started:
            kind = f"{kind}: without a stream"
        for line in stream_reports(name, reader, error):
            self.reports.report(kind, line)

    def _note_interruption(self, source: Input, name: str, reader: Reader) -> None:
        if not self.complete:
            self.interrupted |= source.regular
            self._report(f"{name}: stopped at byte {reader.protocol.offset}")
