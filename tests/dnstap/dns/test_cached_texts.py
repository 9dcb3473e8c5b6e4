"""dnstap.dns.cached_texts: the cache gives the same as message_text(unpack(wire)) for any octets."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from dnstap._learning import Credit
from dnstap.dns.cached_texts import CachedTexts
from dnstap.dns.message import unpack
from dnstap.dns.text import message_text
from dnstap.errors import DnsMessageError
from tests.made_messages import Generator, captured_messages
from tests.wait import least_processor_s

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = b"\7example\3org\0"
IN_A = struct.pack(">HH", 1, 1)
IN_NAME = b"\xc0\x0c"


def indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def exact(wire: bytes) -> str:
    """Return the text that the cache must give, or the error."""
    try:
        return indented(message_text(unpack(wire), len(wire))[:-1])
    except DnsMessageError as error:
        return f"error: {error}"


def text_or_error(text: Callable[[bytes], str], wire: bytes) -> str:
    try:
        return text(wire)
    except DnsMessageError as error:
        return f"error: {error}"


def message(*records: bytes, name: bytes = EXAMPLE, counts: tuple[int, int, int] | None = None) -> bytes:
    """An answer with these records."""
    return struct.pack(">6H", 7, 0x8180, 1, *(counts or (len(records), 0, 0))) + name + IN_A + b"".join(records)


def record(rrtype: int, rdata: bytes, owner: bytes = IN_NAME, ttl: int = 300) -> bytes:
    return owner + struct.pack(">HHIH", rrtype, 1, ttl, len(rdata)) + rdata


def opt(options: bytes = b"", ttl: int = 0) -> bytes:
    return record(41, options, b"\0", ttl)


def check(*wires: bytes, usual: bool = True, max_tail_octets: int = 1024) -> None:
    """Compare each message twice, and assert that either none or all of them are left to the exact parser."""
    texts = CachedTexts(indented, max_tail_octets=max_tail_octets)
    for wire in wires * 2:
        assert text_or_error(texts.text, wire) == exact(wire)
    assert texts.unusual == (0 if usual else 2 * len(wires))


def test_captures() -> None:
    texts = CachedTexts(indented)
    wires = captured_messages()
    for wire in wires * 2:
        assert text_or_error(texts.text, wire) == exact(wire)
    # There are many kinds of damage among them.
    assert texts.unusual < 0.2 * 2 * len(wires)


@pytest.mark.parametrize("seed", range(4))
def test_made_messages(seed: int) -> None:
    """Use the default limits, and small ones with little credit."""
    credit = Credit(limit=20, rest=9, max_rest=9, refill=2)
    texts = CachedTexts(indented, credit=credit, max_tails=3, max_parts=5) if seed % 2 else CachedTexts(indented)
    generator = Generator(seed)
    wires = [generator.dns_message() for _ in range(1500)]
    for wire in [*wires, *wires[::-1]]:
        assert text_or_error(texts.text, wire) == exact(wire), wire.hex()


NS, SOA = b"\2ns" + IN_NAME, struct.pack(">5I", 2024, 1, 2, 3, 4)
COOKIE = struct.pack(">HH", 10, 8) + b"12345678"

USUAL = [
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + EXAMPLE + IN_A,
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(COOKIE),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(COOKIE + struct.pack(">HH", 12, 0)),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt() + b"behind",
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + b"\0" + IN_A + opt(struct.pack(">HH", 3, 2) + b"id"),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + b"\x07.' @;()\0" + IN_A + opt(ttl=0x8000),
    message(record(1, b"\1\2\3\4"), record(28, bytes(15) + b"\1")),
    message(record(5, b"\1a" + IN_NAME), record(1, b"\1\2\3\4", b"\xc0\x29"), opt(), counts=(2, 0, 1)),
    message(record(6, NS + b"\5admin\xc0\x14" + SOA), opt(), counts=(0, 1, 1)),
    message(record(15, b"\0\5\4mail" + IN_NAME), record(16, b"\2hi"), record(2, b"\2ns\3net\0", b"\xc0\x14")),
    message(opt(), record(1, b"\1\2\3\4", b"\2ns" + IN_NAME), counts=(0, 0, 2)),
    message(record(1, b"\1\2\3\4", b"\0"), record(12, b"\1a\0", b"\1b\0"), counts=(0, 0, 2)),
    message(record(2, b"\xc0\x18"), name=EXAMPLE),  # the root at the end of the question
    message(record(2, b"\1a\xc0\x18"), record(2, b"\1b\xc0\x0c", b"\1c\xc0\x14")),
]


def test_usual_messages() -> None:
    check(*USUAL)


def test_names_in_what_is_remembered_are_those_of_the_question() -> None:
    """The octets behind these questions are the same, and lead into the question at its start and in its middle."""
    tail = record(1, b"\1\2\3\4"), record(2, b"\2ns\xc0\x14", b"\xc0\x14"), record(5, b"\1a" + IN_NAME)
    names = [b"\7example\3org\0", b"\7another\3net\0", b"\7~.&<;@ \3a%s\0"]
    check(*[message(*tail, name=name) for name in names])


UNUSUAL = [
    b"",
    bytes(11),
    bytes(12),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + EXAMPLE + b"\0\1\0",
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\3a\0b\0" + IN_A,  # a NUL in a label
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + IN_NAME + b"\0\0\1\0\1",
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\x40" + bytes(70),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0" + IN_A,
    struct.pack(">6H", 7, 0x100, 2, 0, 0, 0) + (EXAMPLE + IN_A) * 2,
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A,  # no record
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt()[:-4],
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(ttl=1 << 24),  # BADVERS
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(b"\0\x0a\0\x09"),
    struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt()[:-2] + b"\0\x09" + b"\0\x0a\0\0",
    message(opt(), opt(), counts=(0, 0, 2)),
    message(opt(), counts=(1, 0, 0)),
    message(opt()[:-2] + b"\0\1", record(1, b"\1\2\3\4"), counts=(0, 0, 2))[:-16],
    message(record(10, b"null")),
    message(record(250, b"")),
    message(record(1, b"\1\2\3")),
    message(record(1, b"")),
    message(record(255, b"")),
    message(record(2, b"\1a\0\0")),
    message(record(15, b"\0\5\1a\0\0")),
    message(record(6, b"\0\0" + bytes(19))),
    message(record(33, bytes(6) + IN_NAME)),  # compressed where it is not usual
    message(record(1, b"\1\2\3\4", b"\xc0\x0d")),  # into a label
    message(record(1, b"\1\2\3\4", b"\xc0\x05")),
    message(record(1, b"\1\2\3\4", b"\xc0\xff")),
    message(record(1, b"\1\2\3\4", b"\xc1\x0c")),
    message(record(1, b"\1\2\3\4", b"\x80")),
    message(record(1, b"\1\2\3\4"), record(1, b"\1\2\3\4", b"\xc0\x19")),  # a pointer to a pointer
    message(record(1, b"\1\2\3\4", b"\1a\xc0\x19")),  # into itself
    message(record(16, b"\0"), record(2, b"\xc0\x29"), record(2, b"\xc0\x36")),  # a pointer to a pointer
    message(record(1, b"\1\2\3\4"), counts=(2, 0, 0)),
    message(record(1, b"\1\2\3\4"))[:-1],
    message(record(1, b"\1\2\3\4"))[:-9],
    message(record(2, (b"\x3f" + b"a" * 63) * 3 + b"\x37" + b"b" * 55 + IN_NAME)),
    message(record(1, b"\1\2\3\4", b"\1a\xc0\x2f"), record(1, b"\1\2\3\4", b"\1b\0")),  # forward
]


@pytest.mark.parametrize("wire", UNUSUAL)
def test_unusual_messages(wire: bytes) -> None:
    check(wire, usual=False)


def test_names_that_begin_in_each_other() -> None:
    """A chain of names in the rdata of a TXT record, each of one label and a pointer to the one before."""
    start = len(message()) + 12
    for length, usual in ((10, True), (40, False), (5000, False)):
        chain = b"\0" + b"".join(
            b"\1%c" % (97 + number % 26) + struct.pack(">H", 0xC000 | (start + max(0, 4 * number - 3)))
            for number in range(length)
        )
        last = struct.pack(">H", 0xC000 | min(start + 4 * length - 3, 0x3FFF))
        texts = CachedTexts(indented)
        wire = message(record(999, chain), record(1, b"\1\2\3\4", last))
        assert text_or_error(texts.text, wire) == exact(wire)
        assert texts.unusual == (not usual)


def test_a_long_tail_is_not_remembered() -> None:
    check(message(record(1, b"\1\2\3\4"), record(1, b"\1\2\3\4")), max_tail_octets=20)


@pytest.mark.parametrize(
    "body",
    [
        record(1, b"\1\2\3\4") * 4000,
        b"".join(record(16, struct.pack(">BI", 4, number)) for number in range(3000)),
        b"".join(record(2, b"\1a\xc0\x0c", struct.pack(">H", 0xC000 | 12 + number % 8)) for number in range(3500)),
        record(999, (b"\x3f" + b"a" * 63) * 900)
        + b"".join(record(1, b"\1\2\3\4", struct.pack(">H", 0xC000 | 100 + 64 * number)) for number in range(200)),
        record(55, b"\0\0\0\0" + IN_NAME * 30_000),
        opt(b"\0\3\0\0" * 15_000),
    ],
    ids=["addresses", "texts", "names", "labels", "pointers", "options"],
)
def test_large_messages_take_no_more_than_the_exact_way(body: bytes) -> None:
    wire = struct.pack(">6H", 7, 0x8180, 1, 65535, 0, 0) + EXAMPLE + IN_A + body
    assert len(wire) < 65536
    assert text_or_error(CachedTexts(indented).text, wire) == exact(wire)
    limit = 3 * least_processor_s(lambda: exact(wire)) + 0.1
    assert least_processor_s(lambda: text_or_error(CachedTexts(indented).text, wire)) < limit


def test_long_texts_are_left_to_the_exact_parser() -> None:
    name = b"".join(bytes([length]) + b"\x1b" * length for length in (63, 63, 63, 56)) + b"\0"
    for alias, count in ((IN_NAME, 4), (IN_NAME, 200), (b"\1a\0", 12), (b"\1a\0", 99)):
        answers = [record(5, alias)] * count
        check(message(*answers, name=name), usual=count < 99, max_tail_octets=1000)
    # DAU: each octet is the name of an algorithm, here NSEC3-SHA1 with 19 characters.
    for length in (1_000, 30_000):
        algorithms = opt(struct.pack(">HH", 5, length) + b"\7" * length)
        check(message(algorithms, counts=(0, 0, 1)), usual=length < 30_000)
