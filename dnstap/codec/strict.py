"""The strict decoder: payload bytes to message objects by the field table, complete and with errors that say where.

The values of a message are gathered in a list, so that a submessage that occurs twice is merged without making objects
in between; the objects are made when the end has been reached.

No read needs a bounds check of its own: the payload is followed by a few zeros, which end any varint, and a field that
ran over the end of its message is found there, because the position no longer meets the end.

Which payloads are accepted, and what becomes of them, is the table of docs/decoding.md.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from dnstap.codec.tables import BYTES, ENUM, FIXED32, HEAD_OCTETS, MESSAGE, STRING, UINT, UNKNOWN, Table, table_of
from dnstap.errors import DecodeError, MissingFieldError
from framestream.arguments import refuse_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    import betterproto2

__all__ = ["decode", "length", "tags", "varint"]

M = TypeVar("M", bound="betterproto2.Message")

MAX_DEPTH = 100
"""Messages and groups within each other, as in Google's protobuf."""

PADDING = bytes(16)
"""Follows the payload. The longest read beyond the end is a tag's byte and a fixed64."""

_uint32 = Struct("<I").unpack_from

Values = list[Any]
"""The values of a message in field order, those of a submessage being Values until the objects are made."""

Unknown = dict[int, list[bytes]]
"""The unknown fields of those messages that have some, by id() of their Values. No id is used again: each list is kept
until its object is made, and no lists are added after that."""


def _bytes_of(data: bytes | bytearray | memoryview) -> bytes:
    try:
        return bytes(memoryview(data))
    except TypeError:
        refuse_type("payload", "bytes", data)


def decode(cls: type[M], data: bytes | bytearray | memoryview, lenient: bool = False) -> M:
    """Return the message that some bytes hold.

    Args:
        cls: Dnstap, Message or Policy.
        data: the whole message; for Dnstap, the payload of a data frame.
        lenient: accept a message without its required `type`.
    Raises:
        DecodeError: the bytes are no such message.
        MissingFieldError: a required field is absent.
        TypeError: not bytes.
    """
    # By way of memoryview, because bytes(5) would be five zeros and not a TypeError.
    payload = data if type(data) is bytes else _bytes_of(data)
    table = table_of(cls)
    values: Values = [None] * table.size
    unknown: Unknown = {}
    _gather(table, values, unknown, payload + PADDING, 0, len(payload), 0)
    message: M = _build(table, values, unknown, lenient)
    return message


def tags(cls: type[Any], fields: bytes) -> Iterator[int]:
    """Yield the tag of each field in bytes that have been decoded before, such as the unknown fields of a message.

    Args: cls: Dnstap, Message or Policy, for errors.
    Raises: DecodeError: the bytes have not been decoded.
    """
    table, data, position = table_of(cls), fields + PADDING, 0
    while position < len(fields):
        tag, position = _tag(table, data, position)
        position = _skip(table, tag, data, position, len(fields), 0)
        yield tag


def _build(table: Table, values: Values, unknown: Unknown, lenient: bool) -> Any:
    """Return the object that has these values."""
    required = table.required
    if required is not None and values[required] is None and not lenient:
        raise MissingFieldError(table.fields[required].name, table.cls.__name__)
    # From the inside out: the constructor of a message takes its submessages as objects.
    for index, sub in table.messages:
        if values[index]:
            values[index] = _build(sub, values[index], unknown, lenient)
    message = table.cls(*values)
    if unknown and id(values) in unknown:
        message._unknown_fields = b"".join(unknown[id(values)])
    return message


def _gather(table: Table, values: Values, unknown: Unknown, data: bytes, position: int, end: int, depth: int) -> None:
    """Add the fields in data[position:end] to the values."""
    entries = table.entries
    while position < end:
        # One byte of the tag is looked up. Longer tags, of http_protocol or not the shortest, are UNKNOWN here, and are
        # read by _gather_rare. The branches are in the order of how frequent the kinds are.
        kind, index, sub = entries[data[position]]
        if kind <= MESSAGE:
            size = data[position + 1]
            position += 2
            if size > 127:
                if (second := data[position]) < 128:
                    size += (second << 7) - 0x80
                    position += 1
                else:
                    size, position = length(table, data, position - 1)
            stop = position + size
            if kind == BYTES:
                values[index] = data[position:stop]
            else:
                if stop > end:
                    # Checked before descending: the bytes after the end are not this message's, and must not be read as
                    # its fields.
                    _overrun(table, index, size, position, end)
                inner = values[index]
                # A submessage that occurs again is merged into the values of the first (docs/decoding.md).
                if inner is None:
                    # Looking up the three enums that begin every real Message at once: 5 % faster.
                    head = sub.heads.get(data[position : position + HEAD_OCTETS]) if size >= HEAD_OCTETS else None
                    if head is None:
                        inner = values[index] = [None] * sub.size
                    else:
                        # A copy, because all messages with this beginning share the list.
                        inner = values[index] = head.copy()
                        position += HEAD_OCTETS
                _gather(sub, inner, unknown, data, position, stop, depth + 1)
            position = stop
        elif kind == UINT:
            value = data[position + 1]
            position += 2
            if value > 127:
                # Ports take two or three bytes, and seconds since 1970 five: without a call, 9 % faster.
                if (second := data[position]) < 128:
                    value += (second << 7) - 0x80
                    position += 1
                # Each constant subtracted is the sum of the continuation bits of the bytes before the last. Varints of
                # four bytes are left to `varint`: neither a port nor the present time is one.
                elif (third := data[position + 1]) < 128:
                    value += (second << 7) + (third << 14) - 0x4080
                    position += 2
                elif (fourth := data[position + 2]) > 127 and (fifth := data[position + 3]) < 128:
                    value += (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) - 0x10204080
                    value &= sub
                    position += 4
                else:
                    value, position = varint(table, data, position - 1)
                    value &= sub
            values[index] = value
        elif kind == ENUM:
            member = sub[data[position + 1]]
            position += 2
            # The number has no name, or its varint has several bytes.
            if member is None:
                member, position = _enum(table, index, data, position - 1)
            values[index] = member
        elif kind == FIXED32:
            (values[index],) = _uint32(data, position + 1)
            position += 5
        else:
            position = _gather_rare(table, values, unknown, data, position, end, depth)
    if position > end:
        if kind == BYTES:
            # `size` is that of the last field, the only one that can end after the message.
            _overrun(table, index, size, position - size, end)
        _cut_off(table, end)


