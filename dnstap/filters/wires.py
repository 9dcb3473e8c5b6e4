"""What tests read of DNS messages: the question, and what only a message that parses to its end has.

For each message the exact way is dnstap.dns; before it stand the usual ones, which take only what they have proved. No
octets raise an error here: what is not there or does not parse is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.memo import Memo
from dnstap.dns.message import unpack, unpack_question
from dnstap.dns.names import unpack_name
from dnstap.dns.text import OPT, extended_rcode, last_opt
from dnstap.errors import DnsMessageError
from dnstap.filters.values import MAX_NAME, name_octets

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Asked", "Whole", "name_text", "questions", "under", "wholes", "zones"]

Asked = tuple[bytes | None, int | None, int | None]
"""The name in wire format and in lower case, the type, the class."""

Whole = tuple[int | None, int | None]
"""The rcode with the upper bits of EDNS, and how many answers there are."""

_NO_QUESTION: Asked = (None, None, None)
_BAD: Whole = (None, None)


def questions() -> Callable[[bytes | None], Asked]:
    """The function from a DNS message to its first question, which remembers what it has seen."""
    known: Memo[Asked] = Memo(32768)

    def ask(wire: bytes | None) -> Asked:
        if wire is None:
            return _NO_QUESTION
        # A name that is complete and without a pointer, its type and its class mean the same in each message.
        key = wire[12 : wire.find(b"\0", 12) + 5]
        asked = known.get(key)
        if asked is None:
            name = key[:-4]
            if not _is_name(name):
                return _exact_question(wire)
            asked = known.keep(key, (name.lower(), key[-4] << 8 | key[-3], key[-2] << 8 | key[-1]))
        return asked if wire[5] or wire[4] else _NO_QUESTION

    return ask


def _is_name(octets: bytes) -> bool:
    """Whether these octets are one name without a pointer, and no more."""
    p, last = 0, len(octets) - 1
    while p < last:
        length = octets[p]
        if not 0 < length < 64:
            return False
        p += length + 1
    return p == last < MAX_NAME and not octets[p]


def _exact_question(wire: bytes) -> Asked:
    try:
        question = unpack_question(wire)
    except DnsMessageError:
        question = None
    if question is None:
        return _NO_QUESTION
    return name_octets(question.name), question.rrtype, question.rrclass


def wholes() -> Callable[[bytes | None], Whole]:
    """The function from a DNS message to what is known of it once all of it has been looked at."""
    usual = CachedQuestions()
    prove = usual.text

    def whole(wire: bytes | None) -> Whole:
        if wire is None:
            return _BAD
        unusual = usual.unusual
        prove(wire)
        if usual.unusual == unusual:
            return _skim(wire)
        try:
            message = unpack(wire)
        except DnsMessageError:
            return _BAD
        return extended_rcode(message.flags, last_opt(message)), len(message.answers)

    return whole


def _skim(wire: bytes) -> Whole:
    """Of a message of one question without a pointer, of which every record is there and good."""
    answers = wire[6] << 8 | wire[7]
    rcode = wire[3] & 15
    upper = 0
    additionals = wire[10] << 8 | wire[11]
    if additionals:
        p = wire.find(b"\0", 12) + 5
        before = answers + (wire[8] << 8 | wire[9])
        for number in range(before + additionals):
            while 0 < (length := wire[p]) < 64:
                p += length + 1
            p += 2 if length else 1
            if number >= before and wire[p] << 8 | wire[p + 1] == OPT:
                upper = wire[p + 4]
            p += 10 + (wire[p + 8] << 8 | wire[p + 9])
    return upper << 4 | rcode, answers


def zones() -> Callable[[bytes | None], bytes | None]:
    """The function from a query_zone to the name in wire format and in lower case."""
    known: Memo[bytes | None] = Memo(4096)

    def zone(octets: bytes | None) -> bytes | None:
        if octets is None:
            return None
        try:
            return known[octets]
        except KeyError:
            pass
        try:
            name = name_octets(unpack_name(octets, 0, len(octets))[0])
        except DnsMessageError:
            name = None
        return known.keep(octets, name)

    return zone


def name_text(name: bytes) -> str:
    """A name in wire format as text."""
    return unpack_name(name, 0, len(name))[0]


def under(names: frozenset[bytes]) -> Callable[[bytes], bool]:
    """The function from a name to whether it is one of the names or below one, by whole labels."""

    def is_under(name: bytes) -> bool:
        p = 0
        while name[p:] not in names:
            length = name[p]
            if not length:
                return False
            p += length + 1
        return True

    return is_under
