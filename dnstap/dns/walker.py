"""A walk over DNS wire format by its lengths: names, records, and the pairs in OPT and SVCB rdata.

Nothing is decoded here: a walk gives offsets, and other modules read what lies between them. Any octets give offsets
or a `WalkError`. The exact parser (`message`, `edns`, `svcb`) does not stand on this module, since it follows pointers
wherever miekg/dns follows them and raises miekg/dns's errors in miekg/dns's order.

Source: RFC 1035, 3.1 (names), 4.1.3 (records), 4.1.4 (pointers); RFC 6891, 6.1.2 (options); RFC 9460, 2.2 (parameters).
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "HEADER_SIZE",
    "MAX_LABEL",
    "MAX_NAME",
    "MAX_NAME_SIZE",
    "POINTER",
    "CompressedNames",
    "WalkError",
    "code_value_pairs",
    "is_plain_name",
    "name_end",
    "records",
]

HEADER_SIZE = 12

MAX_LABEL = 63
"""Octets of a label. A greater length octet begins a pointer, or means nothing."""

POINTER = 0xC0
"""The least first octet of a pointer; the 14 bits after its upper two are an offset in the message."""

MAX_NAME_SIZE = 255
"""Octets of a name with the root (RFC 1035, 3.1)."""

MAX_NAME = 250
"""Octets of a name without the root that a walk with pointers takes.

A name may have 254, and miekg/dns follows at most 126 pointers for one. Here each pointer comes after a label, so a
name of 250 octets has at most 125 of them, and a pointer to it stays within both limits.
"""

MAX_DEPTH = 16
"""Names that begin in each other before the first of them is known. Bounds the recursion."""

_type_class_length = struct.Struct(">HH4xH").unpack_from
_code_and_length = struct.Struct(">HH").unpack_from

V = TypeVar("V")


class WalkError(ValueError):
    """Octets that a walk does not take: they are damaged, or unusual enough to be left to the exact parser."""


def name_end(wire: bytes, offset: int) -> int:
    """Return the offset after the name at an offset. A pointer ends the name and is not followed.

    Raises: WalkError: a length octet means nothing, or the name does not end within the message.
    """
    try:
        while 0 < (length := wire[offset]) <= MAX_LABEL:
            offset += length + 1
        if not length:
            return offset + 1
    except IndexError:
        raise WalkError("name ends after the message") from None
    if length < POINTER:
        raise WalkError(f"length octet {length} at offset {offset}")
    if offset + 2 > len(wire):
        raise WalkError("pointer ends after the message")
    return offset + 2


def is_plain_name(octets: bytes) -> bool:
    """Return whether octets are one name without a pointer, its root included, and nothing else."""
    last = len(octets) - 1
    offset = 0
    while offset < last and 0 < (length := octets[offset]) <= MAX_LABEL:
        offset += length + 1
    return offset == last < MAX_NAME_SIZE and not octets[offset]


def records(wire: bytes, offset: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the type, the class, and the start and end of the rdata of each record from an offset on.

    Records missing at the end of the message are not an error: servers send truncated messages with the counts of the
    whole ones.

    Args: count: records to step over.
    Raises: WalkError: a record ends after the message.
    """
    size = len(wire)
    if offset > size:
        raise WalkError("records begin after the message")
    for _ in range(count):
        if offset == size:
            return
        # Most owners are a pointer: to ask for that here saves a call for each record.
        offset = offset + 2 if wire[offset] >= POINTER else name_end(wire, offset)
        try:
            rrtype, rrclass, length = _type_class_length(wire, offset)
        except struct.error:
            raise WalkError("record header ends after the message") from None
        start = offset + 10
        offset = start + length
        if offset > size:
            raise WalkError("rdata ends after the message")
        yield rrtype, rrclass, start, offset


def code_value_pairs(wire: bytes, offset: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the code, and the start and end of the value of each EDNS option or SVCB parameter between two offsets.

    Raises: WalkError: a pair ends after the second offset.
    """
    while offset < end:
        start = offset + 4
        if start > end:
            raise WalkError("code and length end after the rdata")
        code, length = _code_and_length(wire, offset)
        offset = start + length
        if offset > end:
            raise WalkError("value ends after the rdata")
        yield code, start, offset


class CompressedNames(dict[int, V]):
    """One value for each name of one message, by the offset of the name; a subclass makes the values.

    A walk takes names that are compressed in the usual way: each pointer leads to a name that begins and ends before
    the one that it is part of, and not to another pointer. So each name is read once, and none has more pointers than
    the exact parser allows.

    Values must be true, since `self.get(offset) or ...` asks for them.

    Attributes: first: the least offset that a pointer may lead to, unless the value there is known.
    """

    __slots__ = ("first",)

    first: int

    @abstractmethod
    def plain(self, wire: bytes, offset: int, end: int) -> V:
        """Return the value of a name without a pointer between two offsets, its root included.

        Raises: WalkError.
        """

    @abstractmethod
    def joined(self, wire: bytes, offset: int, end: int, tail: V) -> V:
        """Return the value of labels between two offsets, followed by the name of another value.

        Raises: WalkError.
        """

    def read(self, wire: bytes, offset: int, depth: int = 0) -> int:
        """Store the value of the name at an offset, and return the offset after the name.

        Args: depth: names being read that the name is part of.
        Raises: WalkError; IndexError: the name does not end within the message.
        """
        end = offset
        while length := wire[end]:
            if length > MAX_LABEL:
                if length < POINTER:
                    raise WalkError(f"length octet {length} at offset {end}")
                target = (length & MAX_LABEL) << 8 | wire[end + 1]
                value = self.get(target) or self.follow(wire, target, offset, depth + 1)
                if end > offset:
                    value = self.joined(wire, offset, end, value)
                # Without a label before it, a pointer does not count towards MAX_NAME, and a chain could exceed Go's
                # limit.
                elif wire[target] > MAX_LABEL:
                    raise WalkError(f"pointer to a pointer at offset {offset}")
                self[offset] = value
                return end + 2
            end += length + 1
        end += 1
        self[offset] = self.plain(wire, offset, end)
        return end

    def follow(self, wire: bytes, target: int, offset: int, depth: int = 0) -> V:
        """Return the value of the name at a target that is not known yet, to which the name at an offset points.

        Raises: WalkError; IndexError, as `read`.
        """
        if not self.first <= target < offset or depth > MAX_DEPTH:
            raise WalkError(f"pointer to offset {target} at offset {offset}")
        # A name must end before the one that points to it, or it would run into that one.
        if self.read(wire, target, depth) > offset:
            raise WalkError(f"names overlap at offset {offset}")
        return self[target]
