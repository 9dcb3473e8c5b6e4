"""When a file that is written has had enough, and what becomes of it then: another name, compression, a command."""

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
"""Name -> suffix."""

_SIZES = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class FileLimits(NamedTuple):
    """What a file may have before the next begins; None: any.

    Attributes:
        size: octets.
        time: seconds.
        frames: data frames.
    """

    size: int | None = None
    time: int | None = None
    frames: int | None = None


def parse_limits(text: str) -> FileLimits:
    """Limits from text such as "size=100M,time=1h,count=1000000", of which at least one is given.

    Raises: ValueError: it is not that.
    """
    limits = FileLimits()
    for part in text.split(","):
        match = re.fullmatch(r"(size|time|count)=([1-9][0-9]{0,11})([kMGsmhd]?)", part)
        units = {"size": _SIZES, "time": _TIMES, "count": {"": 1}}[match[1]] if match else {}
        if not match or match[3] not in units:
            raise ValueError(f"{part!r} is no limit of a file, such as size=100M, time=1h or count=1000000")
        name = "frames" if match[1] == "count" else match[1]
        limits = limits._replace(**{name: int(match[2]) * units[match[3]]})
    return limits


class Rotation:
    """Gives finished files their names, and does with them what is to be done, one after the other, in a thread.

    Args:
        limits: of a file.
        report: takes one line when something cannot be done.
        compression: one of COMPRESSIONS.
        command: words, behind which the name of the finished file is put; they are no shell's.
    Raises: MissingLibraryError: the library of the compression is not installed.

    Attributes: finished: how many files.
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
        self._thread = ThreadPoolExecutor(1, "dnstap-rotation")

    def begin(self) -> None:
        """A file begins now."""
        self._begun = time.monotonic()

    def room(self, frames: int) -> int | None:
        """How many frames there may be more in a file of so many; None: any."""
        return None if self._limits.frames is None else max(1, self._limits.frames - frames)

    def due(self, size: int, frames: int) -> bool:
        """Whether a file of so many octets and frames has had enough. One without frames never has."""
        limits = self._limits
        return frames > 0 and (
            (limits.size is not None and size >= limits.size)
            or (limits.frames is not None and frames >= limits.frames)
            or (limits.time is not None and time.monotonic() - self._begun >= limits.time)
        )

    def rename(self, path: str) -> str:
        """Give a file the name of a finished one: with the time, before its suffix; the name.

        Raises: OSError.
        """
        stem, suffix = os.path.splitext(path)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        names = (f"{stem}-{stamp}{f'-{number}' if number else ''}{suffix}" for number in count())
        # It may have been compressed meanwhile.
        name = next(name for name in names if not any(map(os.path.lexists, (name, name + self._suffix))))
        os.rename(path, name)
        return name

    def finish(self, name: str) -> None:
        """Compress a file that is closed, and run the command on it, when those before are done."""
        self.finished += 1
        if self._open or self._command:
            self._thread.submit(self._finish, name)

    def close(self) -> None:
        """Wait until all is done."""
        self._thread.shutdown()

    def _finish(self, name: str) -> None:
        try:
            if self._open:
                name = self._compress(name, self._open)
            if self._command:
                command = [*self._command, name]
                done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 (the user's own)
                if done.returncode:
                    self._report(f"{name}: {self._command[0]} ended with status {done.returncode}")
        except OSError as error:
            self._report(f"{name}: {error.strerror}: {error.filename}")

    def _compress(self, name: str, opener: Callable[[str], Any]) -> str:
        """Compress a file; the name of what takes its place."""
        compressed = name + self._suffix
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
    """What opens a file to write to it by a compression.

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
