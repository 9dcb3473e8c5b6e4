"""Decompression of input in gzip, bzip2, xz or zstd format, recognised by its first bytes; and compression.

There is no I/O here: input is fed in, and comes out decompressed in small steps. So a small input that expands a
thousandfold takes no more memory than any other, and no step waits for input that has not been received. The libraries
are those of Python (zstd from Python 3.14 on; the extra `zstd` adds it to older ones), and are imported when compressed
input is found. Concatenated members, such as `cat a.gz b.gz` makes, are read as one.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from framestream.errors import CompressionError, MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = ["COMPRESSIONS", "Compressor", "Decompressor", "compression_by_name", "compression_of", "zstd_library"]

COMPRESSIONS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
"""Usual suffix of a compressed file, by the name of the format."""

STEP_BYTES = 8192
"""Most bytes decompressed in one step. Data before a fault in the same step is lost with it, so steps are small."""

PIECE_BYTES = 16384
"""Most bytes given to the library at a time: at each step zlib copies all input that it has not used yet."""

XZ_MEMORY_BYTES = 1 << 27
"""Limit for the dictionary of an xz file; files made with `xz -9` need half of it."""

ZSTD_WINDOW_LOG = 27
"""Limit for the window of a zstd frame, as a power of two: 128 MiB, which is also the limit of `zstd -d`."""


def compression_by_name(path: str) -> str | None:
    """Return the format that the suffix of a path stands for; None if it stands for none."""
    return next((name for name, suffix in COMPRESSIONS.items() if path.endswith(suffix)), None)


class _Member(Protocol):
    """Interface of a decompressor object for one member, as bz2, lzma and zstd have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Encoder(Protocol):
    """Interface of a compressor object for one member."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _GzipMember:
    """The same interface for zlib."""

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
    """Import Python's own zstd module, or that of the extra.

    Raises: MissingLibraryError: there is neither.
    """
    # Not chosen by version: a Python 3.14 may have been built without zstd, and have the extra.
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
    # Skippable frames of zstd; files made by pzstd begin with one.
    **{bytes([first]) + b"\x2a\x4d\x18": ("zstd", _zstd_member) for first in range(0x50, 0x60)},
}
"""First bytes -> the name of the format, and a function that makes a decompressor for one member."""


def compression_of(first: bytes) -> str:
    """Return the name of the format of a file that begins with these bytes; "" if it is not compressed."""
    return next((name for magic, (name, _) in _FORMATS.items() if first.startswith(magic)), "")


class Decompressor:
    """Decompressor of an input in any of the formats, or in none.

    Attributes: name: name of the format; "" if the input is not compressed, or not known yet.
    """

    def __init__(self) -> None:
        self._first: bytes | None = b""
        self.name = ""
        self._make: Callable[[], _Member] | None = None
        self._member: _Member | None = None
        self._offset = 0

    @property
    def unfinished(self) -> bool:
        """True inside compressed data, whose end has not been fed."""
        return self._member is not None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next bytes of the input, and yield steps of at most STEP_BYTES; the bytes if not compressed.

        Raises: CompressionError: the input is corrupt; MissingLibraryError: the library for it is not installed.
        """
        if self._first is not None:
            # Bytes that may be the beginning of a magic number wait for the rest of it.
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
                piece = piece.lstrip(b"\0")  # Padding, which xz allows between members.
                if not piece:
                    return
                self._member = make()
            member = self._member
            try:
                out = member.decompress(piece, STEP_BYTES)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 (each library has its own exceptions, and nothing else runs here)
                raise CompressionError(f"{self.name} data", f"a fault in it ({error})", self._offset) from None
            if out:
                self._offset += len(out)
                yield out
            piece = b""
            if member.eof:
                piece, self._member = member.unused_data, None
            elif member.needs_input:
                return


class Compressor:
    """A compressor of output, without I/O: bytes are fed in, and come out compressed, sometimes later.

    Args: name: one of COMPRESSIONS.
    Raises: MissingLibraryError: the library of the compression is not installed.
    """

    def __init__(self, name: str) -> None:
        self._make, self._sync = _encoders(name)
        self._encoder: _Encoder | None = None

    def feed(self, data: bytes) -> bytes:
        """Compress bytes, and return what comes out. Begins a member if there is none."""
        if self._encoder is None:
            self._encoder = self._make()
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        """Return the rest of the output, after which all bytes so far can be decompressed.

        bzip2 and xz have only the end of the member for that, so more is fed into another one.
        """
        if self._encoder is None:
            return b""
        return self.finish() if self._sync is None else self._sync(self._encoder)

    def finish(self) -> bytes:
        """End the member, and return the rest of its output; b"" if there is none."""
        encoder, self._encoder = self._encoder, None
        return encoder.flush() if encoder else b""


def _encoders(name: str) -> tuple[Callable[[], _Encoder], Callable[[Any], bytes] | None]:
    """Return a function that begins a member, and one that has it put out all that it was given, if it can.

    Raises: MissingLibraryError.
    """
    if name == "gzip":
        import zlib

        # It writes a header without a time, which the format cannot hold from 2106 on.
        return partial(zlib.compressobj, wbits=16 + zlib.MAX_WBITS), lambda encoder: encoder.flush(zlib.Z_SYNC_FLUSH)
    if name == "bzip2":
        import bz2

        return bz2.BZ2Compressor, None
    if name == "xz":
        import lzma

        return lzma.LZMACompressor, None
    zstd = zstd_library()
    return zstd.ZstdCompressor, lambda encoder: encoder.flush(encoder.FLUSH_BLOCK)
