"""A directory of rotated, compressed recordings that is followed while its writer is killed and starts again."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from framestream import TruncatedStreamError, open_writer, read_file
from tests.interop.command import listening, running
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path

DNSTAP = b"protobuf:dnstap.Dnstap"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_every_frame_is_read_once(tmp_path: Path, compression: str) -> None:
    folder, tap, out = tmp_path / "folder", tmp_path / "s", tmp_path / "out"
    recorder, follower = tmp_path / "recorder", tmp_path / "follower"
    for path in (folder, recorder, follower):
        path.mkdir()
    rotation = ("--rotate", "size=20k", "--compress", compression)
    sent: list[bytes] = []
    with running(follower, "-r", folder, "--follow", "-w", out) as following:
        for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
            with listening(tap, recorder, "-a", "-w", folder / "log.fstrm", *rotation) as recording:
                writer = open_writer(tap, [DNSTAP])
                for _ in range(50):
                    payloads = [b"%06d" % (len(sent) + number) * 30 for number in range(20)]
                    writer.write_many(payloads)
                    sent += payloads
                # Nothing that was sent is still in the socket when the writer is killed.
                writer.close()
                recording.stop(ending)
        wait_for(lambda: len(frames(out)) >= len(sent), "the frames")
        assert following.stop() == 0
    assert sorted(frames(out)) == sent
    assert any(path.suffix in (".gz", ".zst") for path in folder.iterdir())


def frames(path: Path) -> list[bytes]:
    """Return the whole frames of a recording that may be unfinished, or not begun."""
    found: list[bytes] = []
    with contextlib.suppress(FileNotFoundError, TruncatedStreamError), read_file(path) as reader:
        found.extend(reader)
    return found
