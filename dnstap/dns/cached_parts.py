"""The text of many DNS messages in any notation, put together from pieces that are remembered.

The messages of a server have few parts: the same flags, names, OPT records and rdata repeat. Each part is remembered as
text under its octets, already escaped for the document, so that the text of a message is mostly a few look-ups and one
join. TTLs count down and identifiers are random, so neither is part of a key.

The records after a question even repeat as a whole, with names that are the question's name or a part of it: they are
remembered as text with gaps for these names. Where that does not happen, it is given up for a while.

This is a fast way to the text of `unpack(wire)`, not another format: a subclass writes the pieces of its notation, and
has an exact way for all messages. What is usual (one question, names compressed backwards, one OPT record) is taken
here, and everything else, damage included, is left to the exact way. What is taken has been proved: names are
remembered only if their octets parse to exactly that, rdata only if no pointer leads out of it.
"""

from __future__ import annotations

import re
import struct
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from dnstap._learning import Credit
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.cached_names import NameTexts
from dnstap.dns.edns import unpack_options
from dnstap.dns.limits import check_length, max_text
from dnstap.dns.names import NameMemo, labels_text
from dnstap.dns.records import unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.text import BEFORE_OWNER, OPT
from dnstap.dns.walker import HEADER_SIZE, MAX_NAME, WalkError
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.dns.edns import Option

__all__ = ["CachedParts", "SectionTexts"]

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
_fields_of_opt = struct.Struct(">HI").unpack

_gaps = re.compile("\0(.)", re.DOTALL).split
"""A gap is a NUL, which no text has, and the character whose number is an offset in the message."""

SectionTexts = tuple[str, str, str]
"""The text before the first record of a section, after its last one, and in place of both without a record."""

Section = tuple[SectionTexts, int, bool]
"""The texts around its records, their number, and whether it is the additional one."""

Pair = tuple[str, str]

Tail = tuple[Pair, list[str], list[int]]
"""The texts of the OPT record; the pieces of the other records' text, and the offsets of the names between them."""

FIRST_NAME, SECOND_NAME = "\1", "\2"
"""Stand for names in the text of an rdata: no text has these characters."""

_MARKS = "\xe9", "\xfc"
"""Stand for these while an rdata is written and escaped, in which there is no other text."""


