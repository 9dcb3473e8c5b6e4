"""The text of many DNS messages, put together from pieces that are remembered.

The messages of a server are made of few parts: the same flags, names, OPT records and rdata come again and again. Each
part is remembered as text by its octets, and escaped already as the document wants it, so that the text of a message is
mostly a few look-ups and one join. TTLs count down and identifiers are random, so neither is in a key.

What stands behind the question comes again even as a whole, with the names in it that are those of the question or a
part of it: it is remembered as text with gaps. Where that does not happen, it is no longer tried.

This is the fast way, and not another one: it takes what is usual (one question, names compressed backwards, one OPT
record), and whatever else it meets, damage too, it leaves to message_text(unpack(wire)). What it takes it has proved:
names are remembered only when their octets parse to exactly that, rdata only when no pointer leads out of it.
"""

import re
import struct
from collections.abc import Callable

from dnstap.dns.addresses import address_text
from dnstap.dns.edns import unpack_options
from dnstap.dns.memo import Memo
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
from dnstap.errors import DnsMessageError

__all__ = ["MessageTexts"]

UNUSUAL = (KeyError, IndexError, struct.error, DnsMessageError)
"""What stops the fast way."""

MAX_NAME = 250
"""Characters of a name's text; a longer one may be too long on the wire."""

MAX_DEPTH = 16
"""Names that begin one within the other."""

MAX_TAIL = 1024
"""Octets behind a question that are remembered, if they are no more than that."""

MAX_TAILS = 4096

CREDIT = 1024
"""How many more new tails than known ones may come before they are no longer remembered."""

REST = 4096
"""For how many messages."""

TRIAL = 256
"""The credit after that."""

A, SOA, MX, AAAA = (TYPE_NUMBERS[name] for name in ("A", "SOA", "MX", "AAAA"))
ADDRESSES = frozenset({(A, 4), (AAAA, 16)})
TARGETS = frozenset(TYPE_NUMBERS[name] for name in ("NS", "CNAME", "PTR", "DNAME"))
"""Types whose rdata is one name that may be compressed."""

_OTHERS = "TXT SRV DS SSHFP RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM TLSA CDS CDNSKEY SVCB HTTPS CAA NAPTR"
KEPT_RDATA = {A: (16384, 4), AAAA: (16384, 16)} | {TYPE_NUMBERS[name]: (1024, 320) for name in _OTHERS.split()}
"""Type -> how many of its rdata are remembered, and of how many octets at the most. That of others is not."""

_counts = struct.Struct(">5H").unpack
_ttl_and_length = struct.Struct(">IH").unpack_from
_soa_numbers = struct.Struct(">5I").unpack

_gaps = re.compile("\0(.)", re.DOTALL).split
"""A gap is a NUL, which no text has, and the character whose number is an offset in the message."""

Section = tuple[str, int, bool]
"""Its heading, its number of records, and whether it is the additional one."""

Tail = tuple[str, list[str], list[int]]
"""The text of the OPT record; the pieces of the other records' text, and the offsets of the names between them."""


class _Names(dict[int, str]):
    """The names of one message, by their offsets.

    Attributes:
        first: no pointer may lead to what is before this offset and not here.
        room: the most characters of a name.
    """

    __slots__ = ("first", "room")

    first: int
    room: int


