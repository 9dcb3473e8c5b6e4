"""The end of a recording: found, cut, and refused where it is not clear."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from typing import TYPE_CHECKING

import pytest

import framestream.files
from framestream.appending import append_to
from framestream.errors import (
    ContentTypeError,
    ControlFrameError,
    LocalProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.files import FileOutput, ObjectOutput
from framestream.protocol import State, Transport, WriterProtocol
from tests.framestream.wire import DNSTAP, READY, START, STOP, control, data

if TYPE_CHECKING:
    from pathlib import Path

ANY_START = control(2)


def writer(*content_types: bytes) -> WriterProtocol:
    return WriterProtocol(content_types, transport=Transport.UNIDIRECTIONAL, max_data_bytes=100)


@pytest.fixture(params=[1, 7, 1 << 16])
def path(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file; reads are of one byte, of a few, or of all."""
    monkeypatch.setattr(framestream.files, "READ_BYTES", request.param)
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("kept", "cut", "stop"),
    [
        pytest.param(START + data(b"a", b"bc"), b"", STOP, id="whole"),
        pytest.param(START, b"", STOP, id="empty stream"),
        pytest.param(START + data(b"a", b"bc"), b"", b"", id="no STOP"),
        pytest.param(START, b"", b"", id="only START"),
        pytest.param(START + data(b"a"), data(b"bcd")[:-1], b"", id="inside a frame"),
        pytest.param(START + data(b"a"), bytes(3), b"", id="inside a length"),
        pytest.param(START + data(b"a"), STOP[:-1], b"", id="inside STOP"),
        pytest.param(START + data(b"a"), START[:20], b"", id="inside another START"),
        pytest.param(START + data(b"a"), START[:20], STOP, id="inside another START, after STOP"),
        pytest.param(START + data(b"a") + STOP + START + data(b"b"), b"", STOP, id="two streams"),
        pytest.param(START + data(b"a") + START + data(b"b"), b"", STOP, id="two streams, one without STOP"),
        pytest.param(START + data(bytes(101), b"a"), b"", STOP, id="a frame over the limit"),
        pytest.param(START + data(STOP), b"", b"", id="a payload that ends like a stream"),
        pytest.param(START + control(9) + data(b"a"), b"", STOP, id="an unknown control frame"),
        pytest.param(START + data(b"a"), bytes(5000), b"", id="NUL bytes"),
        pytest.param(START + data(b"a"), bytes(5000), STOP, id="NUL bytes after STOP"),
    ],
)
def test_the_last_stream_goes_on(path: Path, kept: bytes, cut: bytes, stop: bytes) -> None:
    # STOP before what was cut, as a second stream that was cut inside its START leaves it.
    path.write_bytes(kept + stop + cut)
    file, protocol = FileOutput(path, "append"), writer(DNSTAP)
    assert append_to(file, protocol) == len(cut)
    assert path.read_bytes() == kept
    assert (protocol.state, protocol.content_type, protocol.data_to_send()) == (State.STREAMING, DNSTAP, b"")
    file.write(data(b"new"))
    file.close()
    assert path.read_bytes() == kept + data(b"new")


@pytest.mark.parametrize(
    ("wire", "cut"),
    [
        pytest.param(b"", 0, id="empty"),
        pytest.param(START[:3], 3, id="inside the escape"),
        pytest.param(START[:10], 10, id="inside the type"),
        pytest.param(START[:-1], len(START) - 1, id="before its last byte"),
    ],
)
def test_a_file_without_a_stream_begins_one(path: Path, wire: bytes, cut: int) -> None:
    path.write_bytes(wire)
    file, protocol = FileOutput(path, "append"), writer(DNSTAP)
    assert append_to(file, protocol) == cut
    assert protocol.state is State.IDLE
    file.close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("wire", "error", "text"),
    [
        pytest.param(b"2026-11-30 text", UnexpectedFrameError, "expected START, got no control frame but", id="text"),
        pytest.param(READY, UnexpectedFrameError, "expected START, got READY", id="READY"),
        pytest.param(
            READY[:-1], TruncatedStreamError, "expected 1 more bytes of a frame, got the end of input", id="cut READY"
        ),
        pytest.param(bytes(2216), ControlFrameError, "at byte 0", id="nothing but NUL bytes"),
        pytest.param(START + STOP + b"text", UnexpectedFrameError, "at byte 54", id="text after STOP"),
        pytest.param(START + b"text", TruncatedStreamError, "more bytes of a frame", id="text without STOP"),
        pytest.param(START + bytes(2000) + b"x", ControlFrameError, "at byte 42", id="NUL bytes and another"),
        pytest.param(
            START + bytes(4) + b"text", ControlFrameError, "at byte 42", id="a control frame that is too long"
        ),
        pytest.param(control(2, b"other") + STOP, ContentTypeError, "got b'other'", id="another content type"),
        pytest.param(START + STOP + control(2, b"other"), ContentTypeError, "got b'other'", id="and one after ours"),
        pytest.param(gzip.compress(START + STOP), LocalProtocolError, "got gzip data", id="gzip"),
        pytest.param(bz2.compress(START + STOP), LocalProtocolError, "got bzip2 data", id="bzip2"),
        pytest.param(lzma.compress(START + STOP), LocalProtocolError, "got xz data", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd", LocalProtocolError, "got zstd data", id="zstd"),
    ],
)
def test_anything_else_stays_as_it_is(tmp_path: Path, wire: bytes, error: type[Exception], text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(wire)
    file = FileOutput(path, "append")
    with pytest.raises(error, match=text):
        append_to(file, writer(DNSTAP))
    file.close()
    assert path.read_bytes() == wire


@pytest.mark.parametrize("stop", [b"", STOP])
def test_the_content_type_is_that_of_the_file(tmp_path: Path, stop: bytes) -> None:
    for content_types, start, content_type in (
        ((), START, DNSTAP),
        ((b"other", DNSTAP), START, DNSTAP),
        ((DNSTAP,), ANY_START, None),
    ):
        (tmp_path / "file").write_bytes(start + data(b"a") + stop)
        file, protocol = FileOutput(tmp_path / "file", "append"), writer(*content_types)
        append_to(file, protocol)
        file.close()
        assert protocol.content_type == content_type


def test_a_large_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    system_read = os.read

    def read(fd: int, size: int) -> bytes:
        sizes.append(size)
        return system_read(fd, size)

    path = tmp_path / "file"
    path.write_bytes(START + 10_000 * data(bytes(100)) + STOP)
    monkeypatch.setattr("framestream.files.os.read", read)
    file = FileOutput(path, "append")
    append_to(file, writer())
    file.close()
    assert set(sizes) == {framestream.files.READ_BYTES}
    assert len(sizes) > 10


def test_nothing_is_read_of_a_pipe_or_a_file_object() -> None:
    read_end, write_end = os.pipe()
    pipe = FileOutput(f"/dev/fd/{write_end}", "append")
    for file in (pipe, ObjectOutput(io.BytesIO())):
        protocol = writer()
        assert append_to(file, protocol) == 0
        assert protocol.state is State.IDLE
    pipe.close()
    for fd in (read_end, write_end):
        os.close(fd)