class CachedParts:
    """The texts of the DNS messages of one stream, in the notation of a subclass.

    The text of a message is that of its header around the identifier, of the OPT record or nothing, of the question, of
    the records, and of the OPT record or nothing, one after the other.

    Args:
        escape: from text to its form in the notation, character by character.
        sections: the texts around the records of each section.
        separator: text between two records.
        credit: for remembering the records after a question.
        max_tails: messages whose records are remembered; then all are forgotten.
        max_tail_octets: of the records of a message that is remembered.
        max_parts: headers, questions, names and prefixes of names that are remembered, of each.

    Attributes:
        escape: see above.
        unusual: messages that were left to `exact`.
    """

    def __init__(
        self,
        escape: Callable[[str], str],
        sections: tuple[SectionTexts, ...],
        separator: str,
        *,
        credit: Credit | None = None,
        max_tails: int = 4096,
        max_tail_octets: int = 1024,
        max_parts: int = 16384,
    ) -> None:
        self.unusual = 0
        self.escape = escape
        self._section_texts = sections
        self._no_records = "".join([empty for _, _, empty in sections])
        self._separator = separator
        # As in CachedQuestions: where nothing repeats, keys of up to a kilobyte are made and hashed in vain.
        self._credit = credit or Credit(limit=1024, rest=4096, max_rest=4096, refill=16)
        self._max_tails = max_tails
        self._max_tail_octets = max_tail_octets
        # Where the question ends, the header without its identifier, the octets after the question -> their text.
        self._tails: dict[tuple[int, bytes, bytes], Tail] = {}
        self._headers: BoundedCache[tuple[str, str, tuple[Section, ...] | None]] = BoundedCache(min(4096, max_parts))
        self._questions: BoundedCache[Pair] = BoundedCache(max_parts)
        self._question_parts: BoundedCache[Pair] = BoundedCache(1024)
        self._opts: BoundedCache[Pair] = BoundedCache(8192)
        self._cookie_headings: BoundedCache[str] = BoundedCache(1024)
        self._names = NameTexts(escape, max_parts)
        self._types: BoundedCache[tuple[str, str, int, BoundedCache[str]]] = BoundedCache(1024)
        self._rdata: dict[int, BoundedCache[str]] = {
            rrtype: BoundedCache(*limits) for rrtype, limits in _RDATA_LIMITS.items()
        }
        # Takes no key, not even an empty one, so that types that are not remembered need no branch.
        self._no_rdata: BoundedCache[str] = BoundedCache(0, -1)
        # The octets of what is not a name in rdata, after those of its type -> text with FIRST_NAME and SECOND_NAME.
        self._forms: BoundedCache[str] = BoundedCache(4096)

    @abstractmethod
    def exact(self, wire: bytes) -> str:
        """Return the text of any DNS message.

        Raises: DnsMessageError.
        """

    @abstractmethod
    def header(self, flags: int, counts: tuple[int, ...]) -> Pair:
        """Return the text of a header before and after the identifier.

        Args: counts: those of the four sections.
        """

    @abstractmethod
    def question(self, rrtype: int, rrclass: int) -> Pair:
        """Return the text of a question before and after its name."""

    @abstractmethod
    def opt(self, rrclass: int, ttl: int, options: tuple[Option, ...]) -> Pair:
        """Return the text of an OPT record, before the question or after the records; the other is empty."""

    @abstractmethod
    def cookie_heading(self, rrclass: int, ttl: int) -> str:
        """Return the part that `cookie` needs of an OPT record."""

    @abstractmethod
    def cookie(self, heading: str, cookie: bytes) -> Pair:
        """Return the text of an OPT record with a lone cookie (RFC 7873, 4), as `opt` does."""

    @abstractmethod
    def record(self, rrtype: int, rrclass: int) -> Pair:
        """Return the text of a record between its owner and its TTL, and between that and what `rdata` returns."""

    @abstractmethod
    def rdata(self, rrtype: int, values: tuple[Any, ...]) -> str:
        """Return the text of an rdata of a usual type.

        Raises: WalkError: it is one for the exact way.
        """

    @abstractmethod
    def address(self, rrtype: int, address: bytes) -> str:
        """Return the text of the rdata of an A or AAAA record."""

    def text(self, wire: bytes) -> str:
        """Return the text of a DNS message.

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
                opts = self._opts.get(rest)
                if opts is None:
                    # What is remembered is short, so only other messages are asked for their length, here and in
                    # _records.
                    check_length(wire)
                    opts = self._opt(rest)
                before, after = opts
                text = f"{status}{wire[0] << 8 | wire[1]}{flags}{before}{question}{self._no_records}{after}"
                if len(text) > SURE_TEXT:
                    _check_text(text, wire)
                return text
            credit = self._credit
            # Records of a long message are not remembered, so they need no gaps for names.
            if credit.resting or len(rest) > self._max_tail_octets:
                credit.skip()
                self._names.begin(HEADER_SIZE, name, MAX_NAME)
                (before, after), records = self._records(wire, end, sections)
                text = f"{status}{wire[0] << 8 | wire[1]}{flags}{before}{question}{records}{after}"
                if len(text) > SURE_TEXT:
                    _check_text(text, wire)
                return text
            tail = self._tails.get((end, words, rest))
            if tail is None:
                tail = self._tail(wire, end, sections)
                # A hostile one may have hundreds of long names.
                if credit.spend() and sum(map(len, tail[1])) <= SURE_TEXT:
                    if len(self._tails) >= self._max_tails:
                        self._tails.clear()
                    self._tails[end, words, rest] = tail
            elif credit.left < credit.limit:
                credit.earn(2)
            (before, after), pieces, offsets = tail
            if not offsets:
                records = name.join(pieces)
            else:
                texts = [pieces[0]]
                plain_texts = self._names.plain_texts
                for offset, piece in zip(offsets, pieces[1:], strict=True):
                    labels = wire[offset : end - 4]
                    texts += plain_texts.get(labels) or self._names.plain_text(labels), piece
                records = "".join(texts)
            text = f"{status}{wire[0] << 8 | wire[1]}{flags}{before}{question}{records}{after}"
            if len(text) > SURE_TEXT:
                _check_text(text, wire)
            return text
        except _UNUSUAL:
            self.unusual += 1
        return self.exact(wire)

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
        flags, *counts = _counts(words)
        if counts[0] != 1:
            raise WalkError("not one question")
        sections: tuple[Section, ...] | None = tuple(
            (texts, count, index == 2)
            for index, (texts, count) in enumerate(zip(self._section_texts, counts[1:], strict=True))
            if count or texts[2]
        )
        if counts[1:] == [0, 0, 1]:
            sections = None
        return self._headers.store(words, (*self.header(flags, tuple(counts)), sections))

    def _question(self, octets: bytes) -> Pair:
        """Return the text of the question, and its name."""
        name = self.escape(labels_text(octets[:-4]))
        parts = self._question_parts.get(octets[-4:])
        if parts is None:
            parts = self._question_parts.store(octets[-4:], self.question(*struct.unpack(">HH", octets[-4:])))
        return self._questions.store(octets, (f"{parts[0]}{name}{parts[1]}", name))

    def _opt(self, octets: bytes) -> Pair:
        """Return the texts of the OPT record that octets begin with."""
        # The upper bits of an extended rcode (RFC 6891, 6.1.3) belong into the header, which is remembered without.
        if octets[:3] != b"\0\0\x29" or octets[5]:
            raise WalkError("no OPT record, or an extended rcode")
        end = 11 + (octets[9] << 8 | octets[10])
        if end > len(octets):
            raise WalkError("OPT record ends after the message")
        fields = octets[3:9]
        if end > 14 and octets[11:15] == b"\0\x0a" + (end - 15).to_bytes(2, "big"):
            # A lone cookie (RFC 7873, 4) is seldom seen again, so it is not remembered.
            heading = self._cookie_headings.get(fields)
            if heading is None:
                heading = self._cookie_headings.store(fields, self.cookie_heading(*_fields_of_opt(fields)))
            return self.cookie(heading, octets[15:end])
        options, _ = unpack_options(octets, 11, end)
        rrclass, ttl = _fields_of_opt(fields)
        return self._opts.store(octets, self.opt(rrclass, ttl, options))

    def _records(self, wire: bytes, offset: int, sections: tuple[Section, ...]) -> tuple[Pair, str]:
        """Return the texts of the OPT record and of the other records.

        As in CachedQuestions, the headers of records are read here and not by `walker.records`.
        """
        check_length(wire)
        names, types, opts = self._names, self._types, self._opts
        separator = self._separator
        size = len(wire)
        texts = []
        opt = None
        for (opening, closing, empty), count, is_additional in sections:
            start = opening
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
                    continue
                key = wire[offset : offset + 4]
                before_ttl, after_ttl, rrtype, known = types.get(key) or self._type(key)
                ttl, length = _ttl_and_length(wire, offset + 4)
                offset += 10
                end = offset + length
                if end > size:
                    raise WalkError("rdata ends after the message")
                rdata = wire[offset:end]
                shown = known.get(rdata)
                if shown is None:
                    shown = self._rdata_text(rrtype, wire, offset, end, known, rdata)
                texts.append(f"{start}{owner}{before_ttl}{ttl}{after_ttl}{shown}")
                start = separator
                offset = end
            # The OPT record may be the only one.
            texts.append(empty if start is opening else closing)
        return opt or ("", ""), "".join(texts)

    def _type(self, octets: bytes) -> tuple[str, str, int, BoundedCache[str]]:
        """Return the texts around the TTL, the type, and the cache of its rdata."""
        rrtype, rrclass = struct.unpack(">HH", octets)
        if rrtype == OPT or rrtype in BEFORE_OWNER:
            raise WalkError("type that is not shown as a line of its own")
        cache = self._rdata.get(rrtype, self._no_rdata)
        return self._types.store(octets, (*self.record(rrtype, rrclass), rrtype, cache))

    def _rdata_text(
        self, rrtype: int, wire: bytes, offset: int, end: int, cache: BoundedCache[str], rdata: bytes
    ) -> str:
        """Return the text of the rdata between two offsets; remember it unless it has names that may be compressed."""
        if (rrtype, end - offset) in _ADDRESSES:
            return cache.store(rdata, self.address(rrtype, rdata))
        names = self._names
        if rrtype in _ONE_NAME and offset < end:
            stop = names.read(wire, offset)
            text = self._form(rrtype, b"").replace(FIRST_NAME, names[offset])
        elif rrtype == SOA:
            second = names.read(wire, offset)
            stop = names.read(wire, second)
            form = self._form(rrtype, wire[stop:end])
            return form.replace(FIRST_NAME, names[offset]).replace(SECOND_NAME, names[second])
        elif rrtype == MX:
            stop = names.read(wire, offset + 2)
            text = self._form(rrtype, wire[offset : offset + 2]).replace(FIRST_NAME, names[offset + 2])
        else:
            return self._any_rdata_text(rrtype, cache, rdata)
        if stop != end:
            raise WalkError("rdata is longer or shorter than its name")
        return text

    def _form(self, rrtype: int, numbers: bytes) -> str:
        """Return the text of an rdata with FIRST_NAME and SECOND_NAME for its names.

        Args: numbers: the octets that are not names.
        """
        key = rrtype.to_bytes(2, "big") + numbers
        form = self._forms.get(key)
        if form is None:
            first, second = _MARKS
            values: tuple[Any, ...] = (first,)
            if rrtype == SOA:
                values = first, second, *_soa_numbers(numbers)
            elif rrtype == MX:
                values = int.from_bytes(numbers, "big"), first
            form = self.rdata(rrtype, values)
            form = form.replace(self.escape(first), FIRST_NAME).replace(self.escape(second), SECOND_NAME)
            self._forms.store(key, form)
        return form

    def _any_rdata_text(self, rrtype: int, cache: BoundedCache[str], rdata: bytes) -> str:
        """Return the text of an rdata without compressed names, and remember it if its type is worth that."""
        names: NameMemo = {}
        values = unpack_rdata(rrtype, rdata, 0, len(rdata), names)
        # A pointer counts from the start of the message, and here from that of the rdata.
        if any(pointers for _, _, pointers, _, _ in names.values()):
            raise WalkError("pointer in rdata of an unusual type")
        return cache.store(rdata, self.rdata(rrtype, values))


def _check_text(text: str, wire: bytes) -> None:
    """Check that an escaped text is surely not too long. For any other the exact parser decides.

    Raises: WalkError.
    """
    if len(text) > max_text(len(wire)):
        raise WalkError("long text")