class MessageTexts:
    """The texts of the DNS messages of one stream.

    Args:
        escape: from text to what the document has for it, character by character.
        tidy: something to be done to the text of a message before that.

    Attributes:
        text: see its call below; a function, so that it can be bound to a name. The last line feed is left out.
        unusual: how many messages were left to message_text.
    """

    def __init__(self, escape: Callable[[str], str], tidy: Callable[[str], str] = str) -> None:
        self.unusual = 0
        self._escape = escape
        self._tidy = tidy
        self._headers: Memo[tuple[str, str, tuple[Section, ...] | None]] = Memo(4096)
        self._questions: Memo[tuple[str, str]] = Memo(16384)
        self._question_ends: Memo[str] = Memo(1024)
        self._opts: Memo[str] = Memo(8192)
        self._opt_headings: Memo[str] = Memo(1024)
        self._names: Memo[str] = Memo(16384)
        self._prefixes: Memo[str] = Memo(16384)
        self._types: Memo[tuple[str, int, Memo[str]]] = Memo(1024)
        self._rdata: dict[int, Memo[str]] = {rrtype: Memo(*limits) for rrtype, limits in KEPT_RDATA.items()}
        self._nothing: Memo[str] = Memo(0, -1)
        self._soa_numbers: Memo[str] = Memo(4096)
        self._line_feed = escape("\n")
        self._tab = escape("\t")
        self._question_heading = escape(QUESTION_HEADING + ";")
        self._credit = CREDIT
        self.text = self._texts()

    def _texts(self) -> Callable[[bytes], str]:
        headers, questions, opts, names = self._headers, self._questions, self._opts, self._names
        tails: dict[tuple[int, bytes, bytes], Tail] = {}

        def text(wire: bytes) -> str:
            """The text of a DNS message. Raises DnsMessageError."""
            try:
                words = wire[2:12]
                status, flags, sections = headers.get(words) or self._header(words)
                # A first octet 0 within a label is no end of a name: then the octets up to it are none.
                end = wire.find(b"\0", 12) + 5
                key = wire[12:end]
                question, name = questions.get(key) or self._question(key)
                rest = wire[end:]
                if sections is None:
                    opt = opts.get(rest) or self._opt(rest)
                    return f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}"
                if self._credit < 0:
                    self._credit = self._credit + 1 or TRIAL
                    opt, records = self._records(wire, end, _names(name), sections)
                    return f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}{records}"
                tail = tails.get((end, words, rest))
                if tail is None:
                    self._credit = self._credit - 1 or -REST
                    tail = self._tail(wire, end, sections)
                    if len(rest) <= MAX_TAIL:
                        if len(tails) >= MAX_TAILS:
                            tails.clear()
                        tails[end, words, rest] = tail
                elif self._credit < CREDIT:
                    self._credit += 2
                opt, pieces, offsets = tail
                if not offsets:
                    records = name.join(pieces)
                else:
                    texts = [pieces[0]]
                    for offset, piece in zip(offsets, pieces[1:], strict=True):
                        labels = wire[offset : end - 4]
                        texts += names.get(labels) or self._whole_name(labels), piece
                    records = "".join(texts)
                return f"{status}{wire[0] << 8 | wire[1]}{flags}{opt}{question}{records}"
            except UNUSUAL:
                self.unusual += 1
            return self._escape(self._tidy(message_text(unpack(wire)))[:-1])

        return text

    def _tail(self, wire: bytes, end: int, sections: tuple[Section, ...]) -> Tail:
        """What is behind the question, with gaps for the names that lie in it."""
        names = _Names()
        offset = 12
        while length := wire[offset]:
            names[offset] = f"\0{chr(offset)}"
            offset += length + 1
        names[offset] = "."
        names.first = end
        names.room = MAX_NAME - (end - 12)
        opt, records = self._records(wire, end, names, sections)
        pieces = _gaps(records)
        offsets = [ord(character) for character in pieces[1::2]]
        return opt, pieces[::2], [] if set(offsets) <= {12} else offsets

    def _header(self, words: bytes) -> tuple[str, str, tuple[Section, ...] | None]:
        """The texts around the identifier, and the sections behind the question; None for a lone OPT record."""
        flags, questions, *counts = _counts(words)
        if questions != 1:
            raise KeyError(words)
        sections: tuple[Section, ...] | None = tuple(
            (self._escape(heading[:-1]), count, index == 2)
            for index, (heading, count) in enumerate(zip(SECTION_HEADINGS, counts, strict=True))
            if count
        )
        if counts == [0, 0, 1]:
            sections = None
        status = self._escape(status_text(flags, flags & 15))
        return self._headers.keep(words, (status, self._escape(flags_text(flags, questions, *counts)), sections))

    def _question(self, octets: bytes) -> tuple[str, str]:
        """The question section, and the question's name."""
        name = self._escape(labels_text(octets[:-4]))
        end = self._question_ends.get(octets[-4:])
        if end is None:
            end = self._escape(question_text(*struct.unpack(">HH", octets[-4:]))[:-1])
            self._question_ends.keep(octets[-4:], end)
        return self._questions.keep(octets, (f"{self._question_heading}{name}{end}", name))

    def _whole_name(self, labels: bytes) -> str:
        return self._names.keep(labels, self._escape(labels_text(labels)))

    def _opt(self, octets: bytes) -> str:
        """The text of an OPT record that these octets begin with."""
        # The upper bits of the rcode are in the line that has been written already.
        if octets[:3] != b"\0\0\x29" or octets[5]:
            raise KeyError(octets)
        end = 11 + (octets[9] << 8 | octets[10])
        if end > len(octets):
            raise KeyError(octets)
        fields = octets[3:9]
        heading = self._opt_headings.get(fields)
        if heading is None:
            heading = self._escape(opt_heading(fields[0] << 8 | fields[1], int.from_bytes(fields[2:], "big")))
            self._opt_headings.keep(fields, heading)
        if end > 14 and octets[11:15] == b"\0\x0a" + (end - 15).to_bytes(2, "big"):
            # Cookies do not come again.
            return f"{heading}{self._line_feed}; COOKIE: {octets[15:end].hex()}{self._line_feed}"
        options, _ = unpack_options(octets, 11, end)
        return self._opts.keep(octets, f"{heading}{self._escape(options_text(options))}{self._line_feed}")

    def _records(self, wire: bytes, offset: int, names: _Names, sections: tuple[Section, ...]) -> tuple[str, str]:
        """The texts of the OPT record and of the other records."""
        types, opts = self._types, self._opts
        tab = self._tab
        size = len(wire)
        texts = [""]
        opt = ""
        for heading, count, is_additional in sections:
            texts.append(heading)
            others = count
            for _ in range(count):
                first = wire[offset]
                if first == 192:
                    target = wire[offset + 1]
                    owner = names.get(target) or self._pointed(wire, target, offset, names, 0)
                    offset += 2
                elif first:
                    owner, offset = self._name(wire, offset, names, 0)
                else:
                    owner = "."
                    offset += 1
                key = wire[offset : offset + 4]
                if is_additional and key[:2] == b"\0\x29":
                    if opt:
                        raise KeyError(OPT)
                    end = offset + 10 + (wire[offset + 8] << 8 | wire[offset + 9])
                    if end > size:
                        raise KeyError(OPT)
                    key = b"\0" + wire[offset:end]
                    opt = opts.get(key) or self._opt(key)
                    offset = end
                    others -= 1
                    continue
                between, rrtype, known = types.get(key) or self._type(key)
                ttl, length = _ttl_and_length(wire, offset + 4)
                offset += 10
                end = offset + length
                if end > size:
                    raise KeyError(end)
                rdata = wire[offset:end]
                shown = known.get(rdata)
                if shown is None:
                    shown = self._rdata_text(rrtype, wire, offset, end, names, known, rdata)
                texts.append(f"{owner}{tab}{ttl}{between}{shown}")
                offset = end
            if not others:
                texts.pop()
        return opt, self._line_feed.join(texts)

    def _type(self, octets: bytes) -> tuple[str, int, Memo[str]]:
        """What is between TTL and rdata, the type, and the memo of its rdata."""
        rrtype, rrclass = struct.unpack(">HH", octets)
        if rrtype == OPT or rrtype in BEFORE_OWNER:
            raise KeyError(rrtype)
        memo = self._rdata.get(rrtype, self._nothing)
        return self._types.keep(octets, (self._escape(record_names(rrtype, rrclass)), rrtype, memo))

    def _rdata_text(
        self, rrtype: int, wire: bytes, offset: int, end: int, names: _Names, memo: Memo[str], rdata: bytes
    ) -> str:
        if (rrtype, end - offset) in ADDRESSES:
            return memo.keep(rdata, address_text(rdata))
        if rrtype in TARGETS and offset < end:
            text, stop = self._name(wire, offset, names, 0)
        elif rrtype == SOA:
            first, stop = self._name(wire, offset, names, 0)
            second, stop = self._name(wire, stop, names, 0)
            numbers = wire[stop:end]
            shown = self._soa_numbers.get(numbers)
            if shown is None:
                shown = self._soa_numbers.keep(numbers, " {} {} {} {} {}".format(*_soa_numbers(numbers)))
            return f"{first} {second}{shown}"
        elif rrtype == MX:
            text, stop = self._name(wire, offset + 2, names, 0)
            text = f"{wire[offset] << 8 | wire[offset + 1]} {text}"
        else:
            return self._any_rdata_text(rrtype, memo, rdata)
        if stop != end:
            raise KeyError(end)
        return text

    def _any_rdata_text(self, rrtype: int, memo: Memo[str], rdata: bytes) -> str:
        steps: NameMemo = {}
        shown = self._escape(rdata_text(rrtype, unpack_rdata(rrtype, rdata, 0, len(rdata), steps)))
        # A pointer counts from the start of the message.
        if any(pointers for _, _, pointers, _, _ in steps.values()):
            raise KeyError(rrtype)
        # At the end of a message Go leaves white space out.
        if shown == "" or shown[-1].isspace():
            raise KeyError(rrtype)
        return memo.keep(rdata, shown)

    def _name(self, wire: bytes, offset: int, names: _Names, depth: int) -> tuple[str, int]:
        """The name at an offset, and the offset behind it."""
        end = offset
        length = wire[end]
        while length:
            if length > 63:
                if length < 192:
                    raise KeyError(length)
                target = (length & 63) << 8 | wire[end + 1]
                text = names.get(target) or self._pointed(wire, target, offset, names, depth + 1)
                if end > offset:
                    labels = wire[offset:end]
                    prefix = self._prefixes.get(labels)
                    if prefix is None:
                        prefix = self._prefixes.keep(labels, self._escape(labels_text(labels, root=False)))
                    text = prefix + text if text != "." else prefix
                elif wire[target] > 63:
                    raise KeyError(target)
                if len(text) > names.room:
                    raise KeyError(offset)
                names[offset] = text
                return text, end + 2
            end += length + 1
            length = wire[end]
        end += 1
        labels = wire[offset:end]
        text = names[offset] = self._names.get(labels) or self._whole_name(labels)
        return text, end

    def _pointed(self, wire: bytes, target: int, offset: int, names: _Names, depth: int) -> str:
        """The name that a pointer in the name at an offset leads to, which must begin before it."""
        if not names.first <= target < offset or depth > MAX_DEPTH:
            raise KeyError(target)
        text, end = self._name(wire, target, names, depth)
        if end > offset:
            raise KeyError(target)
        return text


def _names(question: str) -> _Names:
    """The names of a message whose question has this name."""
    names = _Names()
    names[12] = question
    names.first = 12
    names.room = MAX_NAME
    return names
