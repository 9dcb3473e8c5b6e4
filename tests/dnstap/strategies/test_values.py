"""Any legal value: each field there or not, up to its bounds, and nothing that is not legal."""

from __future__ import annotations

from functools import partial
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings

from dnstap import Dnstap, Message, Policy
from dnstap.codec.tables import BYTES, ENUM, FIXED32, MESSAGE, STRING, UINT, table_of
from dnstap.strategies import dnstaps, messages, policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

until_found = settings(max_examples=50_000, phases=[Phase.generate], deadline=None)

STRATEGIES: dict[type[Any], SearchStrategy[Any]] = {
    Dnstap: dnstaps(),
    Message: messages(),
    Policy: policies(),
}
FIELDS = [(cls, field) for cls in STRATEGIES for field in table_of(cls).fields]
NAMES = [f"{cls.__name__}.{field.name}" for cls, field in FIELDS]


def values(message: Any) -> Iterator[tuple[Any, Any]]:
    """Each field of a message, and of the messages within, with its value."""
    for field in table_of(type(message)).fields:
        value = getattr(message, field.name)
        yield field, value
        if field.kind == MESSAGE and value is not None:
            yield from values(value)


@pytest.mark.parametrize("cls", STRATEGIES)
def test_values_are_legal(cls: type[Any]) -> None:
    @given(STRATEGIES[cls])
    def check(message: Any) -> None:
        assert type(message) is cls
        assert bytes(message) is not None  # the encoder checks types and bounds, and that `type` is there
        for field, value in values(message):
            assert field.kind != ENUM or value is None or value.name
            assert field.kind != BYTES or value is None or len(value) <= 300

    check()


@pytest.mark.parametrize(("cls", "field"), FIELDS, ids=NAMES)
def test_each_field_is_there_or_not(cls: type[Any], field: Any) -> None:
    find(STRATEGIES[cls], lambda message: getattr(message, field.name) is not None, settings=until_found)
    if field.index != table_of(cls).required:
        find(STRATEGIES[cls], lambda message: getattr(message, field.name) is None, settings=until_found)


@pytest.mark.parametrize(("cls", "field"), FIELDS, ids=NAMES)
def test_each_field_takes_its_extremes(cls: type[Any], field: Any) -> None:
    extremes: dict[int, list[Any]] = {
        BYTES: [b"", b"x" * 128, b"x" * 300],
        STRING: [""],
        ENUM: list(field.python_type) if field.kind == ENUM else [],
        MESSAGE: [],
        UINT: [0, 127, 128, field.greatest],
        FIXED32: [0, field.greatest],
    }
    value = STRATEGIES[cls].map(attrgetter(field.name))
    for extreme in extremes[field.kind]:
        find(value, partial(eq, extreme), settings=until_found)


def test_fields_do_not_depend_on_each_other() -> None:
    find(policies(), lambda policy: all(value is None for _, value in values(policy)), settings=until_found)
    find(policies(), lambda policy: all(value is not None for _, value in values(policy)), settings=until_found)


@pytest.mark.parametrize("strategy", [dnstaps(nameless=True), messages(nameless=True), policies(nameless=True)])
@pytest.mark.parametrize("number", [-(2**31), -1, 0, 128, 2**31 - 1])
def test_nameless_enum_numbers_when_asked_for(strategy: SearchStrategy[Any], number: int) -> None:
    def has_it(message: Any) -> bool:
        return any(field.kind == ENUM and value is not None and value == number for field, value in values(message))

    assert find(strategy, has_it, settings=until_found)


def test_without_the_required_type_when_asked_for() -> None:
    find(dnstaps(lenient=True), lambda dnstap: dnstap.type is None, settings=until_found)
    find(messages(lenient=True), lambda message: message.type is None, settings=until_found)
    find(
        dnstaps(lenient=True),
        lambda dnstap: dnstap.message is not None and dnstap.message.type is None,
        settings=until_found,
    )


@pytest.mark.parametrize("length", [16383, 16384, 65536])
def test_octets_are_long_when_asked_for(length: int) -> None:
    lengths = policies(max_bytes=65536).map(lambda policy: len(policy.value or b""))
    find(lengths, lambda found: found == length, settings=until_found)
