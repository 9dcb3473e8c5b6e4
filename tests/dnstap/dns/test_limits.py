"""dnstap.dns.limits: lengths on both sides of each limit."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from dnstap import FORMATS, Anonymizer, Dnstap, DnstapType, Message, MessageType, compile_filter, truncate
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.cached_texts import CachedTexts
from dnstap.dns.limits import MAX_MESSAGE, TextBudget, check_length, max_text
from dnstap.dns.message import unpack, unpack_question
from dnstap.dns.text import message_text
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = struct.pack(">6H", 7, 0x8180, 1, 0, 0, 0)
LONGEST_NAME = b"".join(bytes([length]) + b"\x1b" * length for length in (63, 63, 63, 56)) + b"\0"
"""A name of 250 octets, of which the text has 984 characters."""
IN_A = b"\0\1\0\1"
POINTER = b"\xc0\x0c"


def record(rrtype: int, rdata: bytes) -> bytes:
    return POINTER + struct.pack(">HHIH", rrtype, 1, 0, len(rdata)) + rdata


def answers(part: bytes, count: int) -> bytes:
    """Return a response to a question of the longest name, with the same answer again and again."""
    return HEADER[:6] + struct.pack(">3H", count, 0, 0) + LONGEST_NAME + IN_A + part * count


def as_dnstap(wire: bytes) -> Dnstap:
    message = Message(MessageType.CLIENT_RESPONSE, response_message=wire)
    return Dnstap(message=message, type=DnstapType.MESSAGE)


def raises(function: Callable[[bytes], object], wire: bytes) -> bool:
    try:
        function(wire)
    except DnsMessageError:
        return True
    return False


OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0)
BODIES = {
    "a question": HEADER + b"\1a\0" + IN_A,
    "an OPT record": HEADER[:10] + b"\0\1" + b"\1a\0" + IN_A + OPT,
    "an answer": HEADER[:6] + b"\0\1\0\0\0\0" + b"\1a\0" + IN_A + record(1, bytes(4)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_message_is_longer_than_65535_octets(body: bytes) -> None:
    longest = body.ljust(65_535, b"\xff")
    # More than one of each, so that the second is looked up where the first was remembered.
    readers: list[Callable[[bytes], object]] = [unpack, unpack_question, CachedTexts(str).text]
    for _ in range(2):
        assert [raises(read, longest) for read in readers] == [False, False, False]
        assert [raises(read, longest + b"\xff") for read in readers] == [True, True, True]
    text = CachedQuestions().read
    assert [text(longest), text(longest + b"\xff"), text(longest)] == ['"a." IN A', None, '"a." IN A']


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_longer_one_does_not_parse_anywhere(body: bytes) -> None:
    longest, longer = as_dnstap(body.ljust(65_535, b"\0")), as_dnstap(body.ljust(65_536, b"\0"))
    for expression in ("qname = a", "rcode = NOERROR"):
        assert compile_filter(expression).select([bytes(longest), bytes(longer)]) == [bytes(longest)]
    anonymizer = Anonymizer(truncate())
    assert anonymizer([bytes(longest), bytes(longer)])[0] == bytes(longest)
    cut = anonymizer.anonymize(longer).message
    assert cut is not None
    assert cut.response_message == HEADER + b"\1a\0" + IN_A
    assert anonymizer.cut == 2
    assert '"response_message":"parse failed: dns: expected at most 65535 octets' in FORMATS["json"](longer)
    assert FORMATS["quiet"](longer).endswith(" X \n")


def test_length() -> None:
    check_length(bytes(MAX_MESSAGE))
    with pytest.raises(DnsMessageError, match="expected at most 65535 octets, got 65536"):
        check_length(bytes(MAX_MESSAGE + 1))


def test_budget() -> None:
    take = TextBudget(0).take
    assert take("x" * 8_191) + take("") + take("y") == "x" * 8_191 + "y"
    with pytest.raises(DnsMessageError, match="expected a text of at most 8192 characters, got more"):
        take("z")
    assert max_text(100) == 8_192 + 1_600
    assert TextBudget().take("x" * max_text(MAX_MESSAGE))


LONG_TEXTS = {
    "records of two names": answers(record(14, POINTER * 2), 1_000),
    "records of one name": answers(record(5, POINTER), 1_000),
    "records of one name, in a short message": answers(record(5, POINTER), 20),
    "many names in one record": answers(record(55, bytes(4) + POINTER * 30_000), 1),
    "many questions": struct.pack(">6H", 7, 0x8180, 9_000, 0, 0, 0) + LONGEST_NAME + IN_A + (POINTER + IN_A) * 8_999,
    "bitmaps": answers(record(47, b"\0" + b"".join(bytes([window, 32]) + b"\xff" * 32 for window in range(256))), 1),
    "options": HEADER[:10]
    + b"\0\1\1a\0"
    + IN_A
    + b"\0"
    + struct.pack(">HHIHHH", 41, 1, 0, 65_000, 5, 64_996)
    # DAU: each octet is the name of an algorithm.
    + b"\7" * 64_996,
}


@pytest.mark.parametrize("wire", LONG_TEXTS.values(), ids=LONG_TEXTS)
def test_texts_that_are_too_long(wire: bytes) -> None:
    assert len(wire) <= MAX_MESSAGE
    assert raises(lambda wire: message_text(unpack(wire), len(wire)), wire)
    assert raises(CachedTexts(str).text, wire)
    message = as_dnstap(wire)
    for name in FORMATS:
        tracemalloc.start()
        text = FORMATS[name](message)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # json-full and yaml-full show the octets of the message, and those of the options twice.
        assert len(text) < 20_000 + 4 * len(wire)
        assert peak < 2**26, f"{name}: {peak}"


def test_the_last_text_that_is_not_too_long() -> None:
    """The limit does not depend on how the text is made, nor on the messages before."""
    texts = CachedTexts(str)
    shown = []
    for count in range(1, 40):
        wire = answers(record(5, POINTER), count)
        too_long = raises(lambda wire: message_text(unpack(wire), len(wire)), wire)
        # The same answers, after a shorter question, are remembered before, and put together with this name.
        texts.text(HEADER[:6] + struct.pack(">3H", count, 0, 0) + b"\1a\0" + IN_A + record(5, POINTER) * count)
        assert raises(texts.text, wire) == too_long
        shown.append(not too_long)
    assert shown == sorted(shown, reverse=True)
    assert {True, False} == set(shown)
