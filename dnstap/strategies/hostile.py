"""Strategies for hostile payloads: with changed fields, changed bytes, or cut off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.dns.limits import MAX_MESSAGE
from dnstap.strategies.servers import server_payloads
from dnstap.strategies.values import BOUNDARIES, dnstaps, policies
from dnstap.strategies.wire_fields import (
    END_GROUP,
    FIXED32,
    FIXED64,
    GROUP,
    LENGTH,
    VARINT,
    WireField,
    fields_of,
    written,
)
from framestream.arguments import check_type
from framestream.strategies import mutations

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

__all__ = ["edits", "hostile_payloads", "unknown_fields"]


def hostile_payloads(payloads: SearchStrategy[bytes] | None = None) -> SearchStrategy[bytes]:
    """Return payloads that a reader must survive: with changed fields, changed bytes, or cut off.

    Some are still valid and mean the same, some are valid and mean something else, and the others must be refused.

    Args: payloads: strategy for valid payloads to change; by default, any legal values and those of servers.
    Raises: TypeError.
    """
    if payloads is None:
        payloads = dnstaps(nameless=True).map(bytes) | server_payloads() | _small_payloads()
    check_type("payloads", payloads, SearchStrategy, "a strategy")
    changed = payloads.flatmap(edits)
    return st.one_of(
        # Mostly changed fields: they get past the first checks of a reader, which random bytes seldom do.
        changed,
        changed,
        changed,
        payloads.flatmap(_mutated),
        changed.flatmap(_mutated),
        changed.flatmap(lambda payload: st.integers(0, len(payload)).map(lambda end: payload[:end])),
        st.binary(max_size=60),
    )


def _small_payloads() -> SearchStrategy[bytes]:
    """Return payloads with little but a Policy, which changes rarely hit in others; its text may be bad UTF-8."""
    text = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
    policy = policies(nameless=True) | st.builds(replace, policies(nameless=True), type=text)
    message = st.builds(Message, type=st.sampled_from(MessageType), policy=policy)
    return st.builds(Dnstap, message=message, type=st.just(DnstapType.MESSAGE)).map(bytes)


def edits(payload: bytes) -> SearchStrategy[bytes]:
    """Return a payload with one to three changes to its fields, at any depth.

    Args: payload: a valid one.
    Raises: DecodeError: not a payload that `Dnstap.parse` accepts with `lenient=True`.
    """
    return _edits(fields_of(payload))


@st.composite
def _edits(draw: DrawFn, fields: tuple[WireField, ...]) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        fields = _edited(draw, fields)
    return written(fields)


def unknown_fields() -> SearchStrategy[WireField]:
    """Return well-formed fields of any number and wire type, groups included, which a reader must keep or skip."""
    return _UNKNOWN


def _nested(depth: int) -> tuple[WireField, ...]:
    """Return nested groups; protobuf allows a depth of 100, counting the messages and groups around them."""
    fields: tuple[WireField, ...] = ()
    for _ in range(depth):
        fields = (WireField(16, GROUP, fields),)
    return fields


_NUMBERS = st.sampled_from([1, 4, 13, 15, 16, 17, 2047, 2048, 2**29 - 1]) | st.integers(1, 2**29 - 1)
_INTS = st.sampled_from(BOUNDARIES)
_GROUP = st.lists(st.deferred(unknown_fields), max_size=2).map(tuple)
_DEEP_GROUP = st.sampled_from([1, 96, 97, 98, 99, 100, 101]).map(_nested)

_UNKNOWN: SearchStrategy[WireField] = st.one_of(
    st.builds(WireField, _NUMBERS, st.just(VARINT), _INTS),
    st.builds(WireField, _NUMBERS, st.just(FIXED64), st.binary(min_size=8, max_size=8)),
    st.builds(WireField, _NUMBERS, st.just(LENGTH), st.binary(max_size=20)),
    st.builds(WireField, st.integers(1, 15), st.just(GROUP), _GROUP, padding=st.sampled_from([0, 4])),
    st.builds(WireField, _NUMBERS, st.just(GROUP), _DEEP_GROUP),
    st.builds(WireField, _NUMBERS, st.just(FIXED32), st.binary(min_size=4, max_size=4)),
)

_OTHER_END = WireField(17, END_GROUP, b"").wire

# Fields that every reader must refuse: number 0 or too large, wire types 6 and 7, groups without an end or a start.
_BROKEN: SearchStrategy[WireField] = st.one_of(
    st.builds(replace, _UNKNOWN, number=st.sampled_from([0, 2**29])),
    st.builds(WireField, _NUMBERS, st.sampled_from([6, 7]), st.binary(max_size=8)),
    st.builds(WireField, _NUMBERS, st.sampled_from([GROUP, END_GROUP]), st.just(b"")),
    st.builds(WireField, _NUMBERS, st.just(GROUP), st.just(_OTHER_END)),
)


@st.composite
def _mutated(draw: DrawFn, payload: bytes) -> bytes:
    """Return the payload with bytes changed, anywhere or near the start."""
    head = draw(st.sampled_from([20, 60, len(payload)]))
    return draw(mutations(payload[:head])) + payload[head:]


def _edited(draw: DrawFn, fields: tuple[WireField, ...]) -> tuple[WireField, ...]:
    """Return the fields of a message or group with one change, to them or inside one of them."""
    if not fields:
        return (_addition(draw, fields),)
    within = {at: field.value for at, field in enumerate(fields) if isinstance(field.value, tuple)}
    if draw(st.sampled_from([True, True, False])) and within:
        at = draw(st.sampled_from(list(within)))
        return *fields[:at], replace(fields[at], value=_edited(draw, within[at])), *fields[at + 1 :]
    how = draw(st.sampled_from(["change", "change", "add", "add", "order"]))
    if how == "order":
        return tuple(draw(st.permutations(fields)))
    if how == "add":
        at = draw(st.integers(0, len(fields)))
        return *fields[:at], _addition(draw, fields), *fields[at:]
    at = draw(st.integers(0, len(fields) - 1))
    return *fields[:at], *_changed(draw, fields[at]), *fields[at + 1 :]


def _addition(draw: DrawFn, fields: tuple[WireField, ...]) -> WireField:
    """Return a field to add: often one of the fields again or an unknown one, sometimes an invalid one."""
    again = st.sampled_from(fields) if fields else _UNKNOWN
    return draw(draw(st.sampled_from([again, again, _UNKNOWN, _UNKNOWN, _BROKEN])))


def _changed(draw: DrawFn, field: WireField) -> tuple[WireField, ...]:
    """Return a field with a fault or an oddity: changed, removed, or split in two."""
    ways = ["value", "value", "padding", "padding", "tag_padding", "type", "wire type", "gone"]
    if field.wire_type == LENGTH:
        ways += ["length", "length", "length"]
    how = draw(st.sampled_from(ways))
    if how in ("padding", "tag_padding"):
        # Up to and beyond the limits: ten bytes of a varint, five of a tag or length.
        return (replace(field, **{how: draw(st.sampled_from([1, 4, 5, 9, 10]))}),)
    if how == "type":
        return (replace(draw(_UNKNOWN), number=field.number),)
    if how == "wire type":
        return (replace(field, wire_type=draw(st.integers(0, 7))),)
    if how == "length":
        wrong = st.sampled_from([0, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**35, 2**63, 2**64 - 1])
        near = st.integers(-3, 30).map(lambda step: max(0, len(field.content) + step))
        return (replace(field, length=draw(wrong | near)),)
    if how == "gone":
        return ()
    if isinstance(field.value, int):
        return (replace(field, value=draw(_INTS | st.sampled_from([2, 7, 2**70 - 1, 2**70]))),)
    if isinstance(field.value, bytes):
        # The last one is longer than any DNS message.
        longer = field.value.ljust(MAX_MESSAGE + 1, b"\0")
        others = st.sampled_from([b"", b"\xff\xfe", field.value[:-1], 2 * field.value, longer])
        return (replace(field, value=draw(others | st.binary(max_size=20))),)
    if draw(st.booleans()):
        return (replace(field, value=draw(st.binary(max_size=20))),)
    at = draw(st.integers(0, len(field.value)))
    return replace(field, value=field.value[:at]), replace(field, value=field.value[at:])
