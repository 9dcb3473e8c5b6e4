"""The text of many DNS messages, put together from pieces that are remembered.

The messages of a server have few parts: the same flags, names, OPT records and rdata repeat. Each part is remembered as
text under its octets, already escaped for the document, so that the text of a message is mostly a few look-ups and one
join. TTLs count down and identifiers are random, so neither is part of a key.

The records after a question even repeat as a whole, with names that are the question's name or a part of it: they are
remembered as text with gaps for these names. Where that does not happen, it is given up for a while.

This is the fast way to `message_text(unpack(wire))`, not another format: it takes what is usual (one question, names
compressed backwards, one OPT record), and leaves everything else, damage included, to those two. What it takes it has
proved: names are remembered only if their octets parse to exactly that, rdata only if no pointer leads out of it.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from dnstap._learning import Credit
from dnstap.dns.addresses import address_text
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.edns import unpack_options
from dnstap.dns.limits import check_length, max_text
from dnstap.dns.message import unpack
from dnstap.dns.names import NameMemo, labels_text
from dnstap.dns.record_text import rdata_text
from dnstap.dns.records import unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.text import (
    BEFORE_OWNER,
    OPT,
    QUESTION_HEADING,
    SECTION_HEADINGS,
    flags_text,
    message_text,
    opt_heading,
    options_text,
    question_text,
    record_names,
    status_text,
)
from dnstap.dns.walker import HEADER_SIZE, MAX_NAME, CompressedNames, WalkError
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CachedTexts"]

_UNUSUAL = (WalkError, IndexError, struct.error, DnsMessageError)
"""Raised by the fast way for a message that it leaves to the exact parser."""

A, SOA, MX, AAAA = (TYPE_NUMBERS[name] for name in ("A", "SOA", "MX", "AAAA"))
_ADDRESSES = frozenset({(A, 4), (AAAA, 16)})
_ONE_NAME = frozenset(TYPE_NUMBERS[name] for name in ("NS", "CNAME", "PTR", "DNAME"))
"""Types whose rdata is one name that may be compressed."""

_OTHERS = "TXT SRV DS SSHFP RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM TLSA CDS CDNSKEY SVCB HTTPS CAA NAPTR"
_RDATA_LIMITS = {A: (16384, 4), AAAA: (16384, 16)} | {TYPE_NUMBERS[name]: (1024, 320) for name in _OTHERS.split()}
"""Type -> rdata that are remembered, and their octets. Of other types none is."""

SURE_TEXT = max_text(0)
"""Characters of a text that no limit forbids, as nearly all texts are."""

_counts = struct.Struct(">5H").unpack
_ttl_and_length = struct.Struct(">IH").unpack_from
_soa_numbers = struct.Struct(">5I").unpack

_gaps = re.compile("\0(.)", re.DOTALL).split
"""A gap is a NUL, which no text has, and the character whose number is an offset in the message."""

Section = tuple[str, int, bool]
"""Its heading, its number of records, and whether it is the additional one."""

Tail = tuple[str, list[str], list[int]]
"""The text of the OPT record; the pieces of the other records' text, and the offsets of the names between them."""


