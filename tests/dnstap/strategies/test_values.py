"""Any legal values: each field present or absent, up to its bounds, and nothing illegal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings

from dnstap import Dnstap, Message, Policy
from dnstap.codec.tables import BYTES, ENUM, FIXED32, MESSAGE, STRING, UINT, table_of
from dnstap.strategies import dnstaps, messages, policies
from tests.drawing import draw_until_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

until_found = settings(max_examples=50_000, phases=[Phase.generate])

STRATEGIES: dict[type[Any], SearchStrategy[Any]] = {
    Dnstap: dnstaps(),
    Message: messages(),
    Policy: policies(),
}


def values(message: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each field of a message and of the messages inside it, with its value."""
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


@pytest.mark.parametrize("cls", STRATEGIES)
def test_each_field_is_present_or_absent(cls: type[Any]) -> None:
    fields = table_of(cls).fields
    states = [(field.name, absent) for field in fields for absent in (True, False)]
    if (required := table_of(cls).required) is not None:
        states.remove((fields[required].name, True))
    draw_until_seen(
        STRATEGIES[cls],
        states,
        lambda message, _: [(field.name, getattr(message, field.name) is None) for field in fields],
    )


@pytest.mark.parametrize("cls", STRATEGIES)
def test_each_field_takes_its_extremes(cls: type[Any]) -> None:
    fields = [field for field in table_of(cls).fields if field.kind != MESSAGE]
    draw_until_seen(
        STRATEGIES[cls],
        [(field.name, extreme) for field in fields for extreme in extremes(field)],
        lambda message, _: [(field.name, getattr(message, field.name)) for field in fields],
    )


def extremes(field: Any) -> list[Any]:
    of_kind: dict[int, list[Any]] = {
        BYTES: [b"", b"x" * 128, b"x" * 300],
        STRING: [""],
        ENUM: list(field.python_type) if field.kind == ENUM else [],
        UINT: [0, 127, 128, field.greatest],
        FIXED32: [0, field.greatest],
    }
    return of_kind[field.kind]


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
def test_bytes_are_long_when_asked_for(length: int) -> None:
    lengths = policies(max_bytes=65536).map(lambda policy: len(policy.value or b""))
    find(lengths, lambda found: found == length, settings=until_found)


@pytest.mark.parametrize("strategy", [dnstaps, messages, policies])
def test_a_wrong_length_is_refused_by_the_call(strategy: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="max_bytes: expected a whole number of at least 0, got -1"):
        strategy(max_bytes=-1)
    with pytest.raises(TypeError, match="max_bytes: expected a whole number of at least 0, got '9'"):
        strategy(max_bytes="9")
