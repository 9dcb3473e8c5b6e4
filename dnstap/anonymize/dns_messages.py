"""Replacing addresses inside DNS messages: those of EDNS Client Subnet, and on request those of answers.

Each address is replaced by as many bytes, so that no length changes and every compression pointer leads where it led.
Records are stepped over by their lengths, which all readers of DNS messages do alike; names are not followed. A message
that cannot be stepped over to its end is cut after its question, since an address may be in the rest.

Source: RFC 1035, 4.1; RFC 6891, 6.1.2; RFC 7871, 6; RFC 9460, 2.2 and 7.3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from dnstap.dns.limits import MAX_MESSAGE
from dnstap.dns.names import labels_text
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.walker import HEADER_SIZE, WalkError, code_value_pairs, name_end, records

if TYPE_CHECKING:
    from dnstap.anonymize.methods import Method

__all__ = ["DnsMessageAnonymizer"]

CLIENT_SUBNET = 8

CHAOS = 3
"""The class in which an A record holds a name and an address of 16 bits (RFC 1035, 3.3; RFC 1034, 3.6)."""

IPV4_HINT, IPV6_HINT = 4, 6

A, AAAA, OPT = (TYPE_NUMBERS[name] for name in ("A", "AAAA", "OPT"))
_WITH_HINTS = frozenset(TYPE_NUMBERS[name] for name in ("SVCB", "HTTPS"))

_ADDRESS_SIZES = {1: 4, 2: 16}
"""Octets of an address, by the family of Client Subnet."""

_HINT_SIZES = {IPV4_HINT: 4, IPV6_HINT: 16}

Replacement = tuple[int, bytes]
"""The offset of an address in a message, and the bytes to be there instead."""

_counts = struct.Struct(">4H").unpack_from


class DnsMessageAnonymizer:
    """Replaces the addresses inside DNS messages.

    Args:
        address: from any bytes of an address to as many others.
        answers: replace addresses in records, too.

    Attributes:
        cut: messages that were cut after their question, because a part of them could not be looked at.
    """

    def __init__(self, address: Method, *, answers: bool) -> None:
        self.cut = 0
        self._address = address
        self._answers = answers

    def anonymize(self, wire: bytes) -> bytes:
        """Return a DNS message with other addresses; only its header and question if it cannot be stepped over."""
        size = len(wire)
        if size <= MAX_MESSAGE and not self._answers and not _may_have_subnet(wire):
            return wire
        try:
            if size > MAX_MESSAGE:
                raise WalkError("longer than a DNS message")
            replacements = self._replacements(wire)
        except WalkError:
            self.cut += 1
            return _header_and_question(wire)
        if not replacements:
            return wire
        octets = bytearray(wire)
        for offset, replacement in replacements:
            octets[offset : offset + len(replacement)] = replacement
        return bytes(octets)

    def _replacements(self, wire: bytes) -> list[Replacement]:
        """Return the replacements of all addresses in a message.

        Raises: WalkError.
        """
        replacements: list[Replacement] = []
        size = len(wire)
        if size <= HEADER_SIZE:
            # Servers send a bare header with an error code; its counts mean nothing.
            if size in (0, HEADER_SIZE):
                return replacements
            raise WalkError("header ends after the message")
        questions, answers, authorities, additionals = _counts(wire, 4)
        # More than one is malformed (RFC 9619), and records taken for questions would not be looked at.
        if questions > 1:
            raise WalkError("more than one question")
        end = name_end(wire, HEADER_SIZE) + 4 if questions else HEADER_SIZE
        # Records that are missing at the end hide nothing, so counts that are too high are no reason to cut.
        for rrtype, rrclass, start, end in records(wire, end, answers + authorities + additionals):  # noqa: B020
            if rrtype == OPT:
                self._add_subnets(wire, start, end, replacements)
            elif self._answers and start < end:
                self._add_addresses(wire, start, end, rrtype, rrclass, replacements)
        if end != size:
            raise WalkError("octets after the last record")
        return replacements

    def _add_subnets(self, wire: bytes, start: int, end: int, replacements: list[Replacement]) -> None:
        """Add those of the Client Subnets in the rdata of an OPT record."""
        for code, value, value_end in code_value_pairs(wire, start, end):
            if code == CLIENT_SUBNET:
                replacements.append((value + 4, self._subnet(wire[value:value_end])))

    def _subnet(self, option: bytes) -> bytes:
        """Return the octets to be in a Client Subnet option after its first four (RFC 7871, 6).

        Raises: WalkError: the option is too short for its address, which may go on after it.
        """
        octets = option[4:]
        # The scope prefix, option[3], stays: it is a number of bits, and says nothing about the address.
        source_prefix = option[2] if len(option) >= 4 else 255
        if len(octets) < (source_prefix + 7) // 8:
            raise WalkError("Client Subnet that is too short")
        if not octets:
            return b""
        size = _ADDRESS_SIZES.get(int.from_bytes(option[:2], "big"), 0)
        if source_prefix > 8 * size or len(octets) != (source_prefix + 7) // 8:
            # The option does not say which of these octets are an address, and of which length.
            return bytes(len(octets))
        prefix = int.from_bytes(self._address(octets.ljust(size, b"\0"))[: len(octets)], "big")
        # Bits beyond the source prefix are padding, and 0.
        beyond = -source_prefix % 8
        return (prefix >> beyond << beyond).to_bytes(len(octets), "big")

    def _add_addresses(
        self, wire: bytes, start: int, end: int, rrtype: int, rrclass: int, replacements: list[Replacement]
    ) -> None:
        """Add those of the addresses in the rdata of a record.

        Raises: WalkError: the rdata of a type with addresses has another form.
        """
        if rrtype == A and rrclass == CHAOS and end - start != 4:
            # Of 4 octets it is an IPv4 address in a wrong class, or a pointer and a number.
            if name_end(wire, start) != end - 2:
                raise WalkError("address of another length")
            replacements.append((end - 2, b"\0\0"))
        elif rrtype in (A, AAAA):
            if end - start != (4 if rrtype == A else 16):
                raise WalkError("address of another length")
            replacements.append((start, self._address(wire[start:end])))
        elif rrtype in _WITH_HINTS:
            # After the priority; a target must not be compressed (RFC 9460, 2.2), and a pointer in it is not followed.
            params = name_end(wire, start + 2)
            if params > end:
                raise WalkError("target ends after the rdata")
            for key, value, value_end in code_value_pairs(wire, params, end):
                size = _HINT_SIZES.get(key)
                if size is None:
                    continue
                if (value_end - value) % size:
                    raise WalkError("hint of another length")
                offsets = range(value, value_end, size)
                replacements += [(offset, self._address(wire[offset : offset + size])) for offset in offsets]


def _may_have_subnet(wire: bytes) -> bool:
    """Return whether a Client Subnet can be anywhere in these octets, however they are read.

    The code 8 is in half of a named's messages, as the length of a cookie, which does not count. To ask for that before
    stepping over records took anonymizing from 3.0 to 2.3 times the time of a filter (docs/performance.md).
    """
    offset = wire.find(b"\0\x08")
    if offset < 0 or b"\0\x29" not in wire:
        return False
    while offset >= 0:
        if wire[offset - 2 : offset] != b"\0\x0a":
            return True
        offset = wire.find(b"\0\x08", offset + 1)
    return False


def _header_and_question(wire: bytes) -> bytes:
    """Return a message of the same header and its first question; without the question if that has a pointer.

    Nothing is left of a message without a whole header.
    """
    if len(wire) < HEADER_SIZE:
        return b""
    try:
        end = name_end(wire, HEADER_SIZE)
        labels_text(wire[HEADER_SIZE:end])
    except WalkError:
        end = len(wire)
    # The header keeps its identifier and flags; counts are those of what is left.
    if wire[4:6] == b"\0\0" or end + 4 > len(wire):
        return wire[:4] + bytes(8)
    return wire[:4] + b"\0\1" + bytes(6) + wire[HEADER_SIZE : end + 4]
