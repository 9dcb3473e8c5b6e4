"""Rotation: limits of files, names, compression, commands."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import threading
import time
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.rotation import FileLimits, Rotation, parse_limits
from framestream import EncodedFrames, encode_data_frames, read_file
from framestream.compression import COMPRESSIONS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("size=100", FileLimits(size=100)),
        ("size=2k,time=3m,count=4", FileLimits(2048, 180, 4)),
        ("time=1h", FileLimits(time=3600)),
        ("time=2d,size=1G", FileLimits(1 << 30, 172800)),
        ("time=5,size=3M", FileLimits(3 << 20, 5)),
    ],
)
def test_limits(text: str, limits: FileLimits) -> None:
    assert parse_limits(text) == limits


@pytest.mark.parametrize("text", ["", "100M", "size=", "size=0", "size=1h", "time=1M", "count=1k", "size=1,", "age=1"])
def test_no_limits(text: str) -> None:
    with pytest.raises(ValueError, match="expected a limit such as size=100M"):
        parse_limits(text)


def files(folder: Path) -> dict[str, list[bytes]]:
    """Return the payloads of each recording in a folder, in the order of their content."""
    found = {}
    for path in folder.iterdir():
        with read_file(path, [CONTENT_TYPE]) as reader:
            found[path.name] = list(reader)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def recording(path: Path, limits: FileLimits, reports: list[str], **options: str) -> Recording:
    return Recording(str(path), rotation=Rotation(limits, reports.append, **options))


def test_by_count(tmp_path: Path) -> None:
    """No frame is lost between files, each file is a complete stream, and no name is used twice."""
    reports: list[str] = []
    output = recording(tmp_path / "log.fstrm", FileLimits(frames=2), reports)
    for number in range(7):
        if number % 2:
            output.write_many([b"%d" % number])
        else:
            output.write_encoded(EncodedFrames(encode_data_frames([b"%d" % number]), 1))
    output.write_many([b"7", b"8", b"9"])
    output.write_many([])
    output.close()
    found = files(tmp_path)
    assert list(found.values()) == [[], *[[b"%d" % number, b"%d" % (number + 1)] for number in range(0, 10, 2)]]
    last, *old = found
    assert last == "log.fstrm"
    assert all(re.fullmatch(r"log-\d{8}T\d{6}\.\d{6}Z\.fstrm", name) for name in old)
    # By name, and so by time.
    assert [*found] == ["log.fstrm", *sorted(old)]
    assert (output.frames, reports) == (10, [])


def test_by_size(tmp_path: Path) -> None:
    output = recording(tmp_path / "log", FileLimits(size=200), [])
    for number in range(5):
        output.write_many([b"%d" % number * 60])
    output.close()
    assert [len(payloads) for payloads in files(tmp_path).values()] == [3, 2]


def test_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while nothing is received, but never for an empty file."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    output = recording(tmp_path / "log", FileLimits(time=10), [])
    output.write_many([b"1"])
    now[0] += 9
    output.tick()
    assert len(list(tmp_path.iterdir())) == 1
    now[0] += 1
    output.tick()
    assert len(list(tmp_path.iterdir())) == 2
    now[0] += 100
    output.tick()
    assert len(list(tmp_path.iterdir())) == 2
    output.close()
    assert list(files(tmp_path).values()) == [[], [b"1"]]


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "empty").touch()
    Recording(str(path)).close()
    for name in "log", "empty":
        recording(tmp_path / name, FileLimits(frames=1), []).close()
    assert len(files(tmp_path)) == 3


def test_text(tmp_path: Path) -> None:
    output = TextOutput(str(tmp_path / "log.txt"), "quiet", rotation=Rotation(FileLimits(frames=1), print))
    for _ in range(2):
        output.write_many([b"\x78\x01"])
    output.close()
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["", "[no Message]\n", "[no Message]\n"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressed(tmp_path: Path, compression: str) -> None:
    reports: list[str] = []
    output = recording(tmp_path / "log", FileLimits(frames=1), reports, compression=compression)
    for number in range(3):
        output.write_many([b"%d" % number])
    output.close()
    found = files(tmp_path)
    assert (list(found.values()), reports) == ([[], [b"0"], [b"1"], [b"2"]], [])
    assert [name.endswith(COMPRESSIONS[compression]) for name in found] == [False, True, True, True]
    octets = (tmp_path / list(found)[-1]).read_bytes()
    decompress = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}.get(compression)
    if decompress:
        assert decompress(octets).endswith(bytes.fromhex("00000000 00000004 00000003"))


def test_command(tmp_path: Path) -> None:
    script, reports = tmp_path / "script", list[str]()
    script.write_text('#!/bin/sh\necho "$@" >> $(dirname $0)/done\nexit 3\n')
    script.chmod(stat.S_IRWXU)
    folder = tmp_path / "logs"
    folder.mkdir()
    output = recording(folder / "log", FileLimits(frames=1), reports, command=f"{script} 'a b'", compression="gzip")
    output.write_many([b"1"])
    output.close()
    (old,) = folder.glob("*.gz")
    assert (tmp_path / "done").read_text() == f"a b {old}\n"
    assert reports == [f"{old}: {script} ended with status 3"]
    output = recording(folder / "log", FileLimits(frames=1), reports, command="true")
    output.write_many([b"1"])
    output.close()
    assert len(reports) == 1


def test_no_command(tmp_path: Path) -> None:
    reports: list[str] = []
    output = recording(tmp_path / "log", FileLimits(frames=1), reports, command="/no/such/command")
    output.write_many([b"1"])
    output.close()
    assert [report.partition(": ")[2] for report in reports] == ["No such file or directory: /no/such/command"]
    assert output.rotation_failed


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "x"), "No space left on device: x"),
        (MemoryError(), "MemoryError"),
        (OverflowError("timestamp out of range"), "timestamp out of range"),
        (lzma.LZMAError("Internal error"), "Internal error"),
    ],
)
def test_failed_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str) -> None:
    """The old files stay as they are, nothing else does, and the command is run on them."""
    folder, done = tmp_path / "logs", tmp_path / "done"
    folder.mkdir()
    reports: list[str] = []
    recording(folder / "log", FileLimits(frames=1), reports).close()

    def fail(_file: object, _mode: str) -> object:
        raise error

    monkeypatch.setattr(lzma, "open", fail)
    command = f"sh -c 'echo \"$0\" >> {done}'"
    output = recording(folder / "log", FileLimits(frames=1), reports, compression="xz", command=command)
    output.write_many([b"1"])
    output.close()
    found = files(folder)
    assert sorted(found.values()) == [[], [], [b"1"]]
    # One of them was there before.
    assert sorted(reports) == sorted(f"{folder / name}: not compressed: {text}" for name in found if name != "log")
    assert sorted(done.read_text().split()) == sorted(str(folder / name) for name in found if name != "log")
    assert output.rotation_failed


def test_a_clock_of_the_next_century(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The times in gzip files end in 2106."""
    monkeypatch.setattr(time, "time", lambda: 4.95e9)
    monkeypatch.setattr(time, "time_ns", lambda: 4_950_000_000 * 10**9)
    reports: list[str] = []
    output = recording(tmp_path / "log", FileLimits(frames=1), reports, compression="gzip")
    output.write_many([b"1"])
    output.close()
    assert (reports, [*files(tmp_path)]) == ([], ["log", "log-21261110T160000.000000Z.gz"])


