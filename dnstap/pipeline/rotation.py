"""File rotation: when to start a new file, and what to do with the old one: rename, compress, run a command."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from dnstap.pipeline.new_files import temporary_name
from framestream.compression import COMPRESSIONS, zstd_library
from framestream.files import create_like
from framestream.platforms import NO_FOLLOW, OPEN_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileLimits", "Rotation", "parse_limits"]

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

    Attributes:
        finished: number of finished files.
        failed: number of those that could not be compressed, or whose command failed.
    """

    def __init__(
        self, limits: FileLimits, report: Callable[[str], object], *, compression: str | None = None, command: str = ""
    ) -> None:
        self.finished = self.failed = 0
        self._limits = limits
        self._report = report
        self._suffix = COMPRESSIONS[compression] if compression else ""
        self._compressed = _compressing(compression) if compression else None
        self._command = shlex.split(command)
        self._begun = time.monotonic()
        self._names: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Note that a file begins now."""
        self._begun = time.monotonic()

    def room(self, frames: int) -> int | None:
        """Return how many more frames fit into a file with this many; None if unlimited."""
        limit = self._limits.frames
        # Unlimited too where the file is full already, because no new one can be begun: in pieces of a frame each, it
        # would be slow as well.
        return None if limit is None or frames >= limit else limit - frames

    def due(self, size: int, frames: int) -> bool:
        """Return whether a file of this size, with this many frames, is due for rotation. An empty file never is."""
        limits = self._limits
        return frames > 0 and (
            (limits.size is not None and size >= limits.size)
            or (limits.frames is not None and frames >= limits.frames)
            or (limits.time is not None and time.monotonic() - self._begun >= limits.time)
        )

    def finish(self, name: str) -> None:
        """Compress a file that is closed, and run the command on it, after those before. Returns at once."""
        self.finished += 1
        if not (self._compressed or self._command):
            return
        self._names.put(name)
        if self._thread is None:
            # One thread, so that finished files are compressed one after the other while recording goes on. Not before
            # the first of them, because ParallelText forks.
            thread = threading.Thread(target=self._finish_all, name="dnstap-rotation", daemon=True)
            # No more threads can be started now: the file waits for the next call, or for `close`.
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Wait until all finished files have been dealt with."""
        self._names.put(None)
        if self._thread:
            self._thread.join()
        else:
            self._finish_all()

    def _finish_all(self) -> None:
        while (name := self._names.get()) is not None:
            try:
                self._finish(name)
            except Exception as error:  # noqa: BLE001 (of compression libraries and of memory, for example)
                # The old file stays as it is, and recording goes on: a failure here costs no frame.
                self._fail(name, _reason(error))

    def _finish(self, name: str) -> None:
        if self._compressed:
            try:
                name = _compress(name, name + self._suffix, self._compressed)
            except Exception as error:  # noqa: BLE001 (see above)
                self._fail(name, f"not compressed: {_reason(error)}")
        if self._command:
            command = [*self._command, name]
            # The command must not read from our standard input, which may be an input of the run (`-r -`).
            done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 (the user's own)
            if done.returncode:
                self._fail(name, f"{self._command[0]} ended with status {done.returncode}")

    def _fail(self, name: str, reason: str) -> None:
        self.failed += 1
        with suppress(OSError):  # Standard error may be closed.
            self._report(f"{name}: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _compress(name: str, compressed: str, compressing: Callable[[BinaryIO], Any]) -> str:
    """Replace a file by a compressed one with its mode, owner and times, and return its name.

    Raises: OSError and others: the file is as it was.
    """
    with open(name, "rb", opener=_open_no_link) as source:
        status = os.fstat(source.fileno())
        # At any time one complete file is there: the compressed one gets its name when it is whole, and only then is
        # the original removed. Nobody can plant a file or a link under a name that cannot be foreseen.
        temporary = temporary_name(compressed)
        with open(create_like(temporary, status), "wb") as target:
            try:
                with compressing(target) as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                target.flush()
                os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
                os.fsync(target.fileno())
                if os.path.lexists(compressed):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), compressed)
                os.rename(temporary, compressed)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
    os.unlink(name)
    return compressed


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | NO_FOLLOW | OPEN_FLAGS)


def _compressing(compression: str) -> Callable[[BinaryIO], Any]:
    """Return the function that makes a file object which compresses into another one.

    Raises: MissingLibraryError.
    """
    if compression == "gzip":
        import gzip

        # Without a time, which the format cannot hold from 2106 on.
        return lambda file: gzip.GzipFile("", "wb", fileobj=file, mtime=0)
    if compression == "bzip2":
        import bz2

        return lambda file: bz2.open(file, "wb")
    if compression == "xz":
        import lzma

        return lambda file: lzma.open(file, "wb")
    return partial(zstd_library().open, mode="wb")
