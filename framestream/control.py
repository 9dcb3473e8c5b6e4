"""Control frame payloads: the bytes after the escape word and the control frame length.

A payload is a type word and fields, each of them a field type word, a length word and that many bytes (rules 2 to 6 of
docs/frame-streams.md). The only field is CONTENT_TYPE. Source: fstrm control.h, "Control frames".
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from framestream.errors import ControlFrameError, LocalProtocolError

__all__ = [
    "MAX_CONTENT_TYPE_BYTES",
    "MAX_CONTROL_BYTES",
    "MAX_SENT_CONTROL_BYTES",
    "ControlFrame",
    "ControlType",
    "decode_control",
    "encode_control",
]

MAX_CONTROL_BYTES = 512
"""Default for the longest control frame payload to accept (rule 2)."""

MAX_SENT_CONTROL_BYTES = 503
"""Longest control frame payload to send: fstrm_capture 0.6.1 drops the connection at 504 bytes (rule 6)."""

MAX_CONTENT_TYPE_BYTES = 256
"""Longest content type (rule 4)."""

CONTENT_TYPE = 1
"""The type of the one control frame field."""

_word = struct.Struct(">I")
_words = struct.Struct(">II")


class ControlType(IntEnum):
    """Types of control frame (rule 3)."""

    ACCEPT = 1
    START = 2
    STOP = 3
    READY = 4
    FINISH = 5


# Rule 5; READY and ACCEPT may have any number.
_MOST_CONTENT_TYPES: dict[int, int] = {ControlType.START: 1, ControlType.STOP: 0, ControlType.FINISH: 0}


class ControlFrame(NamedTuple):
    """One control frame.

    Attributes:
        type: a ControlType, or the number of an unknown type.
        content_types: content types in wire order, opaque bytes; empty for an unknown type, whose fields are not read.
    """

    type: ControlType | int
    content_types: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """Name of the type, such as "START", or "control frame 9" for an unknown one."""
        return self.type.name if isinstance(self.type, ControlType) else f"control frame {self.type}"


def decode_control(data: bytes, offset: int = 0) -> ControlFrame:
    """Decode one control frame payload.

    Args:
        offset: offset of the control frame in the stream, for the error.
    Raises: ControlFrameError: the type word or a field is cut short, bytes are left over, a field is not CONTENT_TYPE,
        a content type is too long, or there are more of them than the type may have.
    """
    if len(data) < 4:
        raise ControlFrameError("a control frame of at least 4 bytes", f"one of {len(data)}", offset)
    (number,) = _word.unpack_from(data)
    try:
        control_type = ControlType(number)
    except ValueError:
        # Rule 10: not an error here. Only the protocol knows where unknown types may be ignored.
        return ControlFrame(number)
    content_types = _content_types(data, control_type.name, offset)
    most = _MOST_CONTENT_TYPES.get(control_type, len(content_types))
    if len(content_types) > most:
        raise ControlFrameError(
            f"{control_type.name} with at most {most} content types", f"{len(content_types)} of them", offset
        )
    return ControlFrame(control_type, content_types)


def _content_types(data: bytes, name: str, offset: int) -> tuple[bytes, ...]:
    content_types = []
    position, end = 4, len(data)
    while position < end:
        # Rule 3: the lengths must add up exactly.
        left = end - position
        if left < 8:
            raise ControlFrameError(f"the end of {name}, or a field of 8 bytes or more", f"{left} bytes", offset)
        field_type, size = _words.unpack_from(data, position)
        position += 8
        if field_type != CONTENT_TYPE:
            raise ControlFrameError(f"field type {CONTENT_TYPE} in {name}", str(field_type), offset)
        if size > MAX_CONTENT_TYPE_BYTES:
            raise ControlFrameError(
                f"a content type of at most {MAX_CONTENT_TYPE_BYTES} bytes in {name}", f"one of {size}", offset
            )
        if size > left - 8:
            raise ControlFrameError(f"{size} bytes of content type in {name}", f"{left - 8} bytes", offset)
        content_types.append(data[position : position + size])
        position += size
    return tuple(content_types)


def encode_control(frame: ControlFrame) -> bytes:
    """Encode the payload of a control frame.

    Raises: LocalProtocolError: the content types are too many or too long for a frame that every peer accepts, or the
        type is not a 32-bit number.
    """
    if not 0 <= frame.type < 1 << 32:
        raise LocalProtocolError(f"the type of a control frame is a 32-bit number, not {frame.type}")
    most = _MOST_CONTENT_TYPES.get(frame.type, len(frame.content_types))
    if len(frame.content_types) > most:
        raise LocalProtocolError(f"{frame.name} has at most {most} content types, not {len(frame.content_types)}")
    parts = [_word.pack(frame.type)]
    for content_type in frame.content_types:
        if len(content_type) > MAX_CONTENT_TYPE_BYTES:
            raise LocalProtocolError(
                f"a content type is at most {MAX_CONTENT_TYPE_BYTES} bytes long, not {len(content_type)}"
            )
        parts += (_words.pack(CONTENT_TYPE, len(content_type)), content_type)
    payload = b"".join(parts)
    if len(payload) > MAX_SENT_CONTROL_BYTES:
        raise LocalProtocolError(
            f"{frame.name} would be {len(payload)} bytes long; peers accept {MAX_SENT_CONTROL_BYTES}"
        )
    return payload
