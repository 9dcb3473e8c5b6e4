"""Readers of DNS messages for the catalogue: the question, and values of messages that parse to their end.

For any message dnstap.dns is the exact reader; before it come fast ones for usual messages, which take only what they
have proved. No bytes raise an error here: a value that is absent or does not parse is None.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from dnstap.dns.addresses import V4_MAPPED
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.cached_questions import CheckedQuestions
from dnstap.dns.edns import ClientSubnet, Option, unpack_options
from dnstap.dns.escapes import raw_text
from dnstap.dns.limits import MAX_MESSAGE
from dnstap.dns.message import Question, Record, unpack, unpack_question
from dnstap.dns.names import name_octets, unpack_name
from dnstap.dns.text import extended_rcode, last_opt
from dnstap.dns.walker import HEADER_SIZE, WalkError, is_plain_name
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Edns",
    "Outcome",
    "QuestionValues",
    "Questions",
    "edns_reader",
    "outcome_reader",
    "question_reader",
    "read_error",
    "zone_reader",
]

NSID, CLIENT_SUBNET, COOKIE, KEEPALIVE, PADDING, EXTENDED_ERROR = 3, 8, 10, 11, 12, 15
"""Codes of options."""

QuestionValues = tuple[bytes | None, int | None, int | None, bytes | None]
"""The name in wire format and in lower case, the type, the class, and the name as it came, without pointers."""

Outcome = tuple[int | None, int | Record | None]
"""The rcode with the upper bits of EDNS (RFC 6891, 6.1.3), and the OPT record, as the offset of its type where it was
not parsed. The rcode is None if a part of the message does not parse."""


class Edns(NamedTuple):
    """Values of the OPT record, None where there is none.

    Attributes:
        options: codes of all options, in their order; None without any.
        subnet: network of the client: bytes of its addresses, host bits, the other bits as a number.
        scope: prefix length of the network that an answer is for.
        errors, error_texts: info codes of extended errors, and their texts that are not empty; None without any.
        nsid: None if it is empty, as in a query.
        cookie: whether there is one.
        client_cookie, server_cookie: its two parts; None for one that is not there.
        keepalive: time that a connection may be idle, in nanoseconds; 0 in a query.
        padding: octets of padding.
    """

    version: int | None = None
    do: bool | None = None
    udp_size: int | None = None
    options: tuple[int, ...] | None = None
    subnet: tuple[int, int, int] | None = None
    scope: int | None = None
    errors: tuple[int, ...] | None = None
    error_texts: tuple[str, ...] | None = None
    nsid: bytes | None = None
    cookie: bool | None = None
    client_cookie: bytes | None = None
    server_cookie: bytes | None = None
    keepalive: int | None = None
    padding: int | None = None


_NO_EDNS = Edns()

_NO_QUESTION: QuestionValues = (None, None, None, None)
_NO_OUTCOME: Outcome = (None, None)


class Questions(CheckedQuestions[QuestionValues]):
    """The first questions of the messages of one stream, which `question_reader` and `outcome_reader` may share."""

    def make(self, octets: bytes) -> QuestionValues:
        name = octets[:-4]
        if not is_plain_name(name):
            raise WalkError("not a name without a pointer")
        return self.known.store(octets, _question(name, *_type_and_class(octets[-4:])))

    def make_exact(self, question: Question) -> QuestionValues:
        return _question(name_octets(question.name), question.rrtype, question.rrclass)


_type_and_class = struct.Struct(">HH").unpack


def question_reader(questions: Questions | None = None) -> Callable[[bytes | None], QuestionValues]:
    """Return a function from a DNS message to its first question. It remembers the questions that it has seen."""
    questions = questions or Questions()
    known, make, make_exact = questions.known, questions.make, questions.make_exact

    def read(wire: bytes | None) -> QuestionValues:
        if wire is None:
            return _NO_QUESTION
        # A name that is complete and without a pointer, its type and its class mean the same in each message.
        key = wire[HEADER_SIZE : wire.find(b"\0", HEADER_SIZE) + 5]
        question = known.get(key)
        if question is None:
            try:
                question = make(key)
            except WalkError:
                return exact(wire)
        # Both bytes of the number of questions, the one that is usually not zero first.
        return question if (wire[5] or wire[4]) and len(wire) <= MAX_MESSAGE else _NO_QUESTION

    def exact(wire: bytes) -> QuestionValues:
        try:
            question = unpack_question(wire)
        except DnsMessageError:
            question = None
        return make_exact(question) if question else _NO_QUESTION

    return read


def _question(name: bytes, rrtype: int, rrclass: int) -> QuestionValues:
    lower = name.lower()
    # One object for both where they are equal, as most are: the values are remembered.
    return lower, rrtype, rrclass, lower if name == lower else name


def outcome_reader(questions: Questions | None = None) -> Callable[[bytes | None], Outcome]:
    """Return a function from a DNS message to its rcode and OPT record, if all of it parses."""
    questions = questions or Questions()
    check = questions.read

    def read(wire: bytes | None) -> Outcome:
        if wire is None:
            return _NO_OUTCOME
        unusual = questions.unusual
        question = check(wire)
        if questions.unusual == unusual:
            opt = questions.opt
            # The first byte of the TTL has the upper bits (RFC 6891, 6.1.3).
            return wire[3] & 15 | (0 if opt is None else wire[opt + 4] << 4), opt
        # No question is found only if the exact reader has refused the message: it need not be asked again.
        if question is None and len(wire) > HEADER_SIZE and (wire[5] or wire[4]):
            return _NO_OUTCOME
        try:
            message = unpack(wire)
        except DnsMessageError:
            return _NO_OUTCOME
        last = last_opt(message)
        return extended_rcode(message.flags, last), last

    return read


_class_ttl_length = struct.Struct(">HIH").unpack_from


def edns_reader() -> Callable[[bytes | None, Outcome], Edns]:
    """Return a function from a DNS message and its outcome to the values of its OPT record."""
    known: BoundedCache[Edns] = BoundedCache(4096)

    def read(wire: bytes | None, outcome: Outcome) -> Edns:
        opt = outcome[1]
        if opt is None or wire is None:
            return _NO_EDNS
        if isinstance(opt, Record):
            return _edns(opt.rrclass, opt.ttl, opt.rdata[0])
        # After the type, of two bytes.
        start = opt + 10
        rrclass, ttl, length = _class_ttl_length(wire, opt + 2)
        key = wire[opt + 2 : start + length]
        return known.get(key) or known.store(key, _edns(rrclass, ttl, unpack_options(wire, start, start + length)[0]))

    return read


def _edns(udp_size: int, ttl: int, options: tuple[Option, ...]) -> Edns:
    """Return the values of an OPT record, which has version and flags in its TTL (RFC 6891, 6.1.3).

    Of options that may be there only once, the first counts.
    """
    values = dict(reversed(options))
    errors = [option.value for option in options if option.code == EXTENDED_ERROR]
    subnet = values.get(CLIENT_SUBNET)
    cookie = values.get(COOKIE, b"")
    keepalive = values.get(KEEPALIVE)
    padding = values.get(PADDING)
    return Edns(
        ttl >> 16 & 255,
        bool(ttl & 0x8000),
        udp_size,
        tuple([option.code for option in options]) or None,
        None if subnet is None else _subnet(subnet),
        None if subnet is None else subnet.scope_prefix,
        tuple([error.info_code for error in errors]) or None,
        tuple([raw_text(error.text) for error in errors if error.text]) or None,
        values.get(NSID) or None,
        COOKIE in values,
        # The client's part always has 8 bytes (RFC 7873).
        cookie[:8] or None,
        cookie[8:] or None,
        # In units of 100 ms (RFC 7828).
        None if keepalive is None else keepalive * 100_000_000,
        None if padding is None else len(padding),
    )


def _subnet(subnet: ClientSubnet) -> tuple[int, int, int]:
    """Return a network; IPv4 mapped into IPv6 is IPv4, as it is in filters."""
    address = subnet.address
    shift = 8 * len(address) - subnet.source_prefix
    if address.startswith(V4_MAPPED) and shift <= 32:
        address = address[12:]
    return len(address), shift, int.from_bytes(address, "big") >> shift


def read_error(wire: bytes) -> bytes | None:
    """Return why a message does not parse, None if it does."""
    try:
        unpack(wire)
    except DnsMessageError as error:
        return str(error).encode()
    return None


def zone_reader() -> Callable[[bytes | None], tuple[bytes | None, bytes | None]]:
    """Return a function from a query_zone to the name in wire format, in lower case and as it came.

    Both are None if it does not parse.
    """
    known: BoundedCache[tuple[bytes | None, bytes | None]] = BoundedCache(4096)

    def read(query_zone: bytes | None) -> tuple[bytes | None, bytes | None]:
        if query_zone is None:
            return None, None
        names = known.get(query_zone)
        if names is None:
            try:
                name = name_octets(unpack_name(query_zone, 0, len(query_zone))[0])
            except DnsMessageError:
                names = None, None
            else:
                names = name.lower(), name
            known.store(query_zone, names)
        return names

    return read
