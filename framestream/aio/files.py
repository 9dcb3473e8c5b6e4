"""Readers and writers of files, pipes and file objects, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from framestream.aio.awaitable import awaitable
from framestream.aio.daemon import call_in_daemon_thread
from framestream.aio.reader import Reader
from framestream.aio.writer import Writer, open_with_handshake
from framestream.files import POLL_S, FileInput, open_input
from framestream.protocol import Transport
from framestream.streams import (
    AT_ONCE,
    LIMITS,
    NO_DEADLINES,
    Batching,
    Limits,
    open_to_write,
    reader_protocol,
    start_frame,
    writer_protocol,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.endpoints import Path
    from framestream.files import FileMode, FileOutput, ObjectInput, ObjectOutput, Readable, Writable

__all__ = ["InputChannel", "OutputChannel", "open_in_thread", "read_file", "readable", "write_file"]

File = TypeVar("File")


async def readable(fd: int) -> None:
    """Wait until a descriptor is readable."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


class InputChannel:
    """A readable channel over a file, a pipe or a file object.

    The event loop waits for pipes and terminals; everything else is read by a thread of the default executor. There is
    no peer that could miss a deadline.
    """

    def __init__(self, file: FileInput | ObjectInput) -> None:
        self._file = file
        self._stopped = asyncio.Event()
        self._reading: asyncio.Future[bytes] | None = None
        self._selectable = isinstance(file, FileInput) and not file.regular
        self.fileno = file.fileno

    async def read(self, _deadline: float | None) -> bytes:
        """Return the next bytes; b"" at the end. Waits if a followed file may grow."""
        while not (data := await self._read()):
            if not self._file.may_grow():
                # Once more, for bytes appended between the read and the check.
                return await self._read()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._stopped.wait()
        return data

    async def _read(self) -> bytes:
        if self._selectable:
            try:
                await readable(self.fileno())
                return self._file.read()
            # epoll refuses devices that are always readable, such as /dev/null; the loop of Windows waits for no file.
            except (PermissionError, NotImplementedError):
                self._selectable = False
        if self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(None, self._file.read)
        # wait() does not cancel the future, so a cancelled call leaves the bytes to the next one.
        await asyncio.wait([self._reading])
        reading, self._reading = self._reading, None
        return reading.result()

    def end_input(self) -> None:
        """Stop following the file."""
        self._file.end_input()
        self._stopped.set()

    async def close(self) -> None:
        """Close the file, also if this is cancelled."""
        await asyncio.shield(self._close())

    async def _close(self) -> None:
        if reading := self._reading:
            await asyncio.wait([reading])
            reading.exception()  # Without this, asyncio logs that the exception was never retrieved.
        self._file.close()


class OutputChannel:
    """A writable channel over a file, a pipe or a file object, written to by a thread of the default executor."""

    def __init__(self, file: FileOutput | ObjectOutput) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._writing: asyncio.Future[None] | None = None
        self.fileno = file.fileno

    @property
    def whole(self) -> bool:
        """True if each write so far was written entirely or not at all."""
        return self._file.whole or self._writing is not None

    @property
    def transactional(self) -> bool:
        """True if closing without `keep` discards everything written."""
        return self._file.transactional

    def send(self, data: bytes) -> None:
        """Accept bytes to write; call `drain()` next."""
        self._waiting.append(data)

    async def drain(self, _deadline: float | None) -> None:
        """Write all bytes accepted so far."""
        while self._writing or self._waiting:
            if self._writing is None:
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._writing = asyncio.get_running_loop().run_in_executor(None, self._file.write, data)
            await asyncio.wait([self._writing])
            writing, self._writing = self._writing, None
            writing.result()

    async def close(self, *, keep: bool = True) -> None:
        """Close the file, as FileOutput.close, also if this is cancelled."""
        await asyncio.shield(self._close(keep=keep))

    async def _close(self, *, keep: bool) -> None:
        if self._writing:
            await asyncio.wait([self._writing])
            self._writing.exception()
        await asyncio.get_running_loop().run_in_executor(None, lambda: self._file.close(keep=keep))


@awaitable
async def read_file(
    file: Path | Readable,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    follow: bool = False,
) -> Reader:
    """Open a file, a pipe, standard input ("-") or a file object, also one compressed with gzip, bzip2, xz or zstd.

    If the file holds several streams one after the other, all of them are read, also after one that has no STOP
    (`unfinished_streams` of the protocol).

    Args:
        file: path, or binary file object, which is left open.
        content_types: content types that the file may have; any if there are none.
        follow: wait for a regular file to grow, until `end_input()` is called, or it was removed or its name given to
            another file and it has not grown for a second.
    Raises: OSError. Errors in the contents are raised by reading. A regular file that ends without STOP is truncated,
        unless it is followed.
    """
    protocol = reader_protocol(content_types, limits, transport=Transport.UNIDIRECTIONAL, joined=True)
    opened = await open_in_thread(lambda: open_input(file, follow=follow), lambda unused: unused.close())
    protocol.require_stop = opened.regular and not follow
    return Reader(InputChannel(opened), protocol, peer=str(file), file=True)


@awaitable
async def write_file(
    file: Path | Writable,
    content_types: Iterable[bytes] = (),
    *,
    mode: FileMode = "replace",
    lock: bool = False,
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> Writer:
    """Open a file, a pipe, standard output ("-") or a file object to write a stream to.

    If a write to a regular file fails, no part of it stays in the file. If another program cuts the file meanwhile,
    as logrotate's copytruncate does, another stream is begun there.

    Args:
        file: path, or binary file object, which is left open.
        content_types: the first of them goes into START.
        mode: treatment of an existing file. "replace" overwrites it from now on. "append" continues the last
            stream in the file, whose STOP and unfinished frame (`cut_bytes` of the writer) are removed; it reads the
            whole file to find its end. "atomic" replaces the file in one step on `close()`, and leaves it unchanged if
            a write or the body of `with` fails. "new" raises FileExistsError.
        lock: lock a regular file until it is closed, so that nobody else can open it with `lock`. Not in mode "atomic".
    Raises: OSError, BlockingIOError if the file is locked; LocalProtocolError: the content types do not fit in a frame,
        or the file to append to is compressed; RemoteProtocolError: it holds no stream, one with another content type,
        or one with a fault.
    """
    protocol = writer_protocol(content_types, limits, Transport.UNIDIRECTIONAL)
    opened, cut_bytes = await open_in_thread(
        lambda: open_to_write(file, mode, protocol, lock=lock), lambda unused: unused[0].close(keep=False)
    )
    writer = Writer(OutputChannel(opened), protocol, NO_DEADLINES, batching, peer=str(file))
    writer.cut_bytes = cut_bytes
    await open_with_handshake(writer)
    opened.beginning = start_frame(protocol)
    return writer


async def open_in_thread(open_file: Callable[[], File], close_unused: Callable[[File], object]) -> File:
    """Open a file in a thread, because opening a named pipe waits for its other end.

    Args: close_unused: called with the file if this was cancelled in the meantime.
    """
    opening = call_in_daemon_thread(open_file)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: done.exception() or close_unused(done.result()))
        raise
