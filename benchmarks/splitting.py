"""Frames of 200 bytes split out of a stream in memory, in reads of 64 KiB: ours beside the PyPI package fstrm.

    python benchmarks/splitting.py [--json] [--rounds N]

fstrm copies its whole buffer once a frame, so it gets 100th parts of the stream, as its users would have to feed it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fstrm import FstrmCodec

from benchmarks.contest import arguments, contest
from framestream import (
    ControlFrame,
    ControlType,
    FrameDecoder,
    ReaderProtocol,
    encode_control_frame,
    encode_data_frames,
)

FRAMES = 100_000
READ_BYTES = 1 << 16
START = encode_control_frame(ControlFrame(ControlType.START))
DATA = encode_data_frames([b"x" * 200] * FRAMES)
FSTRM_SHARE = 100


def chunks(data: bytes) -> list[bytes]:
    """Cut data into the chunks that a socket would return."""
    return [data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES)]


DATA_CHUNKS = chunks(DATA)
STREAM_CHUNKS = chunks(START + DATA)


def decoder() -> None:
    """Split by the frame decoder alone."""
    frames = 0
    split = FrameDecoder()
    for chunk in DATA_CHUNKS:
        split.receive_data(chunk)
        while payloads := split.next_payloads():
            frames += len(payloads)
    check(frames)


def protocol() -> None:
    """Split by the whole protocol: states, limits, START."""
    frames = 0
    reader = ReaderProtocol()
    for chunk in STREAM_CHUNKS:
        reader.receive_data(chunk)
        while payloads := reader.payloads():
            frames += len(payloads)
    check(frames)


def fstrm() -> None:
    """Split by the PyPI package: one part of the stream, as many times as there are parts."""
    frames = 0
    part = DATA[: len(DATA) // FSTRM_SHARE]
    for _ in range(FSTRM_SHARE):
        codec = FstrmCodec()
        codec.append(part)
        while codec.process():
            codec.decode()
            frames += 1
    check(frames)


def check(frames: int) -> None:
    """End the benchmark if frames were lost."""
    if frames != FRAMES:
        raise SystemExit(f"{frames} frames instead of {FRAMES}")


if __name__ == "__main__":
    contest(
        "split 200-byte frames",
        FRAMES,
        {"framestream FrameDecoder": decoder, "framestream ReaderProtocol": protocol, "PyPI fstrm": fstrm},
        arguments(__doc__.splitlines()[0]),
        ["fstrm"],
    )