def test_a_report_that_fails(tmp_path: Path) -> None:
    """As where standard error is closed: the next file is compressed all the same."""

    def fail(_line: str) -> None:
        raise BrokenPipeError

    rotated = Rotation(FileLimits(frames=1), fail, compression="gzip")
    output = Recording(str(tmp_path / "log"), rotation=rotated)
    rotated.finish(str(tmp_path / "missing"))
    output.write_many([b"1"])
    output.close()
    assert [name.rpartition(".")[2] for name in files(tmp_path)] == ["log", "gz"]
    assert rotated.failed == 1


def test_no_more_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compression waits for a thread, or for the end."""
    output = recording(tmp_path / "log", FileLimits(frames=1), [], compression="gzip")

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        output.write_many([b"1", b"2"])
    assert not list(tmp_path.glob("*.gz"))
    output.close()
    assert len(list(tmp_path.glob("*.gz"))) == 2


class TestCompressedFiles:
    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_mode_owner_and_time(self, tmp_path: Path, compression: str) -> None:
        old = tmp_path / "log-1"
        old.write_bytes(b"secret" * 1000)
        old.chmod(0o640)
        owner = (4321, 5432) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        os.chown(old, *owner)
        os.utime(old, ns=(10**18, 10**18))
        rotated = Rotation(FileLimits(), print, compression=compression)
        rotated.finish(str(old))
        rotated.close()
        (compressed,) = tmp_path.iterdir()
        status = compressed.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, *owner)
        assert status.st_mtime_ns == 10**18

    @pytest.mark.parametrize("planted", ["file", "link", "dangling link"])
    def test_planted(self, tmp_path: Path, planted: str) -> None:
        """Another file under the name that the compressed one would get is neither replaced nor followed."""
        old, compressed, other = tmp_path / "log-1", tmp_path / "log-1.gz", tmp_path / "other"
        old.write_bytes(b"old")
        if planted != "dangling link":
            other.write_bytes(b"precious")
        if planted == "file":
            other.rename(compressed)
        else:
            compressed.symlink_to(other)
        before = {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
        reports: list[str] = []
        rotated = Rotation(FileLimits(), reports.append, compression="gzip")
        rotated.finish(str(old))
        rotated.close()
        assert {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()} == before
        assert reports == [f"{old}: not compressed: File exists: {compressed}"]

    def test_a_link_instead_of_the_old_file(self, tmp_path: Path) -> None:
        other, old = tmp_path / "other", tmp_path / "log-1"
        other.write_bytes(b"precious")
        old.symlink_to(other)
        reports: list[str] = []
        rotated = Rotation(FileLimits(), reports.append, compression="gzip")
        rotated.finish(str(old))
        rotated.close()
        assert sorted(tmp_path.iterdir()) == [old, other]
        assert reports == [f"{old}: not compressed: Too many levels of symbolic links: {old}"]
