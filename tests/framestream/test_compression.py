"""Compressed input: whole, joined, cut off, corrupt, and made to explode."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from framestream import CompressionError, RemoteProtocolError, TruncatedStreamError, compression, read_file
from framestream.compression import STEP_BYTES, Decompressor
from tests.framestream.wire import START, STOP, data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOADS = [random.Random(number).randbytes(40) * 3 for number in range(2000)]
STREAM = START + data(*PAYLOADS) + STOP

compressed = pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])


def everything(octets: bytes, size: int) -> bytes:
    """All that an input is, which comes so many bytes at a time."""
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


@pytest.mark.parametrize("first", [STREAM, b"\x1fx", b"BZ2...", b"text\n", b"\xfd7zXY\0"])
def test_not_compressed(first: bytes) -> None:
    """It is given as it comes, from where it is certain."""
    source = Decompressor()
    assert b"".join(piece for octet in first for piece in source.feed(bytes([octet]))) == first
    large = bytes(1 << 20)
    assert list(source.feed(large)) == [large]


@compressed
def test_a_file(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Whatever its name."""
    path = tmp_path / "capture.fstrm"
    path.write_bytes(compress(STREAM) + compress(STREAM))
    with read_file(path) as reader:
        assert list(reader) == PAYLOADS * 2


@compressed
def test_a_file_read_byte_by_byte(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pipe may give it."""
    monkeypatch.setattr("framestream.sync.READ_BYTES", 1)
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


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_corrupt(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """What came well before the fault is given out first."""
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


def test_corrupt_gzip(tmp_path: Path) -> None:
    """Its checksum stands at its end: until then a fault shows only by what it makes of the stream."""
    path = tmp_path / "corrupt"
    octets = bytearray(gzip.compress(STREAM))
    octets[-8] ^= 1
    path.write_bytes(octets)
    got: list[bytes] = []
    with read_file(path) as reader, pytest.raises(CompressionError) as caught:
        got.extend(reader)
    assert str(caught.value).startswith(
        "expected gzip data, got a fault in it (Error -3 while decompressing data: incorrect data check"
    )
    assert got == PAYLOADS[: len(got)]
    assert len(STREAM) - STEP_BYTES <= caught.value.offset < len(STREAM)
    assert len(START + data(*got)) > caught.value.offset - len(data(PAYLOADS[0]))


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
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


def test_no_memory_is_no_fault_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        def decompress(self, _data: bytes, _size: int) -> bytes:
            raise MemoryError

    monkeypatch.setitem(compression._FORMATS, b"BZh", ("bzip2", Exhausted))
    with pytest.raises(MemoryError):
        everything(bz2.compress(STREAM), 1000)


@compressed
def test_nobody_waits_for_more_than_has_come(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
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
