"""Messages of files for asyncio: `read` and `write`, with the arguments of those of dnstap."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from dnstap._log import log_line
from dnstap.content_type import CONTENT_TYPE
from dnstap.following import Following
from dnstap.reading import BaseMessageReader, Reading, sources_of
from dnstap.writing import close_compressed, open_if_compressed, payload_of
from framestream import aio
from framestream.aio.awaitable import awaitable
from framestream.aio.files import open_in_thread
from framestream.arguments import check_options
from framestream.errors import FrameStreamError
from framestream.streams import AT_ONCE, LIMITS, Batching, Limits, start_frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
    from types import TracebackType

    from dnstap.decoding import DnstapMessage
    from dnstap.filters.selecting import Filter
    from dnstap.messages import Dnstap
    from dnstap.pairing import Pairs
    from dnstap.pipeline.outputs.compressed import CompressedFile
    from dnstap.reading import Errors, Source
    from framestream.endpoints import Path
    from framestream.files import FileMode, Readable, Writable

__all__ = ["MessageReader", "MessageWriter", "read", "write"]

D = TypeVar("D", covariant=True)


class MessageReader(BaseMessageReader, Generic[D]):
    """The messages of files, to iterate over with `async for`. Made by `read`.

    A loop that was left can be continued by another one. `close` it, or use it in `async with`, if it is not read to
    its end.
    """

    def __init__(self, messages: AsyncGenerator[D, None], reading: Reading, following: Following | None = None) -> None:
        super().__init__(reading, following)
        self._messages = messages

    def __aiter__(self) -> AsyncIterator[D]:
        """Yield the messages.

        Raises: FrameStreamError, OSError: of the first file that could not be read to its end, after the messages of
            all files; unless errors are logged.
        """
        self._check_open()
        return self._messages

    async def __anext__(self) -> D:
        """Return the next message."""
        self._check_open()
        return await anext(self._messages)

    async def close(self) -> None:
        """Close the file that is being read."""
        self._closed = True
        await self._messages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: None = None,
    pairs: Pairs | None = None,
    lenient: Literal[False] = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[DnstapMessage]: ...


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: None = None,
    pairs: Pairs | None = None,
    lenient: bool,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Dnstap]: ...


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: Sequence[str],
    pairs: Pairs | None = None,
    lenient: bool = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Any]: ...


def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: Sequence[str] | None = None,
    pairs: Pairs | None = None,
    lenient: bool = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Any]:
    """Return the messages of files, one file after the other: `async for dnstap in dnstap.aio.read("log.fstrm")`.

    Args: see dnstap.read.
    Raises: as dnstap.read.
    """
    reading = Reading(filter, fields, pairs, lenient=lenient, errors=errors)
    check_options("limits", limits, Limits)
    files = (file, *more_files)
    following = Following(files, limits, log_line) if follow else None
    batches = following.batches() if following else _payloads(sources_of(files), reading, limits)
    if pairs is not None:
        batches = _paired(batches, pairs)
    return MessageReader(_messages(batches, reading), reading, following)


async def _paired(batches: AsyncGenerator[list[bytes], None], pairs: Pairs) -> AsyncGenerator[list[bytes], None]:
    """Yield paired payloads. Those that were held come before an error that is raised after all files."""
    try:
        async with aclosing(batches):
            async for payloads in batches:
                yield pairs(payloads)
    except (FrameStreamError, OSError):
        yield pairs.finish()
        raise
    yield pairs.finish()


async def _messages(batches: AsyncGenerator[list[bytes], None], reading: Reading) -> AsyncGenerator[Any, None]:
    """Yield the messages or rows in payloads, and report what was left out of them."""
    try:
        async with aclosing(batches):
            async for payloads in batches:
                for message in reading.messages(payloads):
                    yield message
    finally:
        reading.close()


async def _payloads(sources: list[Source], reading: Reading, limits: Limits) -> AsyncGenerator[list[bytes], None]:
    """Yield the payloads of files.

    Raises: FrameStreamError, OSError: the first of them, after all files.
    """
    for source in sources:
        reader = error = None
        reading.source = source.name
        try:
            async with (
                aio.read_file(source.file, [CONTENT_TYPE], limits=limits) as reader,
                aclosing(reader.batches()) as batches,
            ):
                async for payloads in batches:
                    yield payloads
        except (FrameStreamError, OSError) as caught:
            error = caught
        reading.end_file(source.name, reader, error)
    reading.end()


class MessageWriter:
    """A file to write messages to. Made by `write`. `close` it, or use it in `async with`."""

    def __init__(self, writer: aio.Writer, compressed: CompressedFile | None, *, lenient: bool) -> None:
        self._writer = writer
        self._compressed = compressed
        self._lenient = lenient

    @property
    def frames(self) -> int:
        """Number of messages written."""
        return self._writer.frames

    async def write(self, message: Dnstap | bytes) -> None:
        """Write a message, or the payload of one, which is not checked.

        Raises: EncodeError: a value that its field cannot hold, and nothing was written; OSError; LocalProtocolError:
            an empty payload, or one over the limit.
        """
        await self._writer.write(payload_of(message, lenient=self._lenient))

    async def write_many(self, messages: Iterable[Dnstap | bytes]) -> None:
        """Write messages: all of them, or none if one cannot be encoded. It takes less time than one by one.

        Raises: as write().
        """
        await self._writer.write_many([payload_of(message, lenient=self._lenient) for message in messages])

    async def flush(self) -> None:
        """Write the messages that wait for others, with `batching`.

        Raises: OSError.
        """
        await self._writer.flush()

    async def close(self) -> None:
        """Complete the file by STOP, and close it.

        Raises: OSError.
        """
        try:
            await self._writer.close()
        finally:
            await asyncio.to_thread(close_compressed, self._compressed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._writer.__aexit__(kind, error, traceback)
        finally:
            await asyncio.to_thread(close_compressed, self._compressed)


@awaitable
async def write(
    file: Path | Writable,
    *,
    mode: FileMode = "replace",
    lock: bool = False,
    lenient: bool = False,
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> MessageWriter:
    """Open a file, a pipe, standard output ("-") or a file object to write messages to.

    Await it, or use it in `async with`.

    Args: see dnstap.write.
    Raises: as dnstap.write.
    """
    compressed = await open_in_thread(lambda: open_if_compressed(file, mode, lock=lock), close_compressed)
    try:
        if compressed is None:
            writer = await aio.write_file(file, [CONTENT_TYPE], mode=mode, lock=lock, limits=limits, batching=batching)
        else:
            writer = await aio.write_file(compressed, [CONTENT_TYPE], limits=limits, batching=batching)
            compressed.beginning = start_frame(writer.protocol)
        return MessageWriter(writer, compressed, lenient=lenient)
    except BaseException:
        close_compressed(compressed)
        raise
