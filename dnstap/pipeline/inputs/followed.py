"""Files that are read while they grow: one by its name, or all of a directory or pattern, as they come.

A file is known by its device and number and not by its name, so that one which is renamed by a rotation is not read
twice. Its beginning is remembered besides: it tells a new file with the number of a removed one, and a copy or a
compressed piece of a file that has been read. Frames have times in nanoseconds, so that two files differ there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple, cast

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.base import Input
from dnstap.pipeline.inputs.paths import paths_of
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

__all__ = ["FollowedInput"]

SCAN_S = 0.1
"""Least interval between two looks at which files there are, in seconds. A look at 100,000 files takes half a second,
so the interval is also at least 10 times as long as the last look."""

MAX_OPEN = 32
"""Most files that are open at a time. Beyond it, those that have not grown for longest are closed."""

BEGINNING_BYTES = 1024
"""Length of the beginning by which a file is known."""

BEGINNING_INPUT_BYTES = 1 << 20
"""Most compressed bytes to read for it: bzip2 gives nothing before the end of a block of 900,000 bytes."""

STOP_BYTES = 12
"""Length of a STOP at the end of a file that is followed; it is not read before more comes after it."""


_Key = tuple[int, int]
"""Device and number of a file."""


class _Status(NamedTuple):
    """A file that was found. Sorted, they are in the order of their last change."""

    changed_ns: int
    path: str
    size: int
    key: _Key

    @property
    def state(self) -> tuple[int, int]:
        return self.size, self.changed_ns


class _Known:
    """A file that is being read, or was.

    Attributes:
        beginning: its first bytes, decompressed.
        frames: number of frames read until it was last closed.
        seen: its state when all of it had been read, or at the last look.
        given_up: whether nothing more can come of it: a fault, or a copy.
    """

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.frames = 0
        self.seen = (0, 0)
        self.given_up = False


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
        self._found: dict[_Key, _Status] = {}
        self._known: dict[_Key, _Known] = {}
        self._being_read: dict[_Key, Reader] = {}
        # Those with the same first frame: a directory may hold thousands, which are not compared one by one.
        self._by_first_frame: defaultdict[bytes, set[_Key]] = defaultdict(set)
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
        for reader in self._being_read.values():
            await reader.close()

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
        else:
            with contextlib.suppress(OSError):  # The directory is not ours to read.
                yield from paths_of(self._path)

    def _look(self, found: Sequence[_Status]) -> None:
        """Note which files have ended, have grown, or are gone."""
        if found or self._missing:
            self._missing = not found
        else:
            self._missing = True
            self._report(f"{self._path}: no file there; waiting for one")
        self._found = {status.key: status for status in found}
        for key, reader in [*self._being_read.items()]:
            known = self._known[key]
            if reader.fileno() < 0:
                self._note_end(key)
                continue
            if PREAD and len(known.beginning) < BEGINNING_BYTES and not reader.compression:
                known.beginning = os.pread(reader.fileno(), BEGINNING_BYTES, 0)
                self._by_first_frame[_first_frame(known.beginning)].add(key)
            if key in self._found:
                known.seen = self._found[key].state
        # Files that are gone are kept as long as a compressed piece of one may come, but not for ever.
        for key in [key for key in self._known if key not in self._found and key not in self._being_read][:-MAX_OPEN]:
            self._by_first_frame[_first_frame(self._known.pop(key).beginning)].discard(key)

    def _note_end(self, key: _Key) -> None:
        """Note how far a file was read whose reader has been closed."""
        reader, known = self._being_read.pop(key), self._known[key]
        known.frames += reader.frames
        if status := self._found.get(key):
            offset = reader.protocol.offset
            if status.size < offset and not reader.compression:
                # It was cut. Its beginning does not tell: only START may have been there when that was noted.
                known.beginning, known.frames = b"", 0
            known.given_up = reader.protocol.failed and status.size >= offset
            # Of compressed data the offset is another one. Such a file is read again if it was changed meanwhile.
            if not reader.compression and status.size == offset:
                known.seen = status.state

    async def _open(self, status: _Status) -> Reader | None:
        """Open a file if there is anything new in it."""
        known = self._known.get(status.key)
        if status.key in self._being_read or (known and known.seen == status.state) or not status.size:
            return None
        if not await self._has_room():
            return None
        try:
            beginning, compressed = await asyncio.to_thread(_beginning, status.path)
            if not beginning:
                return None
            # Without a beginning it was cut, or that is another file with the number of one whose reader has ended.
            if known is None or not known.beginning or not beginning.startswith(known.beginning):
                # Also a removed file's number is given again, and a file may be cut and begun anew.
                known = self._known[status.key] = _Known(beginning)
                known.given_up = self._is_copy(status.key, beginning)
                self._by_first_frame[_first_frame(beginning)].add(status.key)
                # Compressed pieces come with each rotation; other copies may be meant to be read.
                if known.given_up and not compressed:
                    self._report(f"{status.path}: a copy of a file that was read; left out")
            if not known.given_up:
                await self._continue(status, known)
            known.seen = status.state
        except OSError as error:
            # Not one that was removed or renamed meanwhile.
            line = f"{status.path}: {error_text(error)}"
            if not isinstance(error, FileNotFoundError) and self._unreadable.get(status.path) != line:
                self._unreadable[status.path] = line
                self._report(line)
            return None
        self._unreadable.pop(status.path, None)
        return self._being_read.get(status.key)

    async def _continue(self, status: _Status, known: _Known) -> None:
        """Open a reader of what follows the frames that were read before."""
        reader = await read_file(status.path, [CONTENT_TYPE], limits=self._limits, follow=True)
        # Noted at once, so that `close` finds it if this is cancelled.
        self._being_read[status.key] = reader
        try:
            async with aclosing(cast("AsyncGenerator[bytes]", aiter(reader))) as payloads:
                for _ in range(known.frames):
                    payload = await anext(payloads)
                    reader.frames -= 1
                    reader.bytes -= len(payload)
        except FrameStreamError as error:
            # It was changed before the place up to which it had been read.
            await reader.close()
            del self._being_read[status.key]
            known.given_up = True
            self._report(f"{status.path}: {error_text(error)}")

    async def _has_room(self) -> bool:
        """Return whether another file may be opened. If there are too many, close up to half of those that rest."""
        if len(self._being_read) < MAX_OPEN:
            return True
        resting = []
        for key, reader in self._being_read.items():
            status = os.fstat(reader.fileno()) if reader.fileno() >= 0 else None
            if status and _left(reader, status.st_size) <= 0 and not reader.protocol.decoder.missing():
                resting.append((status.st_mtime_ns, key))
        for _, key in sorted(resting)[: (MAX_OPEN + 1) // 2]:
            reader = self._being_read[key]
            reader.end_input()
            while reader.fileno() >= 0:
                await asyncio.sleep(0.001)
            self._note_end(key)
        return len(self._being_read) < MAX_OPEN

    def _is_copy(self, key: _Key, beginning: bytes) -> bool:
        """Return whether a new file begins like one that was read: a copy, or a compressed piece."""
        first_frame = _first_frame(beginning)
        if not first_frame:
            return False
        keys = self._by_first_frame[first_frame] - {key}
        return any(_agree(beginning, self._known[other].beginning) for other in keys if other in self._known)

    async def _until_read(self, status: _Status) -> None:
        """Wait until an open file has been read as far as it went when it was found."""
        reader, pause_s = self._being_read.get(status.key), 0.001
        while reader and reader.fileno() >= 0 and _left(reader, status.size) > 0:
            await asyncio.sleep(pause_s)
            pause_s = min(SCAN_S, 2 * pause_s)


def _left(reader: Reader, size: int) -> int:
    """Return how many bytes of a file of this size are still to be read, without a STOP at its end."""
    return size - os.lseek(reader.fileno(), 0, os.SEEK_CUR) - STOP_BYTES


def _agree(one: bytes, other: bytes) -> bool:
    """Return whether two beginnings may be those of the same contents."""
    return one.startswith(other) or other.startswith(one)


def _first_frame(beginning: bytes) -> bytes:
    """Return the first frame in a beginning, or if it is longer the whole beginning; b"" if there is none yet."""
    decoder = FrameDecoder()
    decoder.receive_data(beginning)
    with contextlib.suppress(FrameStreamError):
        while frames := decoder.next_payloads():
            if isinstance(frames, list):
                return frames[0]
    return beginning if len(beginning) == BEGINNING_BYTES else b""


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
