"""For tests of others: the fields of a payload as they are written, to be changed and written again.

    fields = fields_of(payload)
    assert written(fields) == payload
    twice = written((*fields, fields[-1]))

What the decoder makes equal is kept apart here: the order of fields, fields that come again, tags and lengths that are
longer than they need be. And what no encoder writes can be written: lengths that lie, groups without an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from dnstap import Dnstap
from dnstap.codec.tables import MESSAGE, table_of

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
    "varint",
    "written",
]

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
"""The wire types; 6 and 7 do not exist."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One field as it is written. Nothing is checked: this is to make bad ones, too.

    Attributes:
        number: of the field; over 2**29 - 1 the tag has more than 32 bits.
        wire_type: in the tag. LENGTH puts a length before octets and fields; GROUP puts its end behind fields.
        value: an int is written as a varint, bytes as they are, a tuple as the fields of a submessage or group.
        tag_padding: how many octets the tag is longer than it need be.
        padding: the same of the varint, of the length, or of the tag that ends the group.
        length: what the length says; None for what is true.
    """

    number: int
    wire_type: int
    value: int | bytes | tuple[WireField, ...]
    tag_padding: int = 0
    padding: int = 0
    length: int | None = None

    @property
    def content(self) -> bytes:
        """The octets of the value, without a length or an end."""
        if isinstance(self.value, int):
            return varint(self.value, self.padding)
        return self.value if isinstance(self.value, bytes) else written(self.value)

    @property
    def wire(self) -> bytes:
        """The octets of the field."""
        before = varint(self.number << 3 | self.wire_type, self.tag_padding)
        content = self.content
        if self.wire_type == LENGTH and not isinstance(self.value, int):
            before += varint(len(content) if self.length is None else self.length, self.padding)
        if self.wire_type == GROUP and isinstance(self.value, tuple):
            content += varint(self.number << 3 | END_GROUP, self.padding)
        return before + content


def varint(value: int, padding: int = 0) -> bytes:
    """The octets of a number that is not negative, by `padding` more than it needs."""
    octets = [value & 127]
    while value := value >> 7:
        octets.append(value & 127)
    octets += [0] * padding
    return bytes([*(octet | 128 for octet in octets[:-1]), octets[-1]])


def written(fields: Iterable[WireField]) -> bytes:
    """The octets of fields, one after the other."""
    return b"".join(field.wire for field in fields)


def fields_of(payload: bytes) -> tuple[WireField, ...]:
    """The fields of a Dnstap, submessages and groups taken apart. `written` gives the same octets again.

    Raises: DecodeError, as `Dnstap.parse(payload, lenient=True)` does.
    """
    Dnstap.parse(payload, lenient=True)
    return _read(BytesIO(payload), table_of(Dnstap))[0]


def _read(stream: BytesIO, table: Table | None) -> tuple[tuple[WireField, ...], int]:
    """Fields to the end, of the stream or of a group, and the padding of that. They are known to be well-formed.

    Args: table: of the message that they are in; None in a group.
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
    """The value, all bits of it, and the padding."""
    value = size = 0
    while (octet := stream.read(1)[0]) > 127:
        value |= (octet & 127) << 7 * size
        size += 1
    value |= octet << 7 * size
    return value, size + 1 - len(varint(value))
