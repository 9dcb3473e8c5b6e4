"""Compressed input, read as what was compressed: gzip, bzip2 and xz, recognised by their first bytes, not by a name.

The standard library decompresses, and is loaded when there is something to decompress. No call gives more than it was
asked for, so a little input that would become much takes no more memory than any other. Members that follow each other
are read through, as `cat a.gz b.gz` makes them.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from framestream.errors import CompressionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAGIC_BYTES", "MAGIC_STARTS", "Decompressor", "decompressor"]

STEP_BYTES = 8192
"""Decompressed at a time: what stands before a fault in the same step is lost with it."""


XZ_MEMORY_BYTES = 1 << 27
"""What the dictionary of an xz file may take; `xz -9` makes files that need half of it."""


class _Decompressing(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Source(io.RawIOBase):
    """What has been read of the input already, then the rest of it."""

    def __init__(self, first: bytes, read: Callable[[], bytes]) -> None:
        self._held = first
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._held or self._read()
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        self._held = data[size:]
        return size


class _Members:
    """bzip2 or xz: members one behind the other, with zeros between them, as xz may pad them."""

    def __init__(self, make: Callable[[], Any], first: bytes, read: Callable[[], bytes]) -> None:
        self._make = make
        self._member = make()
        self._first = first
        self._read = read

    def read1(self, size: int, /) -> bytes:
        while True:
            if self._member.eof:
                first = self._member.unused_data.lstrip(b"\0")
                while not first:
                    more = self._read()
                    if not more:
                        return b""
                    first = more.lstrip(b"\0")
                self._member, self._first = self._make(), first
            octets = b""
            if self._member.needs_input:
                octets, self._first = self._first or self._read(), b""
                if not octets:
                    raise EOFError
            if data := self._member.decompress(octets, size):
                return bytes(data)


class Decompressor:
    """The decompressed bytes of an input.

    Args:
        name: of the format, for the error.
        file: what decompresses.
        faults: what it raises for corrupt input.
    """

    def __init__(self, name: str, file: _Decompressing, *faults: type[Exception]) -> None:
        self._name = name
        self._file = file
        self._faults = faults
        self._offset = 0
        self._error: CompressionError | None = None

    def read(self) -> bytes:
        """The next bytes, STEP_BYTES at the most; b"" at the end, also where the input has been cut off.

        Raises: CompressionError: the input is corrupt; again at each further call. OSError: of the input itself.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        try:
            data = self._file.read1(STEP_BYTES)
        except EOFError:
            return b""
        except self._faults as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            self._error = CompressionError(f"{self._name} data", f"a fault in it ({error})", self._offset)
            raise self._error from None
        self._offset += len(data)
        return data


MAGIC_BYTES = 6
"""How many bytes tell what an input is."""

MAGIC_STARTS = b"\x1fB\xfd"
"""The first byte of what may be compressed; no stream begins with one of them."""


def decompressor(first: bytes, read: Callable[[], bytes]) -> Decompressor | None:
    """A Decompressor for an input that begins so; None if it is not compressed.

    Args:
        first: what has been read of it, MAGIC_BYTES or more if there are so many.
        read: gives the next bytes of it, b"" at the end.
    """
    if first.startswith(b"\x1f\x8b"):
        import gzip
        import zlib

        return Decompressor("gzip", gzip.GzipFile(fileobj=io.BufferedReader(_Source(first, read))), zlib.error, OSError)
    if first.startswith(b"BZh"):
        import bz2

        return Decompressor("bzip2", _Members(bz2.BZ2Decompressor, first, read), OSError)
    if first.startswith(b"\xfd7zXZ\0"):
        import lzma

        make = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
        return Decompressor("xz", _Members(make, first, read), lzma.LZMAError)
    return None
