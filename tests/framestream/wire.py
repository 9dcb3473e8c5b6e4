"""Streams made by hand, and functions that decode them as a whole, byte by byte, and with bytes after them.

Nothing here uses the encoders, which are under test too.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from framestream.errors import RemoteProtocolError, TruncatedStreamError, UnexpectedFrameError
from framestream.frames import FrameDecoder
from framestream.protocol import ReaderProtocol, State, WriterProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.control import ControlFrame

__all__ = [
    "ACCEPT",
    "DNSTAP",
    "FINISH",
    "READY",
    "START",
    "STOP",
    "TRAILING",
    "Decoded",
    "Read",
    "Written",
    "content_type",
    "control",
    "data",
    "decode",
    "fault",
    "read",
    "singly",
    "word",
    "write",
]

DNSTAP = b"protobuf:dnstap.Dnstap"


def word(number: int) -> bytes:
    return struct.pack(">I", number)


def content_type(value: bytes) -> bytes:
    """A field of a control frame."""
    return word(1) + word(len(value)) + value


def control(number: int, *content_types: bytes, fields: bytes = b"") -> bytes:
    """A control frame of that type, with content types or with fields that are bytes of any kind."""
    payload = word(number) + b"".join(map(content_type, content_types)) + fields
    return word(0) + word(len(payload)) + payload


def data(*payloads: bytes) -> bytes:
    """Data frames."""
    return b"".join(word(len(payload)) + payload for payload in payloads)


ACCEPT = control(1, DNSTAP)
START = control(2, DNSTAP)
STOP = control(3)
READY = control(4, DNSTAP)
FINISH = control(5)

TRAILING = b"\xff\xff\xff\xff trailing"
"""Bytes that are not a frame, to cause an error wherever they are read too early."""


def singly(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


def fault(error: RemoteProtocolError | None) -> tuple[Any, ...] | None:
    """Return the text of an error without parts that depend on how much had been received when it was found."""
    if error is None:
        return None
    attributes = dict(vars(error))
    if isinstance(error, UnexpectedFrameError) and re.search("b['\"]", attributes["got"]):
        del attributes["got"]
    return type(error), attributes


@dataclass
class Decoded:
    """Results of a FrameDecoder; `unread` and `missing` only without a fault, since it leaves the rest after one."""

    frames: list[bytes | ControlFrame] = field(default_factory=list)
    fault: tuple[Any, ...] | None = None
    offset: int = 0
    skipped: tuple[int, int] = (0, 0)
    unread: int | None = None
    missing: tuple[int, int] | None = None
    error: RemoteProtocolError | None = field(default=None, compare=False)


def decode(wire: bytes, make: Callable[[], FrameDecoder] = FrameDecoder) -> Decoded:
    """Decode the bytes as a whole, and check that other ways to cut them give the same results."""
    whole = _decode([wire], make())
    assert _decode(singly(wire), make()) == whole
    trailed = _decode([wire + TRAILING], make())
    assert trailed.frames[: len(whole.frames)] == whole.frames
    if whole.fault:
        assert trailed == whole
    return whole


def _decode(chunks: Iterable[bytes], decoder: FrameDecoder) -> Decoded:
    result = Decoded()
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while (got := decoder.next_payloads()) is not None:
                result.frames += got if isinstance(got, list) else [got]
    except RemoteProtocolError as error:
        result.error = error
        result.fault = fault(error)
        with pytest.raises(RemoteProtocolError) as again:
            decoder.next_payloads()
        assert fault(again.value) == result.fault
    else:
        result.unread = decoder.unread
        result.missing = decoder.missing()
    result.offset = decoder.offset
    result.skipped = decoder.skipped_frames, decoder.skipped_bytes
    return result


@dataclass
class Read:
    """Results and answers of a ReaderProtocol."""

    payloads: list[bytes] = field(default_factory=list)
    sent: bytes = b""
    fault: tuple[Any, ...] | None = None
    state: State = State.IDLE
    content_type: bytes | None = None
    unknown_control_frames: int = 0
    unread: int | None = None
    error: RemoteProtocolError | None = field(default=None, compare=False)


def read(wire: bytes, make: Callable[[], ReaderProtocol] = ReaderProtocol, *, eof: bool = False) -> Read:
    """Pass the bytes, and the end of the input if there is one, to a ReaderProtocol; check as in `decode`."""
    whole = _read([wire], make(), eof=eof)
    assert _read(singly(wire), make(), eof=eof) == whole
    trailed = _read([wire + TRAILING], make(), eof=False)
    assert trailed.payloads[: len(whole.payloads)] == whole.payloads
    assert trailed.sent.startswith(whole.sent)
    if whole.fault and not isinstance(whole.error, TruncatedStreamError):
        assert trailed == whole
    if whole.state is State.FINISHED:
        assert trailed == replace(whole, unread=(whole.unread or 0) + len(TRAILING))
    return whole


def _read(chunks: Iterable[bytes], reader: ReaderProtocol, *, eof: bool) -> Read:
    result = Read()
    try:
        for chunk in chunks:
            reader.receive_data(chunk)
            _take(reader, result)
        if eof:
            reader.receive_eof()
            _take(reader, result)
    except RemoteProtocolError as error:
        result.error = error
        result.fault = fault(error)
        with pytest.raises(RemoteProtocolError) as again:
            reader.payloads()
        assert again.value is result.error
    else:
        result.unread = reader.unread
    result.sent += reader.data_to_send()
    assert reader.data_to_send() == b""
    result.state = reader.state
    result.content_type = reader.content_type
    result.unknown_control_frames = reader.unknown_control_frames
    return result


def _take(reader: ReaderProtocol, result: Read) -> None:
    while payloads := reader.payloads():
        result.payloads += payloads
    result.sent += reader.data_to_send()


@dataclass
class Written:
    """Bytes that a WriterProtocol sent, in the parts between which it waited."""

    sent: list[bytes] = field(default_factory=list)
    fault: tuple[Any, ...] | None = None
    state: State = State.IDLE
    content_type: bytes | None = None
    error: RemoteProtocolError | None = field(default=None, compare=False)


def write(
    accept: bytes,
    finish: bytes | None = None,
    make: Callable[[], WriterProtocol] = WriterProtocol,
    *,
    payloads: Iterable[bytes] = (),
    eof: bool = False,
) -> Written:
    """Pass a WriterProtocol the bytes that answer its READY, then those that answer its payloads and STOP.

    It is started, given the answers whole, and if `eof` the end of the input; checked as in `decode`.
    """
    whole = _write([[accept], [finish]] if finish is not None else [[accept]], make(), payloads, eof=eof)
    answers = [singly(accept), singly(finish)] if finish is not None else [singly(accept)]
    assert _write(answers, make(), payloads, eof=eof) == whole
    answers[-1] = [b"".join(answers[-1]) + TRAILING]
    trailed = _write(answers, make(), payloads, eof=eof)
    assert trailed.sent == whole.sent
    if (whole.fault and not isinstance(whole.error, TruncatedStreamError)) or whole.state is State.FINISHED:
        assert trailed == whole
    return whole


def _write(answers: list[list[bytes]], writer: WriterProtocol, payloads: Iterable[bytes], *, eof: bool) -> Written:
    writer.start()
    result = Written([writer.data_to_send()])
    try:
        for number, chunks in enumerate(answers):
            if number == 1:
                writer.send(payloads)
                writer.stop()
                result.sent.append(writer.data_to_send())
            for chunk in chunks:
                writer.receive_data(chunk)
            if data := writer.data_to_send():
                result.sent.append(data)
        if eof:
            writer.receive_eof()
    except RemoteProtocolError as error:
        result.error = error
        result.fault = fault(error)
        with pytest.raises(RemoteProtocolError) as again:
            writer.receive_data(b"")
        assert again.value is result.error
        if data := writer.data_to_send():
            result.sent.append(data)
    result.state = writer.state
    result.content_type = writer.content_type
    return result
