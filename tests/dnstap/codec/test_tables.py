"""The field table holds the schema, as Google's compiler reads it."""

from __future__ import annotations

import dataclasses
from typing import Any

import betterproto2
import pytest

from dnstap import Dnstap, Message, MessageType, Policy, SocketFamily, SocketProtocol
from dnstap.codec.tables import ENUM, MESSAGE, UNKNOWN, table_of
from tests.judge import google


@pytest.mark.parametrize("cls", [Dnstap, Message, Policy])
def test_the_schema(cls: type[Any]) -> None:
    table = table_of(cls)
    schema: Any = google(cls.__name__).DESCRIPTOR
    assert {(field.name, field.number) for field in table.fields} == {(f.name, f.number) for f in schema.fields}
    assert [field.number for field in table.by_number] == sorted(f.number for f in schema.fields)
    for field in table.fields:
        theirs = schema.fields_by_name[field.name]
        assert field.index == table.fields.index(field)
        if field.kind == ENUM:
            named = {member.name: int(member) for member in field.python_type}
            assert named == {value.name: value.number for value in theirs.enum_type.values}
        elif field.kind == MESSAGE:
            assert field.python_type.__name__ == theirs.message_type.name
        else:
            assert field.type_name == {4: "uint64", 7: "fixed32", 9: "string", 12: "bytes", 13: "uint32"}[theirs.type]
    required = [f.name for f in schema.fields if f.is_required]
    assert required == ([] if table.required is None else [table.fields[table.required].name])


def test_entries_by_octet() -> None:
    table = table_of(Message)
    assert table.entries[0x08][0] == ENUM
    assert table.entries[0x80] == (UNKNOWN, 0, None)
    assert table.by_tag[0x80][0] == ENUM
    assert len(table.entries) == 256
    assert table_of(Message) is table


def test_heads() -> None:
    """Every server begins a Message with its type, family and protocol; PowerDNS in an order of its own."""
    values = [MessageType.AUTH_QUERY, SocketFamily.INET6, SocketProtocol.DOQ, *[None] * 13]
    heads = table_of(Message).heads
    assert heads[bytes.fromhex("0801 1002 1807")] == heads[bytes.fromhex("0801 1807 1002")] == values
    assert len(heads) == 14 * 2 * 7 * 6
    assert table_of(Dnstap).heads == table_of(Policy).heads == {}


def test_fields_that_the_schema_does_not_have() -> None:
    """A class of somebody else would lose them."""

    @dataclasses.dataclass(init=False)
    class Mine(Policy):
        vendor: bytes | None = betterproto2.field(99, betterproto2.TYPE_BYTES, optional=True)

    with pytest.raises(TypeError, match=r"^Mine: expected the fields of the schema, got also vendor$"):
        Mine.parse(b"")
