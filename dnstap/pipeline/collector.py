"""The asyncio runner of a pipeline: receives from files, and from servers that connect to us or that we connect to.

Each input has a task that reads, and then waits until every output has what it read before it reads again. So slow
outputs slow the inputs down, and nothing is dropped. A broken stream is reported and ends; the others go on.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Literal

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.coalescing import Coalescer
from dnstap.pipeline.dispatcher import QUEUE_BYTES, Dispatcher
from dnstap.pipeline.forwarding import Forwarder
from dnstap.pipeline.inputs.accepted import AcceptedInput
from dnstap.pipeline.inputs.dialed import DialedInput
from dnstap.pipeline.inputs.file import open_file
from dnstap.pipeline.tasks import Tasks
from framestream.aio import listen_reader
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError
from framestream.reporting import PERIOD_S
from framestream.streams import DEADLINES, LIMITS, Backoff, Deadlines, Limits

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from dnstap.pipeline.counters import Counts
    from dnstap.pipeline.inputs.base import Input
    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.stages import Stage
    from framestream.aio import Reader
    from framestream.endpoints import Endpoint, Tls

__all__ = ["Collector"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)
"""Short at first, because a server that restarts is soon back; one that stays away costs an attempt a second."""

TICK_S = 1.0
"""Interval at which outputs do what is due, in seconds: what a time limit of a file may be late by."""


class Collector:
    """An asyncio runner that passes the payloads of all its inputs to all its outputs.

    Add inputs, then `run`, then `close`.

    Args:
        report: takes one line about an input: an error, or what was left out of it.
        limits, deadlines: of the inputs.
        backoff: between attempts to connect to a server.
        drain_s: how long the outputs may take at the end for what has been received.
        overload: what to do with frames from sockets while outputs cannot keep up. "wait": do not read the sockets.
            "drop": keep up to `queue_bytes` of payloads for the outputs, and drop and count the rest.
        queue_bytes: length of these payloads.
        gather_s: how long to let a busy server write before it is read again. The event loop is blocked meanwhile, so
            this is for programs that do nothing else, such as the dnstap command.
        tick_s, report_period_s: intervals at which outputs do what is due, and at which repeated reports are summed up.
    """

    def __init__(
        self,
        report: Callable[[str], object],
        *,
        limits: Limits = LIMITS,
        deadlines: Deadlines = DEADLINES,
        backoff: Backoff = BACKOFF,
        drain_s: float = 5.0,
        overload: Literal["wait", "drop"] = "wait",
        queue_bytes: int = QUEUE_BYTES,
        gather_s: float = 0.0,
        tick_s: float = TICK_S,
        report_period_s: float = PERIOD_S,
    ) -> None:
        self._limits = limits
        self._deadlines = deadlines
        self._backoff = backoff
        self._drain_s = drain_s
        self._queue_bytes = queue_bytes
        self._tick_s = tick_s
        self._report = report
        self._inputs: list[Input] = []
        self._tasks = Tasks()
        # The dispatcher without outputs stands in until `run` makes the one of its outputs: `counts` may be read
        # before.
        self._forwarder = Forwarder(
            report,
            report_period_s,
            self._tasks,
            Dispatcher(()),
            may_drop=overload == "drop",
            coalescer=Coalescer(gather_s) if gather_s else None,
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
        return self._forwarder.counters.total()._replace(dropped=self._forwarder.dispatcher.dropped)

    async def read(self, path: str, *, follow: bool = False) -> None:
        """Add a file, a named pipe, or standard input as "-". Regular files are read one after the other.

        Args: follow: whether to wait for the file to grow, and to continue with a file that replaces it.
        Raises: OSError.
        """
        self._inputs.append(await open_file(path, self._limits, follow=follow))

    async def listen(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> Endpoint:
        """Add a socket to listen on, and return its endpoint, with the port that was chosen if it was 0.

        Args: see framestream.listen_reader.
        Raises: OSError: the address is in use, or the path exists and is not a socket; LocalProtocolError: no endpoint.
        """
        listener = await listen_reader(
            endpoint, [CONTENT_TYPE], limits=self._limits, deadlines=self._deadlines, tls=tls
        )
        self._inputs.append(AcceptedInput(listener, self._report))
        return listener.endpoint

    def connect(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> None:
        """Add a server that listens, to connect to it, and to reconnect whenever its stream ends.

        Raises: LocalProtocolError: no endpoint, or a file.
        """
        parsed = parse_endpoint(endpoint, tls)
        if isinstance(parsed, FileEndpoint):
            raise LocalProtocolError(f"{parsed} is not a socket to connect to")
        self._inputs.append(
            DialedInput(parsed, self._report, limits=self._limits, deadlines=self._deadlines, backoff=self._backoff)
        )

    def stop(self, *, complete: bool = False) -> None:
        """End the run once what has been received is passed on. May be called by a signal handler or another thread.

        Args: complete: whether all that was asked for has been read. If not, `interrupted` tells whether anything is
            left of regular files, and where files stand is reported. The first call decides.
        """
        if not self._tasks.stopping:
            self._forwarder.complete = complete
        self._tasks.stop()

    async def run(
        self, *outputs: Output | Writable, stages: Sequence[Stage | Callable[[list[bytes]], list[bytes]]] = ()
    ) -> None:
        """Receive until all files have been read and there are no other inputs, or until stop().

        Args:
            outputs: objects with a method `write_many`, each given all payloads. An exception of one ends the run.
            stages: functions from a list of payloads to those that go on, applied in this order before the outputs.
        """
        tasks, forwarder = self._tasks, self._forwarder
        dispatcher = forwarder.dispatcher = Dispatcher(outputs, stages, queue_bytes=self._queue_bytes)
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
            # An error ends the run at once: it is mostly that of an output, which could not take what is left.
            if not tasks.failure:
                await self._drain()
        finally:
            # Also if the run is cancelled. All tasks end before the queue is counted, so that no batch is counted as
            # dropped and written all the same.
            ticking.cancel()
            await asyncio.gather(tasks.cancel(), ticking, return_exceptions=True)
            dispatcher.drop_queued()
            forwarder.reports.end_period(dispatcher.new_reports())
        if tasks.failure:
            raise tasks.failure

    async def close(self) -> None:
        """Close all inputs and remove the sockets."""
        for source in self._inputs:
            await source.close()
        # Those of tasks that were cancelled before their first step.
        await asyncio.gather(*[reader.close() for reader in self._forwarder.counters.open])

    async def _tick(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._tick_s)
                await self._forwarder.tick()
        except OSError as error:
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
        # The order matters. First no task waits for another stream, then connections that the system has already
        # completed are taken and no further ones, and last each open stream is told to end at the bytes received by
        # now.
        tasks.stopping = True
        await tasks.cancel_idle()
        for source in self._inputs:
            await source.take_waiting(partial(self._begin, source))
        for reader in forwarder.counters.open:
            reader.end_input()
        await tasks.finish(self._drain_s)
        # The tasks of these streams still wait for an output. `run` cancels them.
        for name in forwarder.counters.open.values():
            self._report(f"{name}: the outputs did not take all that was received within {self._drain_s} s")
