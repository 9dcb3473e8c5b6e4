"""Compressed input: whole, joined, cut off, corrupt, and made to explode."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import resource
import sys
import tracemalloc
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from framestream import (
    CompressionError,
    MissingLibraryError,
    RemoteProtocolError,
    TruncatedStreamError,
    compression,
    read_file,
)
from framestream.compression import (
    COMPRESSIONS,
    STEP_BYTES,
    Compressor,
    Decompressor,
    compression_by_name,
    compression_of,
)
from tests.framestream.wire import START, STOP, data

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOADS = [random.Random(number).randbytes(40) * 3 for number in range(2000)]
STREAM = START + data(*PAYLOADS) + STOP

ZSTD = compression.zstd_library()

zstd_compress: Callable[[bytes], bytes] = partial(
    ZSTD.compress,
    options={ZSTD.CompressionParameter.checksum_flag: 1},  # as the tool does
)

compressed = pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstd_compress], ids=["gz", "bz2", "xz", "zst"]
)

SKIPPABLE = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
"""A frame of zstd that holds nothing: its number (0x50 to 0x5f), its size, and that many bytes."""


def zstd_frame(window: int, content: bytes) -> bytes:
    """A frame of one block, with this window descriptor: the exponent, less 10, in its upper 5 bits; then eighths.

    Source: RFC 8878, 3.1.1.1.
    """
    magic = b"\x28\xb5\x2f\xfd"
    descriptor = b"\0"  # no content size, no checksum, no dictionary
    block = (len(content) << 3 | 0 << 1 | 1).to_bytes(3, "little") + content  # raw, and the last
    return magic + descriptor + bytes([window]) + block


def everything(octets: bytes, size: int) -> bytes:
    """Decompress an input that is received a number of bytes at a time."""
    source = Decompressor()
    out = []
    for at in range(0, len(octets), size):
        steps = list(source.feed(octets[at : at + size]))
        assert all(0 < len(step) <= STEP_BYTES for step in steps)
        out += steps
    return b"".join(out)


@compressed
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_in_pieces(compress: Callable[[bytes], bytes], size: int) -> None:
    assert everything(compress(STREAM), size) == STREAM


@compressed
def test_joined_members(compress: Callable[[bytes], bytes]) -> None:
    assert everything(compress(STREAM) + compress(b"more"), 1000) == STREAM + b"more"


@pytest.mark.parametrize("first", [STREAM, b"\x1fx", b"BZ2...", b"text\n", b"\xfd7zXY\0", b"P*M.", b"(\xb5/\xfe"])
def test_not_compressed(first: bytes) -> None:
    """It is given as it comes, from where it is certain."""
    source = Decompressor()
    assert b"".join(piece for octet in first for piece in source.feed(bytes([octet]))) == first
    large = bytes(1 << 20)
    assert list(source.feed(large)) == [large]


@compressed
def test_a_file(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """The name of the file does not matter."""
    path = tmp_path / "capture.fstrm"
    path.write_bytes(compress(STREAM) + compress(STREAM))
    with read_file(path) as reader:
        assert list(reader) == PAYLOADS * 2


@compressed
def test_a_file_read_byte_by_byte(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pipe may give it."""
    monkeypatch.setattr("framestream.files.READ_BYTES", 1)
    path = tmp_path / "capture"
    path.write_bytes(compress(STREAM))
    with read_file(path) as reader:
        assert list(reader) == PAYLOADS
    path.write_bytes(compress(STREAM)[:2])
    with read_file(path) as reader, pytest.raises(RemoteProtocolError):
        list(reader)


