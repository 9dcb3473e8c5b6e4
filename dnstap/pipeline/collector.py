"""Receiving from many: files, and writers that connect to us or that we connect to, by asyncio.

Each input has a task, which reads when there is something and waits until every output has taken that before it reads
again: an output that is slow slows the inputs down, and nothing is dropped. A broken stream is reported and ends; the
others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counts
from dnstap.pipeline.diagnostics import Changes, Reports, endings, new_reports, words
from dnstap.problems import Problems
from framestream.aio import listen_reader, open_reader, read_file
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.errors import FrameStreamError, LocalProtocolError, TruncatedStreamError
from framestream.protocol import State
from framestream.sockets import BACKLOG, RETRY_ACCEPT_S
from framestream.streams import DEADLINES, LIMITS, STABLE_S, Backoff, Deadlines, Limits

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.stages import Stage
    from framestream.aio import Listener, Reader
    from framestream.endpoints import Endpoint, Tls
    from framestream.frames import EncodedFrames

__all__ = ["QUEUE_BYTES", "Collector"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)

FEW_FRAMES = 10
"""A stream that ends with fewer is not made again at once: a writer that breaks each time would keep both ends busy."""

TICK_S = 1.0
"""How often what is due is looked for."""

QUEUE_BYTES = 1 << 24
"""How much waits for the outputs before frames are dropped, if they may be."""

GATHER_BYTES = 1 << 16
DENSE_S = 0.003
"""When less than so many bytes came at once, and not so long after the last, more is let gather, if it may be.

