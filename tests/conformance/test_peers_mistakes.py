"""Mistakes of the installed peers, row by row of the table in docs/frame-streams.md, and our behaviour instead."""

from __future__ import annotations

import contextlib
import re
import signal
from pathlib import Path

import pytest

from dnstap.cli.main import main
from framestream import (
    ContentTypeError,
    ControlFrame,
    ControlType,
    FrameStreamError,
    FrameTooLargeError,
    LocalProtocolError,
    ReaderProtocol,
    State,
    Transport,
    TruncatedStreamError,
    WriterProtocol,
    encode_control_frame,
    encode_data_frames,
    open_writer,
    read_file,
    write_file,
)
from tests.interop.command import listening

DNSTAP = b"protobuf:dnstap.Dnstap"
START = encode_control_frame(ControlFrame(ControlType.START, (DNSTAP,)))
STOP = encode_control_frame(ControlFrame(ControlType.STOP))
GOOD = bytes.fromhex("7801")  # the Dnstap of which the Go tool dies; it is good all the same


def received(*parts: bytes, **options: object) -> tuple[ReaderProtocol, list[bytes]]:
    """A reader that was given a stream, and its payloads."""
    reader = ReaderProtocol(**options)  # type: ignore[arg-type]
    reader.receive_data(b"".join(parts))
    payloads = []
    while batch := reader.payloads():
        payloads += batch
    return reader, payloads


def test_unknown_control_type_between_data_frames() -> None:
    unknown = encode_control_frame(ControlFrame(77))
    reader, payloads = received(START, encode_data_frames([b"1"]), unknown, encode_data_frames([b"2"]), STOP)
    assert (payloads, reader.unknown_control_frames, reader.state) == ([b"1", b"2"], 1, State.FINISHED)


def test_data_frame_over_the_limit() -> None:
    frames = encode_data_frames([b"1", b"too long", b"2"])
    reader, payloads = received(START, frames, STOP, max_data_bytes=4, oversize="skip")
    assert (payloads, reader.decoder.skipped_frames, reader.decoder.skipped_bytes) == ([b"1", b"2"], 1, 8)
    with pytest.raises(FrameTooLargeError):
        received(START, frames, STOP, max_data_bytes=4)


def test_data_length_ffffffff(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad, copy = tmp_path / "bad", tmp_path / "copy"
    bad.write_bytes(START + encode_data_frames([GOOD]) + b"\xff\xff\xff\xff" + bytes(100))
    assert main(["-r", str(bad), "-w", str(copy)]) == 1
    assert copy.read_bytes() == START + encode_data_frames([GOOD]) + STOP
    assert "got one of 4294967295, at byte 48" in capfd.readouterr().err


def test_writer_offers_a_and_b_accept_names_only_b() -> None:
    writer = WriterProtocol([b"A", b"B"])
    writer.start()
    writer.receive_data(encode_control_frame(ControlFrame(ControlType.ACCEPT, (b"B",))))
    assert (writer.state, writer.content_type) == (State.STREAMING, b"B")
    assert writer.data_to_send().endswith(encode_control_frame(ControlFrame(ControlType.START, (b"B",))))


def test_empty_payload_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with write_file(path, [DNSTAP]) as writer:
        with pytest.raises(LocalProtocolError):
            writer.write(b"")
        writer.write(GOOD)
    assert path.read_bytes() == START + encode_data_frames([GOOD]) + STOP


def test_ready_matches_start_names_another_type() -> None:
    ready = encode_control_frame(ControlFrame(ControlType.READY, (DNSTAP,)))
    other = encode_control_frame(ControlFrame(ControlType.START, (b"other",)))
    with pytest.raises(ContentTypeError):
        received(ready, other, content_types=[DNSTAP])


def test_idle_client_connects_a_second_one_sends_ready(tmp_path: Path) -> None:
    tap = tmp_path / "s"
    with listening(tap, tmp_path, "-w", tmp_path / "out") as command:
        with open_writer(tap, transport=Transport.UNIDIRECTIONAL), open_writer(tap, [DNSTAP]) as second:
            second.write(GOOD)
            second.close()  # FINISH came, while the first is idle
        assert command.stop() == 0
    with read_file(tmp_path / "out") as reader:
        assert list(reader) == [GOOD]


def test_payload_78_01(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    with write_file(path, [DNSTAP]) as writer:
        writer.write(bytes.fromhex("7801"))
    assert main(["-r", str(path)]) == 0
    assert capfd.readouterr().out == "[no Message]\n"


def test_one_undecodable_payload_then_good_ones(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    with write_file(path, [DNSTAP]) as writer:
        writer.write_many([b"undecodable", GOOD, GOOD])
    assert main(["-r", str(path)]) == 0
    out, err = capfd.readouterr()
    assert out == "[no Message]\n" * 2
    assert err.startswith("dnstap: 1 of 3 payloads left out; the first was payload 1: ")


def test_ctrl_c_during_w_file(tmp_path: Path) -> None:
    tap, recording = tmp_path / "s", tmp_path / "recording"
    with listening(tap, tmp_path, "-w", recording) as command:
        writer = open_writer(tap, [DNSTAP])
        writer.write_many([GOOD] * 1000)
        assert command.stop(signal.SIGINT) == 0
        with contextlib.suppress(OSError, FrameStreamError):  # The peer no longer answers.
            writer.close()
    assert recording.read_bytes() == START + encode_data_frames([GOOD] * 1000) + STOP


def test_end_of_file_inside_a_frame(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_bytes(START + encode_data_frames([GOOD]) + b"\0\0\0\5ab")
    with read_file(path) as reader, pytest.raises(TruncatedStreamError) as caught:
        list(reader)
    assert (caught.value.inside_frame, caught.value.offset) == (True, 54)
    assert main(["-r", str(path)]) == 1
    out, err = capfd.readouterr()
    assert out == "[no Message]\n"
    assert "expected 3 more bytes of a frame, got the end of input" in err


def test_two_streams_concatenated_in_one_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_bytes((START + encode_data_frames([GOOD]) + STOP) * 2)
    with read_file(path) as reader:
        assert list(reader) == [GOOD] * 2
    assert main(["-r", str(path)]) == 0
    assert capfd.readouterr().out == "[no Message]\n" * 2


def test_every_row_has_a_test() -> None:
    page = (Path(__file__).parents[2] / "docs" / "frame-streams.md").read_text()
    table = page[page.index("## What the installed peers get wrong") :]
    rows = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    tests = {f"test_{re.sub('[^a-z0-9]+', '_', row.split(' (')[0].lower()).strip('_')}" for row in rows}
    assert tests - set(globals()) == set()
    assert len(tests) == 12
