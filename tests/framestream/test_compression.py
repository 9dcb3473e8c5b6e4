"""Compressed input: whole, joined, cut off, corrupt, and made to explode."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from framestream import CompressionError, RemoteProtocolError, TruncatedStreamError, read_file
from framestream.compression import STEP_BYTES, Decompressor, decompressor
from tests.framestream.wire import START, STOP, data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOADS = [random.Random(number).randbytes(40) * 3 for number in range(2000)]
STREAM = START + data(*PAYLOADS) + STOP

compressed = pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])


def in_pieces(octets: bytes, size: int) -> Decompressor:
    """A Decompressor whose input comes so many bytes at a time, the first 6 at once."""
    pieces = iter([octets[at : at + size] for at in range(6, len(octets), size)])
    made = decompressor(octets[:6], lambda: next(pieces, b""))
    assert made is not None
    return made


def everything(source: Decompressor) -> bytes:
    """To the end."""
    out = b""
    while more := source.read():
        assert len(more) <= STEP_BYTES
        out += more
    return out


@compressed
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_in_pieces(compress: Callable[[bytes], bytes], size: int) -> None:
    assert everything(in_pieces(compress(STREAM), size)) == STREAM


@compressed
def test_joined_members(compress: Callable[[bytes], bytes]) -> None:
    assert everything(in_pieces(compress(STREAM) + compress(b"more"), 1000)) == STREAM + b"more"


@pytest.mark.parametrize("first", [b"", b"\x1f", STREAM[:6], b"BZ", b"text\n"])
def test_not_compressed(first: bytes) -> None:
    assert decompressor(first, lambda: b"") is None


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
    assert str(caught.value).startswith("expected gzip data, got a fault in it (CRC check failed")
    assert got == PAYLOADS


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_padding_and_rubbish_behind_a_member(compress: Callable[[bytes], bytes]) -> None:
    octets = compress(STREAM)
    assert everything(in_pieces(octets + bytes(5000) + compress(b"more") + bytes(4), 1000)) == STREAM + b"more"
    with pytest.raises(CompressionError):
        everything(in_pieces(octets + b"rubbish that is no member", 1000))


def test_xz_that_wants_much_memory() -> None:
    """A dictionary of a gigabyte is refused before it is made."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 24}]
    assert everything(in_pieces(lzma.compress(STREAM, filters=filters), 1000)) == STREAM
    greedy = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}])
    with pytest.raises(CompressionError, match="Memory usage limit exceeded"):
        everything(in_pieces(greedy, 1000))


def test_errors_of_the_input_itself_pass() -> None:
    def fails() -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    made = decompressor(gzip.compress(STREAM)[:20], fails)
    assert made is not None
    with pytest.raises(OSError, match="Input/output error") as caught:
        everything(made)
    assert caught.value.errno == errno.EIO


@compressed
def test_little_that_becomes_much_takes_no_memory(compress: Callable[[bytes], bytes]) -> None:
    octets = compress(bytes(1 << 26))
    assert len(octets) < 1 << 17
    tracemalloc.start()
    source = in_pieces(octets, 1 << 18)
    for _ in range(100):
        assert source.read().count(0) > 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24  # the dictionary of xz takes half of it
