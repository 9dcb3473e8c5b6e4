"""The field table: what the decoder and the encoder know of a message class, read off its dataclass fields.

One `Table` a class, made on first use. A field that is added to a class in messages.py needs nothing here.
"""

from __future__ import annotations

import dataclasses
from itertools import permutations, product
from typing import Any, cast, get_args, get_type_hints

import betterproto2

__all__ = ["BYTES", "ENUM", "FIXED32", "MESSAGE", "STRING", "UINT", "UNKNOWN", "Entry", "Field", "Table", "table_of"]

BYTES, MESSAGE, UINT, ENUM, FIXED32, STRING, UNKNOWN = range(7)
"""The kinds of field; plain ints, since the decoder compares them once a field, the frequent ones first."""

_KINDS = {
    betterproto2.TYPE_BYTES: (BYTES, 2, 0),
    betterproto2.TYPE_STRING: (STRING, 2, 0),
    betterproto2.TYPE_MESSAGE: (MESSAGE, 2, 0),
    betterproto2.TYPE_UINT32: (UINT, 0, 0xFFFFFFFF),
    betterproto2.TYPE_UINT64: (UINT, 0, 0xFFFFFFFFFFFFFFFF),
    betterproto2.TYPE_FIXED32: (FIXED32, 5, 0xFFFFFFFF),
    betterproto2.TYPE_ENUM: (ENUM, 0, 0),
}
"""Schema type -> (kind, wire type, greatest value)."""

REQUIRED = "type"
"""The field that the schema requires wherever it is an enum: of Dnstap and of Message, not the text of Policy."""

Entry = tuple[int, int, Any]
"""What the decoder needs of one field: kind, index, and by kind: the members of an ENUM by number (None where there is
none), the greatest value of a UINT, the Table of a MESSAGE. A plain tuple: a named one is 100 ns slower to unpack."""

_UNKNOWN_ENTRY: Entry = (UNKNOWN, 0, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a message class.

    Attributes:
        index: its place among the class's fields, and so among the arguments of its constructor.
        tag: number << 3 | wire type; tag_octets is its shortest varint.
        type_name: its type in the schema's words, e.g. "uint32".
        greatest: the greatest value of an integer.
        python_type: the class of its values.
    """

    name: str
    number: int
    kind: int
    index: int
    tag: int
    tag_octets: bytes
    type_name: str
    greatest: int
    python_type: Any


HEAD_OCTETS = 6
"""The octets of three fields with one-octet tags and values."""


class Table:
    """The fields of one message class, arranged for decoding and for encoding.

    Attributes:
        cls: the message class; its constructor takes the fields in order.
        fields: in the order of the class.
        by_number: the same, ascending: the order in which they are written.
        entries: first octet of a tag -> Entry, an UNKNOWN one unless it is the whole tag of a known field.
        by_tag: known tag -> Entry.
        messages: (index, Table) of each field that is itself a message.
        required: index of the required field, or None.
        size: how many fields there are.
        heads: the octets of three enum fields -> the values of a message that begins so. Every server begins a Message
            with type, family and protocol, in one order or another.
    """

    def __init__(self, cls: type[betterproto2.Message]) -> None:
        self.cls = cls
        self.fields = tuple(_fields_of(cls))
        self.by_number = sorted(self.fields, key=lambda field: field.number)
        self.messages = [(field.index, table_of(field.python_type)) for field in self.fields if field.kind == MESSAGE]
        self.by_tag = {field.tag: (field.kind, field.index, self._sub(field)) for field in self.fields}
        self.entries = [self.by_tag.get(tag, _UNKNOWN_ENTRY) for tag in range(128)] + [_UNKNOWN_ENTRY] * 128
        self.required = next((f.index for f in self.fields if f.name == REQUIRED and f.kind == ENUM), None)
        self.size = len(self.fields)
        self.heads = self._heads()

    def _heads(self) -> dict[bytes, list[Any]]:
        enums = [field for field in self.fields if field.kind == ENUM and field.tag < 128][:3]
        if len(enums) < 3:
            return {}
        heads = {}
        members: list[list[Any]] = [list(field.python_type) for field in enums]
        for chosen in product(*members):
            values: list[Any] = [None] * self.size
            for field, member in zip(enums, chosen, strict=True):
                values[field.index] = member
            for order in permutations(zip(enums, chosen, strict=True)):
                heads[b"".join(bytes((field.tag, member)) for field, member in order)] = values
        return heads

    def _sub(self, field: Field) -> Any:
        if field.kind == ENUM:
            members = {int(member): member for member in field.python_type}
            return tuple(members.get(number) for number in range(128)) + (None,) * 128
        if field.kind == MESSAGE:
            return dict(self.messages)[field.index]
        return field.greatest


_tables: dict[type[betterproto2.Message], Table] = {}


def table_of(cls: type[betterproto2.Message]) -> Table:
    """The Table of a message class. Two threads may make it twice; either is good."""
    table = _tables.get(cls)
    if table is None:
        table = _tables[cls] = Table(cls)
    return table


def _fields_of(cls: type[betterproto2.Message]) -> list[Field]:
    hints = get_type_hints(cls)
    fields = []
    for index, declared in enumerate(dataclasses.fields(cast("Any", cls))):
        meta = betterproto2.FieldMetadata.get(declared)
        kind, wire_type, greatest = _KINDS[meta.proto_type]
        tag = meta.number << 3 | wire_type
        fields.append(
            Field(
                name=declared.name,
                number=meta.number,
                kind=kind,
                index=index,
                tag=tag,
                tag_octets=bytes((tag,)) if tag < 128 else bytes((tag & 127 | 128, tag >> 7)),
                type_name=meta.proto_type,
                greatest=greatest,
                python_type=get_args(hints[declared.name])[0],
            )
        )
    return fields
