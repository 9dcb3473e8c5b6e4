"""Fields of a payload as they are on the wire, to be changed and written again.

    fields = fields_of(payload)
    assert written(fields) == payload
    twice = written((*fields, fields[-1]))

Unlike a decoded message, they keep the order of fields, repeated fields, and tags and lengths that are longer than
necessary. They can also be invalid: lengths that do not match, groups without an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from dnstap import Dnstap
from dnstap.codec.tables import MESSAGE, table_of
from dnstap.conformance.wire import varint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnstap.codec.tables import Table

__all__ = [
    "END_GROUP",
    "FIXED32",
    "FIXED64",
    "GROUP",
    "LENGTH",
    "VARINT",
    "WireField",
    "fields_of",
    "written",
]

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
"""Wire types of protobuf; 6 and 7 do not exist."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One field as it is on the wire. Nothing is checked, so that invalid fields can be made.

    Attributes:
        number: field number; above 2**29 - 1, the tag has more than 32 bits.
        wire_type: wire type in the tag. LENGTH writes a length before bytes and fields, GROUP an end tag after fields.
        value: an int is written as a varint, bytes as they are, a tuple as the fields of a submessage or group.
        tag_padding: number of bytes by which the tag is longer than necessary.
        padding: the same for the varint, the length, or the end tag of a group.
        length: length to write; None for the actual one.
    """

    number: int
    wire_type: int
    value: int | bytes | tuple[WireField, ...]
    tag_padding: int = 0
    padding: int = 0
    length: int | None = None

    @property
    def content(self) -> bytes:
        """Bytes of the value, without a length or an end tag."""
        if isinstance(self.value, int):
            return varint(self.value, self.padding)
        return self.value if isinstance(self.value, bytes) else written(self.value)

    @property
    def wire(self) -> bytes:
        """Bytes of the field."""
        before = varint(self.number << 3 | self.wire_type, self.tag_padding)
        content = self.content
        if self.wire_type == LENGTH and not isinstance(self.value, int):
            before += varint(len(content) if self.length is None else self.length, self.padding)
        if self.wire_type == GROUP and isinstance(self.value, tuple):
            content += varint(self.number << 3 | END_GROUP, self.padding)
        return before + content


def written(fields: Iterable[WireField]) -> bytes:
    """Return the bytes of fields, one after the other."""
    return b"".join(field.wire for field in fields)


def fields_of(payload: bytes) -> tuple[WireField, ...]:
    """Return the fields of a Dnstap payload, with those of submessages and groups. `written` restores the same bytes.

    Raises: DecodeError: not a payload that `Dnstap.parse` accepts with `lenient=True`.
    """
    # Raises the errors, so that _read need not check a tag or a length.
    Dnstap.parse(payload, lenient=True)
    return _read(BytesIO(payload), table_of(Dnstap))[0]


def _read(stream: BytesIO, table: Table | None) -> tuple[tuple[WireField, ...], int]:
    """Read well-formed fields up to the end of the stream or group; return them and the padding of the end tag.

    Args: table: field table of the message that they are in; None in a group.
    """
    submessages = {} if table is None else {field.number: field for field in table.fields if field.kind == MESSAGE}
    fields: list[WireField] = []
    while stream.tell() < stream.getbuffer().nbytes:
        tag, tag_padding = _read_varint(stream)
        number, wire_type = tag >> 3, tag & 7
        value: int | bytes | tuple[WireField, ...]
        padding = 0
        if wire_type == END_GROUP:
            return tuple(fields), tag_padding
        if wire_type == VARINT:
            value, padding = _read_varint(stream)
        elif wire_type == GROUP:
            value, padding = _read(stream, None)
        elif wire_type == LENGTH:
            length, padding = _read_varint(stream)
            value = stream.read(length)
            if number in submessages:
                value = _read(BytesIO(value), table_of(submessages[number].python_type))[0]
        else:
            value = stream.read(8 if wire_type == FIXED64 else 4)
        fields.append(WireField(number, wire_type, value, tag_padding, padding))
    return tuple(fields), 0


def _read_varint(stream: BytesIO) -> tuple[int, int]:
    """Read a varint of any length; return its value and padding."""
    value = size = 0
    while (byte := stream.read(1)[0]) > 127:
        value |= (byte & 127) << 7 * size
        size += 1
    value |= byte << 7 * size
    return value, size + 1 - len(varint(value))
