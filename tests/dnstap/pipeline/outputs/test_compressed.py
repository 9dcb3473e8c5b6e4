"""Files that are compressed while they are written: readable soon, appended to, cut, full."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.compressed import FLUSH_BYTES, CompressedFile, NotAppendableError, open_compressed
from dnstap.pipeline.outputs.parallel_text import ParallelText
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.rotation import FileLimits, Rotation
from framestream import TruncatedStreamError, read_file
from framestream.compression import COMPRESSIONS, Decompressor
from framestream.files import FileOutput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = pytest.mark.parametrize("compression", COMPRESSIONS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the monotonic clock, which stands still otherwise."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def readable(path: Path) -> bytes:
    """Return what can be decompressed of a file, whether it has its end or not."""
    return b"".join(Decompressor().feed(path.read_bytes()))


def no_space(_fd: int, _data: memoryview) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@ALL
def test_it_is_readable_soon(tmp_path: Path, compression: str, clock: Callable[[float], None]) -> None:
    """At once at first, then a second later, or once there is much of it."""
    path = tmp_path / "x"
    file = open_compressed(str(path), "replace", compression)
    file.write(b"one")
    assert readable(path) == b"one"
    file.write(b"two")
    assert readable(path) == b"one"
    file.flush_if_due()
    assert readable(path) == b"one"
    clock(1)
    file.flush_if_due()
    file.flush_if_due()
    assert readable(path) == b"onetwo"
    file.write(bytes(FLUSH_BYTES))
    assert len(readable(path)) == 6 + FLUSH_BYTES
    file.write(b"end")
    file.close()
    assert readable(path).endswith(b"end")
    decompressor = Decompressor()
    assert list(decompressor.feed(path.read_bytes()))
    assert not decompressor.unfinished


@ALL
def test_an_empty_file_is_one_of_its_format(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    file = open_compressed(str(path), "replace", compression)
    assert file.opened_bytes == 0
    file.close()
    decompressor = Decompressor()
    assert list(decompressor.feed(path.read_bytes())) == []
    assert (decompressor.name, decompressor.unfinished) == (compression, False)


def test_tools_read_them(tmp_path: Path) -> None:
    """Members of bzip2 and xz that follow each other are one file, by their formats."""
    for compression, decompress in ("gzip", gzip.decompress), ("bzip2", bz2.decompress), ("xz", lzma.decompress):
        path = tmp_path / compression
        file = open_compressed(str(path), "replace", compression)
        for word in b"one ", b"two ":
            file.write(word)
            file.flush()
        file.close()
        assert decompress(path.read_bytes()) == b"one two "
    done = subprocess.run(["gzip", "-dc", tmp_path / "gzip"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"one two ", b"")


@ALL
def test_appended(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    for number in range(3):
        file = open_compressed(str(path), "append", compression)
        file.write(b"%d" % number)
        file.close()
    assert readable(path) == b"012"


@ALL
@pytest.mark.parametrize("there", ["cut", "plain", "fault", "other"])
def test_not_appended(tmp_path: Path, compression: str, there: str) -> None:
    path = tmp_path / "x"
    other = "xz" if compression != "xz" else "gzip"
    file = open_compressed(str(path), "replace", other if there == "other" else compression)
    file.write(b"one" * 1000)
    file.close()
    octets = path.read_bytes()
    path.write_bytes(
        {"cut": octets[:-1], "plain": b"text", "fault": octets[:10] + b"\xff" * 90, "other": octets}[there]
    )
    before = path.read_bytes()
    with pytest.raises(NotAppendableError):
        open_compressed(str(path), "append", compression)
    assert path.read_bytes() == before


def test_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = open_compressed(str(path), "append", "gzip")
    file.write(b"one")
    file.close()
    assert gzip.decompress(os.read(reader, 1000)) == b"one"
    os.close(reader)


def test_a_missing_library_truncates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(b"old")

    def fail(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr("framestream.compression.import_module", fail)
    with pytest.raises(Exception, match="zstd"):
        open_compressed(str(path), "replace", "zstd")
    assert path.read_bytes() == b"old"


@ALL
def test_cut(tmp_path: Path, compression: str, clock: Callable[[float], None]) -> None:
    """By another program (copytruncate): nothing is lost that was not in the file, and the rest can be read."""
    path = tmp_path / "x"
    file = open_compressed(str(path), "replace", compression)
    file.beginning = b"beginning"
    file.write(b"one")
    for number in range(3):
        file.write(b"%d" % number * 1000)
        os.truncate(path, 0)
        file.write(b"x" * 1000)
        clock(1)
        file.flush_if_due()
        assert readable(path) == b"beginning" + b"%d" % number * 1000 + b"x" * 1000
    file.close()
    assert readable(path).startswith(b"beginning2")


@ALL
def test_cut_just_before_it_is_closed(tmp_path: Path, compression: str, clock: Callable[[float], None]) -> None:
    """The file has the end of its compressed data."""
    path = tmp_path / "x"
    file = open_compressed(str(path), "replace", compression)
    file.beginning = b"beginning"
    file.write(b"one")
    os.truncate(path, 0)
    file.write(b"two")
    file.close()
    decompressor = Decompressor()
    assert b"".join(decompressor.feed(path.read_bytes())) == b"beginningtwo"
    assert not decompressor.unfinished


def test_as_a_file_object(tmp_path: Path) -> None:
    """It says how much it has taken, and which file it is."""
    path = str(tmp_path / "x")
    for lock in (True, False):
        file = open_compressed(path, "replace", "gzip", lock=lock)
        assert file.write(b"one") == 3
        assert str(file) == path
    with pytest.raises(FileExistsError):
        open_compressed(path, "new", "gzip")


@ALL
def test_full(
    tmp_path: Path, compression: str, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were taken are kept, and those that were refused are not."""
    path = tmp_path / "x"
    file = open_compressed(str(path), "replace", compression)
    file.write(b"one")
    clock(1)
    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", no_space)
        file.write(b"two")
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                file.write(b"refused")
        with pytest.raises(OSError, match="No space left"):
            file.flush_if_due()
    assert readable(path) == b"one"
    assert file.whole
    file.write(b"three")
    file.close()
    assert readable(path) == b"onetwothree"


