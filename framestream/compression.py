"""Compressed input, read as what was compressed: gzip, bzip2, xz and zstd, recognised by its first bytes, not its name.

Without I/O: what comes is fed in, and given out decompressed in small steps, so a little input that would become much
takes no more memory than any other, and nobody waits for more input than has come. The standard library decompresses
(zstd since Python 3.14; before, the extra `zstd` brings it), and is loaded when there is something to decompress.
Members that follow each other, as `cat a.gz b.gz` makes them, are read through.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from framestream.errors import CompressionError, MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = ["Decompressor", "zstd_library"]

STEP_BYTES = 8192
"""Decompressed at a time: what stands before a fault in the same step is lost with it."""

PIECE_BYTES = 16384
"""Given to the library at a time: zlib copies what it has not used yet at each step."""

XZ_MEMORY_BYTES = 1 << 27
"""What the dictionary of an xz file may take; `xz -9` makes files that need half of it."""

ZSTD_WINDOW_LOG = 27
"""What the window of a zstd frame may take, as a power of two: the same 128 MiB, which is what `zstd -d` takes too."""


class _Member(Protocol):
    """One member, as bz2, lzma and zstd have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _GzipMember:
    """The same of zlib."""

    def __init__(self) -> None:
        import zlib

        self._object = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._object.decompress(self._object.unconsumed_tail + data, max_length)
        self.needs_input = not self._object.unconsumed_tail and len(out) < max_length
        return out


def _bzip2_member() -> _Member:
    import bz2

    return bz2.BZ2Decompressor()


def _xz_member() -> _Member:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


def _zstd_member() -> _Member:
    zstd = zstd_library()
    member: _Member = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
    return member


def zstd_library() -> ModuleType:
    """Python's, or that of the extra.

    Raises: MissingLibraryError.
    """
    # By trial, not by version: a Python 3.14 that was built without it may have the other.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingLibraryError("zstd data", "zstd")


_FORMATS: dict[bytes, tuple[str, Callable[[], _Member]]] = {
    b"\x1f\x8b": ("gzip", _GzipMember),
    b"BZh": ("bzip2", _bzip2_member),
    b"\xfd7zXZ\0": ("xz", _xz_member),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd_member),
    # A skippable frame of zstd, with which pzstd begins.
    **{bytes([first]) + b"\x2a\x4d\x18": ("zstd", _zstd_member) for first in range(0x50, 0x60)},
}
"""First bytes -> the name of the format, and what makes a member of it."""


class Decompressor:
    """Bytes of an input that may be compressed, to what they are."""

    def __init__(self) -> None:
        self._first: bytes | None = b""
        self.name = ""
        self._make: Callable[[], _Member] | None = None
        self._member: _Member | None = None
        self._offset = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of the input are: themselves, if it is not compressed, else steps of STEP_BYTES or less.

        Raises: CompressionError: the input is corrupt; MissingLibraryError: what decompresses it is not installed.
        """
        if self._first is not None:
            data = self._first + data
            if any(len(data) < len(magic) and magic.startswith(data) for magic in _FORMATS):
                self._first = data
                return
            self._first = None
            for magic, (name, make) in _FORMATS.items():
                if data.startswith(magic):
                    self.name, self._make = name, make
        if self._make is None:
            yield data
            return
        for start in range(0, len(data), PIECE_BYTES):
            yield from self._decompress(data[start : start + PIECE_BYTES], self._make)

    def _decompress(self, piece: bytes, make: Callable[[], _Member]) -> Iterator[bytes]:
        while True:
            if self._member is None:
                piece = piece.lstrip(b"\0")  # with which xz may pad what stands between members
                if not piece:
                    return
                self._member = make()
            member = self._member
            try:
                out = member.decompress(piece, STEP_BYTES)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 (each library has its own, and there is nothing else in there)
                raise CompressionError(f"{self.name} data", f"a fault in it ({error})", self._offset) from None
            if out:
                self._offset += len(out)
                yield out
            piece = b""
            if member.eof:
                piece, self._member = member.unused_data, None
            elif member.needs_input:
                return
