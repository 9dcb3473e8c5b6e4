"""Files that are compressed while they are written, so that what was written can be read soon, whatever happens."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Literal

from dnstap.pipeline.outputs.headers import check_header
from framestream.compression import Compressor, Decompressor
from framestream.errors import CompressionError, LocalProtocolError
from framestream.files import FileOutput as OpenFile

__all__ = ["CompressedFile", "NotAppendableError", "open_compressed"]

FLUSH_S = 1.0
"""Seconds after which what was written must be readable. With gzip and zstd that costs some bytes each time, with bzip2
and xz a new member."""

FLUSH_BYTES = 1 << 22
"""Bytes after which it must be, too. They are kept until then, to be written again if another program cuts the file."""


FIRST_BYTES = 8192
"""Bytes that are kept of the contents of a file to append to, which must begin with the same header."""


class NotAppendableError(LocalProtocolError):
    """A file to append to does not end with the end of compressed data of the same format."""


class CompressedFile:
    """An open file that compresses what is written to it. It takes the place of a FileOutput of framestream.

    Args:
        file: the file, which is closed with this.
        compression: one of COMPRESSIONS.
        name: of the file, for errors.
        first: the first FIRST_BYTES of what it holds.
    Raises: MissingLibraryError: the library of the compression is not installed.

    Attributes: beginning, taken: see FileOutput.
    """

    taken = 0  # A write that fails has written nothing.

    def __init__(self, file: OpenFile, compression: str, name: str = "", first: bytes = b"") -> None:
        self.beginning = b""
        self.first = first
        self._name = name
        self._file = file
        self._compression = compression
        self._compressor = Compressor(compression)
        # Also an empty file gets the frame of its format, by which it can be decompressed.
        self._output = self._compressor.feed(b"")
        # What was written since the last flush.
        self._written: list[bytes] = []
        self._written_bytes = 0
        self._flush_at = time.monotonic()
        self._cuts = 0

    @property
    def whole(self) -> bool:
        """True if each write so far was written entirely or not at all."""
        return self._file.whole

    @property
    def pending(self) -> bool:
        """True if something that was written may not be in the file yet."""
        return bool(self._written or self._output)

    @property
    def opened_bytes(self) -> int:
        """Length of the file when it was opened."""
        return self._file.opened_bytes

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def write(self, data: bytes) -> int:
        """Write bytes: all of them, or none if it raises. Return their number, as file objects do.

        Raises: OSError: what was written before cannot be put into the file.
        """
        self._put_out()
        self._output += self._compressor.feed(data)
        self._written.append(data)
        self._written_bytes += len(data)
        # The compressor has these bytes and cannot give them back: they are written, and the next call raises again.
        with suppress(OSError):
            if self._written_bytes >= FLUSH_BYTES:
                self.flush()
            else:
                self.flush_if_due()
        return len(data)

    def flush_if_due(self) -> None:
        """Flush what was written some time ago.

        Raises: OSError.
        """
        if self._written and time.monotonic() >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Make what was written readable.

        Raises: OSError: it is kept, for the next call.
        """
        self._output += self._compressor.flush()
        self._put_out()
        self._flush_at = time.monotonic() + FLUSH_S
        self._written.clear()
        self._written_bytes = 0

    def close(self) -> None:
        """Write the rest, and close the file.

        Raises: OSError.
        """
        try:
            # Twice if another program has cut the file, after which there is another member.
            for _ in range(2):
                self._output += self._compressor.finish()
                self._put_out()
        finally:
            self._file.close()

    def __str__(self) -> str:
        return self._name

    def _put_out(self) -> None:
        """Write the output of the compressor to the file.

        Raises: OSError: it is kept.
        """
        if not self._output:
            return
        size = len(self._output)
        self._file.write(self._output)
        self._output = b""
        if self._file.cuts > self._cuts:
            # Another program has cut the file, and what follows is the middle of a member: it is replaced by another.
            self._cuts = self._file.cuts
            self._file.truncate(max(0, os.fstat(self.fileno()).st_size - size))
            self._compressor = Compressor(self._compression)
            self._output = self._compressor.feed(b"".join((self.beginning, *self._written))) + self._compressor.flush()
            self._put_out()


def open_compressed(
    path: str,
    mode: Literal["replace", "append", "new"],
    compression: str,
    *,
    lock: bool = True,
    header: bytes = b"",
) -> CompressedFile:
    """Open a file to write compressed data to, or to append more of them to those that it holds.

    Args: header: what those must begin with.
    Raises: OSError; NotAppendableError; LocalProtocolError: another header; MissingLibraryError: the
        library of the compression is not installed.
    """
    Compressor(compression)  # Before anything is truncated.
    file = OpenFile(path, mode, lock=lock)
    try:
        first = _check_appendable(file, compression) if mode == "append" and file.regular else b""
        check_header(header, first)
        return CompressedFile(file, compression, path, first)
    except BaseException:
        file.close()
        raise


def _check_appendable(file: OpenFile, compression: str) -> bytes:
    """Check that a file is empty, or compressed data with its end. It is read to its end.

    Returns: the first FIRST_BYTES of what it holds.
    Raises: NotAppendableError: it is not, or it is compressed in another way; OSError.
    """
    decompressor, offset, first = Decompressor(), 0, b""
    try:
        while data := file.read(offset):
            offset += len(data)
            for piece in decompressor.feed(data):
                first += piece[: FIRST_BYTES - len(first)]
    except CompressionError as error:
        raise NotAppendableError(str(error)) from None
    if offset and decompressor.name != compression:
        raise NotAppendableError(f"expected {compression} data, got {decompressor.name or 'something else'}")
    if decompressor.unfinished:
        raise NotAppendableError(f"expected the end of its {compression} data, got the end of the file")
    return first
