"""Classes for decoding payloads that are only read: they have the schema, and only the attributes that are needed."""

from __future__ import annotations

from typing import Any

import pytest

from dnstap import Decoder, Dnstap, DnstapType, Message, MessageType
from dnstap.codec.projections import for_documents, for_fields, for_quiet
from dnstap.codec.strict import decode
from dnstap.codec.tables import MESSAGE, Table, table_of

PAYLOAD = bytes(
    Dnstap(
        identity=b"ns1",
        message=Message(MessageType.CLIENT_QUERY, query_port=53, query_time_sec=1, query_message=b"wire"),
        type=DnstapType.MESSAGE,
    )
)

CLASSES = [for_quiet(), for_documents(), for_fields(frozenset({"identity", "query_port"}))]


def schema(table: Table) -> list[Any]:
    subs = [schema(sub) for _, sub in table.messages]
    fields = [(field.name, field.tag, field.tag_octets, field.type_name, field.greatest) for field in table.fields]
    return [table.cls.__name__, table.required, fields, subs]


@pytest.mark.parametrize("projected", CLASSES)
def test_classes_have_the_schema(projected: type[Any]) -> None:
    assert schema(table_of(projected)) == schema(table_of(Dnstap))
    assert all(field.kind == MESSAGE or field.python_type is int for field in table_of(projected).fields)


@pytest.mark.parametrize("projected", CLASSES)
def test_strictly_decoded_objects_have_all_fields(projected: type[Any]) -> None:
    dnstap = decode(projected, PAYLOAD)
    assert (dnstap.identity, dnstap.version, dnstap.type) == (b"ns1", None, 1)
    assert (dnstap.message.type, dnstap.message.query_port, dnstap.message.query_message) == (5, 53, b"wire")
    assert dnstap.message.policy is None


def test_learned_objects_have_the_fields_that_are_kept() -> None:
    """A plan sets no others: reading one raises AttributeError, and so shows that a class keeps too little."""
    projected = for_fields(frozenset({"identity", "query_port"}))
    decoder = Decoder(projected)
    for _ in range(1000):
        learned = decoder.decode(PAYLOAD)
    assert (learned.identity, learned.type, learned.message.type, learned.message.query_port) == (b"ns1", 1, 5, 53)
    assert not {"query_time_sec", "query_message"} & vars_of(learned)


def vars_of(dnstap: Any) -> set[str]:
    """Return the names of the slots of its Message that have been set."""
    names = type(dnstap.message).__slots__
    return {name for name in names if hasattr(dnstap.message, name)}


def test_a_class_is_made_once() -> None:
    assert for_fields(frozenset({"version"})) is for_fields(frozenset({"version"}))
    assert for_quiet() is for_quiet()