@compressed
def test_cut_off(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "cut"
    octets = compress(STREAM)
    path.write_bytes(octets[: len(octets) * 2 // 3])
    got: list[bytes] = []
    with read_file(path) as reader, pytest.raises(TruncatedStreamError):
        got.extend(reader)
    assert got == PAYLOADS[: len(got)]


@compressed
@pytest.mark.parametrize("stream", [STREAM, STREAM.removesuffix(STOP)], ids=["STOP", "no STOP"])
@pytest.mark.parametrize("member", ["first", "second"])
def test_the_end_of_compressed_data_is_missing(
    compress: Callable[[bytes], bytes], stream: bytes, member: str, tmp_path: Path
) -> None:
    """Its writer was killed: the frames are given, and the missing end is reported."""
    before, octets = (PAYLOADS, compress(STREAM)) if member == "second" else ([], b"")
    path = tmp_path / "cut"
    path.write_bytes(octets + compress(stream)[:-1])
    got: list[bytes] = []
    with read_file(path) as reader:
        for _ in range(2):
            with pytest.raises(TruncatedStreamError) as caught:
                got.extend(reader)
        assert (caught.value.expected, caught.value.got) == (
            f"the rest of the {reader.compression} data",
            "the end of input",
        )
        assert (reader.ended, caught.value.inside_frame) == (True, False)
    # All but bzip2 keep only their checksum and length in the end.
    assert got in (before + PAYLOADS, before + PAYLOADS[: len(got) - len(before)])
    assert len(got) == len(before) + len(PAYLOADS) or compress is bz2.compress


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_corrupt(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Data well before the fault is returned first."""
    path = tmp_path / "corrupt"
    octets = bytearray(compress(STREAM) + compress(STREAM))
    middle = len(octets) * 3 // 4
    octets[middle : middle + 50] = bytes(50)
    path.write_bytes(octets)
    got: list[bytes] = []
    with read_file(path) as reader:
        for _ in range(2):
            with pytest.raises(CompressionError) as caught:
                got.extend(reader)
    assert caught.value.expected in ("bzip2 data", "xz data")
    assert caught.value.offset >= len(STREAM)
    assert got == (PAYLOADS * 2)[: len(got)]
    assert len(got) >= len(PAYLOADS)


@pytest.mark.parametrize(
    ("compress", "checksum_at", "text"),
    [
        (
            gzip.compress,
            -8,
            "expected gzip data, got a fault in it (Error -3 while decompressing data: incorrect data check",
        ),
        (zstd_compress, -4, "expected zstd data, got a fault in it (Unable to decompress Zstandard data: "),
    ],
    ids=["gz", "zst"],
)
def test_corrupt_checksum(compress: Callable[[bytes], bytes], checksum_at: int, text: str, tmp_path: Path) -> None:
    """It stands at the end: until then a fault may show only by what it makes of the stream."""
    path = tmp_path / "corrupt"
    octets = bytearray(compress(STREAM))
    octets[checksum_at] ^= 1
    path.write_bytes(octets)
    got: list[bytes] = []
    with read_file(path) as reader, pytest.raises(CompressionError) as caught:
        got.extend(reader)
    assert str(caught.value).startswith(text)
    assert got == PAYLOADS[: len(got)]
    assert len(STREAM) - STEP_BYTES <= caught.value.offset < len(STREAM)
    assert len(START + data(*got)) > caught.value.offset - len(data(PAYLOADS[0]))


def test_corrupt_zstd(tmp_path: Path) -> None:
    """A block of a type that there is not, in the second frame: the first is given out."""
    path = tmp_path / "corrupt"
    path.write_bytes(zstd_compress(STREAM) + b"\x28\xb5\x2f\xfd\0\0" + bytes([3 << 1]) + bytes(20))
    got: list[bytes] = []
    with read_file(path) as reader:
        for _ in range(2):
            with pytest.raises(CompressionError) as caught:
                got.extend(reader)
    assert (caught.value.expected, caught.value.offset) == ("zstd data", len(STREAM))
    assert got == PAYLOADS


def test_names() -> None:
    found = [compression_of(compress(b"x")) for compress in (gzip.compress, bz2.compress, lzma.compress, zstd_compress)]
    assert found == ["gzip", "bzip2", "xz", "zstd"]
    assert [compression_of(first) for first in (SKIPPABLE, STREAM, b"")] == ["zstd", "", ""]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress, zstd_compress], ids=["bz2", "xz", "zst"])
def test_padding_and_rubbish_behind_a_member(compress: Callable[[bytes], bytes]) -> None:
    octets = compress(STREAM)
    assert everything(octets + bytes(5000) + compress(b"more") + bytes(4), 1000) == STREAM + b"more"
    with pytest.raises(CompressionError):
        everything(octets + b"rubbish that is no member", 1000)


def test_xz_that_wants_much_memory() -> None:
    """A dictionary of a gigabyte is refused before it is made."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 24}]
    assert everything(lzma.compress(STREAM, filters=filters), 1000) == STREAM
    greedy = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}])
    with pytest.raises(CompressionError, match="Memory usage limit exceeded"):
        everything(greedy, 1000)


@pytest.mark.parametrize("size", [1, 1000])
def test_zstd_frames_that_hold_nothing(size: int) -> None:
    """They stand first, as pzstd writes them, between, or last, as an index of the others."""
    octets = SKIPPABLE + zstd_compress(STREAM) + SKIPPABLE + SKIPPABLE + zstd_compress(b"more") + SKIPPABLE
    assert everything(octets, size) == STREAM + b"more"
    for number in range(0x50, 0x60):
        assert everything(bytes([number]) + SKIPPABLE[1:] + zstd_compress(b"x"), size) == b"x"


def test_zstd_that_wants_much_memory() -> None:
    """A window of 128 MiB is taken, and any larger one refused before it is made."""
    assert everything(zstd_frame((27 - 10) << 3, STREAM[:9000]), 1000) == STREAM[:9000]
    greedy = [
        zstd_frame((27 - 10) << 3 | 1, b"x"),  # an eighth more
        zstd_frame((31 - 10) << 3, b"x"),  # 2 GiB
        # A single segment, whose window is as large as its declared content: 2 GiB, in eight bytes.
        b"\x28\xb5\x2f\xfd" + b"\xe0" + (1 << 31).to_bytes(8, "little") + b"\x09\0\0x",
    ]
    # A limit below 2 GiB: allocating them would fail with another text.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), before[1]))
    try:
        for octets in greedy:
            with pytest.raises(CompressionError, match="requires too much memory"):
                everything(octets, 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", ["compression.zstd", "backports.zstd"])
def test_zstd_comes_from_where_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, other, None)  # which the import takes for "not there"
    monkeypatch.setitem(sys.modules, name, ZSTD)
    assert everything(zstd_compress(STREAM), 1000) == STREAM


def test_the_standard_library_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    standard: Any = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "compression.zstd", standard)
    monkeypatch.setitem(sys.modules, "backports.zstd", ZSTD)
    assert compression.zstd_library() is standard


