"""Outputs that write a file: they reopen and rotate it, whatever fails; blocking unless it is a regular file."""

from __future__ import annotations

import errno
import gzip
import os
import re
import stat
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType
from dnstap.pipeline.outputs.base import Output
from dnstap.pipeline.outputs.parallel_text import ParallelText
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.rotation import FileLimits, Rotation
from framestream import (
    ControlFrame,
    ControlType,
    EncodedFrames,
    encode_control_frame,
    encode_data_frames,
    read_file,
)
from tests.dnstap.pipeline.disks import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnstap.pipeline.outputs.base import FileOutput

    Kind = Callable[..., FileOutput]

KINDS = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Recording, id="recording"),
        pytest.param(partial(TextOutput, format_name="yaml"), id="text"),
        pytest.param(partial(ParallelText, format_name="yaml", jobs=1), id="parallel text"),
    ],
)


BOTH = pytest.mark.parametrize("kind", [Recording, partial(TextOutput, format_name="yaml")], ids=["recording", "text"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the monotonic clock, which stands still otherwise."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def payload(octets: bytes) -> bytes:
    """Return a payload with this identity."""
    return bytes(Dnstap(identity=octets, type=DnstapType.MESSAGE))


def contents(path: Path) -> list[bytes]:
    """Return the identities in a file."""
    octets = path.read_bytes()
    if octets.startswith(b"\x1f\x8b"):
        octets = gzip.decompress(octets)
    if octets.startswith(b"type"):
        return re.findall(rb'identity: "(.*)"', octets)
    with read_file(path, [CONTENT_TYPE]) as reader:
        return [Dnstap.parse(octets).identity or b"" for octets in reader]


def rotation(**limits: int) -> Rotation:
    return Rotation(FileLimits(**limits), print)


def finish(output: FileOutput) -> None:
    output.flush()
    output.close()


@KINDS
def test_reopened(tmp_path: Path, kind: Kind) -> None:
    """A file that was renamed is completed and another begun; one that was not is continued."""
    path, old = tmp_path / "out", tmp_path / "old"
    output = kind(str(path))
    assert not output.blocking
    output.write_many([payload(b"1")])
    output.reopen_soon()
    output.write_many([payload(b"2")])
    path.rename(old)
    output.write_many([payload(b"3")])
    output.reopen_soon()
    output.write_many([payload(b"4")])
    assert contents(old) == [b"1", b"2", b"3"]
    path.unlink()
    output.reopen_soon()
    output.tick()
    output.tick()
    output.write_many([payload(b"5")])
    path.rename(tmp_path / "third")
    # As logrotate makes it (`create 0640`).
    path.touch(0o640)
    output.reopen_soon()
    if isinstance(output, Recording):
        output.write_encoded(EncodedFrames(encode_data_frames([payload(b"6")]), 1))
    else:
        output.write_many([payload(b"6")])
    finish(output)
    assert contents(tmp_path / "third") == [b"5"]
    assert contents(path) == [b"6"]
    assert (output.frames, output.rotation_failed, stat.S_IMODE(path.stat().st_mode)) == (6, False, 0o640)


@KINDS
def test_what_somebody_put_there_is_not_destroyed(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "out"
    output = kind(str(path))
    output.write_many([payload(b"1")])
    path.rename(tmp_path / "old")
    there = kind(str(path))
    there.write_many([payload(b"2")])
    finish(there)
    output.reopen_soon()
    output.write_many([payload(b"3")])
    finish(output)
    assert (contents(tmp_path / "old"), contents(path)) == ([b"1"], [b"2", b"3"])


def test_a_file_that_is_moved_at_once_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is opened again has START from when its name is there."""
    path = tmp_path / "out"
    output = Recording(str(path))
    path.rename(tmp_path / "old")
    link, sizes = os.link, []

    def linked(source: str, name: str) -> None:
        link(source, name)
        sizes.append(os.stat(name).st_size)
        os.rename(name, tmp_path / "moved")

    monkeypatch.setattr(os, "link", linked)
    output.reopen_soon()
    output.write_many([payload(b"1")])
    finish(output)
    assert (contents(tmp_path / "moved"), path.exists()) == ([b"1"], False)
    assert sizes == [len(encode_control_frame(ControlFrame(ControlType.START, (CONTENT_TYPE,))))]


@KINDS
@pytest.mark.parametrize("deleted", [False, True])
def test_rotation_of_a_file_that_was_moved(tmp_path: Path, kind: Kind, deleted: bool) -> None:
    """The next file gets the name, and the old one is not touched."""
    path, moved = tmp_path / "out", tmp_path / "moved"
    reports: list[str] = []
    output = kind(str(path), rotation=Rotation(FileLimits(frames=2), reports.append, compression="gzip"))
    output.write_many([payload(b"1")])
    if deleted:
        path.unlink()
    else:
        path.rename(moved)
    output.write_many([payload(b"2"), payload(b"3")])
    finish(output)
    assert contents(path) == [b"3"]
    assert sorted(tmp_path.iterdir()) == ([path] if deleted else [moved, path])
    if not deleted:
        assert contents(moved) == [b"1", b"2"]
    assert (reports, output.rotation_failed) == ([], False)


@KINDS
@pytest.mark.parametrize("how", ["rotation", "hang-up", "moved"])
def test_no_new_file(tmp_path: Path, kind: Kind, how: str, clock: Callable[[float], None]) -> None:
    """The old file goes on if its folder is gone; this is said, and tried again later, not at each write."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "out.x"
    output = kind(str(path), rotation=rotation(frames=3) if how != "hang-up" else None)
    output.write_many([payload(b"1")])
    if how == "moved":
        path.unlink()
    away = folder.rename(tmp_path / "away")
    if how == "hang-up":
        output.reopen_soon()
    output.write_many([payload(b"2")])
    output.write_many([payload(b"3"), payload(b"4")])
    said = f"{path}: cannot begin a new file, so the old one is continued: No such file or directory"
    assert list(output.new_reports()) == [said]
    folder.mkdir()
    output.write_many([payload(b"5")])
    assert (list(output.new_reports()), list(folder.iterdir()), output.rotation_failed) == ([], [], True)
    clock(2)
    output.write_many([payload(b"6")])
    output.tick()
    assert (list(output.new_reports()), output.rotation_failed) == ([], False)
    output.write_encoded(EncodedFrames(encode_data_frames([payload(b"7")]), 1))
    finish(output)
    assert contents(path)[-1] == b"7"
    assert (output.counts.written, output.counts.rejected) == (7, 0)
    if how != "moved":
        assert contents(away / "out.x") + contents(path) == [b"%d" % number for number in range(1, 8)]


@KINDS
def test_no_descriptors(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    output = kind(str(path), rotation=rotation(frames=1))

    def no_more(*_arguments: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_more)
        output.write_many([payload(b"1")])
        output.write_many([payload(b"2")])
    output.flush()
    assert list(tmp_path.iterdir()) == [path]
    finish(output)
    assert contents(path) == [b"1", b"2"]
    assert output.rotation_failed
    (said,) = output.new_reports()
    assert said.endswith(": Too many open files")


@KINDS
def test_no_new_name(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is removed if it cannot get its place."""
    path = tmp_path / "out"
    output = kind(str(path), rotation=rotation(frames=1))

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        for name in "rename", "replace":
            patch.setattr(os, name, refuse)
        output.write_many([payload(b"1")])
    assert list(tmp_path.iterdir()) == [path]
    finish(output)
    assert contents(path) == [b"1"]
    assert list(output.new_reports()) == [
        f"{path}: cannot begin a new file, so the old one is continued: Read-only file system"
    ]


def test_no_space_for_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: the file that was made for the next frames is removed."""
    path = tmp_path / "out"
    output = Recording(str(path), rotation=rotation(frames=1))
    system_write = os.write

    def write(fd: int, data: memoryview) -> int:
        if fd != output.fileno():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return system_write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        output.write_many([payload(b"1")])
        output.write_many([payload(b"2")])
    assert list(tmp_path.iterdir()) == [path]
    output.close()
    assert contents(path) == [b"1", b"2"]


@KINDS
def test_an_old_file_that_cannot_be_completed(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    output = kind(str(path), rotation=rotation(frames=1))

    def fail(*_arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(kind.func if isinstance(kind, partial) else kind, "_complete", fail)
        output.write_many([payload(b"1")])
        output.flush()
        output.tick()
    output.write_many([])
    output.close()
    said = f"{path}: the old file cannot be completed: Input/output error"
    assert list(output.new_reports()) == [said]
    assert list(output.new_reports()) == []
    assert (output.rotation_failed, len(list(tmp_path.iterdir()))) == (True, 2)


@KINDS
def test_a_write_that_fails_is_not_counted(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its payloads can be written again."""
    if kind is not Recording and kind.func is ParallelText:  # type: ignore[attr-defined]
        return  # It runs over files only, where a write that fails ends the run.
    path = tmp_path / "out"
    output = kind(str(path))
    output.write_many([payload(b"1")])

    def write(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    bad = [] if kind is Recording else [b"\x0a\x05"]
    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        with pytest.raises(OSError, match="No space"):
            output.write_many([payload(b"2"), *bad])
    assert output.frames == 1
    output.write_many([payload(b"2"), *bad])
    output.close()
    assert contents(path) == [b"1", b"2"]
    assert (output.frames, output.problems.count) == (2 + len(bad), len(bad))


@KINDS
def test_only_one_writer(tmp_path: Path, kind: Kind) -> None:
    """The second changes nothing, also with a rotation, which would rename the file; nor after a rotation."""
    path = tmp_path / "out"
    output = kind(str(path), rotation=rotation(frames=2))
    for _ in range(2):
        output.write_many([payload(b"1")])
        output.flush()
        for options in {}, {"append": True}, {"rotation": rotation(frames=1)}:
            with pytest.raises(BlockingIOError, match="another process is writing to it"):
                kind(str(path), **options)
        output.write_many([payload(b"2")])
    finish(output)
    old = sorted(set(tmp_path.iterdir()) - {path})
    assert [contents(name) for name in old] == [[b"1", b"2"]] * 2
    output = kind(str(path))
    finish(output)


@KINDS
def test_mode_and_owner_are_kept(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"x")
    path.chmod(0o640)
    owner = (4321, 5432) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    output = kind(str(path), rotation=rotation(frames=1))
    output.write_many([payload(b"1")])
    output.flush()
    output.tick()
    path.unlink()
    output.reopen_soon()
    output.tick()
    finish(output)
    found = [name.stat() for name in tmp_path.iterdir()]
    assert len(found) == 3
    assert {(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) for status in found} == {(0o640, *owner)}


@KINDS
def test_through_a_link(tmp_path: Path, kind: Kind) -> None:
    """The link stays, and the files are where it leads."""
    disk = tmp_path / "disk"
    disk.mkdir()
    link = tmp_path / "log"
    link.symlink_to("disk/real.log")
    output = kind(str(link), rotation=rotation(frames=1))
    output.write_many([payload(b"1")])
    output.write_many([payload(b"2")])
    finish(output)
    assert os.readlink(link) == "disk/real.log"
    assert sorted(tmp_path.iterdir()) == [disk, link]
    *old, current = sorted(disk.iterdir())
    assert current == disk / "real.log"
    assert [contents(name) for name in old] == [[b"1"], [b"2"]]


@KINDS
def test_rotated_when_asked(tmp_path: Path, kind: Kind) -> None:
    """Also without limits; an empty file is left alone."""
    path = tmp_path / "out"
    output = kind(str(path))
    output.rotate_soon()
    output.write_many([payload(b"1")])
    output.rotate_soon()
    output.write_many([payload(b"2")])
    output.rotate_soon()
    output.tick()
    output.rotate_soon()
    output.tick()
    finish(output)
    current, *old = sorted(tmp_path.iterdir())
    assert current == path
    assert [contents(name) for name in old] == [[b"1"], [b"2"]]


@KINDS
def test_compressed(tmp_path: Path, kind: Kind, clock: Callable[[float], None]) -> None:
    """While it is written, flushed while nothing comes, appended to; and renamed if its end is missing."""
    path = tmp_path / "out"
    output = kind(str(path), append=True, compression="gzip")
    for number in b"1", b"2":
        output.write_many([payload(number)])
        output.flush()
    before = path.stat().st_size
    clock(1)
    output.tick()
    assert path.stat().st_size > before
    finish(output)
    output = kind(str(path), append=True, compression="gzip")
    output.write_many([payload(b"3")])
    finish(output)
    assert list(output.new_reports()) == []
    path.write_bytes(path.read_bytes()[:-1])
    output = kind(str(path), append=True, compression="gzip")
    output.write_many([payload(b"4")])
    finish(output)
    current, old = sorted(tmp_path.iterdir())
    assert contents(current) == [b"4"]
    assert list(output.new_reports()) == [
        f"{path}: cannot be appended to, and is {old} now: expected the end of its gzip data, got the end of the file"
    ]


@KINDS
def test_compressed_and_full(
    tmp_path: Path, kind: Kind, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost if what is buffered cannot be written for a while, and no tick fails."""
    path = tmp_path / "out"
    output = kind(str(path), compression="gzip")
    for number in b"1", b"2":
        output.write_many([payload(number)])
        output.flush()
    clock(1)

    def write(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        output.tick()
    finish(output)
    assert contents(path) == [b"1", b"2"]


@KINDS
def test_compressed_and_full_at_the_end(
    tmp_path: Path, kind: Kind, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that only the compressor had do not count as written."""
    output = kind(str(tmp_path / "out"), compression="gzip")
    output.write_many([payload(b"1")])
    output.flush()
    clock(1)
    for number in b"2", b"3":  # Only the first is due to be put into the file at once.
        output.write_many([payload(number)])
        output.flush()
    assert output.written == 3

    def write(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        with pytest.raises(OSError, match="No space left"):
            finish(output)
    assert output.written == 2


def test_counts(tmp_path: Path) -> None:
    """As every output has them, by default."""

    class Plain(Output):
        name = "plain"
        written = 3

        def write_many(self, payloads: list[bytes], /) -> None:
            self.payloads = payloads

    plain = Plain()
    plain.reached = 5
    plain.dropped = 1
    plain.write_encoded(EncodedFrames(encode_data_frames([b"1"]), 1))
    plain.tick()
    plain.flush()
    assert not plain.goes_on_after(OSError(errno.ENOSPC, "full"))
    assert plain.close() is None
    assert (plain.payloads, plain.blocking) == ([b"1"], False)
    assert [(counter.name, counter.value) for counter in plain.counters()] == [
        ("frames", 5),
        ("written_frames", 3),
        ("rejected_frames", 0),
        ("dropped_frames", 1),
    ]
    assert plain.summary() == str(plain.counts)


def test_append_and_rotation(tmp_path: Path) -> None:
    """The file is appended to, and rotated later."""
    path = tmp_path / "out"
    for number in range(3):
        output = TextOutput(str(path), "yaml", append=True, rotation=rotation(size=70))
        output.write_many([payload(b"%d" % number)])
        output.close()
    current, old = sorted(tmp_path.iterdir())
    assert (contents(old), path.read_bytes()) == ([b"0", b"1", b"2"], b"")
    assert current == path


def test_only_regular_files_are_rotated(tmp_path: Path) -> None:
    for limits in None, rotation(frames=1):
        output = TextOutput(os.devnull, "yaml", rotation=limits)
        output.rotate_soon()
        output.write_many([payload(b"1")])
        output.close()
        assert not output.rotation_failed
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_standard_output_is_not_rotated(capfd: pytest.CaptureFixture[str]) -> None:
    output = TextOutput("-", "yaml", rotation=rotation(frames=1))
    output.rotate_soon()
    output.write_many([payload(b"1")])
    output.write_many([payload(b"2")])
    output.close()
    assert capfd.readouterr().out.count("identity") == 2


def test_a_pipe_without_a_reader(tmp_path: Path, clock: Callable[[float], None]) -> None:
    """HUP does not wait for one."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    output = TextOutput(str(path), "yaml")
    path.rename(tmp_path / "old")
    os.mkfifo(path)
    output.reopen_soon()
    output.write_many([payload(b"1")])
    (said,) = output.new_reports()
    assert said.endswith(": No such device or address")
    second = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    clock(2)
    output.write_many([payload(b"2")])
    output.close()
    assert b'"1"' in os.read(first, 100)
    assert b'"2"' in os.read(second, 100)
    os.close(first)
    os.close(second)


def test_a_pipe_is_blocking(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    output = TextOutput(f"/dev/fd/{writing}", "yaml")
    assert output.blocking
    output.close()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("rotating", [False, True])
@pytest.mark.parametrize("encoded", [False, True])
@BOTH
def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, encoded: bool, rotating: bool, number: int
) -> None:
    """The rest of a write is written later, once, and never in part."""
    path = tmp_path / "out"
    rotation = Rotation(FileLimits(frames=3), print) if rotating else None
    output = kind(str(path), rotation=rotation)
    identities = [b"%0100d" % position for position in range(1, 9)]
    payloads = [*map(payload, identities)]
    disk = Disk(monkeypatch, 500, number)
    try:
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            output.write_encoded(EncodedFrames.of(payloads)) if encoded else output.write_many(payloads)
        assert output.goes_on_after(caught.value)
        assert not output.goes_on_after(OSError(errno.EIO, "Input/output error"))
        for _ in range(3):
            with pytest.raises(OSError, match=os.strerror(number)):
                output.write_rest()
        assert output.written < 8
        there = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert there.count(b"0" * 20) == 4 * there.count(b"0" * 99) == 4 * output.written  # none in part
        disk.space = 100_000
        output.write_rest()
        assert output.written == 8
        output.write_many(payloads[:2])
    finally:
        disk.space = 100_000
        output.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: (file == path, file.name))
    assert [identity for file in files for identity in contents(file)] == identities + identities[:2]
    assert len(files) == (4 if rotating else 1)


@BOTH
def test_a_full_disk_behind_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """Nothing is removed from a file that others may write to as well: what is there in part is completed."""
    path = tmp_path / "out"
    saved = os.dup(1)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
    try:
        output = kind("-")
        identities = [b"%0100d" % position for position in range(1, 9)]
        payloads = [*map(payload, identities)]
        disk = Disk(monkeypatch, 100)
        with pytest.raises(OSError, match="No space left on device"):
            output.write_many(payloads)
        disk.space = 3
        with pytest.raises(OSError, match="No space left on device"):
            output.write_rest()
        assert output.written == 0
        disk.space = 100_000
        output.write_rest()
        assert output.written == 8
        output.write_many(payloads[:1])
        output.close()
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert contents(path) == [*identities, identities[0]]


def test_a_full_disk_ends_what_several_processes_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a batch is not kept: only runs over files have such outputs, and any error ends these."""
    output = ParallelText(str(tmp_path / "out"), "yaml", jobs=1)
    Disk(monkeypatch, 1)
    output.write_many([payload(b"1")])
    with pytest.raises(OSError, match="No space left on device") as caught:
        output.flush()
    assert not output.goes_on_after(caught.value)
    output.close()


def test_a_device_has_no_space_that_becomes_free() -> None:
    output = TextOutput("/dev/full", "yaml")
    with pytest.raises(OSError, match="No space left on device") as caught:
        output.write_many([payload(b"1")])
    assert not output.goes_on_after(caught.value)
    output.close()
