"""Payload octets to message objects: strict, complete, driven by the field table.

The values of a message are gathered in a list, so that a submessage which comes twice is merged without making objects
in between; the objects are made when the end has been reached.

No read needs a bounds check of its own: the octets are followed by a few zeros, which end any varint, and what ran over
the end of its message is found there, because the position no longer meets the end.

What is accepted, and what becomes of it, is the table of docs/decoding.md.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from dnstap.codec.tables import BYTES, ENUM, FIXED32, HEAD_OCTETS, MESSAGE, STRING, UINT, UNKNOWN, Table, table_of
from dnstap.errors import DecodeError, MissingFieldError

if TYPE_CHECKING:
    import betterproto2

__all__ = ["decode", "length", "varint"]

M = TypeVar("M", bound="betterproto2.Message")

MAX_DEPTH = 100
"""Messages and groups within each other, as in Google's protobuf."""

PADDING = bytes(16)
"""Read over the end at the most: a tag's octet, and a fixed64."""

_uint32 = Struct("<I").unpack_from

Values = list[Any]
"""The values of a message in field order, those of a submessage being Values until the objects are made."""

Unknown = dict[int, list[bytes]]
"""The unknown fields of those messages that have some, by id() of their Values."""


def decode(cls: type[M], data: bytes | bytearray | memoryview, lenient: bool = False) -> M:
    """One message object from its octets.

    Args:
        cls: Dnstap, Message or Policy.
        data: the whole payload of a data frame.
        lenient: accept a message without its required `type`.
    Raises:
        DecodeError: the octets are no such message.
        MissingFieldError: a required field is absent.
    """
    octets = data if type(data) is bytes else bytes(memoryview(data))
    table = table_of(cls)
    values: Values = [None] * table.size
    unknown: Unknown = {}
    _gather(table, values, unknown, octets + PADDING, 0, len(octets), 0)
    message: M = _build(table, values, unknown, lenient)
    return message


def _build(table: Table, values: Values, unknown: Unknown, lenient: bool) -> Any:
    required = table.required
    if required is not None and values[required] is None and not lenient:
        raise MissingFieldError(table.fields[required].name, table.cls.__name__)
    for index, sub in table.messages:
        if values[index]:
            values[index] = _build(sub, values[index], unknown, lenient)
    message = table.cls(*values)
    if unknown and id(values) in unknown:
        message._unknown_fields = b"".join(unknown[id(values)])  # noqa: SLF001 (where betterproto2 keeps them)
    return message


def _gather(table: Table, values: Values, unknown: Unknown, b: bytes, p: int, end: int, depth: int) -> None:
    """Add the fields in b[p:end] to the values. p is the position throughout."""
    entries = table.entries
    while p < end:
        kind, index, sub = entries[b[p]]
        if kind <= MESSAGE:
            size = b[p + 1]
            p += 2
            if size > 127:
                if (second := b[p]) < 128:
                    size += (second << 7) - 0x80
                    p += 1
                else:
                    size, p = length(table, b, p - 1)
            stop = p + size
            if kind == BYTES:
                values[index] = b[p:stop]
            else:
                if stop > end:
                    _overrun(table, index, size, p, end)
                inner = values[index]
                if inner is None:
                    head = sub.heads.get(b[p : p + HEAD_OCTETS]) if size >= HEAD_OCTETS else None
                    if head is None:
                        inner = values[index] = [None] * sub.size
                    else:
                        inner = values[index] = head.copy()
                        p += HEAD_OCTETS
                _gather(sub, inner, unknown, b, p, stop, depth + 1)
            p = stop
        elif kind == UINT:
            value = b[p + 1]
            p += 2
            if value > 127:
                # Ports take two or three octets and the seconds of our days five: none is worth a call.
                if (second := b[p]) < 128:
                    value += (second << 7) - 0x80
                    p += 1
                elif (third := b[p + 1]) < 128:
                    value += (second << 7) + (third << 14) - 0x4080
                    p += 2
                elif (fourth := b[p + 2]) > 127 and (fifth := b[p + 3]) < 128:
                    value += (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) - 0x10204080
                    value &= sub
                    p += 4
                else:
                    value, p = varint(table, b, p - 1)
                    value &= sub
            values[index] = value
        elif kind == ENUM:
            member = sub[b[p + 1]]
            p += 2
            if member is None:
                member, p = _enum(table, index, b, p - 1)
            values[index] = member
        elif kind == FIXED32:
            (values[index],) = _uint32(b, p + 1)
            p += 5
        else:
            p = _gather_rare(table, values, unknown, b, p, end, depth)
    if p > end:
        if kind == BYTES:
            _overrun(table, index, size, p - size, end)
        _cut_off(table, end)


