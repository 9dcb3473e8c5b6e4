"""Files to write messages and payloads to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self, cast

from dnstap.content_type import CONTENT_TYPE
from dnstap.messages import Dnstap
from dnstap.pipeline.outputs.compressed import open_compressed
from framestream.arguments import check_type
from framestream.compression import compression_by_name
from framestream.streams import AT_ONCE, LIMITS, Batching, Limits, start_frame
from framestream.sync.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from dnstap.pipeline.outputs.compressed import CompressedFile
    from framestream.endpoints import Path
    from framestream.files import FileMode, Writable
    from framestream.sync.writer import Writer

__all__ = ["MessageWriter", "payload_of", "write"]


class MessageWriter:
    """A file to write messages to. Made by `write`. `close` it, or use it in `with`."""

    def __init__(self, writer: Writer, compressed: CompressedFile | None, *, lenient: bool) -> None:
        self._writer = writer
        self._compressed = compressed
        self._lenient = lenient

    @property
    def frames(self) -> int:
        """Number of messages written."""
        return self._writer.frames

    def write(self, message: Dnstap | bytes) -> None:
        """Write a message, or the payload of one, which is not checked.

        Raises: EncodeError: a value that its field cannot hold, and nothing was written; OSError; LocalProtocolError:
            an empty payload, or one over the limit.
        """
        self._writer.write(payload_of(message, lenient=self._lenient))

    def write_many(self, messages: Iterable[Dnstap | bytes]) -> None:
        """Write messages: all of them, or none if one cannot be encoded. It takes less time than one by one.

        Raises: as write().
        """
        self._writer.write_many([payload_of(message, lenient=self._lenient) for message in messages])

    def flush(self) -> None:
        """Write the messages that wait for others, with `batching`.

        Raises: OSError.
        """
        self._writer.flush()

    def close(self) -> None:
        """Complete the file by STOP, and close it.

        Raises: OSError.
        """
        try:
            self._writer.close()
        finally:
            close_compressed(self._compressed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._writer.__exit__(kind, error, traceback)
        finally:
            close_compressed(self._compressed)


def payload_of(message: Dnstap | bytes, *, lenient: bool) -> bytes:
    """Return a message encoded, and a payload as it is.

    Raises: EncodeError; TypeError: neither.
    """
    if isinstance(message, Dnstap):
        return message.encode(lenient=lenient)
    check_type("message", message, bytes, "a Dnstap, or the bytes of one")
    return message


def write(
    file: Path | Writable,
    *,
    mode: FileMode = "replace",
    lock: bool = False,
    lenient: bool = False,
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> MessageWriter:
    """Open a file, a pipe, standard output ("-") or a file object to write messages to.

    A file whose name ends with .gz, .bz2, .xz or .zst is compressed.

    Args:
        lenient: write also messages without their required `type`, such as read(lenient=True) yields.
        file, mode, lock, limits, batching: see framestream.write_file. Each `write` goes to the file at once, unless
            there is `batching`.
    Raises: as framestream.write_file; ValueError: mode "atomic" of a compressed file; MissingLibraryError: the library
        of the compression is not installed.
    """
    compressed = open_if_compressed(file, mode, lock=lock)
    try:
        if compressed is None:
            writer = write_file(file, [CONTENT_TYPE], mode=mode, lock=lock, limits=limits, batching=batching)
        else:
            writer = write_file(compressed, [CONTENT_TYPE], limits=limits, batching=batching)
            compressed.beginning = start_frame(writer.protocol)
        return MessageWriter(writer, compressed, lenient=lenient)
    except BaseException:
        close_compressed(compressed)
        raise


def open_if_compressed(file: Path | Writable, mode: FileMode, *, lock: bool) -> CompressedFile | None:
    """Open a file whose name says that it is compressed; return None for any other.

    Raises: as write.
    """
    compression = compression_by_name(os.fspath(file)) if isinstance(file, str | os.PathLike) else None
    if compression is None:
        return None
    if mode not in ("replace", "append", "new"):
        raise ValueError(f"mode: expected 'replace', 'append' or 'new' for a compressed file, got {mode!r}")
    return open_compressed(os.fspath(cast("Path", file)), mode, compression, lock=lock)


def close_compressed(compressed: CompressedFile | None) -> None:
    """Close the file of `open_if_compressed`, if there is one."""
    if compressed is not None:
        compressed.close()