class CachedTexts:
    """The texts of the DNS messages of one stream.

    Args:
        escape: from text to its form in the document, character by character.
        tidy: applied to the text of a whole message before it is escaped.
        credit: for remembering the records after a question.
        max_tails: messages whose records are remembered; then all are forgotten.
        max_tail_octets: of the records of a message that is remembered.
        max_parts: headers, questions, names and prefixes of names that are remembered, of each.

    Attributes:
        unusual: messages that were left to `message_text`.
    """

    def __init__(
        self,
        escape: Callable[[str], str],
        tidy: Callable[[str], str] = str,
        *,
        credit: Credit | None = None,
        max_tails: int = 4096,
        max_tail_octets: int = 1024,
        max_parts: int = 16384,
    ) -> None:
        self.unusual = 0
        self._escape = escape
        self._tidy = tidy
        # As in CachedQuestions: where nothing repeats, keys of up to a kilobyte are made and hashed in vain.
        self._credit = credit or Credit(limit=1024, rest=4096, max_rest=4096, refill=16)
        self._max_tails = max_tails
        self._max_tail_octets = max_tail_octets
        # Where the question ends, the header without its identifier, the octets after the question -> their text.
        self._tails: dict[tuple[int, bytes, bytes], Tail] = {}
        self._headers: BoundedCache[tuple[str, str, tuple[Section, ...] | None]] = BoundedCache(min(4096, max_parts))
        self._questions: BoundedCache[tuple[str, str]] = BoundedCache(max_parts)
        self._question_ends: BoundedCache[str] = BoundedCache(1024)
        self._opts: BoundedCache[str] = BoundedCache(8192)
        self._opt_headings: BoundedCache[str] = BoundedCache(1024)
        self._names = _NameTexts(escape, max_parts)
        self._types: BoundedCache[tuple[str, int, BoundedCache[str]]] = BoundedCache(1024)
        self._rdata: dict[int, BoundedCache[str]] = {
            rrtype: BoundedCache(*limits) for rrtype, limits in _RDATA_LIMITS.items()
        }
        # Takes no key, not even an empty one, so that types that are not remembered need no branch.
        self._no_rdata: BoundedCache[str] = BoundedCache(0, -1)
        self._soa_numbers: BoundedCache[str] = BoundedCache(4096)
        self._line_feed = escape("\n")
        self._tab = escape("\t")
        self._question_heading = escape(QUESTION_HEADING + ";")

    def text(self, wire: bytes) -> str:
        """Return the text of a DNS message, escaped and without its last line feed.

        Raises: DnsMessageError.
        """
        try:
            words = wire[2:12]
            status, flags, sections = self._headers.get(words) or self._header(words)
            # A zero octet within a label does not end the name; then the octets up to it are no name.
            end = wire.find(b"\0", HEADER_SIZE) + 5
            key = wire[HEADER_SIZE:end]
            question, name = self._questions.get(key) or self._question(key)
            rest = wire[end:]
            if sections is None:
                opt = self._opts.get(rest)
                if opt is None:
                    # What is remembered is short, so only other messages are asked for their length, here and in
                    # _records.
                    check_length(wire)
                    opt = self._opt(rest)
                text = f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}"
                if len(text) > SURE_TEXT:
                    _check_text(text, wire)
                return text
            credit = self._credit
            # Records of a long message are not remembered, so they need no gaps for names.
            if credit.resting or len(rest) > self._max_tail_octets:
                credit.skip()
                self._names.begin(HEADER_SIZE, name, MAX_NAME)
                opt, records = self._records(wire, end, sections)
                text = f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}{records}"
                if len(text) > SURE_TEXT:
                    _check_text(text, wire)
                return text
            tail = self._tails.get((end, words, rest))
            if tail is None:
                tail = self._tail(wire, end, sections)
                if credit.spend():
                    if len(self._tails) >= self._max_tails:
                        self._tails.clear()
                    self._tails[end, words, rest] = tail
            elif credit.left < credit.limit:
                credit.earn(2)
            opt, pieces, offsets = tail
            if not offsets:
                records = name.join(pieces)
            else:
                texts = [pieces[0]]
                plain_texts = self._names.plain_texts
                for offset, piece in zip(offsets, pieces[1:], strict=True):
                    labels = wire[offset : end - 4]
                    texts += plain_texts.get(labels) or self._names.plain_text(labels), piece
                records = "".join(texts)
            text = f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}{records}"
            if len(text) > SURE_TEXT:
                _check_text(text, wire)
            return text
        except _UNUSUAL:
            self.unusual += 1
        return self._escape(self._tidy(message_text(unpack(wire), len(wire)))[:-1])

    def _tail(self, wire: bytes, end: int, sections: tuple[Section, ...]) -> Tail:
        """Return the text of the records after a question, with gaps for the names that lie in the question."""
        names = self._names
        # What fills a gap is as long as the question's name, or shorter.
        names.begin(end, f"\0{chr(HEADER_SIZE)}", MAX_NAME - (end - HEADER_SIZE))
        offset = HEADER_SIZE
        while length := wire[offset]:
            # Records may point to any label of the question's name, so each has a gap of its own.
            names[offset] = f"\0{chr(offset)}"
            offset += length + 1
        names[offset] = "."
        opt, records = self._records(wire, end, sections)
        pieces = _gaps(records)
        offsets = [ord(character) for character in pieces[1::2]]
        # If every gap is the whole name, it can be put in by one join.
        return opt, pieces[::2], [] if set(offsets) <= {HEADER_SIZE} else offsets

    def _header(self, words: bytes) -> tuple[str, str, tuple[Section, ...] | None]:
        """Return the texts around the identifier, and the sections after the question; None for a lone OPT record."""
        flags, questions, *counts = _counts(words)
        if questions != 1:
            raise WalkError("not one question")
        sections: tuple[Section, ...] | None = tuple(
            (self._escape(heading[:-1]), count, index == 2)
            for index, (heading, count) in enumerate(zip(SECTION_HEADINGS, counts, strict=True))
            if count
        )
        if counts == [0, 0, 1]:
            sections = None
        status = self._escape(status_text(flags, flags & 15))
        return self._headers.store(words, (status, self._escape(flags_text(flags, questions, *counts)), sections))

    def _question(self, octets: bytes) -> tuple[str, str]:
        """Return the question section, and the question's name."""
        name = self._escape(labels_text(octets[:-4]))
        end = self._question_ends.get(octets[-4:])
        if end is None:
            end = self._escape(question_text(*struct.unpack(">HH", octets[-4:]))[:-1])
            self._question_ends.store(octets[-4:], end)
        return self._questions.store(octets, (f"{self._question_heading}{name}{end}", name))

    def _opt(self, octets: bytes) -> str:
        """Return the text of the OPT record that octets begin with."""
        # The upper bits of an extended rcode (RFC 6891, 6.1.3) belong into the first line, which is remembered without.
        if octets[:3] != b"\0\0\x29" or octets[5]:
            raise WalkError("no OPT record, or an extended rcode")
        end = 11 + (octets[9] << 8 | octets[10])
        if end > len(octets):
            raise WalkError("OPT record ends after the message")
        fields = octets[3:9]
        heading = self._opt_headings.get(fields)
        if heading is None:
            heading = self._escape(opt_heading(fields[0] << 8 | fields[1], int.from_bytes(fields[2:], "big")))
            self._opt_headings.store(fields, heading)
        if end > 14 and octets[11:15] == b"\0\x0a" + (end - 15).to_bytes(2, "big"):
            # A lone cookie (RFC 7873, 4) is seldom seen again, so it is not remembered.
            return f"{heading}{self._line_feed}; COOKIE: {octets[15:end].hex()}{self._line_feed}"
        options, _ = unpack_options(octets, 11, end)
        return self._opts.store(octets, f"{heading}{self._escape(options_text(options))}{self._line_feed}")

    def _records(self, wire: bytes, offset: int, sections: tuple[Section, ...]) -> tuple[str, str]:
        """Return the texts of the OPT record and of the other records.

        As in CachedQuestions, the headers of records are read here and not by `walker.records`.
        """
        check_length(wire)
        names, types, opts = self._names, self._types, self._opts
        tab = self._tab
        size = len(wire)
        texts = [""]
        opt = ""
        for heading, count, is_additional in sections:
            texts.append(heading)
            others = count
            for _ in range(count):
                first = wire[offset]
                # 0xC0: a pointer into the first 256 octets, as most owners are. `read` takes the others.
                if first == 192:
                    target = wire[offset + 1]
                    owner = names.get(target) or names.follow(wire, target, offset)
                    offset += 2
                elif first:
                    owner_offset = offset
                    offset = names.read(wire, offset)
                    owner = names[owner_offset]
                else:
                    owner = "."
                    offset += 1
                # An OPT record in another section is not the message's own: _type refuses it, so the exact parser
                # prints it.
                if is_additional and wire[offset + 1] == OPT and not wire[offset]:
                    if opt:
                        raise WalkError("second OPT record")
                    end = offset + 10 + (wire[offset + 8] << 8 | wire[offset + 9])
                    if end > size:
                        raise WalkError("OPT record ends after the message")
                    # With the root before it, as where it is the only record: so both share the cache.
                    key = b"\0" + wire[offset:end]
                    opt = opts.get(key) or self._opt(key)
                    offset = end
                    others -= 1
                    continue
                key = wire[offset : offset + 4]
                between, rrtype, known = types.get(key) or self._type(key)
                ttl, length = _ttl_and_length(wire, offset + 4)
                offset += 10
                end = offset + length
                if end > size:
                    raise WalkError("rdata ends after the message")
                rdata = wire[offset:end]
                shown = known.get(rdata)
                if shown is None:
                    shown = self._rdata_text(rrtype, wire, offset, end, known, rdata)
                texts.append(f"{owner}{tab}{ttl}{between}{shown}")
                offset = end
            # Go leaves the heading out if the OPT record is the only one.
            if not others:
                texts.pop()
        return opt, self._line_feed.join(texts)

    def _type(self, octets: bytes) -> tuple[str, int, BoundedCache[str]]:
        """Return the text between TTL and rdata, the type, and the cache of its rdata."""
        rrtype, rrclass = struct.unpack(">HH", octets)
        if rrtype == OPT or rrtype in BEFORE_OWNER:
            raise WalkError("type that is not shown as a line of its own")
        cache = self._rdata.get(rrtype, self._no_rdata)
        return self._types.store(octets, (self._escape(record_names(rrtype, rrclass)), rrtype, cache))

    def _rdata_text(
        self, rrtype: int, wire: bytes, offset: int, end: int, cache: BoundedCache[str], rdata: bytes
    ) -> str:
        """Return the text of the rdata between two offsets; remember it unless it has names that may be compressed."""
        if (rrtype, end - offset) in _ADDRESSES:
            return cache.store(rdata, address_text(rdata))
        names = self._names
        if rrtype in _ONE_NAME and offset < end:
            stop = names.read(wire, offset)
            text = names[offset]
        elif rrtype == SOA:
            second = names.read(wire, offset)
            stop = names.read(wire, second)
            numbers = wire[stop:end]
            shown = self._soa_numbers.get(numbers)
            if shown is None:
                shown = self._soa_numbers.store(numbers, " {} {} {} {} {}".format(*_soa_numbers(numbers)))
            return f"{names[offset]} {names[second]}{shown}"
        elif rrtype == MX:
            stop = names.read(wire, offset + 2)
            text = f"{wire[offset] << 8 | wire[offset + 1]} {names[offset + 2]}"
        else:
            return self._any_rdata_text(rrtype, cache, rdata)
        if stop != end:
            raise WalkError("rdata is longer or shorter than its name")
        return text

    def _any_rdata_text(self, rrtype: int, cache: BoundedCache[str], rdata: bytes) -> str:
        """Return the text of an rdata without compressed names, and remember it if its type is worth that."""
        names: NameMemo = {}
        values = unpack_rdata(rrtype, rdata, 0, len(rdata), names)
        # A pointer counts from the start of the message, and here from that of the rdata.
        if any(pointers for _, _, pointers, _, _ in names.values()):
            raise WalkError("pointer in rdata of an unusual type")
        shown = self._escape(rdata_text(rrtype, values))
        # White space at the end of a message is left out by the Go tool, and so by `tidy`.
        if shown == "" or shown[-1].isspace():
            raise WalkError("white space at the end of rdata")
        return cache.store(rdata, shown)


