"""The first question of many DNS messages as text, for messages of which every record is good.

A message is shown only if all of it parses, so all of it is looked at; but text is made of the question alone, and what
has been seen before is only looked up. The records behind a question come again and again in octets; whether they are
good depends on them, on where they begin, and on the names within the question that they point to.

As in dnstap.dns.cached_texts, this is the fast way of unpack(wire).questions and takes only what it has proved.
"""

import struct
from collections.abc import Callable

from dnstap.dns.edns import unpack_options
from dnstap.dns.memo import Memo
from dnstap.dns.message import unpack
from dnstap.dns.names import NameMemo, labels_text
from dnstap.dns.records import unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS, class_text, type_text
from dnstap.errors import DnsMessageError

__all__ = ["Questions"]

UNUSUAL = (KeyError, IndexError, struct.error, DnsMessageError)
"""What stops the fast way."""

MAX_NAME = 250
"""Octets of a name, without the root."""

MAX_DEPTH = 16
"""Names that begin one within the other."""

CREDIT = 1024
"""How many more messages than known ones may come whose records are new, before they are no longer remembered."""

REST = 4096
"""For how many messages."""

TRIAL = 256
"""The credit after that."""

MAX_TAILS = 8192
MAX_TAIL = 1024
"""Octets behind a question that are remembered, if they are no more than that."""

ONE_OPT = b"\0\1\0\0\0\0\0\1"
"""The counts of a query with EDNS: one question, one additional record."""

A, NS, CNAME, SOA, PTR, MX, AAAA, OPT, DS, RRSIG, DNSKEY = (
    TYPE_NUMBERS[name] for name in ("A", "NS", "CNAME", "SOA", "PTR", "MX", "AAAA", "OPT", "DS", "RRSIG", "DNSKEY")
)

_type_and_length = struct.Struct(">H6xH").unpack_from