A busy server writes 8 KiB at a time, and to wake up for each takes longer than to pass it on.
"""


class Collector:
    """Passes the payloads of all its inputs to all its outputs.

    Args:
        report: takes one line about an input: what was wrong with it, or what was left out of it.
        limits, deadlines: of the inputs.
        backoff: between attempts to connect to a writer again.
        drain_s: how long the outputs may take at the end for what has been received.
        overload: what becomes of frames from sockets while outputs are behind. "wait": the sockets are not read before
            these have caught up. "drop": QUEUE_BYTES of them wait, and what comes then is counted and given to none.
        gather_s: how long a busy input is let gather before it is read again. The loop stands still meanwhile, so this
            is for programs that do nothing else, as the command.

    Attributes:
        failed_files: files that could not be read to their end.
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
        gather_s: float = 0.0,
    ) -> None:
        self.failed_files = 0
        self._past = Counts()
        self._limits = limits
        self._deadlines = deadlines
        self._backoff = backoff
        self._drain_s = drain_s
        self._report = report
        self._reports = Reports(report)
        self._files: list[_File] = []
        self._listeners: list[Listener[Reader]] = []
        self._writers: list[Endpoint] = []
        self._outputs: tuple[Output, ...] = ()
        self._encoded: list[Callable[[EncodedFrames], object]] = []
        self._plan: list[tuple[Callable[[list[bytes]], object], bool]] = []
        self._stages: Sequence[Stage] = ()
        self._readers: dict[Reader, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_ease: set[asyncio.Task[None] | None] = set()
        self._failure: BaseException | None = None
        self._stopping = False
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._may_drop = overload == "drop"
        self._drops = Problems()
        self._queue: deque[list[bytes]] = deque()
        self._queued_bytes = 0
        self._gather_s = gather_s
        self._came = 0.0
        self._gathered = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def counts(self) -> Counts:
        """What has come so far."""
        # A list of its own, because another thread may ask.
        live = list(self._readers)
        return reduce(Counts.plus, live, self._past)._replace(open=len(live), dropped=self._drops.count)

    async def read(self, path: str, *, follow: bool = False) -> None:
        """Add a file, a named pipe, or standard input as "-". Regular files are read one after the other.

        Args: follow: whether to wait for it to grow, and to go on with the file that takes its name.
        Raises: OSError.
        """
        reader = await read_file(path, [CONTENT_TYPE], limits=self._limits, follow=follow)
        self._files.append(_File(path, reader, follow))

    async def listen(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> Endpoint:
        """Add a socket to listen on; the endpoint, with the port that was chosen if it was 0.

        Args: as of framestream.listen_reader.
        Raises: OSError: somebody listens there, or it is not a socket; LocalProtocolError: no endpoint.
        """
        listener = await listen_reader(
            endpoint, [CONTENT_TYPE], limits=self._limits, deadlines=self._deadlines, tls=tls
        )
        self._listeners.append(listener)
        return listener.endpoint

    def connect(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> None:
        """Add a writer that listens. It is connected to again whenever its stream has ended.

        Raises: LocalProtocolError: no endpoint, or a file.
        """
        parsed = parse_endpoint(endpoint, tls)
        if isinstance(parsed, FileEndpoint):
            raise LocalProtocolError(f"{parsed} is not a socket to connect to")
        self._writers.append(parsed)

    def stop(self) -> None:
        """End the run once what has been received is passed on. May be called by a signal handler or another thread."""
        self._stopping = True
        if self._loop:
            with contextlib.suppress(RuntimeError):  # It has ended.
                self._loop.call_soon_threadsafe(self._changed.set)

    async def run(self, *outputs: Output, stages: Sequence[Stage] = ()) -> None:
        """Receive until all files have been read and there is nothing else, or until stop().

        Args:
            outputs: each is given all payloads. What one raises ends the run.
            stages: what the payloads go through before.
        """
        self._loop = asyncio.get_running_loop()
        self._outputs = outputs
        self._plan = [(output.write_many, getattr(output, "waits", False)) for output in outputs]
        self._stages = stages
        if not stages:
            # Frames that are only passed on are not taken apart.
            direct = [output for output, (_, waits) in zip(outputs, self._plan, strict=True) if not waits]
            takers = [output.write_encoded for output in direct if hasattr(output, "write_encoded")]
            self._encoded = takers if len(takers) == len(outputs) else []
        for coroutine in self._inputs():
            self._start(coroutine)
        ticking = asyncio.create_task(self._tick())
        try:
            while self._tasks and not (self._stopping or self._failure):
                self._changed.clear()
                await self._changed.wait()
            if not self._failure:
                await self._drain()
        finally:
            for task in {*self._tasks, ticking}:
                task.cancel()
            await asyncio.gather(*self._tasks, ticking, return_exceptions=True)
            # The first has been given to outputs, which count it.
            self._drops.count += sum(map(len, islice(self._queue, 1, None)))
            self._reports.say_counted(new_reports(self, *stages, *outputs))
        if self._failure:
            raise self._failure

    async def close(self) -> None:
        """Close all inputs and remove the sockets."""
        for listener in self._listeners:
            await listener.close()
        for reader in {*self._readers, *(file.reader for file in self._files)}:
            await reader.close()

    # Tasks.

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error

    @contextlib.contextmanager
    def _idle(self) -> Iterator[None]:
        """What the task awaits here may be cancelled by the end of the run, and nothing is lost."""
        task = asyncio.current_task()
        self._at_ease.add(task)
        try:
            yield
        finally:
            self._at_ease.discard(task)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                for output in self._outputs:
                    if hasattr(output, "tend"):
                        async with self._turn:
                            output.tend()
            except OSError as error:
                self._failure = self._failure or error
                self._changed.set()
            if self._reports.due():
                self._reports.say_counted(new_reports(self, *self._stages, *self._outputs))

    # Inputs.

    def _inputs(self) -> Iterator[Coroutine[Any, Any, None]]:
        """A task for each input; regular files share one."""
        in_turn = [file for file in self._files if file.regular]
        if in_turn:
            yield self._read_files(in_turn)
        for file in self._files:
            if not file.regular:
                yield self._read_files([file])
        for listener in self._listeners:
            yield self._accept_all(listener)
        for endpoint in self._writers:
            yield self._keep_connected(endpoint)

    async def _read_files(self, files: list[_File]) -> None:
        for file in files:
            reader = file.reader
            while True:
                self._past = self._past._replace(files=self._past.files + 1)
                self.failed_files += await self._pump(file.path, reader, file=not file.follow) is not None
                if self._stopping or not file.follow:
                    break
                try:
                    # Its name has been given to another file, or to none.
                    reader = await read_file(file.path, [CONTENT_TYPE], limits=self._limits, follow=True)
                except FileNotFoundError:
                    break
            self._files.remove(file)

    async def _accept_all(self, listener: Listener[Reader]) -> None:
        say = Changes(self._report)
        while not self._stopping:
            try:
                with self._idle():
                    reader = await listener.accept()
            except OSError as error:
                # Out of descriptors, most likely.
                say(f"{listener.endpoint}: cannot accept a connection: {words(error)}")
                with self._idle():
                    await asyncio.sleep(RETRY_ACCEPT_S)
            else:
                say.last = ""
                self._accepted(reader)

    def _accepted(self, reader: Reader) -> None:
        self._past = self._past._replace(connections=self._past.connections + 1)
        self._readers[reader] = reader.peer
        self._start(self._serve(reader))

    async def _serve(self, reader: Reader) -> None:
        await self._pump(reader.peer, reader, drops=self._may_drop)

    async def _keep_connected(self, endpoint: Endpoint) -> None:
        name = str(endpoint)
        waits = self._backoff.waits()
        say = Changes(self._report)
        while not self._stopping:
            try:
                with self._idle():
                    await asyncio.sleep(next(waits))
                    reader = await open_reader(endpoint, [CONTENT_TYPE], limits=self._limits, deadlines=self._deadlines)
            except OSError as error:
                say(f"{name}: no connection: {words(error)}")
                continue
            say.last = ""
            self._past = self._past._replace(connections=self._past.connections + 1)
            began = time.monotonic()
            await self._pump(name, reader, drops=self._may_drop)
            if reader.frames or time.monotonic() - began >= STABLE_S:
                waits = self._backoff.waits()
                if reader.frames < FEW_FRAMES:
                    next(waits)  # which is none

    async def _pump(
        self, name: str, reader: Reader, *, file: bool = False, drops: bool = False
    ) -> FrameStreamError | OSError | None:
        """Pass on what an input gives, until it ends; what was wrong with it."""
        self._readers[reader] = name
        error: FrameStreamError | OSError | None = None
        before = 0
        batches: AsyncGenerator[Any, None] = reader.encoded() if self._encoded else reader.batches()
        try:
            while not (file and self._stopping):
                try:
                    if file:
                        with self._idle():
                            batch = await anext(batches, None)
                    else:
                        batch = await anext(batches, None)
                except (FrameStreamError, OSError) as caught:
                    error = caught
                    break
                if batch is None:
                    break
                if drops and not self._encoded:
                    self._put(batch)
                else:
                    await self._pass_on(batch)
                if self._gather_s and not file:
                    self._gather(reader.bytes - before)
                    before = reader.bytes
            else:
                self._say_where(name, reader)
        except asyncio.CancelledError:
            if not (file and self._stopping):
                raise
            self._say_where(name, reader)
        finally:
            del self._readers[reader]
            self._past = self._past.plus(reader)
            await batches.aclose()
            await reader.close()
        if error and self._stopping and _lost_nothing(error):
            error = None
        self._past = self._past._replace(broken=self._past.broken + (error is not None))
        kind = name.partition(" connection ")[0]
        for line in endings(name, reader, error):
            self._reports.line(kind, line)
        return error

    def _say_where(self, name: str, reader: Reader) -> None:
        self._report(f"{name}: stopped at byte {reader.protocol.offset}")

    def _put(self, batch: list[bytes]) -> None:
        """Have a batch passed on behind those that wait; drop it where too much does."""
        size = sum(map(len, batch))
        if self._queue and self._queued_bytes + size > QUEUE_BYTES:
            self._drops.count += len(batch)
            return
        self._queued_bytes += size
        self._queue.append(batch)
        if len(self._queue) == 1:
            self._start(self._empty_queue())

    async def _empty_queue(self) -> None:
        while self._queue:
            batch = self._queue[0]
            await self._pass_on(batch)
            self._queued_bytes -= sum(map(len, batch))
            self._queue.popleft()

    def new_reports(self) -> Iterator[str]:
        """Yield a line about frames that have been dropped since the last call."""
        if new := self._drops.new():
            yield f"{new} frames dropped, because the outputs were behind; {self._drops.count} in all"

    def _gather(self, size: int) -> None:
        """Let more gather, of all inputs together: once in a turn of the loop, which stands still meanwhile."""
        now = time.monotonic()
        dense = now - self._came < DENSE_S
        self._came = now
        if dense and size < GATHER_BYTES and not self._gathered:
            self._gathered = True
            asyncio.get_running_loop().call_soon(self._turned)
            time.sleep(self._gather_s)
            self._came += self._gather_s

    def _turned(self) -> None:
        self._gathered = False

    async def _pass_on(self, batch: Any) -> None:
        for write_encoded in self._encoded:
            write_encoded(batch)
        if self._encoded:
            return
        for stage in self._stages:
            batch = stage(batch)
        for write, waits in self._plan if batch else ():
            if waits:
                # It may take long; in turn, so that it has one caller at a time.
                async with self._turn:
                    await asyncio.get_running_loop().run_in_executor(None, write, batch)
            elif hasattr(result := write(batch), "__await__"):
                await result

    async def _drain(self) -> None:
        """Pass on what the system has received by now, also from writers that have not been accepted yet."""
        self._stopping = True
        at_ease = {task for task in self._at_ease if task}
        for task in at_ease:
            task.cancel()
        await asyncio.gather(*at_ease, return_exceptions=True)
        for listener in self._listeners:
            with contextlib.suppress(OSError):  # TimeoutError: no more wait.
                for _ in range(BACKLOG):
                    self._accepted(await listener.accept(0))
            await listener.close()
        for reader in self._readers:
            reader.end_input()
        end = time.monotonic() + self._drain_s
        # What they give may start another, which empties the queue.
        while self._tasks and (left := end - time.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        for name in self._readers.values():
            self._report(f"{name}: what has come was not taken by the outputs within {self._drain_s} s")


class _File(NamedTuple):
    path: str
    reader: Reader
    follow: bool

    @property
    def regular(self) -> bool:
        """Whether it does not keep us waiting."""
        return self.reader.protocol.require_stop


def _lost_nothing(error: FrameStreamError | OSError) -> bool:
    """Whether a connection that we ended was not inside a data frame."""
    if not isinstance(error, TruncatedStreamError):
        return False
    return not error.inside_frame or error.state != State.STREAMING.name
