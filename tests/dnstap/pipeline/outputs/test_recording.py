"""Recordings: appended to, and nothing lost when a signal ends the command as soon as frames have been sent."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.recording import Recording
from framestream import FrameStreamError, TruncatedStreamError, open_writer, read_file
from tests.interop.command import listening

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


def test_a_stream_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append in False, True:
        output = Recording(str(path), append=append)
        output.write_many([b"1", b"2"])
        output.close()
    with read_file(path) as reader:
        assert list(reader) == [b"1", b"2"] * 2
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TruncatedStreamError):
        Recording(str(path), append=True)
