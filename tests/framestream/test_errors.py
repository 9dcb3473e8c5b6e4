"""framestream.errors: the tree, the attributes, and every text of the package."""

import copy
import errno
import gzip
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framestream import errors
from framestream.compression import Decompressor
from framestream.control import ControlFrame, ControlType, decode_control, encode_control
from framestream.errors import (
    CompressionError,
    ContentTypeError,
    ControlFrameError,
    FrameStreamError,
    FrameTooLargeError,
    LocalProtocolError,
    MissingLibraryError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import FrameDecoder, encode_data_frames
from framestream.protocol import ReaderProtocol, Transport, WriterProtocol
from framestream.sync import listen_reader, read_file
from tests.framestream.wire import ACCEPT, DNSTAP, READY, START, STOP, content_type, control, data, word

REMOTE = [
    CompressionError,
    ControlFrameError,
    ContentTypeError,
    FrameTooLargeError,
    TruncatedStreamError,
    UnexpectedFrameError,
]


def decoding(wire: bytes) -> None:
    decoder = FrameDecoder()
    decoder.receive_data(wire)
    while decoder.next_payloads() is not None:
        pass


def decompressing(wire: bytes) -> None:
    for _ in Decompressor().feed(wire):
        pass


def reading(wire: bytes, *, eof: bool = False, **options: Any) -> None:
    reader = ReaderProtocol(**options)
    reader.receive_data(wire)
    if eof:
        reader.receive_eof()
    while reader.payloads():
        pass


def writing(answer: bytes, *, eof: bool = False, **options: Any) -> None:
    writer = WriterProtocol(**options)
    writer.start()
    writer.receive_data(answer)
    if eof:
        writer.receive_eof()


def encoding(number: int, *content_types: bytes) -> None:
    frame_type = ControlType(number) if number in set(ControlType) else number
    encode_control(ControlFrame(frame_type, content_types))


UNIDIRECTIONAL = Transport.UNIDIRECTIONAL

TEXTS: list[tuple[Callable[[], object], type[FrameStreamError], str]] = [
    # control
    (
        partial(decode_control, b"\0\0\0"),
        ControlFrameError,
        "expected a control frame of at least 4 bytes, got one of 3, at byte 0",
    ),
    (
        partial(decode_control, word(2) + b"abcdefg", 42),
        ControlFrameError,
        "expected the end of START, or a field of 8 bytes or more, got 7 bytes, at byte 42",
    ),
    (
        partial(decode_control, word(4) + word(2) + word(0)),
        ControlFrameError,
        "expected field type 1 in READY, got 2, at byte 0",
    ),
    (
        partial(decode_control, word(1) + word(1) + word(257)),
        ControlFrameError,
        "expected a content type of at most 256 bytes in ACCEPT, got one of 257, at byte 0",
    ),
    (
        partial(decode_control, word(1) + word(1) + word(9) + b"abc"),
        ControlFrameError,
        "expected 9 bytes of content type in ACCEPT, got 3 bytes, at byte 0",
    ),
    (
        partial(decode_control, word(2) + 2 * content_type(b"a")),
        ControlFrameError,
        "expected START with at most 1 content types, got 2 of them, at byte 0",
    ),
    (partial(encoding, 3, b"a"), LocalProtocolError, "STOP has at most 0 content types, not 1"),
    (partial(encoding, 4, bytes(300)), LocalProtocolError, "a content type is at most 256 bytes long, not 300"),
    (
        partial(encoding, 9, *63 * [b""]),
        LocalProtocolError,
        "control frame 9 would be 508 bytes long; peers accept 503",
    ),
    (partial(encoding, -1), LocalProtocolError, "the type of a control frame is a 32-bit number, not -1"),
    # compression
    (
        partial(decompressing, gzip.compress(b"x")[:-8] + bytes(8)),
        CompressionError,
        "expected gzip data, got a fault in it (Error -3 while decompressing data: incorrect data check), at byte 0",
    ),
    # frames
    (
        partial(decoding, START + word(0) + word(600)),
        ControlFrameError,
        "expected a control frame of at most 512 bytes, got one of 600, at byte 42",
    ),
    (
        partial(decoding, data(b"a") + word(0xFFFFFFFF)),
        FrameTooLargeError,
        "expected a data frame of at most 1048576 bytes, got one of 4294967295, at byte 5",
    ),
    (partial(encode_data_frames, [b""]), LocalProtocolError, "a data frame holds 1 to 1048576 bytes, not 0"),
    (partial(encode_data_frames, [b"abc"], 2), LocalProtocolError, "a data frame holds 1 to 2 bytes, not 3"),
    # protocol, reading
    (partial(reading, STOP), UnexpectedFrameError, "expected READY or START, got STOP in state IDLE, at byte 0"),
    (
        partial(reading, b"\x1b[31mGET / HTTP/1.1"),
        UnexpectedFrameError,
        r"expected READY or START, got no control frame but b'\x1b[31mGET / HTTP/' in state IDLE, at byte 0",
    ),
    (
        partial(reading, READY, transport=UNIDIRECTIONAL),
        UnexpectedFrameError,
        "expected START, got READY in state IDLE, at byte 0",
    ),
    (partial(reading, READY + STOP), UnexpectedFrameError, "expected START, got STOP in state ACCEPTED, at byte 42"),
    (
        partial(reading, READY + data(b"abc")),
        UnexpectedFrameError,
        r"expected START, got a data frame, b'\x00\x00\x00\x03abc' in state ACCEPTED, at byte 42",
    ),
    (
        partial(reading, READY + control(9)),
        UnexpectedFrameError,
        "expected START, got control frame 9 in state ACCEPTED, at byte 42",
    ),
    (
        partial(reading, START + data(b"a") + START),
        UnexpectedFrameError,
        "expected a data frame or STOP, got START in state STREAMING, at byte 47",
    ),
    (
        partial(reading, control(4, b"a", b"\x1b"), content_types=[b"b", b"c"]),
        ContentTypeError,
        r"expected content type b'b' or b'c' in READY, got b'a' or b'\x1b' in state IDLE, at byte 0",
    ),
    (
        partial(reading, READY + control(2, b""), content_types=[DNSTAP, b"b"]),
        ContentTypeError,
        "expected content type b'protobuf:dnstap.Dnstap' in START, got b'' in state ACCEPTED, at byte 42",
    ),
    (
        partial(reading, b"", eof=True, transport=UNIDIRECTIONAL, require_stop=True),
        TruncatedStreamError,
        "expected START, got the end of input in state IDLE, at byte 0",
    ),
    (
        partial(reading, START, eof=True, require_stop=True),
        TruncatedStreamError,
        "expected a data frame or STOP, got the end of input in state STREAMING, at byte 42",
    ),
    (
        partial(reading, START + word(10) + b"abc", eof=True),
        TruncatedStreamError,
        "expected 7 more bytes of a frame, got the end of input in state STREAMING, at byte 49",
    ),
    (
        partial(reading, START + word(10) + b"abc", eof=True, max_data_bytes=4, oversize="skip"),
        TruncatedStreamError,
        "expected 7 more bytes of a frame, got the end of input in state STREAMING, at byte 49",
    ),
    (ReaderProtocol().next_stream, LocalProtocolError, "the stream has not finished, but is in state IDLE"),
    # protocol, writing
    (partial(writing, READY), UnexpectedFrameError, "expected ACCEPT, got READY in state OFFERED, at byte 0"),
    (
        partial(writing, ACCEPT + STOP),
        UnexpectedFrameError,
        "expected nothing, got STOP in state STREAMING, at byte 42",
    ),
    (
        partial(writing, b"", eof=True),
        TruncatedStreamError,
        "expected ACCEPT, got the end of input in state OFFERED, at byte 0",
    ),
    (
        partial(writing, ACCEPT, content_types=[b"a"]),
        ContentTypeError,
        "expected content type b'a' in ACCEPT, got b'protobuf:dnstap.Dnstap' in state OFFERED, at byte 0",
    ),
    (WriterProtocol().stop, LocalProtocolError, "cannot send STOP in state IDLE: nothing has been sent"),
    (
        partial(WriterProtocol().send, [b"a"]),
        LocalProtocolError,
        "cannot send data frames in state IDLE: nothing has been sent",
    ),
]


@pytest.mark.parametrize(("provoke", "kind", "text"), TEXTS, ids=[text for *_, text in TEXTS])
def test_texts(provoke: Callable[[], object], kind: type[FrameStreamError], text: str) -> None:
    with pytest.raises(FrameStreamError) as caught:
        provoke()
    assert str(caught.value) == text
    assert type(caught.value) is kind


def test_texts_of_the_system_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as directory:
        read_file(tmp_path)
    assert str(directory.value) == f"[Errno {errno.EISDIR}] Is a directory: '{tmp_path}'"
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(FileExistsError) as exists:
        listen_reader(path)
    assert str(exists.value) == f"[Errno {errno.EEXIST}] exists and is not a socket: '{path}'"
    path.unlink()
    with listen_reader(path), pytest.raises(OSError, match="another process") as in_use:
        listen_reader(path)
    assert str(in_use.value) == f"[Errno {errno.EADDRINUSE}] another process listens there already: '{path}'"


def test_tree() -> None:
    assert issubclass(FrameStreamError, Exception)
    assert set(FrameStreamError.__subclasses__()) == {LocalProtocolError, MissingLibraryError, RemoteProtocolError}
    assert set(RemoteProtocolError.__subclasses__()) == set(REMOTE)
    # What the operating system reports is not ours to rename.
    assert not issubclass(FrameStreamError, OSError)


def test_every_exception_is_public() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert classes == set(errors.__all__)


def test_attributes() -> None:
    error = UnexpectedFrameError("START", "STOP", 34, "ACCEPTED")
    assert (error.expected, error.got, error.offset, error.state) == ("START", "STOP", 34, "ACCEPTED")
    assert str(error) == "expected START, got STOP in state ACCEPTED, at byte 34"
    assert str(RemoteProtocolError("this", "that", 0)) == "expected this, got that, at byte 0"
    large = FrameTooLargeError(5, 4, 9)
    assert (large.size, large.limit, large.offset, large.state) == (5, 4, 9, "")
    assert not TruncatedStreamError("STOP", "the end of input", 0).inside_frame
    assert TruncatedStreamError("1 byte", "the end of input", 0, inside_frame=True).inside_frame


@pytest.mark.parametrize(
    ("state", "inside_frame", "lost_nothing"),
    [("STREAMING", False, True), ("STREAMING", True, False), ("IDLE", True, True)],
)
def test_streams_that_lost_nothing(state: str, inside_frame: bool, lost_nothing: bool) -> None:
    """Outside of a stream only a control frame can be cut off."""
    error = TruncatedStreamError("STOP", "the end of input", 0, state, inside_frame=inside_frame)
    assert error.lost_nothing is lost_nothing


@pytest.mark.parametrize(
    "error",
    [
        LocalProtocolError("a text"),
        MissingLibraryError("zstd data", "zstd"),
        ControlFrameError("this", "that", 1),
        ContentTypeError("this", "that", 2, "IDLE"),
        FrameTooLargeError(5, 4, 3),
        TruncatedStreamError("this", "that", 4, "IDLE", inside_frame=True),
        UnexpectedFrameError("this", "that", 5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_copied_whole(error: FrameStreamError) -> None:
    """Processes that hand out the reading of files need them pickled."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)
        assert other.args == error.args
