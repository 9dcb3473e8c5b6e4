"""The catalogue of fields: what lines of chosen fields show and what filters find agree, for any payload."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapError, DnstapType, Style, compile_filter
from dnstap.fields import kinds
from dnstap.fields.catalogue import FIELDS
from dnstap.rendering.formats import decoder_for, renderer
from dnstap.strategies import dnstaps, hostile_payloads, server_payloads
from tests.plain_filters import captured, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap import Filter

# Strategies are made anew for each example, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

WITHOUT_SENDER = [name for name in FIELDS if name != "peer"]
"""Fields that a message has by itself."""

ROUNDED = (kinds.DURATION,)
"""Kinds of which a text does not say the whole value."""

STYLE = Style("utc", date=True, fields=tuple(WITHOUT_SENDER))

payloads = st.one_of(
    hostile_payloads(),
    hostile_payloads(),
    server_payloads(),
    dnstaps(nameless=True).map(bytes),
    st.integers(0, 399).map(lambda index: captured()[index]),
    st.integers(0, 399).map(lambda index: bytes(replace(made()[index], type=DnstapType.MESSAGE))),
)


@cache
def line() -> Callable[[Dnstap], str]:
    return renderer("quiet", STYLE)


@cache
def has(name: str) -> Filter:
    return compile_filter(f"has {name}")


def values(dnstap: Dnstap) -> dict[str, str]:
    """Return the texts of all fields by name."""
    return dict(zip(WITHOUT_SENDER, line()(dnstap).split(), strict=True))


def parsed(payload: bytes) -> Dnstap | None:
    try:
        return Dnstap.parse(payload)
    except DnstapError:
        return None


@given(payloads)
def test_a_filter_finds_what_a_line_shows(payload: bytes) -> None:
    dnstap = parsed(payload)
    if dnstap is None:
        for name in WITHOUT_SENDER:
            assert not has(name).select([payload])
        return
    shown = values(dnstap)
    assert line()(decoder_for("quiet", STYLE)(payload)) == line()(dnstap)
    for name, text in shown.items():
        # A text of the sender may be one of these characters itself.
        if FIELDS[name].kind not in (kinds.BYTES, kinds.TEXTS):
            assert has(name).matches(dnstap) is (text not in ("-", "X")), (name, text)
        assert has(name).select([payload]) == [payload] * has(name).matches(dnstap)


@given(payloads, st.data())
def test_a_filter_takes_what_a_line_shows(payload: bytes, data: st.DataObject) -> None:
    """A text of a line is a value for a filter, and it is equal to it and to nothing that differs."""
    dnstap = parsed(payload)
    if dnstap is None:
        return
    shown = values(dnstap)
    some = [name for name in WITHOUT_SENDER if has(name).matches(dnstap) and FIELDS[name].kind not in ROUNDED]
    for name in data.draw(st.lists(st.sampled_from(some), max_size=4, unique=True)) if some else ():
        test = equal(name, shown[name])
        assert test is None or compile_filter(test).matches(dnstap), test


def equal(name: str, text: str) -> str | None:
    """Return the test that a field has the value of a text; None if there is none."""
    kind = FIELDS[name].kind
    if kind is kinds.FLAGS:
        return " and ".join([f"flag {flag}" for flag in text.split(",")])
    if kind is kinds.NAME:
        # A star without a backslash is refused in filters.
        text = text.replace("*", "\\*")
    elif kind is kinds.BYTES and "\\" in text:
        # A backslash of the sender, or an escape, which filters do not have.
        return None
    elif kind is kinds.PORT and int(text) > 65535:
        # No port, but the sender wrote it.
        return None
    elif kind is kinds.TIME and len(text.split("-", 1)[0]) != 4:
        # The year has more than four digits, or is before the first.
        return None
    return f'{name} = "{quoted(text)}"'


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
