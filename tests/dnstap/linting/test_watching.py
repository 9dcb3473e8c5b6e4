"""Inputs that are watched while they are read, in chunks of any size."""

from __future__ import annotations

import gzip
import io

import pytest

from dnstap import CONTENT_TYPE
from dnstap.linting.linter import Linter
from dnstap.linting.watching import Watcher
from framestream import FrameStreamError, read_file
from framestream.control import ControlFrame, ControlType
from framestream.frames import encode_control_frame, encode_data_frames
from tests.dnstap.linting.payloads import payload

START = encode_control_frame(ControlFrame(ControlType.START, (CONTENT_TYPE,)))
STOP = encode_control_frame(ControlFrame(ControlType.STOP))
UNKNOWN = encode_control_frame(ControlFrame(9))
GOOD = payload()
FRAME = encode_data_frames([GOOD])
LARGE = (1048577).to_bytes(4, "big") + bytes(1048577)


class InSteps(io.RawIOBase):
    """A file object that gives a few bytes a read."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        return self._file.read(min(size, self._step))


def findings(data: bytes, step: int = 1 << 16) -> dict[str, tuple[int, int, int, str]]:
    """Return number, frame, offset and detail of what is found in a stream, by rule."""
    linter = Linter()
    with read_file(InSteps(data, step)) as reader:
        watcher = Watcher(reader, linter)
        try:
            for _ in reader.batches():
                pass
        except FrameStreamError as error:
            watcher.end(error)
        else:
            watcher.end()
    return {
        finding.rule.id: (finding.times, finding.frame, finding.offset, finding.detail) for finding in linter.findings()
    }


A = len(START)
B = len(FRAME)
C = len(UNKNOWN)
D = len(STOP)

TYPE = int.from_bytes(GOOD[:4], "big")

STREAMS = {
    "finish": (
        START + FRAME + encode_control_frame(ControlFrame(ControlType.FINISH)),
        {"broken-stream": (1, 1, A + B, "expected a data frame or STOP, got FINISH")},
    ),
    "good": (START + FRAME + STOP, {}),
    "bad frame": (
        START + FRAME + encode_data_frames([b"\xff"]) + STOP,
        {"undecodable": (1, 2, A + B, "Dnstap: the last field is cut off, at byte 1")},
    ),
    "unknown control frames": (
        START + FRAME + UNKNOWN + FRAME + UNKNOWN + UNKNOWN + STOP,
        {"unknown-control-frame": (3, 1, A + B, "type 9")},
    ),
    "control frame in the second stream": (
        START + FRAME + STOP + START + UNKNOWN + FRAME + STOP,
        {
            "several-streams": (1, 1, A + B + D, "stream 2"),
            "unknown-control-frame": (1, 1, 2 * A + B + D, "type 9"),
        },
    ),
    "joined": (
        START + FRAME + START + FRAME + START + FRAME + STOP,
        {
            "several-streams": (2, 1, A + B, "stream 2"),
            "unfinished-stream": (2, 1, A + B, "stream 2 begins"),
        },
    ),
    "large frames": (
        START + FRAME + LARGE + LARGE + FRAME + STOP,
        {"frame-over-1m": (2, 2, A + B, "1048577 bytes")},
    ),
    "large frame at the end": (
        START + LARGE + encode_data_frames([b"\xff"]) + STOP,
        {
            "frame-over-1m": (1, 1, A, "1048577 bytes"),
            "undecodable": (1, 2, A + len(LARGE), "Dnstap: the last field is cut off, at byte 1"),
        },
    ),
    "cut large frame": (
        START + LARGE[:-3],
        {
            "frame-over-1m": (1, 1, A, "1048577 bytes"),
            "truncated": (1, 1, A + len(LARGE) - 3, "expected 3 more bytes of a frame, got the end of input"),
        },
    ),
    "no stop": (
        START + FRAME,
        {"no-stop": (1, 1, A + B, "the input ends")},
    ),
    "cut": (
        START + FRAME + FRAME[:-2],
        {"truncated": (1, 1, A + 2 * B - 2, "expected 2 more bytes of a frame, got the end of input")},
    ),
    "no frames": (START + STOP, {"no-frames": (1, 0, A + D, "stream 1")}),
    "frames in the first of two streams": (
        START + FRAME + STOP + START + STOP,
        {
            "several-streams": (1, 1, A + B + D, "stream 2"),
            "no-frames": (1, 1, 2 * A + B + 2 * D, "stream 2"),
        },
    ),
    "other content type": (
        encode_control_frame(ControlFrame(ControlType.START, (b"x",))) + FRAME + STOP,
        {"content-type": (1, 0, 0, 'content type "x"')},
    ),
    "no content type": (
        encode_control_frame(ControlFrame(ControlType.START)) + FRAME + STOP,
        {"no-content-type": (1, 0, 0, "START without a content type")},
    ),
    "handshake": (
        encode_control_frame(ControlFrame(ControlType.READY)) + START + FRAME + STOP,
        {"broken-stream": (1, 0, 0, "expected START, got READY")},
    ),
    "empty payload": (
        START + FRAME + bytes(4) + FRAME + STOP,
        {"unknown-control-frame": (1, 1, A + B, f"type {TYPE}: the frame after an empty payload looks like this")},
    ),
    "gzip": (gzip.compress(START + FRAME + STOP), {"compressed": (1, 1, A + B + D, "gzip")}),
}


@pytest.mark.parametrize("step", [1 << 16, 1, 5])
@pytest.mark.parametrize("name", STREAMS)
def test_streams(name: str, step: int) -> None:
    data, expected = STREAMS[name]
    if step < 10 and len(data) > 100_000:
        step *= 10_000
    assert findings(data, step) == expected
