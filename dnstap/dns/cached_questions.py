"""The first question of many DNS messages, for messages of which every record is good.

`-q` shows the question of a message only if all of the message parses, so all of it is checked; but text is made of the
question alone, and what was seen before is only looked up. The records after a question repeat byte for byte; whether
they are good depends on them, on where they begin, and on the names within the question that they point to.

As in dnstap.dns.cached_texts, this is the fast way to `unpack(wire).questions`: it takes only what it has proved, and
leaves everything else to `unpack`.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from typing import Generic, TypeVar

from dnstap._learning import Credit
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.edns import unpack_options
from dnstap.dns.limits import check_length
from dnstap.dns.message import Question, unpack
from dnstap.dns.names import NameMemo, labels_text
from dnstap.dns.records import unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS, class_text, type_text
from dnstap.dns.text import OPT
from dnstap.dns.walker import HEADER_SIZE, MAX_LABEL, MAX_NAME, CompressedNames, WalkError
from dnstap.errors import DnsMessageError

__all__ = ["CachedQuestions", "CheckedQuestions"]

Q = TypeVar("Q")

_UNUSUAL = (WalkError, IndexError, struct.error, DnsMessageError)
"""Raised by the fast way for a message that it leaves to the exact parser."""

_ONE_OPT = b"\0\1\0\0\0\0\0\1"
"""The counts of a query with EDNS: one question, one additional record."""

A, SOA, MX, AAAA, RRSIG = (TYPE_NUMBERS[name] for name in ("A", "SOA", "MX", "AAAA", "RRSIG"))
_ONE_NAME = frozenset(TYPE_NUMBERS[name] for name in ("NS", "CNAME", "PTR"))
"""Types whose rdata is one name that may be compressed."""

_NUMBERS_FIRST = frozenset(TYPE_NUMBERS[name] for name in ("DS", "DNSKEY"))
"""Types whose rdata is four octets of numbers, and then any octets."""

_record_counts = struct.Struct(">3H").unpack_from

_type_and_length = struct.Struct(">H6xH").unpack_from


class CheckedQuestions(Generic[Q]):
    """Cache of what a subclass makes of the first questions of the messages of one stream.

    Args:
        credit: for remembering the records after a question.
        max_tails: messages whose records are remembered; then all are forgotten.
        max_tail_octets: of the records of a message that is remembered.

    Attributes:
        unusual: messages that were left to `unpack`.
        opt: offset of the type of the OPT record in the message that was read last, unless that was left to `unpack`;
            the last such record, None without one.
        known: what was made, by the octets of the question.
    """

    def __init__(self, *, credit: Credit | None = None, max_tails: int = 8192, max_tail_octets: int = 1024) -> None:
        self.unusual = 0
        self.opt: int | None = None
        # Where nothing repeats, keys of up to a kilobyte are made and hashed in vain ("cold" in docs/performance.md):
        # then 4,096 messages pass without a look-up, and 256 more are tried (4096 // 16).
        self._credit = credit or Credit(limit=1024, rest=4096, max_rest=4096, refill=16)
        self._max_tails = max_tails
        self._max_tail_octets = max_tail_octets
        # What the octets after a question need to be good: where the question ends, the counts, the octets ->
        # the offsets in the question to which they point, and `opt`.
        self._tails: dict[tuple[int, bytes, bytes], tuple[tuple[int, ...], int | None]] = {}
        self.known: BoundedCache[Q] = BoundedCache(32768)
        self._names: BoundedCache[bool] = BoundedCache(16384)
        self._lengths = NameLengths(self._names)
        self._opts: BoundedCache[bool] = BoundedCache(16384)
        self._rdata: BoundedCache[bool] = BoundedCache(8192, 512)

    @abstractmethod
    def make(self, octets: bytes) -> Q:
        """Return what is made of the octets of a question, and store it as `known`. It must be true.

        Raises: WalkError: the octets are something else, or their name has a pointer.
        """

    @abstractmethod
    def make_exact(self, question: Question) -> Q:
        """Return what is made of a question that the exact parser has read."""

    def read(self, wire: bytes) -> Q | None:
        """Return what is made of the first question; None if there is none or a part of the message is bad."""
        try:
            # A zero octet within a label does not end the name; then the octets up to it are no name.
            end = wire.find(b"\0", HEADER_SIZE) + 5
            key = wire[HEADER_SIZE:end]
            question = self.known.get(key) or self.make(key)
            counts = wire[4:12]
            if counts == _ONE_OPT:
                key = wire[end:]
                # What is remembered is short, so only other messages are asked for their length, here and in _check.
                if key not in self._opts:
                    check_length(wire)
                    self._check_opt(key)
                # After the root.
                self.opt = end + 1
                return question
            if counts[:2] != b"\0\1":
                raise WalkError("not one question")
            credit = self._credit
            if credit.resting:
                credit.skip()
                _, self.opt = self._check(wire, end)
                return question
            tail = end, counts, wire[end:]
            found = self._tails.get(tail)
            if found is None:
                found = self._check(wire, end)
                self.opt = found[1]
                if credit.spend() and len(tail[2]) <= self._max_tail_octets:
                    if len(self._tails) >= self._max_tails:
                        self._tails.clear()
                    self._tails[tail] = found
                return question
            if credit.left < credit.limit:
                credit.earn(2)
            offsets, self.opt = found
            # The same records after another question: their pointers into it must again lead to where a name begins,
            # and labels_text raises WalkError if they do not.
            for offset in offsets:
                labels = wire[offset : end - 4]
                if labels not in self._names:
                    labels_text(labels)
                    self._names.store(labels, True)
            return question
        except _UNUSUAL:
            self.unusual += 1
        try:
            questions = unpack(wire).questions
        except DnsMessageError:
            return None
        return self.make_exact(questions[0]) if questions else None

    def _check_opt(self, octets: bytes) -> None:
        """Check that octets begin with a good OPT record, and remember it."""
        if octets[:3] != b"\0\0\x29":
            raise WalkError("no OPT record")
        end = 11 + (octets[9] << 8 | octets[10])
        if end > len(octets):
            raise WalkError("OPT record ends after the message")
        if end > 14 and octets[11:15] == b"\0\x0a" + (end - 15).to_bytes(2, "big"):
            # A lone cookie (RFC 7873, 4) is seldom seen again: any octets are one, and none is remembered.
            return
        unpack_options(octets, 11, end)
        self._opts.store(octets, True)

    def _check(self, wire: bytes, offset: int) -> tuple[tuple[int, ...], int | None]:
        """Check all records.

        Returns: the offsets within the question, other than its start, to which they point; that of `opt`.

        The headers of records are read here and not by `walker.records`, whose generator costs 0.1 µs a record.

        Raises: _UNUSUAL: a record is bad, or unusual.
        """
        check_length(wire)
        size = len(wire)
        known = self._rdata
        names = self._lengths
        names.begin(offset)
        read = names.read
        answers, authorities, additionals = _record_counts(wire, 6)
        others = answers + authorities
        opt = None
        for index in range(others + additionals):
            first = wire[offset]
            # 0xC0: a pointer into the first 256 octets, as most owners are. `read` takes the others.
            if first == 192:
                target = wire[offset + 1]
                if target not in names:
                    names.follow(wire, target, offset)
                offset += 2
            elif first:
                offset = read(wire, offset)
            else:
                offset += 1
            rrtype, length = _type_and_length(wire, offset)
            start = offset + 10
            offset = start + length
            if offset > size:
                raise WalkError("rdata ends after the message")
            if (rrtype == A and length == 4) or (rrtype == AAAA and length == 16):
                continue
            if rrtype == OPT and index >= others:
                opt = start - 10
            if not length:
                # miekg/dns takes any type without rdata.
                continue
            if rrtype in _ONE_NAME:
                end = read(wire, start)
            elif rrtype == SOA:
                end = read(wire, start)
                # Five numbers of 32 bits follow the two names (RFC 1035, 3.3.13).
                end = read(wire, end) + 20
            elif rrtype == MX:
                # After the preference (RFC 1035, 3.3.9).
                end = read(wire, start + 2)
            elif rrtype == RRSIG and length > 20:
                # Any octets after the signer's name, which is not compressed (RFC 4034, 3.1.7), are a signature.
                end = start + 18
                while octets := wire[end]:
                    if octets > MAX_LABEL:
                        raise WalkError("compressed signer")
                    end += octets + 1
                if end >= offset or end - start - 18 > MAX_NAME:
                    raise WalkError("no signature")
                continue
            elif rrtype in _NUMBERS_FIRST and length >= 4:
                # A key or a digest of any octets (RFC 4034, 2.1 and 5.1).
                continue
            else:
                key = wire[start - 10 : start - 8] + wire[start:offset]
                if key not in known:
                    self._check_rdata(rrtype, key)
                continue
            if end != offset:
                raise WalkError("rdata is longer or shorter than its names")
        return tuple(names.in_question), opt

    def _check_rdata(self, rrtype: int, key: bytes) -> None:
        """Check the rdata after the two octets of its type, and remember it."""
        names: NameMemo = {}
        unpack_rdata(rrtype, key[2:], 0, len(key) - 2, names)
        # A pointer counts from the start of the message, and here from that of the rdata.
        if any(pointers for _, _, pointers, _, _ in names.values()):
            raise WalkError("pointer in rdata of an unusual type")
        self._rdata.store(key, True)


class CachedQuestions(CheckedQuestions[str]):
    """The first questions as text: `"example.org." IN A`."""

    def __init__(self, *, credit: Credit | None = None, max_tails: int = 8192, max_tail_octets: int = 1024) -> None:
        super().__init__(credit=credit, max_tails=max_tails, max_tail_octets=max_tail_octets)
        self._ends: BoundedCache[str] = BoundedCache(1024)

    def make(self, octets: bytes) -> str:
        name = labels_text(octets[:-4])
        end = self._ends.get(octets[-4:])
        if end is None:
            end = self._ends.store(octets[-4:], _text("", *struct.unpack(">HH", octets[-4:]))[1:])
        return self.known.store(octets, f'"{name}{end}')

    def make_exact(self, question: Question) -> str:
        return _text(*question)


class NameLengths(CompressedNames[int]):
    """The octets of the names of one message, with the root: they bound how long a name can get by pointers.

    Args: checked: octets that are known to be a name without a pointer.

    Attributes:
        in_question: offsets within the question, other than its start, to which pointers lead.
    """

    __slots__ = ("_checked", "in_question")

    def __init__(self, checked: BoundedCache[bool]) -> None:
        self.first = HEADER_SIZE
        self.in_question: list[int] = []
        self._checked = checked

    def begin(self, question_end: int) -> None:
        """Begin with another message, whose question ends at an offset. A new object takes 0.1 µs more."""
        self.clear()
        self.first = question_end
        self[HEADER_SIZE] = question_end - 4 - HEADER_SIZE
        self.in_question = []

    def plain(self, wire: bytes, offset: int, end: int) -> int:  # noqa: ARG002
        if end - offset > MAX_NAME + 1:
            raise WalkError("long name")
        return end - offset

    def joined(self, wire: bytes, offset: int, end: int, tail: int) -> int:  # noqa: ARG002
        if end - offset + tail > MAX_NAME + 1:
            raise WalkError("long name")
        return end - offset + tail

    def follow(self, wire: bytes, target: int, offset: int, depth: int = 0) -> int:
        if not HEADER_SIZE < target < self.first:
            return super().follow(wire, target, offset, depth)
        labels = wire[target : self.first - 4]
        if labels not in self._checked:
            labels_text(labels)
            self._checked.store(labels, True)
        self.in_question.append(target)
        length = self[target] = len(labels)
        return length


def _text(name: str, rrtype: int, rrclass: int) -> str:
    return f'"{name}" {class_text(rrclass)} {type_text(rrtype)}'
