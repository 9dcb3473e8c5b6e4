"""The field table: what the decoder and the encoder know of a message class.

One `Table` per class, made on first use from the rows of the schema (dnstap/schema/fields.py).
"""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any

from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnstap.schema.fields import Row

__all__ = [
    "BYTES",
    "ENUM",
    "FIXED32",
    "MESSAGE",
    "STRING",
    "UINT",
    "UNKNOWN",
    "Entry",
    "Field",
    "Table",
    "table_of",
]

BYTES, MESSAGE, UINT, ENUM, FIXED32, STRING, UNKNOWN = range(7)
"""Kinds of field: plain ints, because the decoder compares them for each field, the most frequent first."""

_KINDS = {
    "bytes": (BYTES, 2, 0),
    "string": (STRING, 2, 0),
    "message": (MESSAGE, 2, 0),
    "uint32": (UINT, 0, 0xFFFFFFFF),
    "uint64": (UINT, 0, 0xFFFFFFFFFFFFFFFF),
    "fixed32": (FIXED32, 5, 0xFFFFFFFF),
    "enum": (ENUM, 0, 0),
}
"""Schema type -> (kind, wire type, greatest value)."""

Entry = tuple[int, int, Any]
"""One field for the decoder: kind, index, and by kind: the members of an ENUM by number (None where it has none), the
greatest value of a UINT, the Table of a MESSAGE. A plain tuple, because a named one takes 100 ns more to unpack."""

_UNKNOWN_ENTRY: Entry = (UNKNOWN, 0, None)


class Field:
    """One field of a message class.

    Attributes:
        index: position among the class's fields, and among the arguments of its constructor.
        tag: number << 3 | wire type; tag_octets is its shortest varint.
        type_name: protobuf type of the field, e.g. "uint32".
        greatest: greatest value of an integer.
        python_type: class of the values.
        varies: how often one sender changes the value: "always", "never", or "" in between.
        required: whether the schema requires it.
    """

    __slots__ = (
        "greatest",
        "index",
        "kind",
        "name",
        "number",
        "python_type",
        "required",
        "tag",
        "tag_octets",
        "type_name",
        "varies",
    )

    def __init__(self, index: int, row: Row) -> None:
        self.name, self.number, self.type_name, self.python_type, self.varies, self.required = row
        self.index = index
        self.kind, wire_type, self.greatest = _KINDS[self.type_name]
        self.tag = tag = self.number << 3 | wire_type
        # Two bytes hold tags of field numbers up to 2047; the schema ends at 16.
        self.tag_octets = bytes((tag,)) if tag < 128 else bytes((tag & 127 | 128, tag >> 7))

    def members(self) -> list[int]:
        """Return the named values of an enum; for plain numbers, those that one byte holds."""
        members: Iterable[int] = range(128) if self.python_type is int else self.python_type
        return list(members)


HEAD_OCTETS = 6
"""Bytes of three enum fields, each of a tag and a value of one byte."""


class Table:
    """The fields of one message class, arranged for decoding and for encoding.

    Attributes:
        cls: the message class; its constructor takes the fields in order.
        kept: names of the fields that the learned decoder sets in the objects that it makes.
        fields: in the order of the class.
        by_number: by ascending number, the order of encoding.
        entries: first byte of a tag -> Entry; an UNKNOWN one unless that byte is the whole tag of a known field.
        by_tag: known tag -> Entry.
        messages: (index, Table) of each field that is itself a message.
        required: index of the required field, or None.
        size: number of fields.
        heads: bytes of three enum fields -> values of a message that begins with them. Every known server begins a
            Message with type, family and protocol, in one order or another.
    """

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.fields = tuple([Field(*row) for row in enumerate(rows(cls))])
        # Values are passed to the constructor by position. A field that a subclass adds would get none, and would be
        # lost in encoding.
        declared = {name for name in vars(cls).get("__dataclass_fields__", ()) if not name.startswith("_")}
        if added := declared - {field.name for field in self.fields}:
            raise TypeError(f"{cls.__name__}: expected the fields of the schema, got also {', '.join(sorted(added))}")
        self.kept = cls.KEPT or frozenset([field.name for field in self.fields])
        self.by_number = sorted(self.fields, key=lambda field: field.number)
        self.messages = [(field.index, table_of(field.python_type)) for field in self.fields if field.kind == MESSAGE]
        self.by_tag = {field.tag: (field.kind, field.index, self._sub(field)) for field in self.fields}
        # The upper half: bytes with a continuation bit, which begin a tag of several bytes.
        self.entries = [self.by_tag.get(tag, _UNKNOWN_ENTRY) for tag in range(128)] + [_UNKNOWN_ENTRY] * 128
        self.required = next((field.index for field in self.fields if field.required), None)
        self.size = len(self.fields)
        self.heads = self._heads()

    def _heads(self) -> dict[bytes, list[Any]]:
        enums = [field for field in self.fields if field.kind == ENUM and field.tag < 128][:3]
        # For the plain numbers of projections there would be 6 * 128**3 heads.
        if len(enums) < 3 or int in [field.python_type for field in enums]:
            return {}
        heads = {}
        for chosen in product(*[field.members() for field in enums]):
            values: list[Any] = [None] * self.size
            for field, member in zip(enums, chosen, strict=True):
                values[field.index] = member
            for order in permutations(zip(enums, chosen, strict=True)):
                # The six orders share one list; the decoder copies it.
                heads[b"".join(bytes((field.tag, member)) for field, member in order)] = values
        return heads

    def _sub(self, field: Field) -> Any:
        if field.kind == ENUM:
            members = {int(member): member for member in field.members()}
            # The upper half: first bytes of longer varints, which are never a member by themselves.
            return tuple(members.get(number) for number in range(128)) + (None,) * 128
        if field.kind == MESSAGE:
            return dict(self.messages)[field.index]
        return field.greatest


_tables: dict[type[Any], Table] = {}


def table_of(cls: type[Any]) -> Table:
    """Return the Table of a message class. Two threads may both make it; either works."""
    table = _tables.get(cls)
    if table is None:
        table = _tables[cls] = Table(cls)
    return table