class Questions:
    """The first questions of the messages of one stream.

    Attributes:
        text: see its call below; a function, so that it can be bound to a name.
        unusual: how many messages were left to unpack.
    """

    def __init__(self) -> None:
        self.unusual = 0
        self._questions: Memo[str] = Memo(32768)
        self._ends: Memo[str] = Memo(1024)
        self._names: Memo[bool] = Memo(16384)
        self._opts: Memo[bool] = Memo(16384)
        self._rdata: Memo[bool] = Memo(8192, 512)
        self.text = self._texts()

    def _texts(self) -> Callable[[bytes], str | None]:
        questions, opts, names = self._questions, self._opts, self._names
        tails: dict[tuple[int, bytes, bytes], tuple[int, ...]] = {}
        credit = CREDIT

        def text(wire: bytes) -> str | None:
            """The first question as `"example.org." IN A`; None if there is none, or a part of the message is bad."""
            nonlocal credit
            try:
                end = wire.find(b"\0", 12) + 5
                key = wire[12:end]
                question = questions.get(key) or self._question(key)
                counts = wire[4:12]
                if counts == ONE_OPT:
                    key = wire[end:]
                    if key not in opts:
                        self._check_opt(key)
                    return question
                if counts[:2] != b"\0\1":
                    raise KeyError(counts)
                if credit < 0:
                    credit = credit + 1 or TRIAL
                    self._check(wire, end, counts)
                    return question
                tail = end, counts, wire[end:]
                offsets = tails.get(tail)
                if offsets is None:
                    offsets = self._check(wire, end, counts)
                    if len(tail[2]) <= MAX_TAIL:
                        if len(tails) >= MAX_TAILS:
                            tails.clear()
                        tails[tail] = offsets
                    credit = credit - 1 or -REST
                else:
                    if credit < CREDIT:
                        credit += 2
                    for offset in offsets:
                        labels = wire[offset : end - 4]
                        if labels not in names:
                            self._check_labels(labels)
                return question
            except UNUSUAL:
                self.unusual += 1
            try:
                found = unpack(wire).questions
            except DnsMessageError:
                return None
            return _text(*found[0]) if found else None

        return text

    def _question(self, octets: bytes) -> str:
        name = labels_text(octets[:-4])
        end = self._ends.get(octets[-4:])
        if end is None:
            end = self._ends.keep(octets[-4:], _text("", *struct.unpack(">HH", octets[-4:]))[1:])
        return self._questions.keep(octets, f'"{name}{end}')

    def _check_opt(self, octets: bytes) -> None:
        """Octets that must begin with an OPT record."""
        if octets[:3] != b"\0\0\x29":
            raise KeyError(octets)
        end = 11 + (octets[9] << 8 | octets[10])
        if end > len(octets):
            raise KeyError(octets)
        if end > 14 and octets[11:15] == b"\0\x0a" + (end - 15).to_bytes(2, "big"):
            # Cookies do not come again.
            return
        unpack_options(octets, 11, end)
        self._opts.keep(octets, True)

    def _check_labels(self, octets: bytes) -> None:
        """Octets that must be a name without a pointer."""
        labels_text(octets)
        self._names.keep(octets, True)

    def _check(self, wire: bytes, offset: int, counts: bytes) -> tuple[int, ...]:
        """Check all records; the offsets within the question, other than its start, to which they point.

        Raises: UNUSUAL: one is bad, or not of the usual.
        """
        size = len(wire)
        known = self._rdata
        question_end = offset
        # Offset -> octets of the name there, without the root.
        lengths = {12: offset - 17}
        pointed: list[int] = []
        for _ in range((counts[2] << 8 | counts[3]) + (counts[4] << 8 | counts[5]) + (counts[6] << 8 | counts[7])):
            first = wire[offset]
            if first == 192:
                target = wire[offset + 1]
                if target not in lengths:
                    self._check_pointed(wire, target, offset, lengths, question_end, pointed, 0)
                offset += 2
            elif first:
                offset = self._check_name(wire, offset, lengths, question_end, pointed, 0)
            else:
                offset += 1
            rrtype, length = _type_and_length(wire, offset)
            offset += 10
            end = offset + length
            if end > size:
                raise KeyError(end)
            if rrtype == A:
                stop = offset + 4
            elif rrtype == AAAA:
                stop = offset + 16
            elif not length:
                stop = end
            elif rrtype in (CNAME, NS, PTR):
                stop = self._check_name(wire, offset, lengths, question_end, pointed, 0)
            elif rrtype == SOA:
                stop = self._check_name(wire, offset, lengths, question_end, pointed, 0)
                stop = self._check_name(wire, stop, lengths, question_end, pointed, 0) + 20
            elif rrtype == MX:
                stop = self._check_name(wire, offset + 2, lengths, question_end, pointed, 0)
            else:
                if rrtype == RRSIG and length > 20:
                    # Behind the signer, who is not compressed, anything is a signature.
                    stop = offset + 18
                    while octets := wire[stop]:
                        if octets > 63:
                            raise KeyError(octets)
                        stop += octets + 1
                    if stop >= end or stop - offset - 18 > MAX_NAME:
                        raise KeyError(stop)
                elif (rrtype != DNSKEY and rrtype != DS) or length < 4:
                    key = wire[offset - 10 : offset - 8] + wire[offset:end]
                    if key not in known:
                        self._check_rdata(rrtype, key)
                stop = end
            if stop != end:
                raise KeyError(end)
            offset = end
        return tuple(pointed)

    def _check_rdata(self, rrtype: int, key: bytes) -> None:
        """An rdata, behind the two octets of its type."""
        steps: NameMemo = {}
        unpack_rdata(rrtype, key[2:], 0, len(key) - 2, steps)
        # A pointer counts from the start of the message.
        if any(pointers for _, _, pointers, _, _ in steps.values()):
            raise KeyError(rrtype)
        self._rdata.keep(key, True)

    def _check_name(
        self, wire: bytes, offset: int, lengths: dict[int, int], question_end: int, pointed: list[int], depth: int
    ) -> int:
        """The offset behind the name at an offset."""
        end = offset
        length = wire[end]
        while length:
            if length > 63:
                if length < 192:
                    raise KeyError(length)
                target = (length & 63) << 8 | wire[end + 1]
                octets = lengths.get(target)
                if octets is None:
                    octets = self._check_pointed(wire, target, offset, lengths, question_end, pointed, depth + 1)
                if end == offset and wire[target] > 63:
                    raise KeyError(target)
                octets += end - offset
                if octets > MAX_NAME:
                    raise KeyError(offset)
                lengths[offset] = octets
                return end + 2
            end += length + 1
            length = wire[end]
        if end - offset > MAX_NAME:
            raise KeyError(offset)
        lengths[offset] = end - offset
        return end + 1

    def _check_pointed(
        self,
        wire: bytes,
        target: int,
        offset: int,
        lengths: dict[int, int],
        question_end: int,
        pointed: list[int],
        depth: int,
    ) -> int:
        """The octets, without the root, of the name that a pointer in the name at an offset leads to."""
        if 12 <= target < question_end:
            labels = wire[target : question_end - 4]
            if labels not in self._names:
                self._check_labels(labels)
            pointed.append(target)
            octets = lengths[target] = question_end - 5 - target
            return octets
        if not 12 <= target < offset or depth > MAX_DEPTH:
            raise KeyError(target)
        if self._check_name(wire, target, lengths, question_end, pointed, depth) > offset:
            raise KeyError(target)
        return lengths[target]


def _text(name: str, rrtype: int, rrclass: int) -> str:
    return f'"{name}" {class_text(rrclass)} {type_text(rrtype)}'
