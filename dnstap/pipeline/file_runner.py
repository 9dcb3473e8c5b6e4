"""The blocking runner of a pipeline: from files to outputs that need no event loop.

It loads neither asyncio nor sockets, which take longer to load than many a file to print.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counts, InputCounters
from dnstap.pipeline.diagnostics import stream_reports
from dnstap.pipeline.dispatcher import Dispatcher
from dnstap.pipeline.sources import Source
from framestream.errors import FrameStreamError
from framestream.streams import LIMITS, Limits
from framestream.sync.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.stages import Stage
    from framestream.sync.reader import Reader

__all__ = ["FileRunner"]


class FileRunner:
    """A blocking runner that passes the payloads of files to outputs, one file after the other.

    Add files, then `run`, then `close`.

    Args: report: takes one line about a file: an error, or what was left out of it.
    Attributes:
        failed_files: number of files that could not be read to their end.
        interrupted: whether files were not read to their end because the run was stopped or an output failed.
    """

    def __init__(self, report: Callable[[str], object], *, limits: Limits = LIMITS) -> None:
        self.failed_files = 0
        self.interrupted = False
        self._report = report
        self._limits = limits
        self._files: list[tuple[str, Reader]] = []
        self._counters: InputCounters[Reader] = InputCounters()
        self._stopping = self._complete = False
        self._finished_bytes = 0

    @property
    def counts(self) -> Counts:
        """Return the counts so far."""
        return self._counters.total()

    @property
    def size(self) -> int:
        """Return the size of all files in bytes, as they are on disk. Only before `run`, which closes them."""
        return sum(_size(reader) for _, reader in self._files)

    def position(self) -> int:
        """Return how many of these bytes have been read."""
        # Positions of descriptors, because `size` too counts compressed files as they are on disk.
        return self._finished_bytes + sum(os.lseek(reader.fileno(), 0, os.SEEK_CUR) for reader in self._counters.open)

    def read(self, path: str) -> None:
        """Add a regular file.

        Raises: OSError.
        """
        self._files.append((path, read_file(path, [CONTENT_TYPE], limits=self._limits)))

    def stop(self, *, complete: bool = False) -> None:
        """End the run before the next read. May be called by a signal handler.

        Args: complete: whether all that was asked for has been read. If not, `interrupted` tells whether anything is
            left of the files, and where they stand is reported. The first call decides.
        """
        # A signal handler may interrupt the run anywhere, so it only sets flags, which are read between batches.
        if not self._stopping:
            self._complete = complete
            self._stopping = True

    def run(self, *outputs: Output, stages: Sequence[Stage] = ()) -> None:
        """Read the files to their end, or until stop().

        Args:
            outputs: each is given all payloads. Their methods must not be coroutine functions. An exception of one ends
                the run.
            stages: applied in this order before the outputs.
        """
        dispatcher = Dispatcher(outputs, stages)
        try:
            for path, reader in self._files:
                with closing(reader):
                    self._counters.begin(path, reader, file=True)
                    self._read_file(path, reader, dispatcher)
                    # All of it even if the file is broken: its rest will not be read, and progress must still reach the
                    # end.
                    self._finished_bytes += _size(reader)
                    self._counters.end(reader)
            # Also after `stop`: whatever was read is written. Only an output that fails ends the run before this.
            dispatcher.finish()
            for output in dispatcher.outputs:
                output.flush()
        except BaseException:
            self.interrupted = True
            raise
        finally:
            # Also if an output fails: the error does not tell that payloads were left out before.
            for line in dispatcher.new_reports():
                self._report(line)

    def close(self) -> None:
        """Close the files."""
        for _, reader in self._files:
            reader.close()

    def _read_file(self, path: str, reader: Reader, dispatcher: Dispatcher) -> None:
        error = None
        source = Source(path, file=True)
        batches: Iterator[Any] = reader.encoded() if dispatcher.encoded else reader.batches()
        while not self._stopping:
            try:
                batch = next(batches, None)
            except (FrameStreamError, OSError) as caught:
                error = caught
                self._counters.count_broken()
                self.failed_files += 1
                break
            if batch is None:
                break
            dispatcher.write(batch, source)
        else:
            # The loop was not left by `break`, so the file has neither ended nor failed: the run was stopped.
            if not self._complete:
                self.interrupted = True
                self._report(f"{path}: stopped at byte {reader.protocol.offset}")
        for line in stream_reports(path, reader, error):
            self._report(line)


def _size(reader: Reader) -> int:
    return os.fstat(reader.fileno()).st_size
