"""From files to outputs, one file after the other, and nothing else: without asyncio, which takes longer to load than
many a file to print."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counts
from dnstap.pipeline.diagnostics import endings, new_reports
from framestream.errors import FrameStreamError
from framestream.streams import LIMITS, Limits
from framestream.sync.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.pipeline.outputs.base import FileOutput
    from dnstap.pipeline.stages import Stage
    from framestream.sync.reader import Reader

__all__ = ["Copying"]


class Copying:
    """Passes the payloads of files to one output. It has what Collector has, where that is of use.

    Args: report: takes one line about a file: what was wrong with it, or what was left out of it.
    Attributes:
        failed_files: files that could not be read to their end.
        counts: what has come, once a file is over.
    """

    def __init__(self, report: Callable[[str], object], *, limits: Limits = LIMITS) -> None:
        self.failed_files = 0
        self.counts = Counts()
        self._report = report
        self._limits = limits
        self._files: list[tuple[str, Reader]] = []
        self._stages: Sequence[Stage] = ()
        self._stopping = False
        self._passed = 0
        self._reader: Reader | None = None

    def read(self, path: str) -> None:
        """Add a file.

        Raises: OSError.
        """
        self._files.append((path, read_file(path, [CONTENT_TYPE], limits=self._limits)))

    @property
    def size(self) -> int:
        """Octets of all regular files, compressed as they are. To be asked before the run."""
        return sum(_size(reader) for _, reader in self._files)

    def position(self) -> int:
        """How many of these have been read."""
        reader = self._reader
        return self._passed + (os.lseek(reader.fileno(), 0, os.SEEK_CUR) if reader else 0)

    def stop(self) -> None:
        """End the run before the next read. May be called by a signal handler."""
        self._stopping = True

    def run(self, output: FileOutput, stages: Sequence[Stage] = ()) -> None:
        """Read the files to their end, or until stop().

        Args:
            output: what it raises ends the run.
            stages: what the payloads go through before.
        """
        self._stages = stages
        try:
            for path, reader in self._files:
                with closing(reader):
                    self._reader = reader
                    self._copy(path, reader, output)
                    self._passed += _size(reader)
                    self._reader = None
            output.flush()
        finally:
            for line in new_reports(*stages, output):
                self._report(line)

    def close(self) -> None:
        """Close the files."""
        for _, reader in self._files:
            reader.close()

    def _copy(self, path: str, reader: Reader, output: FileOutput) -> None:
        error = None
        batches = reader.batches()
        while not self._stopping:
            try:
                payloads = next(batches, None)
            except (FrameStreamError, OSError) as caught:
                error = caught
                self.failed_files += 1
                break
            if payloads is None:
                break
            for stage in self._stages:
                payloads = stage(payloads)
            output.write_many(payloads)
        else:
            self._report(f"{path}: stopped at byte {reader.protocol.offset}")
        counts = self.counts.plus(reader)
        self.counts = counts._replace(files=counts.files + 1, broken=counts.broken + (error is not None))
        for line in endings(path, reader, error):
            self._report(line)


def _size(reader: Reader) -> int:
    return os.fstat(reader.fileno()).st_size