def test_full_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = FileOutput(tmp_path / "x")
    file = CompressedFile(raw, "gzip")
    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", no_space)
        with pytest.raises(OSError, match="No space left"):
            file.close()
    assert raw.fileno() == -1


KINDS = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Recording, id="recording"),
        pytest.param(partial(TextOutput, format_name="quiet"), id="text"),
        pytest.param(partial(ParallelText, format_name="quiet", jobs=1), id="parallel text"),
    ],
)
PAYLOAD = b"\x78\x01"


def payloads(path: Path) -> int:
    """Return the number of payloads in a file."""
    if b"[no Message]" in (text := readable(path)):
        return text.count(b"[no Message]\n")
    with read_file(path, [CONTENT_TYPE]) as reader:
        return len(list(reader))


@KINDS
@ALL
def test_outputs(tmp_path: Path, kind: Callable[..., Recording], compression: str) -> None:
    """Appended to, rotated without being compressed again, and renamed if their end is missing."""
    path = tmp_path / f"log.x{COMPRESSIONS[compression]}"
    for _ in range(2):
        output = kind(str(path), append=True, compression=compression)
        output.write_many([PAYLOAD])
        output.flush()
        output.close()
    assert payloads(path) == 2
    path.write_bytes(path.read_bytes()[:-1])
    output = kind(str(path), append=True, compression=compression, rotation=Rotation(FileLimits(frames=2), print))
    (said,) = output.new_reports()
    output.write_many([PAYLOAD] * 3)
    output.flush()
    output.close()
    broken, old, current = sorted(tmp_path.iterdir())
    assert said.startswith(f"{path}: cannot be appended to, and is {broken} now: expected the end of its {compression}")
    assert (payloads(old), payloads(current), current) == (2, 1, path)
    assert all(name.name.endswith(f"Z.x{COMPRESSIONS[compression]}") for name in (broken, old))


@KINDS
def test_readable_while_nothing_comes(
    tmp_path: Path, kind: Callable[..., Recording], clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    output = kind(str(path), compression="gzip")
    output.write_many([PAYLOAD])
    output.flush()
    output.write_many([PAYLOAD])
    output.flush()
    before = path.stat().st_size
    clock(1)
    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", no_space)
        output.tick()
    assert path.stat().st_size == before
    output.tick()
    assert path.stat().st_size > before
    output.close()
    assert payloads(path) == 2


def test_rotated_when_asked(tmp_path: Path) -> None:
    """An empty one is left alone, though START is in it."""
    path = tmp_path / "log"
    output = Recording(str(path), compression="gzip")
    output.rotate_soon()
    output.tick()
    output.write_many([PAYLOAD])
    output.rotate_soon()
    output.tick()
    output.close()
    assert sorted(map(payloads, tmp_path.iterdir())) == [0, 1]


def test_an_incomplete_recording_has_no_stop(tmp_path: Path) -> None:
    path = tmp_path / "log"
    output = Recording(str(path), compression="gzip")
    output.write_many([PAYLOAD])
    output.incomplete = True
    output.close()
    with read_file(path) as reader, pytest.raises(TruncatedStreamError):
        assert list(reader) == [PAYLOAD]
