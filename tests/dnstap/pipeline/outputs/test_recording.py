"""A recording, as a process, ended by a signal at once when frames have come: all of them are in the file, and STOP."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from framestream import FrameStreamError, open_writer, read_file
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
