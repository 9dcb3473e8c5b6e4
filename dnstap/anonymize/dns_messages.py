"""Addresses inside DNS messages: those of EDNS Client Subnet, and on request those of answers.

Only octets of addresses are replaced, by as many others, so that no length changes and every compression pointer leads
where it led. Records are stepped over by their lengths, which is the same for every reader of DNS messages; names are
not followed. What cannot be stepped over to its end is cut, since an address may be in what was not seen.

Source: RFC 1035, 4.1; RFC 6891, 6.1.2; RFC 7871, 6; RFC 9460, 2.2 and 7.3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from dnstap.dns.names import labels_text
from dnstap.dns.registry import TYPE_NUMBERS

if TYPE_CHECKING:
    from dnstap.anonymize.methods import Method

__all__ = ["Wires"]

HEADER = 12
CLIENT_SUBNET = 8
MAX_SUBNET = 20
"""Octets of a Client Subnet with all bits of an IPv6 address."""

CHAOS = 3
"""The class in which an A record holds a name and a number (RFC 1034, 3.6)."""

IPV4_HINT, IPV6_HINT = 4, 6

A, AAAA, OPT, SVCB, HTTPS = (TYPE_NUMBERS[name] for name in ("A", "AAAA", "OPT", "SVCB", "HTTPS"))

_WIDTHS = {1: 4, 2: 16}
"""Octets of an address, by the family of Client Subnet."""

_UNCLEAR = (IndexError, ValueError, struct.error)
"""What is raised for a message that cannot be stepped over."""

_counts = struct.Struct(">4H").unpack_from
_record = struct.Struct(">HH4xH").unpack_from
_pair = struct.Struct(">HH").unpack_from

Changes = list[tuple[int, bytes]]
"""Offsets, and what stands there from now on."""


class Wires:
    """DNS messages without addresses.

    Args:
        address: from any octets of an address to as many others.
        answers: whether addresses in records are replaced, too.
    Attributes: cut: how many messages were cut.
    """

    def __init__(self, address: Method, *, answers: bool) -> None:
        self.cut = 0
        self._address = address
        self._answers = answers

    def anonymized(self, wire: bytes) -> bytes:
        """A DNS message with other addresses; of one that cannot be stepped over only the header and the question."""
        if not self._answers and not _may_have_subnet(wire):
            return wire
        try:
            changes = self._changes(wire)
        except _UNCLEAR:
            self.cut += 1
            return _cut(wire)
        if not changes:
            return wire
        octets = bytearray(wire)
        for offset, new in changes:
            octets[offset : offset + len(new)] = new
        return bytes(octets)

    def _changes(self, wire: bytes) -> Changes:
        """Raises: _UNCLEAR."""
        changes: Changes = []
        size = len(wire)
        # Servers send a bare header with an error code; its counts mean nothing.
        if size in (0, HEADER):
            return changes
        questions, *counts = _counts(wire, 4)
        # More than one is malformed (RFC 9619), and records taken for questions would not be looked at.
        if questions > 1:
            raise ValueError(questions)
        p = _behind_name(wire, HEADER) + 4 if questions else HEADER
        for _ in range(sum(counts)):
            # Records that are missing at the end hide nothing.
            if p == size:
                break
            p = p + 2 if wire[p] > 191 else _behind_name(wire, p)
            rrtype, rrclass, length = _record(wire, p)
            start = p + 10
            p = start + length
            if p > size:
                raise ValueError(length)
            if rrtype == OPT:
                self._subnets(wire, start, p, changes)
            elif self._answers and length:
                self._addresses(wire, start, p, rrtype, rrclass, changes)
        if p != size:
            raise ValueError(p)
        return changes

    def _subnets(self, wire: bytes, p: int, end: int, changes: Changes) -> None:
        """Of the options between two offsets."""
        while p < end:
            code, length = _pair(wire, p)
            start = p + 4
            p = start + length
            if p > end:
                raise ValueError(length)
            if code == CLIENT_SUBNET:
                changes.append((start + 4, self._subnet(wire[start:p])))

    def _subnet(self, data: bytes) -> bytes:
        """What stands behind the first four octets of an option from now on."""
        octets = data[4:]
        width = _WIDTHS.get(int.from_bytes(data[:2], "big"), 0)
        if not octets:
            return b""
        source = data[2]
        if source > 8 * width or len(octets) != (source + 7) // 8:
            # It is not known which of these octets are an address, and of what length.
            return bytes(len(octets))
        prefix = int.from_bytes(self._address(octets.ljust(width, b"\0"))[: len(octets)], "big")
        beyond = -source % 8
        return (prefix >> beyond << beyond).to_bytes(len(octets), "big")

    def _addresses(self, wire: bytes, p: int, end: int, rrtype: int, rrclass: int, changes: Changes) -> None:
        """Of the record data between two offsets."""
        if (rrtype == A and rrclass != CHAOS) or rrtype == AAAA:
            if end - p != (4 if rrtype == A else 16):
                raise ValueError(end - p)
            changes.append((p, self._address(wire[p:end])))
        elif rrtype in (SVCB, HTTPS):
            p = _behind_name(wire, p + 2)
            while p < end:
                key, length = _pair(wire, p)
                start = p + 4
                p = start + length
                width = 4 if key == IPV4_HINT else 16
                if p > end or (key in (IPV4_HINT, IPV6_HINT) and length % width):
                    raise ValueError(length)
                if key in (IPV4_HINT, IPV6_HINT):
                    changes += [(at, self._address(wire[at : at + width])) for at in range(start, p, width)]
            if p != end:
                raise ValueError(p)


def _may_have_subnet(wire: bytes) -> bool:
    """Whether a Client Subnet with an address can be anywhere in these octets, however they are read.

    The code 8 is in many messages, before random octets of cookies: as a length they go far beyond the end.
    """
    p = wire.find(b"\0\x08")
    if p < 0 or b"\0\x29" not in wire:
        return False
    size = len(wire)
    while 0 <= p < size - 4:
        length = wire[p + 2] << 8 | wire[p + 3]
        # One that ends behind the message counts too, where it may be one that was cut off.
        if length > 4 and (length <= max(MAX_SUBNET, size - p - 4) or wire[p + 4 : p + 6] in (b"\0\1", b"\0\2")):
            return True
        p = wire.find(b"\0\x08", p + 1)
    return False


def _behind_name(wire: bytes, p: int) -> int:
    """The offset behind the name at an offset, which may lie beyond the end.

    Raises: _UNCLEAR.
    """
    while length := wire[p]:
        if length > 63:
            if length < 192:
                raise ValueError(length)
            return p + 2
        p += length + 1
    return p + 1


def _cut(wire: bytes) -> bytes:
    """The header without counts, and the first question where it is one by itself; nothing where there is no header."""
    if len(wire) < HEADER:
        return b""
    try:
        end = _behind_name(wire, HEADER)
        labels_text(wire[HEADER:end])
    except _UNCLEAR:
        end = len(wire)
    if wire[4:6] == b"\0\0" or end + 4 > len(wire):
        return wire[:4] + bytes(8)
    return wire[:4] + b"\0\1" + bytes(6) + wire[HEADER : end + 4]
