"""The asyncio runner of a pipeline: receives from files, and from servers that connect to us or that we connect to.

Each input has a task that reads and gives what it read to every output. An output that is behind has a queue; when that
is full, the inputs wait, or its oldest frames are dropped. A broken stream is reported and ends; the others go on.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Self

from dnstap._log import log_line
from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.coalescing import Coalescer
from dnstap.pipeline.forwarding import Forwarder
from dnstap.pipeline.inputs.accepted import AcceptedInput
from dnstap.pipeline.inputs.dialed import DialedInput
from dnstap.pipeline.inputs.file import open_file
from dnstap.pipeline.places import places
from dnstap.pipeline.queues import QUEUE_BYTES, QueueingDispatcher
from dnstap.pipeline.tasks import Tasks
from framestream import descriptors
from framestream.aio import listen_reader
from framestream.arguments import check_callable, check_number, check_options, check_type
from framestream.connections import Connections
from framestream.endpoints import FileEndpoint, TlsEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError
from framestream.reporting import PERIOD_S
from framestream.streams import DEADLINES, LIMITS, Backoff, Deadlines, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from dnstap.filters.selecting import Filter
    from dnstap.pairing import Pairs
    from dnstap.pipeline.counters import Counts, OutputCounts
    from dnstap.pipeline.inputs.base import Input
    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.outputs.handlers import MessageHandler, PayloadHandler
    from dnstap.pipeline.queues import Overload
    from dnstap.pipeline.stages import AnyStage, Matching
    from framestream.aio import Reader
    from framestream.endpoints import Endpoint, Tls

__all__ = ["LAST_S", "Collector"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)
"""Short at first, because a server that restarts is soon back; one that stays away costs an attempt a second."""

TICK_S = 1.0
"""Interval at which outputs do what is due, in seconds: what a time limit of a file may be late by."""

PROGRESS_S = 0.1
"""Interval at which the end of a run looks whether the outputs go on, in seconds."""

LAST_S = 1.0
"""Least time that receivers have for STOP and FINISH at the end, in seconds."""


class Collector:
    """An asyncio runner that passes the payloads of all its inputs to all its outputs.

    Add inputs, then `run`, then `close`, which `async with` calls. It runs once.

    Args:
        report: takes one line about an input or output: an error, or what was left out; None for the logger "dnstap".
        limits, deadlines: of the inputs.
        backoff: between attempts to connect to a server.
        drain_s: how long outputs may take nothing, after `stop` or an error, before what they were given is left.
        drain_most_s: how long they may take in all.
        overload: what an output does with frames from sockets when its queue is full. "wait": the sockets are not read
            until it has room. "drop": its oldest frames are dropped and counted. None: relays drop, others wait.
        queue_bytes: memory that may wait for each output.
        max_connections: number of connections to our sockets at the same time; None for MAX_CONNECTIONS. In any case
            descriptors are kept in reserve for the outputs. The oldest silent connection makes room for a new one.
        max_handshakes: number of those that have not begun a stream; None for a quarter of the connections.
        verbose: report each connection that begins or ends.
        gather_s: how long to let a busy server write before it is read again. The event loop is blocked meanwhile, so
            this is for programs that do nothing else, such as the dnstap command.
        tick_s, report_period_s: intervals at which outputs do what is due, and at which repeated reports are summed up.
    """

    def __init__(
        self,
        report: Callable[[str], object] | None = None,
        *,
        limits: Limits = LIMITS,
        deadlines: Deadlines = DEADLINES,
        backoff: Backoff = BACKOFF,
        drain_s: float = 5.0,
        drain_most_s: float = 30.0,
        overload: Overload | None = None,
        queue_bytes: int = QUEUE_BYTES,
        max_connections: int | None = None,
        max_handshakes: int | None = None,
        verbose: bool = False,
        gather_s: float = 0.0,
        tick_s: float = TICK_S,
        report_period_s: float = PERIOD_S,
    ) -> None:
        report = log_line if report is None else report
        check_callable("report", report, "a function that takes a line")
        check_options("limits", limits, Limits)
        check_options("deadlines", deadlines, Deadlines, optional=True)
        check_options("backoff", backoff, Backoff)
        check_number("queue_bytes", queue_bytes, 1)
        for name, number in (("max_connections", max_connections), ("max_handshakes", max_handshakes)):
            if number is not None:
                check_number(name, number, 1)
        for name, seconds in (
            ("drain_s", drain_s),
            ("drain_most_s", drain_most_s),
            ("gather_s", gather_s),
            ("tick_s", tick_s),
            ("report_period_s", report_period_s),
        ):
            check_number(name, seconds, 0, whole=False)
        if overload not in (None, "wait", "drop"):
            raise ValueError(f"overload: expected 'wait', 'drop' or None, got {overload!r}")
        self._limits = limits
        self._deadlines = deadlines
        self._backoff = backoff
        self._drain_s = drain_s
        self._drain_most_s = drain_most_s
        self._end_by = 0.0
        self._hurried = False
        self._overload = overload
        self._queue_bytes = queue_bytes
        self._tick_s = tick_s
        self._report = report
        self._max_connections = max_connections
        self._max_handshakes = max_handshakes
        self._connections = Connections()
        self._inputs: list[Input] = []
        self._matching: Matching | None = None
        self._begun = self._running = self._closed = False
        self._tasks = Tasks()
        # The dispatcher without outputs stands in until `run` makes the one of its outputs: `counts` may be read
        # before.
        self._forwarder = Forwarder(
            report,
            report_period_s,
            self._tasks,
            QueueingDispatcher((), (), self._tasks.start),
            coalescer=Coalescer(gather_s) if gather_s else None,
            verbose=verbose,
        )

    @property
    def failed_files(self) -> int:
        """Return the number of files that could not be read to their end."""
        return self._forwarder.failed_files

    @property
    def interrupted(self) -> bool:
        """True if regular files were not read to their end because the run was stopped."""
        return self._forwarder.interrupted

    @property
    def counts(self) -> Counts:
        """Return the counts so far. May be called from another thread."""
        return self._forwarder.counters.total()._replace(
            dropped=self._forwarder.dispatcher.dropped, ended=self._connections.ended
        )

    @property
    def output_counts(self) -> Sequence[OutputCounts]:
        """Return the counts so far of each output of the run. May be called from another thread."""
        return [output.counts for output in self._forwarder.dispatcher.outputs]

    @property
    def skipped(self) -> int:
        """Number of payloads left out because they do not decode: by `filter`, and by each output of the run."""
        rejected = sum(output.rejected for output in self._forwarder.dispatcher.outputs)
        return rejected + (self._matching.bad if self._matching else 0)

    @property
    def unmatched(self) -> int:
        """Number of payloads that `filter` left out, besides those that do not decode."""
        return self._matching.unmatched if self._matching else 0

    @property
    def time_left(self) -> float:
        """Return how many of the `drain_s` seconds are left after the end of the run, but at least LAST_S."""
        return max(LAST_S, self._end_by - time.monotonic())

    async def read(self, path: str | os.PathLike[str], *, follow: bool = False) -> None:
        """Add a file, a named pipe, or standard input as "-". Regular files are read one after the other.

        Args: follow: whether to wait for the file to grow, or to be made, and to continue with a file that replaces it;
            a directory or pattern is all files there, and those that come.
        Raises: OSError; RuntimeError: the run has begun; ValueError: the collector is closed.
        """
        self._check_new()
        check_type("path", path, (str, os.PathLike), "a path")
        # Opening a named pipe waits for its writer. After `stop`, there is nothing to read any more.
        opening = open_file(os.fspath(path), self._limits, self._report, follow=follow)
        if (source := await self._tasks.before_stop(opening)) is not None:
            self._inputs.append(source)

    async def listen(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> Endpoint:
        """Add a socket to listen on, and return its endpoint, with the port that was chosen if it was 0.

        Args: see framestream.listen_reader.
        Raises: OSError: the address is in use, or the path exists and is not a socket; LocalProtocolError: no endpoint;
            RuntimeError: the run has begun; ValueError: the collector is closed.
        """
        self._check_new()
        listener = await listen_reader(
            endpoint,
            [CONTENT_TYPE],
            limits=self._limits,
            deadlines=self._deadlines,
            tls=tls,
            connections=self._connections,
        )
        self._inputs.append(AcceptedInput(listener, self._forwarder.reports))
        return listener.endpoint

    def connect(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> None:
        """Add a server that listens, to connect to it, and to reconnect whenever its stream ends.

        Raises: LocalProtocolError: no endpoint, or a file; OSError: a file of `tls` cannot be read; RuntimeError: the
            run has begun; ValueError: the collector is closed.
        """
        self._check_new()
        parsed = parse_endpoint(endpoint, tls)
        if isinstance(parsed, FileEndpoint):
            raise LocalProtocolError(f"{parsed} is not a socket to connect to")
        if isinstance(parsed, TlsEndpoint):
            parsed.tls.context(listening=False)  # As for a socket to listen on: files do not come by trying again.
        self._inputs.append(
            DialedInput(parsed, self._report, limits=self._limits, deadlines=self._deadlines, backoff=self._backoff)
        )

    def stop(self, *, complete: bool = False) -> None:
        """End the run once what has been received is passed on. May be called by a signal handler or another thread.

        Args: complete: whether all that was asked for has been read. If not, `interrupted` tells whether anything is
            left of regular files, and where files stand is reported. The first call decides. A run that is complete
            waits for its outputs without a time limit, until another call.
        """
        self._hurried |= not complete
        if not self._tasks.stopping:
            self._forwarder.complete = complete
        self._tasks.stop()

    async def run(
        self,
        *outputs: MessageHandler | Output | Writable,
        payloads: PayloadHandler | None = None,
        filter: str | Filter | None = None,
        pairs: Pairs | None = None,
        stages: Sequence[AnyStage] = (),
    ) -> None:
        """Receive until all files have been read and there are no other inputs, or until stop().

        A handler is a function that is called with each batch and its Source, or a coroutine function: then it is
        awaited, and what comes meanwhile waits for it, up to `queue_bytes`. A plain function blocks the event loop.
        After `stop()`, and after an error, it ends about `drain_s` after the outputs stand still, and about
        `drain_most_s` after it was stopped in any case.

        Args:
            outputs: handlers of messages, each called with a list of Dnstap whose `message` is there: payloads that do
                not decode are counted (`skipped`) and reported; or objects with a method `write_many`, called with
                lists of payloads. Each is given everything. Without any, payloads are only counted.
            payloads: a handler of payloads, called with lists of bytes.
            filter: pass on only what matches an expression (docs/filters.md), or a Filter of `compile_filter`.
            pairs: put into messages what pairing finds; a filter with `answered` has queries held (docs/pairing.md).
            stages: functions from a list of payloads to those that go on, applied in this order before the outputs.
        Raises: the exception of a handler, an output or a stage, which ends the run; FilterError; TypeError;
            RuntimeError: the collector has run before; ValueError: it is closed.
        """
        self._check_new()
        if payloads is not None:
            from dnstap.pipeline.outputs.handlers import PayloadOutput

            outputs = (*outputs, PayloadOutput(payloads))
        if filter is not None:
            from dnstap.filters.selecting import as_filter
            from dnstap.pipeline.stages import Matching

            self._matching = Matching(as_filter(filter))
            stages = [self._matching, *stages]
        if pairs is not None:
            from dnstap.pipeline.stages import Pairing

            # First, because the filter may ask for what it finds.
            stages = [Pairing(pairs), *stages]
        dispatcher = self._forwarder.dispatcher = QueueingDispatcher(
            outputs, stages, self._tasks.start, overload=self._overload, queue_bytes=self._queue_bytes
        )
        self._limit_connections(len(outputs))
        self._begun = self._running = True
        try:
            await self._run(dispatcher)
        finally:
            self._running = False
            if self._closed:
                await self._close_inputs()

    async def _run(self, dispatcher: QueueingDispatcher) -> None:
        tasks, forwarder = self._tasks, self._forwarder
        # Regular files share one task, which reads them one after the other in the order of their options. Any other
        # input may wait for its peer without end, so each has a task of its own.
        if regular := [source for source in self._inputs if source.regular]:
            tasks.start(self._receive(regular))
        for source in self._inputs:
            if not source.regular:
                tasks.start(self._receive([source]))
        ticking = asyncio.create_task(self._tick())
        try:
            await tasks.run()
            # Also after an error: it is mostly that of one output, and the others can take what was received.
            await self._drain()
        finally:
            # Also if the run is cancelled.
            ticking.cancel()
            await asyncio.gather(tasks.cancel(), ticking, return_exceptions=True)
            dispatcher.close()
            forwarder.reports.end_period(dispatcher.new_reports())
            # The reader of a pipe that is broken wants no more.
            for output in () if isinstance(tasks.failure, BrokenPipeError) else dispatcher.outputs:
                if left := output.counts.left:
                    self._report(f"{output.name}: {left} of {output.reached} frames were not written")
        if tasks.failure:
            raise tasks.failure

    async def close(self) -> None:
        """Close all inputs and remove the sockets.

        Called during a run, this stops it, and they are closed at its end.
        """
        self._closed = True
        if self._running:
            self.stop()
        else:
            await self._close_inputs()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _check_new(self) -> None:
        if self._closed:
            raise ValueError("the collector is closed")
        if self._begun:
            raise RuntimeError("the collector runs, or has run: inputs are added before, and it runs once")

    async def _close_inputs(self) -> None:
        for source in self._inputs:
            await source.close()
        # Those of tasks that were cancelled before their first step.
        await asyncio.gather(*[reader.close() for reader in self._forwarder.counters.open])

    def _limit_connections(self, outputs: int) -> None:
        """Limit the connections so that outputs find descriptors whatever peers do."""
        wanted, limits = self._max_connections, self._connections
        inputs = sum([source.descriptors for source in self._inputs])
        limits.max_connections = most = places(wanted, descriptors.spare(), outputs=outputs, inputs=inputs)
        limits.max_handshakes = self._max_handshakes or max(1, most // 4)
        if wanted and most < wanted:
            self._report(f"at most {most} connections, not {wanted}: the system allows no more open files")

    def _release(self) -> None:
        """Give the outputs what a stage has held."""
        try:
            self._forwarder.dispatcher.finish()
        except Exception as error:  # noqa: BLE001 (it ends the run, as that of a write does)
            self._tasks.fail(error)

    async def _tick(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._tick_s)
                self._forwarder.tick()
        except Exception as error:  # noqa: BLE001 (an output may be a program's)
            # For example a disk that is full at a rotation. It ends the run, as the same error of a write does.
            self._tasks.fail(error)

    async def _receive(self, sources: Sequence[Input]) -> None:
        """Forward the streams of inputs, one input after the other."""
        for source in sources:
            async with aclosing(source.streams()) as streams:
                # Files are begun though the run is stopped, to report where they stand.
                while source.file or not self._tasks.stopping:
                    # This wait may be cancelled, because Input.streams promises that no stream is lost by that.
                    with self._tasks.idle():
                        stream = await anext(streams, None)
                    if stream is None:
                        break
                    if source.concurrent:
                        self._begin(source, *stream)
                    else:
                        self._forwarder.counters.begin(*stream, file=source.file)
                        await self._forwarder.forward(source, *stream)
                    # Otherwise a followed file would wait here for the file that replaces it.
                    if self._tasks.stopping:
                        break

    def _begin(self, source: Input, name: str, reader: Reader) -> None:
        """Forward a stream in a task of its own."""
        self._forwarder.counters.begin(name, reader, file=source.file)
        self._tasks.start(self._forwarder.forward(source, name, reader))

    async def _drain(self) -> None:
        """Pass on what the system has received by now, also from connections that were not accepted yet."""
        tasks, forwarder = self._tasks, self._forwarder
        began = time.monotonic()
        self._end_by = began + self._drain_s
        # The order matters. First no task waits for another stream, then connections that the system has already
        # completed are taken and no further ones, and last each open stream is told to end at the bytes received by
        # now.
        tasks.stopping = True
        await tasks.cancel_idle()
        forwarder.dispatcher.end()
        # No more are accepted afterwards, so those that wait need no limits.
        self._connections.max_connections = self._connections.max_handshakes = None
        for source in self._inputs:
            await source.take_waiting(partial(self._begin, source))
        for reader in forwarder.counters.open:
            reader.end_input()
        # As long as any output goes on, none is given up: most take all within moments, but text of a whole queue takes
        # seconds. A run that is complete waits like one whose files have ended: `dnstap --count 100 | less`.
        written = -1
        while True:
            # Once all was received, what a stage holds goes on. More tasks may begin by that.
            if not forwarder.counters.open:
                self._release()
            if not tasks.running:
                break
            now, before = time.monotonic(), written
            written = sum(output.written for output in forwarder.dispatcher.outputs)
            if forwarder.complete and not (self._hurried or tasks.failure):
                began, self._end_by = now, now + self._drain_s
                await tasks.finish(PROGRESS_S)
                continue
            if written != before:
                self._end_by = min(now + self._drain_s, began + self._drain_most_s)
            elif now >= self._end_by:
                break
            await tasks.finish(min(PROGRESS_S, self._end_by - now))
        # Also frames received meanwhile, which are counted as left then.
        self._release()
        # Mostly files that are followed and still wait for an output. `run` cancels their tasks.
        for name in forwarder.counters.open.values():
            self._report(f"{name}: the outputs did not take all that was received within {self._drain_s} s")