def _gather_rare(table: Table, values: Values, unknown: Unknown, b: bytes, p: int, end: int, depth: int) -> int:
    """Add the one field at p: unknown, text, or with a tag of several octets. Returns the position behind it."""
    tag, at = _tag(table, b, p)
    if at > end:
        _cut_off(table, end)
    stop = _skip(table, tag, b, at, end, depth)
    kind, index, sub = table.by_tag.get(tag, (UNKNOWN, 0, None))
    if kind in (BYTES, STRING, MESSAGE):
        at = length(table, b, at)[1]
    if kind == BYTES:
        values[index] = b[at:stop]
    elif kind == STRING:
        values[index] = b[at:stop].decode("utf-8", "surrogateescape")
    elif kind == MESSAGE:
        if values[index] is None:
            values[index] = [None] * sub.size
        _gather(sub, values[index], unknown, b, at, stop, depth + 1)
    elif kind == UINT:
        values[index] = varint(table, b, at)[0] & sub
    elif kind == ENUM:
        values[index] = _enum(table, index, b, at)[0]
    elif kind == FIXED32:
        (values[index],) = _uint32(b, at)
    else:
        unknown.setdefault(id(values), []).append(b[p:stop])
    return stop


def _fail(table: Table, reason: str, offset: int) -> NoReturn:
    raise DecodeError(reason, offset, table.cls.__name__)


def _cut_off(table: Table, end: int) -> NoReturn:
    _fail(table, "the last field is cut off", end)


def _overrun(table: Table, index: int, size: int, p: int, end: int) -> NoReturn:
    if p > end:
        _cut_off(table, end)
    _fail(table, f"{table.fields[index].name} has length {size}, but {end - p} octets are left", p)


def varint(table: Table, b: bytes, p: int) -> tuple[int, int]:
    """The value of the varint at p, of 64 bits, and the position behind it."""
    value = 0
    for index in range(10):
        octet = b[p + index]
        value |= (octet & 127) << 7 * index
        if octet < 128:
            return value & 0xFFFFFFFFFFFFFFFF, p + index + 1
    _fail(table, "varint of more than 10 octets", p)


def _tag(table: Table, b: bytes, p: int) -> tuple[int, int]:
    tag, stop = varint(table, b, p)
    if tag >> 32 or stop - p > 5:
        _fail(table, "tag of more than 32 bits", p)
    return tag, stop


def length(table: Table, b: bytes, p: int) -> tuple[int, int]:
    size, stop = varint(table, b, p)
    if stop - p > 5:
        _fail(table, "length of more than 5 octets", p)
    return size, stop


def _enum(table: Table, index: int, b: bytes, p: int) -> tuple[Any, int]:
    """The member for the low 32 bits of the varint at p, signed; a nameless one where there is none."""
    value, stop = varint(table, b, p)
    value &= 0xFFFFFFFF
    return table.fields[index].python_type(value - (1 << 32) if value >> 31 else value), stop


def _skip(table: Table, tag: int, b: bytes, p: int, end: int, depth: int) -> int:
    """The position behind a field's value, which starts at p, by its wire type alone."""
    wire_type = tag & 7
    if tag < 8:
        _fail(table, "field number 0", p)
    if wire_type == 0:
        stop = varint(table, b, p)[1]
    elif wire_type == 1:
        stop = p + 8
    elif wire_type == 2:
        size, stop = length(table, b, p)
        stop += size
    elif wire_type == 3:
        stop = _skip_group(table, tag, b, p, end, depth + 1)
    elif wire_type == 4:
        _fail(table, f"end of group {tag >> 3}, which has not begun", p)
    elif wire_type == 5:
        stop = p + 4
    else:
        _fail(table, f"field {tag >> 3} has wire type {wire_type}, which does not exist", p)
    if stop > end:
        _fail(table, f"field {tag >> 3} is cut off", p)
    return stop


def _skip_group(table: Table, tag: int, b: bytes, p: int, end: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        _fail(table, f"messages and groups nested more than {MAX_DEPTH} deep", p)
    while p < end:
        inner, p = _tag(table, b, p)
        if p > end:
            break
        if inner == tag + 1:
            return p
        p = _skip(table, inner, b, p, end, depth)
    _fail(table, f"group {tag >> 3} has no end", end)
