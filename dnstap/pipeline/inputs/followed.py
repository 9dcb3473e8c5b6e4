"""Files that are read while they grow: one by its name, or all of a directory or pattern, as they come.

A file is known by its device and number and not by its name, so that one which is renamed by a rotation is not read
twice. Its beginning is remembered besides: it tells a new file with the number of a removed one, and a copy or a
compressed piece of a file that has been read. Frames have times in nanoseconds, so that two files differ there.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import stat
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple, cast

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.base import Input
from framestream.aio import read_file
from framestream.compression import Decompressor
from framestream.errors import FrameStreamError
from framestream.frames import FrameDecoder
from framestream.platforms import PREAD
from framestream.reporting import error_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from framestream.aio import Reader
    from framestream.streams import Limits

__all__ = ["FollowedInput", "is_pattern"]

SCAN_S = 0.1
"""Least interval between two looks at which files there are, in seconds. A look at 100,000 files takes half a second,
so the interval is also at least 10 times as long as the last look."""

MAX_OPEN = 32
"""Most files that are open at a time. Beyond it, the one that has not grown for longest is closed."""

BEGINNING_BYTES = 4096
"""Length of the beginning by which a file is known."""

BEGINNING_INPUT_BYTES = 1 << 20
"""Most compressed bytes to read for it: bzip2 gives nothing before the end of a block of 900,000 bytes."""

STOP_BYTES = 12
"""Length of a STOP at the end of a file that is followed; it is not read before more comes after it."""


class _Status(NamedTuple):
    """A file that was found. Sorted, they are in the order of their last change."""

    changed_ns: int
    path: str
    size: int
    key: tuple[int, int]

    @property
    def state(self) -> tuple[int, int]:
        return self.size, self.changed_ns


class _Known:
    """A file that is being read, or was.

    Attributes:
        beginning: its first bytes, decompressed.
        reader: while it is open; else None.
        frames: number of frames read before this reader was opened.
        seen: its state when all of it had been read, or at the last look.
        given_up: whether nothing more can come of it: a fault, or a copy.
    """

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.reader: Reader | None = None
        self.frames = 0
        self.seen = (0, 0)
        self.given_up = False


def is_pattern(path: str) -> bool:
    """Return whether a path is a directory, or a pattern and not the name of a file."""
    return os.path.isdir(path) or (glob.has_magic(path) and not os.path.lexists(path))


class FollowedInput(Input):
    """A file, or all files of a directory or pattern, which need not be there yet.

    Args:
        path: name of a file or directory, or a pattern as the shell has it.
        report: takes one line while there is no file, or one cannot be opened.
        concurrent: whether to read several files at a time, those of a directory or pattern.
    """

    file = True
    followed = True
    # All that may be open, and one that is looked at.
    descriptors = MAX_OPEN + 1

    def __init__(self, path: str, limits: Limits, report: Callable[[str], object], *, concurrent: bool) -> None:
        self.concurrent = concurrent
        self._path = path
        self._limits = limits
        self._report = report
        self._known: dict[tuple[int, int], _Known] = {}
        self._missing = False
        self._unreadable: dict[str, str] = {}
        self._pause_s = SCAN_S

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        while True:
            found = await asyncio.to_thread(self._find)
            self._look(found)
            # What was in the open files before new ones came is read first, such as the end of a rotated one.
            if any(status.key not in self._known for status in found):
                for status in found:
                    await self._until_read(status)
            for status in found:
                reader = await self._open(status)
                if reader:
                    yield status.path, reader
                    await self._until_read(status)
            await asyncio.sleep(self._pause_s)

    async def close(self) -> None:
        for known in self._known.values():
            if known.reader:
                await known.reader.close()

    def _find(self) -> list[_Status]:
        """Return the regular files there are, those that were changed first before the others."""
        began = time.monotonic()
        found = {}
        for path in self._paths():
            with contextlib.suppress(OSError):  # It was removed, or its directory is not ours to read.
                status = os.stat(path)
                if stat.S_ISREG(status.st_mode):
                    key = status.st_dev, status.st_ino
                    found[key] = _Status(status.st_mtime_ns, path, status.st_size, key)
        self._pause_s = max(SCAN_S, 10 * (time.monotonic() - began))
        return sorted(found.values())

    def _paths(self) -> Iterator[str]:
        if not self.concurrent:
            yield self._path
        elif os.path.isdir(self._path):
            # Hidden names are those of files that are being made, such as by mode "atomic".
            with contextlib.suppress(OSError), os.scandir(self._path) as entries:
                yield from [entry.path for entry in entries if not entry.name.startswith(".")]
        else:
            yield from glob.iglob(self._path)

    def _look(self, found: Sequence[_Status]) -> None:
        """Note which files have ended, have grown, or are gone."""
        if found or self._missing:
            self._missing = not found
        else:
            self._missing = True
            self._report(f"{self._path}: no file there; waiting for one")
        states = {status.key: status for status in found}
        for key, known in self._known.items():
            if (reader := known.reader) is None:
                continue
            if reader.fileno() >= 0:
                if PREAD and len(known.beginning) < BEGINNING_BYTES and not reader.compression:
                    known.beginning = os.pread(reader.fileno(), BEGINNING_BYTES, 0)
                known.seen = states[key].state if key in states else known.seen
                continue
            known.reader = None
            known.frames += reader.frames
            if key in states:
                size, offset = states[key].size, reader.protocol.offset
                if size < offset and not reader.compression:
                    # It was cut. Its beginning does not tell: only START may have been there when that was noted.
                    known.beginning, known.frames = b"", 0
                known.given_up = reader.protocol.failed and size >= offset
                # Of compressed data the offset is another one. Such a file is read again if it was changed meanwhile.
                if not reader.compression and size == offset:
                    known.seen = states[key].state
        # Files that are gone are kept as long as a compressed piece of one may come, but not for ever.
        for key in [key for key, known in self._known.items() if not known.reader and key not in states][:-MAX_OPEN]:
            del self._known[key]

    async def _open(self, status: _Status) -> Reader | None:
        """Open a file if there is anything new in it."""
        known = self._known.get(status.key)
        if (known and (known.reader or known.seen == status.state)) or not status.size or not self._has_room():
            return None
        try:
            beginning, compressed = await asyncio.to_thread(_beginning, status.path)
            if not beginning:
                return None
            if known is None or not beginning.startswith(known.beginning):
                # Also a removed file's number is given again, and a file may be cut and begun anew.
                known = self._known[status.key] = _Known(beginning)
                known.given_up = self._is_copy(status.key, beginning)
                # Compressed pieces come with each rotation; other copies may be meant to be read.
                if known.given_up and not compressed:
                    self._report(f"{status.path}: a copy of a file that was read; left out")
            if not known.given_up:
                await self._continue(status.path, known)
            known.seen = status.state
        except OSError as error:
            # Not one that was removed or renamed meanwhile.
            line = f"{status.path}: {error_text(error)}"
            if not isinstance(error, FileNotFoundError) and self._unreadable.get(status.path) != line:
                self._unreadable[status.path] = line
                self._report(line)
            return None
        self._unreadable.pop(status.path, None)
        return known.reader

    async def _continue(self, path: str, known: _Known) -> None:
        """Open a reader of what follows the frames that were read before."""
        # Known at once, so that `close` finds it if this is cancelled.
        known.reader = reader = await read_file(path, [CONTENT_TYPE], limits=self._limits, follow=True)
        try:
            async with aclosing(cast("AsyncGenerator[bytes]", aiter(reader))) as payloads:
                for _ in range(known.frames):
                    payload = await anext(payloads)
                    reader.frames -= 1
                    reader.bytes -= len(payload)
        except FrameStreamError as error:
            # It was changed before the place up to which it had been read.
            await reader.close()
            known.reader, known.given_up = None, True
            self._report(f"{path}: {error_text(error)}")

    def _has_room(self) -> bool:
        """Return whether another file may be opened; if not, end one that is read to its end."""
        readers = [known.reader for known in self._known.values() if known.reader and known.reader.fileno() >= 0]
        if len(readers) < MAX_OPEN:
            return True
        resting = [
            reader
            for reader in readers
            if _left(reader, os.fstat(reader.fileno()).st_size) <= 0 and not reader.protocol.decoder.missing()
        ]
        if resting:
            min(resting, key=lambda reader: os.fstat(reader.fileno()).st_mtime_ns).end_input()
        return False

    def _is_copy(self, key: tuple[int, int], beginning: bytes) -> bool:
        """Return whether a new file begins like one that was read: a copy, or a compressed piece."""
        for other_key, other in self._known.items():
            short, long = sorted((beginning, other.beginning), key=len)
            if other_key != key and long.startswith(short) and _is_telling(short):
                return True
        return False

    async def _until_read(self, status: _Status) -> None:
        """Wait until an open file has been read as far as it went when it was found."""
        known, pause_s = self._known.get(status.key), 0.001
        while known and known.reader and known.reader.fileno() >= 0 and _left(known.reader, status.size) > 0:
            await asyncio.sleep(pause_s)
            pause_s = min(SCAN_S, 2 * pause_s)


def _left(reader: Reader, size: int) -> int:
    """Return how many bytes of a file of this size are still to be read, without a STOP at its end."""
    return size - os.lseek(reader.fileno(), 0, os.SEEK_CUR) - STOP_BYTES


def _is_telling(beginning: bytes) -> bool:
    """Return whether the beginning of a file holds a frame, and not only START."""
    decoder = FrameDecoder()
    decoder.receive_data(beginning)
    with contextlib.suppress(FrameStreamError):
        while frames := decoder.next_payloads():
            if isinstance(frames, list):
                return True
    return len(beginning) == BEGINNING_BYTES


def _beginning(path: str) -> tuple[bytes, bool]:
    """Return the first bytes of a file, decompressed if that is possible, and whether it is compressed.

    There may be none yet.

    Raises: OSError.
    """
    decompressor, beginning = Decompressor(), b""
    with open(path, "rb") as file:
        while len(beginning) < BEGINNING_BYTES and file.tell() < BEGINNING_INPUT_BYTES:
            data = file.read(BEGINNING_BYTES)
            if not data:
                break
            try:
                for piece in decompressor.feed(data):
                    beginning += piece
            except FrameStreamError:
                # The reader will say so.
                return beginning or data, True
    return beginning[:BEGINNING_BYTES], bool(decompressor.name)