def _check_text(text: str, wire: bytes) -> None:
    """Check that an escaped text is surely not too long. For any other the exact parser decides.

    Raises: WalkError.
    """
    if len(text) > max_text(len(wire)):
        raise WalkError("long text")


class _NameTexts(CompressedNames[str]):
    """The escaped texts of the names of one message, then of the next.

    Args:
        escape: from text to its form in the document.
        max_texts: names, and labels before a pointer, that are remembered from message to message.

    Attributes:
        plain_texts: names without a pointer -> their texts.
        room: characters of a name's text with a pointer; a longer one may be too long in wire format.
    """

    __slots__ = ("_escape", "_prefixes", "plain_texts", "room")

    room: int

    def __init__(self, escape: Callable[[str], str], max_texts: int) -> None:
        self._escape = escape
        self.plain_texts: BoundedCache[str] = BoundedCache(max_texts)
        self._prefixes: BoundedCache[str] = BoundedCache(max_texts)

    def begin(self, first: int, question: str, room: int) -> None:
        """Begin with another message. A new object for each takes 0.1 µs more.

        Args: first: the least offset that a pointer may lead to, unless the name there is stored beforehand.
        """
        self.clear()
        self.first = first
        self.room = room
        self[HEADER_SIZE] = question

    def plain_text(self, labels: bytes) -> str:
        """Return the text of a name without a pointer, and remember it.

        Raises: WalkError: the octets are something else.
        """
        return self.plain_texts.store(labels, self._escape(labels_text(labels)))

    def plain(self, wire: bytes, offset: int, end: int) -> str:
        labels = wire[offset:end]
        return self.plain_texts.get(labels) or self.plain_text(labels)

    def joined(self, wire: bytes, offset: int, end: int, tail: str) -> str:
        labels = wire[offset:end]
        prefix = self._prefixes.get(labels)
        if prefix is None:
            prefix = self._prefixes.store(labels, self._escape(labels_text(labels, root=False)))
        text = prefix + tail if tail != "." else prefix
        if len(text) > self.room:
            raise WalkError("long name")
        return text
