"""Payloads of files that are followed, as an iterator: blocking, and for asyncio."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, cast

from dnstap.pipeline.collector import Collector
from framestream.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from framestream.endpoints import Path
    from framestream.files import Readable
    from framestream.streams import Limits

__all__ = ["Following"]

QUEUE_BYTES = 1 << 20
"""Most memory for payloads that are read ahead."""


class Following:
    """Files that are followed by a Collector, whose only output this is.

    Args:
        files: paths, each of a file, of a directory, or a pattern.
        report: takes one line about a file.
    Raises: TypeError: not a path.
    """

    def __init__(self, files: Sequence[Path | Readable], limits: Limits, report: Callable[[str], object]) -> None:
        for file in files:
            check_type("file", file, (str, os.PathLike), "a path, because file objects cannot be followed")
        self._paths = [os.fspath(cast("Path", file)) for file in files]
        self._report = report
        self._closing = False
        self._collector = Collector(self._report_line, limits=limits, queue_bytes=QUEUE_BYTES, overload="wait")
        # One batch, or None at the end. It is not bounded, so that the end can always be put into it.
        self._batches: asyncio.Queue[list[bytes] | None] = asyncio.Queue()

    @property
    def failed_files(self) -> int:
        """Number of files that could not be read to their end."""
        return self._collector.failed_files

    def stop(self) -> None:
        """End the iteration after what the files have by now. May be called by a signal handler or another thread."""
        # As a complete run, so that the Collector waits for the caller without a time limit.
        self._collector.stop(complete=True)

    async def write_many(self, payloads: list[bytes]) -> None:
        """Pass a batch on, and wait until the caller asks for the next one. Called by the Collector."""
        self._batches.put_nowait(payloads)
        await self._batches.join()

    async def batches(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the payloads in lists, until `stop()`.

        Raises: OSError: a path that is no regular file cannot be opened.
        """
        running = asyncio.create_task(self._run())
        try:
            while (payloads := await self._batches.get()) is not None:
                yield payloads
                self._batches.task_done()
            await running
        finally:
            self._closing = True
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def blocking_batches(self) -> Generator[list[bytes], None, None]:
        """Yield the same without asyncio. Files are only read while the next list is waited for.

        Raises: RuntimeError: asyncio is running in this thread.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("dnstap.read(follow=True) would block asyncio: use dnstap.aio.read")
        batches = self.batches()

        async def next_batch() -> list[bytes] | None:
            return await anext(batches, None)

        # It cancels the tasks and closes the generator at its end, also after an exception of a signal handler.
        with asyncio.Runner() as runner:
            try:
                while (payloads := runner.run(next_batch())) is not None:
                    yield payloads
            finally:
                self._closing = True

    def _report_line(self, line: str) -> None:
        # Whoever leaves the loop knows that not everything was read.
        if not self._closing:
            self._report(line)

    async def _run(self) -> None:
        try:
            try:
                for path in self._paths:
                    await self._collector.read(path, follow=True)
                await self._collector.run(self)
            finally:
                await self._collector.close()
        finally:
            self._batches.put_nowait(None)
