"""Payloads of the cases, by the protobuf encoding and dnstap.proto.

They are not made by the codec of this package, so that they can be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framestream.conformance.cases import Taken
from framestream.conformance.steps import payload, stream

if TYPE_CHECKING:
    from framestream.conformance.steps import Step

__all__ = [
    "FIRST",
    "LAST",
    "around",
    "blob",
    "dnstap",
    "fixed32",
    "message",
    "number",
    "query",
    "tag",
    "taken",
    "varint",
]

FIRST, LAST = payload(1), payload(2)
"""Good payloads before and after those of a case."""

_VARINT, _LENGTH, _FIXED32 = 0, 2, 5


def varint(value: int, padding: int = 0) -> bytes:
    """Return the varint of a number that is not negative, longer than necessary by `padding` bytes."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127)
    groups += [0] * padding
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def tag(field: int, wire_type: int, padding: int = 0) -> bytes:
    """Return the tag of a field."""
    return varint(field << 3 | wire_type, padding)


def number(field: int, value: int, *, padding: int = 0) -> bytes:
    """Return a field with a varint; below 0, it is that of the 64-bit two's complement."""
    return tag(field, _VARINT) + varint(value % (1 << 64) if value < 0 else value, padding)


def blob(field: int, content: bytes, *, length: int | None = None) -> bytes:
    """Return a field of bytes, text or a message, with its length, which may be wrong."""
    return tag(field, _LENGTH) + varint(len(content) if length is None else length) + content


def fixed32(field: int, value: int) -> bytes:
    """Return a field of 32 bits."""
    return tag(field, _FIXED32) + value.to_bytes(4, "little")


def query(name: bytes = b"\3odd\0", *, header: str = "0001 0100 0001 0000 0000 0000", after: bytes = b"") -> bytes:
    """Return a DNS message that asks for an address.

    Args:
        name: name in wire format.
        header: identifier, flags and counts, in hexadecimal.
        after: bytes after the question.
    """
    return bytes.fromhex(header) + name + b"\0\1\0\1" + after


_MESSAGE = {
    1: number(1, 5),
    2: number(2, 1),
    3: number(3, 1),
    4: blob(4, bytes([192, 0, 2, 1])),
    6: number(6, 53000),
    8: number(8, 1_700_000_000),
    9: fixed32(9, 0),
    10: blob(10, query()),
}
"""Fields of a good Message, a CLIENT_QUERY, by their numbers."""


def message(changes: dict[int, bytes] | None = None) -> bytes:
    """Return a Message: a good one with other fields, by number; b"" for none."""
    return b"".join({**_MESSAGE, **(changes or {})}.values())


def dnstap(inner: dict[int, bytes] | None = None, outer: dict[int, bytes] | None = None) -> bytes:
    """Return a payload: a good one with other fields.

    Args:
        inner: fields of its Message, by number.
        outer: fields of the Dnstap itself.
    """
    fields = {1: blob(1, b"odd"), 14: blob(14, message(inner)), 15: number(15, 1)}
    return b"".join({**fields, **(outer or {})}.values())


def around(*payloads: bytes) -> tuple[Step, ...]:
    """Return the steps of a good stream with payloads between two good ones."""
    return stream(FIRST, *payloads, LAST)


def taken(*payloads: bytes, optional: bool = False) -> tuple[Taken, ...]:
    """Return the output of `around`.

    Args: optional: whether the reader may leave the payloads out; not the good ones.
    """
    return (Taken((FIRST, *payloads, LAST), optional=payloads if optional else ()),)