def _gather_rare(
    table: Table, values: Values, unknown: Unknown, data: bytes, position: int, end: int, depth: int
) -> int:
    """Add one field that is unknown, text, or has a tag of several bytes. Return the position after it."""
    tag, at = _tag(table, data, position)
    if at > end:
        _cut_off(table, end)
    # This also checks that the value ends within the message, so the branches below need no check.
    stop = _skip(table, tag, data, at, end, depth)
    # A known field number with another wire type is another tag, and so an unknown field (docs/decoding.md).
    kind, index, sub = table.by_tag.get(tag, (UNKNOWN, 0, None))
    if kind in (BYTES, STRING, MESSAGE):
        at = length(table, data, at)[1]
    if kind == BYTES:
        values[index] = data[at:stop]
    elif kind == STRING:
        values[index] = data[at:stop].decode("utf-8", "surrogateescape")
    elif kind == MESSAGE:
        if values[index] is None:
            values[index] = [None] * sub.size
        _gather(sub, values[index], unknown, data, at, stop, depth + 1)
    elif kind == UINT:
        values[index] = varint(table, data, at)[0] & sub
    elif kind == ENUM:
        values[index] = _enum(table, index, data, at)[0]
    elif kind == FIXED32:
        (values[index],) = _uint32(data, at)
    else:
        unknown.setdefault(id(values), []).append(data[position:stop])
    return stop


def _fail(table: Table, reason: str, offset: int) -> NoReturn:
    raise DecodeError(reason, offset, table.cls.__name__)


def _cut_off(table: Table, end: int) -> NoReturn:
    _fail(table, "the last field is cut off", end)


def _overrun(table: Table, index: int, size: int, position: int, end: int) -> NoReturn:
    if position > end:
        _cut_off(table, end)
    _fail(table, f"{table.fields[index].name} has length {size}, but {end - position} bytes are left", position)


def varint(table: Table, data: bytes, position: int) -> tuple[int, int]:
    """Return the value of a varint, its low 64 bits, and the position after it."""
    value = 0
    for index in range(10):
        byte = data[position + index]
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, position + index + 1
    _fail(table, "varint of more than 10 bytes", position)


def _tag(table: Table, data: bytes, position: int) -> tuple[int, int]:
    """Return a tag, and the position after it."""
    tag, stop = varint(table, data, position)
    if tag >> 32 or stop - position > 5:
        _fail(table, "tag of more than 32 bits", position)
    return tag, stop


def length(table: Table, data: bytes, position: int) -> tuple[int, int]:
    """Return a length, and the position after it."""
    size, stop = varint(table, data, position)
    if stop - position > 5:
        _fail(table, "length of more than 5 bytes", position)
    return size, stop


def _enum(table: Table, index: int, data: bytes, position: int) -> tuple[Any, int]:
    """Return the member for the low 32 bits of a varint, signed, and the position after it."""
    value, stop = varint(table, data, position)
    # A negative number is written in ten bytes, as a varint of 64 bits; only the lower 32 count (docs/decoding.md).
    value &= 0xFFFFFFFF
    return table.fields[index].python_type(value - (1 << 32) if value >> 31 else value), stop


def _skip(table: Table, tag: int, data: bytes, position: int, end: int, depth: int) -> int:
    """Return the position after a field's value, by its wire type alone."""
    wire_type = tag & 7
    # Within unknown groups too, as in Google's C++; Google's Python does not look there (docs/decoding.md).
    if tag < 8:
        _fail(table, "field number 0", position)
    if wire_type == 0:
        stop = varint(table, data, position)[1]
    elif wire_type == 1:
        stop = position + 8
    elif wire_type == 2:
        size, stop = length(table, data, position)
        stop += size
    elif wire_type == 3:
        stop = _skip_group(table, tag, data, position, end, depth + 1)
    elif wire_type == 4:
        # _skip_group takes the end of its own group before it calls this.
        _fail(table, f"end of group {tag >> 3}, which has not begun", position)
    elif wire_type == 5:
        stop = position + 4
    else:
        _fail(table, f"field {tag >> 3} has wire type {wire_type}, which does not exist", position)
    if stop > end:
        _fail(table, f"field {tag >> 3} is cut off", position)
    return stop


def _skip_group(table: Table, tag: int, data: bytes, position: int, end: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        _fail(table, f"messages and groups nested more than {MAX_DEPTH} deep", position)
    while position < end:
        inner, position = _tag(table, data, position)
        if position > end:
            break
        if inner == tag + 1:
            return position
        position = _skip(table, inner, data, position, end, depth)
    _fail(table, f"group {tag >> 3} has no end", end)