@pytest.mark.parametrize("octets", [zstd_compress(STREAM), SKIPPABLE], ids=["frame", "skippable"])
def test_no_zstd(octets: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, and that neither the input nor the caller is to blame."""
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "capture"
    path.write_bytes(octets)
    with read_file(path) as reader:
        for _ in range(2):  # and not that the stream is cut off
            with pytest.raises(MissingLibraryError) as caught:
                list(reader)
    assert (
        str(caught.value)
        == "zstd data needs a library that is not installed; in a clone of the repository: pip install '.[zstd]'"
    )
    assert (caught.value.what, caught.value.extra) == ("zstd data", "zstd")
    assert everything(gzip.compress(STREAM), 1000) == STREAM


def test_no_memory_is_no_fault_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        def decompress(self, _data: bytes, _size: int) -> bytes:
            raise MemoryError

    monkeypatch.setitem(compression._FORMATS, b"BZh", ("bzip2", Exhausted))
    with pytest.raises(MemoryError):
        everything(bz2.compress(STREAM), 1000)


@compressed
def test_nothing_waits_for_more_input(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A pipe that has given all but its end gives all the frames."""
    reading, writing = os.pipe()
    octets = compress(STREAM[:4000])
    with read_file(f"/dev/fd/{reading}") as reader:
        os.write(writing, octets)
        got = [payload for batch in reader.receive() for payload in batch]
    os.close(writing)
    os.close(reading)
    assert got == PAYLOADS[: len(got)]
    assert len(got) == (4000 - len(START)) // (4 + len(PAYLOADS[0]))


@compressed
def test_little_that_becomes_much_takes_no_memory(compress: Callable[[bytes], bytes]) -> None:
    octets = compress(bytes(1 << 26))
    assert len(octets) < 1 << 17
    tracemalloc.start()
    source = Decompressor().feed(octets)
    for _ in range(1000):
        assert not any(next(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24  # the dictionary of xz takes half of it


class TestCompressor:
    @pytest.mark.parametrize("name", COMPRESSIONS)
    def test_any_pieces(self, name: str) -> None:
        """All that was fed before a flush can be decompressed after it, in any number of members."""
        compressor, decompressor = Compressor(name), Decompressor()
        assert compressor.flush() == compressor.finish() == b""
        received = b""
        for number in range(20):
            out = compressor.feed(b"%d," % number * 100)
            out += compressor.finish() if number % 7 == 0 else compressor.flush()
            received += b"".join(decompressor.feed(out))
            assert received == b"".join([b"%d," % each * 100 for each in range(number + 1)])
        assert list(decompressor.feed(compressor.finish())) == []
        assert (decompressor.name, decompressor.unfinished) == (name, False)

    def test_names(self) -> None:
        paths = "a.gz", "a.fstrm.bz2", "b/c.xz", "a.zst", "a.fstrm", "gz", "a.gz/b"
        assert [*map(compression_by_name, paths)] == ["gzip", "bzip2", "xz", "zstd", None, None, None]
