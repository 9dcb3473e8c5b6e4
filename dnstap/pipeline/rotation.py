"""File rotation: when to start a new file, and what to do with the old one: rename, compress, run a command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from framestream.compression import zstd_library

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPRESSIONS", "FileLimits", "Rotation", "parse_limits"]

COMPRESSIONS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
"""Suffix of a compressed file, by the name of the compression."""

_SIZES = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class FileLimits(NamedTuple):
    """Limits at which the next file begins; None for no limit.

    Attributes:
        size: length in bytes.
        time: age in seconds.
        frames: number of data frames.
    """

    size: int | None = None
    time: int | None = None
    frames: int | None = None


def parse_limits(text: str) -> FileLimits:
    """Parse one or more limits, such as "size=100M,time=1h,count=1000000".

    Raises: ValueError: invalid.
    """
    limits = FileLimits()
    for part in text.split(","):
        match = re.fullmatch(r"(size|time|count)=([1-9][0-9]{0,11})([kMGsmhd]?)", part)
        units = {"size": _SIZES, "time": _TIMES, "count": {"": 1}}[match[1]] if match else {}
        if not match or match[3] not in units:
            raise ValueError(f"expected a limit such as size=100M, time=1h or count=1000000, got {part!r}")
        name = "frames" if match[1] == "count" else match[1]
        limits = limits._replace(**{name: int(match[2]) * units[match[3]]})
    return limits


class Rotation:
    """Limits of a file, and a thread that compresses finished files and runs a command on each, one after the other.

    Args:
        limits: limits of a file.
        report: takes one line when compression or the command fails.
        compression: one of COMPRESSIONS.
        command: command line, to which the name of the finished file is added. No shell runs it.
    Raises: MissingLibraryError: the library of the compression is not installed.

    Attributes: finished: number of finished files.
    """

    def __init__(
        self, limits: FileLimits, report: Callable[[str], object], *, compression: str | None = None, command: str = ""
    ) -> None:
        self.finished = 0
        self._limits = limits
        self._report = report
        self._suffix = COMPRESSIONS[compression] if compression else ""
        self._open = _opener(compression) if compression else None
        self._command = shlex.split(command)
        self._begun = time.monotonic()
        # One thread, so that finished files are compressed one after the other while recording goes on.
        self._thread = ThreadPoolExecutor(1, "dnstap-rotation")

    def begin(self) -> None:
        """Note that a file begins now."""
        self._begun = time.monotonic()

    def room(self, frames: int) -> int | None:
        """Return how many more frames fit into a file with this many; None if unlimited."""
        # At least 1, so that the loop of FileOutput.write_many makes progress whatever a file already holds.
        return None if self._limits.frames is None else max(1, self._limits.frames - frames)

    def due(self, size: int, frames: int) -> bool:
        """Return whether a file of this size, with this many frames, is due for rotation. An empty file never is."""
        limits = self._limits
        return frames > 0 and (
            (limits.size is not None and size >= limits.size)
            or (limits.frames is not None and frames >= limits.frames)
            or (limits.time is not None and time.monotonic() - self._begun >= limits.time)
        )

    def rename(self, path: str) -> str:
        """Rename a finished file, with the time before its suffix, and return its new name.

        Raises: OSError.
        """
        stem, suffix = os.path.splitext(path)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        names = (f"{stem}-{stamp}{f'-{number}' if number else ''}{suffix}" for number in count())
        # A file of the same second may be there, and may have been compressed already.
        name = next(name for name in names if not any(map(os.path.lexists, (name, name + self._suffix))))
        os.rename(path, name)
        return name

    def finish(self, name: str) -> None:
        """Compress a file that is closed, and run the command on it, after those before. Returns at once."""
        self.finished += 1
        if self._open or self._command:
            self._thread.submit(self._finish, name)

    def close(self) -> None:
        """Wait until all finished files have been dealt with."""
        self._thread.shutdown()

    def _finish(self, name: str) -> None:
        try:
            if self._open:
                name = self._compress(name, self._open)
            if self._command:
                command = [*self._command, name]
                # The command must not read from our standard input, which may be an input of the run (`-r -`).
                done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 (the user's own)
                if done.returncode:
                    self._report(f"{name}: {self._command[0]} ended with status {done.returncode}")
        except OSError as error:
            # The old file stays as it is, and recording goes on: a failure here costs no frame.
            self._report(f"{name}: {error.strerror}: {error.filename}")

    def _compress(self, name: str, opener: Callable[[str], Any]) -> str:
        """Replace a file by a compressed one, and return its name."""
        compressed = name + self._suffix
        # At any time one complete file is there: the compressed one gets its name when it is whole, and only then is
        # the original removed.
        temporary = f"{compressed}.tmp"
        try:
            with open(name, "rb") as source, opener(temporary) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.replace(temporary, compressed)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        os.unlink(name)
        return compressed


def _opener(compression: str) -> Callable[[str], Any]:
    """Return the function that opens a compressed file for writing.

    Raises: MissingLibraryError.
    """
    if compression == "gzip":
        import gzip

        return lambda name: gzip.open(name, "wb")
    if compression == "bzip2":
        import bz2

        return lambda name: bz2.open(name, "wb")
    if compression == "xz":
        import lzma

        return lambda name: lzma.open(name, "wb")
    return partial(zstd_library().open, mode="wb")
