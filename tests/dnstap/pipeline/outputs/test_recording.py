"""Recordings: appended to, and nothing lost when a signal ends the command as soon as frames have been sent."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.rotation import FileLimits, Rotation
from framestream import (
    EncodedFrames,
    FrameStreamError,
    Limits,
    Transport,
    TruncatedStreamError,
    encode_data_frames,
    open_writer,
    read_file,
)
from tests.interop.command import listening
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("frames", [0, 1, 50, 500])
def test_nothing_is_lost(tmp_path: Path, number: int, frames: int) -> None:
    tap, recording = tmp_path / "s", tmp_path / "recording"
    payloads = [b"%d" % number * 50 for number in range(frames)]
    with listening(tap, tmp_path, "-w", recording) as command:
        writers = [open_writer(tap, [CONTENT_TYPE]) for _ in range(3)]
        for writer in writers:
            writer.write_many(payloads)
        # What write_many has written is in the receiver's socket, if not in its hands.
        assert command.stop(number) == 0
        for writer in writers:
            with contextlib.suppress(OSError, FrameStreamError):  # nobody answers any more
                writer.close()
    with read_file(recording, [CONTENT_TYPE]) as reader:
        assert sorted(reader) == sorted(payloads * 3)
    assert recording.read_bytes().endswith(bytes.fromhex("00000000 00000004 00000003"))
    assert command.stderr.read_text() == f"dnstap: opened input socket {tap}\n"


def test_a_recording_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append in False, True:
        output = Recording(str(path), append=append)
        output.write_many([b"1", b"2"])
        output.close()
        assert output.cut_bytes == 0
    with read_file(path) as reader:
        assert list(reader) == [b"1", b"2"] * 2
    assert path.read_bytes().count(CONTENT_TYPE) == 1  # One stream.


def test_an_incomplete_recording_has_no_stop(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = Recording(str(path))
    output.write_many([b"1"])
    output.incomplete = True
    output.close()
    with read_file(path) as reader, pytest.raises(TruncatedStreamError):
        list(reader)
    assert reader.frames == 1


def test_what_a_killed_writer_has_left_is_cut_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = Recording(str(path))
    output.write_many([b"1", b"234"])
    output.close()
    path.write_bytes(path.read_bytes()[:-13])
    output = Recording(str(path), append=True)
    output.reached = output.given = 1  # As the dispatcher counts.
    output.write_many([b"5"])
    output.close()
    with read_file(path) as reader:
        assert list(reader) == [b"1", b"5"]
    counts = "1 frames: 1 written, 0 rejected, 0 dropped, 0 left"
    assert output.summary() == f"{path}: {counts}; 6 bytes of an unfinished frame cut off before"
    assert [counter.value for counter in output.counters() if counter.name == "cut_bytes"] == [6]


def test_part_of_a_long_frame(tmp_path: Path) -> None:
    """It is cut only where frames may be so long."""
    path = tmp_path / "out"
    output = Recording(str(path))
    output.write_many([b"1", bytes(2 << 20)])
    output.incomplete = True
    output.close()
    wire = path.read_bytes()[:-1]
    path.write_bytes(wire)
    with pytest.raises(TruncatedStreamError):
        Recording(str(path), append=True)
    assert path.read_bytes() == wire
    output = Recording(str(path), append=True, limits=Limits(3 << 20))
    output.close()
    assert output.cut_bytes == (2 << 20) + 3
    with read_file(path) as reader:
        assert list(reader) == [b"1"]


def test_a_service_that_is_killed_goes_on_with_its_recording(tmp_path: Path) -> None:
    tap, recording = tmp_path / "s", tmp_path / "recording"
    sent = []
    for number in range(3):
        with listening(tap, tmp_path, "-a", "-w", recording) as command:
            with open_writer(tap, [CONTENT_TYPE], transport=Transport.UNIDIRECTIONAL) as writer:
                sent.append(b"%d" % number)
                writer.write(sent[-1])
                wait_for(lambda: recording.exists() and recording.read_bytes().endswith(sent[-1]), "the frame")
            if number < 2:
                command.stop(signal.SIGKILL)
                with recording.open("ab") as file:  # Part of a frame, as after a failure of the machine.
                    file.write(b"\0\0\0\5abc")
            else:
                assert command.stop() == 0
        if number:
            assert f"{recording}: 7 bytes of an unfinished frame cut off its end\n" in command.stderr.read_text()
    with read_file(recording, [CONTENT_TYPE]) as reader:
        assert list(reader) == sent


def test_a_recording_that_is_cut(tmp_path: Path) -> None:
    """As by logrotate's copytruncate: what comes next can be read."""
    path = tmp_path / "out"
    output = Recording(str(path))
    output.write_many([b"1", b"2"])
    os.truncate(path, 0)
    output.write_encoded(EncodedFrames(encode_data_frames([b"3"]), 1))
    os.truncate(path, 0)
    output.write_many([b"4"])
    output.close()
    with read_file(path, [CONTENT_TYPE]) as reader:
        assert list(reader) == [b"4"]


def test_no_stop_after_a_write_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers would take the file for whole."""
    path = tmp_path / "out"
    output = Recording(str(path))
    output.write_many([b"1"])

    def write(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        with pytest.raises(OSError, match="No space"):
            output.write_many([b"2"])
    output.close()
    with read_file(path, [CONTENT_TYPE]) as reader, pytest.raises(TruncatedStreamError):
        assert list(reader) == [b"1"]


def test_frames_over_the_default_limit(tmp_path: Path) -> None:
    """They were let in by --max-frame."""
    path, payload = tmp_path / "out", bytes(3 << 20)
    output = Recording(str(path))
    output.write_many([payload])
    output.close()
    with read_file(path, limits=Limits(max_data_bytes=4 << 20)) as reader:
        assert list(reader) == [payload]


def test_encoded_frames_and_a_rotation(tmp_path: Path) -> None:
    """A limit by count may fall between them; USR1 comes before them."""
    path = tmp_path / "out"
    output = Recording(str(path), rotation=Rotation(FileLimits(frames=2), print))
    output.write_encoded(EncodedFrames(encode_data_frames([b"1", b"2", b"3"]), 3))
    output.close()
    output = Recording(str(path), append=True)
    output.rotate_soon()
    output.write_encoded(EncodedFrames(encode_data_frames([b"4"]), 1))
    output.close()
    found = []
    for name in sorted(tmp_path.iterdir()):
        with read_file(name) as reader:
            found.append(list(reader))
    assert found == [[b"4"], [b"1", b"2"], [b"3"]]


def test_compressed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for number in b"1", b"2":
        output = Recording(str(path), append=True, compression="gzip")
        output.write_many([number])
        output.close()
    with read_file(path) as reader:
        assert (list(reader), reader.compression) == ([b"1", b"2"], "gzip")


def test_no_space_for_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is closed, and so not locked any more."""
    path = tmp_path / "out"

    def write(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", write)
        with pytest.raises(OSError, match="No space"):
            Recording(str(path))
    Recording(str(path)).close()
