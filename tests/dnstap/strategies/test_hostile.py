"""Hostile payloads: each kind is made, refused ones by their reason, accepted ones by their fields."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from dnstap import DecodeError, Dnstap, DnstapType, MissingFieldError
from dnstap.codec.tables import ENUM, MESSAGE, STRING, table_of
from dnstap.strategies import WireField, edits, fields_of, hostile_payloads, unknown_fields, written
from dnstap.strategies.wire_fields import FIXED32, FIXED64, GROUP, LENGTH, VARINT
from tests.drawing import draw_until_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

until_found = settings(max_examples=50_000, phases=[Phase.generate])


REFUSED = [
    r"Dnstap: \w+ has length",
    "Dnstap: message has length",
    r"Message: \w+ has length",
    r"Policy: \w+ has length",
    "the last field is cut off",
    "Dnstap: field number 0",
    "Message: field number 0",
    "has wire type 6, which does not exist",
    "has wire type 7, which does not exist",
    "Dnstap: end of group",
    "Message: end of group",
    "has no end",
    "tag of more than 32 bits",
    "length of more than 5 bytes",
    "varint of more than 10 bytes",
    "nested more than 100 deep",
    "Dnstap: required field type is missing",
    "Message: required field type is missing",
]


def levels(fields: tuple[WireField, ...], cls: Any = Dnstap) -> Iterator[tuple[Any, tuple[WireField, ...]]]:
    """Yield the fields of each message, with its class, and of each group, with None."""
    yield cls, fields
    inner = {} if cls is None else {f.number: f.python_type for f in table_of(cls).fields if f.kind == MESSAGE}
    for field in fields:
        if isinstance(field.value, tuple):
            yield from levels(field.value, inner[field.number] if field.wire_type == LENGTH else None)


def has_field(condition: Callable[[Any, WireField], bool]) -> Callable[[bytes], bool]:
    """Return a function that finds fields at any level, by a condition on the table's field (or None) and the field."""

    def check(payload: bytes) -> bool:
        return any(
            condition(known.get(field.number), field)
            for cls, fields in levels(fields_of(payload))
            for known in [{} if cls is None else {known.number: known for known in table_of(cls).fields}]
            for field in fields
        )

    return check


def comes_twice(wanted: Callable[[Any], bool]) -> Callable[[bytes], bool]:
    def check(payload: bytes) -> bool:
        return any(
            [field.number for field in fields].count(known.number) > 1
            for cls, fields in levels(fields_of(payload))
            if cls is not None
            for known in table_of(cls).fields
            if wanted(known)
        )

    return check


def depth(fields: tuple[WireField, ...]) -> int:
    return 1 + max((depth(field.value) for field in fields if isinstance(field.value, tuple)), default=0)


def nameless(payload: bytes) -> bool:
    return not (Dnstap.parse(payload).type or DnstapType.MESSAGE).name


def has_odd_text(payload: bytes) -> bool:
    message = Dnstap.parse(payload).message
    text = message.policy.type if message and message.policy else None
    return text is not None and any("\udc80" <= character <= "\udcff" for character in text)


ACCEPTED: dict[str, Callable[[bytes], bool]] = {
    "unknown varint": has_field(lambda known, field: known is None and field.wire_type == VARINT),
    "unknown fixed64": has_field(lambda known, field: known is None and field.wire_type == FIXED64),
    "unknown bytes": has_field(lambda known, field: known is None and field.wire_type == LENGTH),
    "unknown group": has_field(lambda known, field: known is None and field.wire_type == GROUP),
    "unknown fixed32": has_field(lambda known, field: known is None and field.wire_type == FIXED32),
    "known field of another wire type": has_field(lambda known, field: known and known.tag & 7 != field.wire_type),
    "tag of five bytes": has_field(lambda known, field: known and field.tag_padding == 4),
    "length of five bytes": has_field(lambda known, field: known and field.wire_type == LENGTH and field.padding == 4),
    "varint of many bytes": has_field(lambda _, field: field.wire_type == VARINT and field.padding > 3),
    "varint of more than 64 bits": has_field(lambda _, field: isinstance(field.value, int) and field.value >> 64 > 0),
    "end of group of several bytes": has_field(lambda _, field: field.wire_type == GROUP and field.padding > 0),
    "nested 100 deep": lambda payload: depth(fields_of(payload)) > 99,
    "scalar twice": comes_twice(lambda known: known.kind != MESSAGE),
    "message twice": comes_twice(lambda known: known.name == "message"),
    "policy twice": comes_twice(lambda known: known.name == "policy"),
    "enum twice": comes_twice(lambda known: known.kind == ENUM),
    "text twice": comes_twice(lambda known: known.kind == STRING),
    "extra last, as dnsdist has it": lambda payload: fields_of(payload)[-1].number == 3,
    "type first": lambda payload: fields_of(payload)[0].number == 15,
    "nameless number": nameless,
    "text that is not UTF-8": has_odd_text,
}


def kinds_of(payload: bytes, missing: set[str]) -> list[str]:
    """Return the reasons for which a payload is refused, or else its kinds."""
    try:
        Dnstap.parse(payload)
    except DecodeError as error:
        return [reason for reason in missing if re.search(reason, str(error))]
    return [kind for kind in missing.intersection(ACCEPTED) if ACCEPTED[kind](payload)]


def test_each_kind_is_made_and_none_is_rare() -> None:
    drawn = draw_until_seen(hostile_payloads(), [*REFUSED, *ACCEPTED], kinds_of)
    accepted = 0
    for payload in drawn:
        with contextlib.suppress(DecodeError):
            Dnstap.parse(payload)
            accepted += 1
    assert 0.25 < accepted / len(drawn) < 0.75


def test_given_payloads_are_changed() -> None:
    own = b"\x0a\x03own\x78\1"
    find(hostile_payloads(st.just(own)), lambda payload: payload == own[:-2], settings=until_found)
    find(edits(own), lambda payload: payload == b"\x78\1\x0a\x03own", settings=until_found)
    # A message that other bytes replace.
    message = b"\x72\2\x08\1\x78\1"
    find(edits(message), lambda payload: (payload[:2], len(payload)) == (b"\x72\1", 5), settings=until_found)
    with pytest.raises(MissingFieldError):
        Dnstap.parse(find(edits(own), lambda payload: payload == own[:5], settings=until_found))


@given(fields=st.lists(unknown_fields(), max_size=3))
def test_unknown_fields_are_well_formed(fields: list[WireField]) -> None:
    """Except those that are nested too deeply, and field 14 with any bytes, which are not a Message."""
    if depth(tuple(fields)) <= 100 and not any((field.number, field.wire_type) == (14, LENGTH) for field in fields):
        assert fields_of(written(fields)) == tuple(fields)


def test_wrong_payloads_are_refused_by_the_call() -> None:
    with pytest.raises(TypeError, match="payloads: expected a strategy, got b'own'"):
        hostile_payloads(b"own")  # type: ignore[arg-type]
    with pytest.raises(DecodeError):
        edits(b"own")
