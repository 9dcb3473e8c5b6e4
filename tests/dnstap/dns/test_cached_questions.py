"""dnstap.dns.cached_questions: the cache gives the same as unpack(wire) for any octets."""

from __future__ import annotations

import struct

import pytest

from dnstap._learning import Credit
from dnstap.dns import class_text, type_text
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.message import unpack
from dnstap.errors import DnsMessageError
from tests.dnstap.dns.test_cached_texts import EXAMPLE, IN_A, IN_NAME, message, opt, record
from tests.made_messages import Generator, captured_messages
from tests.wait import least_processor_s


def exact(wire: bytes) -> str | None:
    """Return the text that the cache must give."""
    try:
        found = unpack(wire).questions
    except DnsMessageError:
        return None
    return f'"{found[0].name}" {class_text(found[0].rrclass)} {type_text(found[0].rrtype)}' if found else None


def check(*wires: bytes, usual: bool = True) -> None:
    """Compare each message twice, and assert that either none or all of them are left to the exact parser."""
    fast = CachedQuestions()
    for wire in wires * 2:
        assert fast.read(wire) == exact(wire)
    assert fast.unusual == (0 if usual else 2 * len(wires))


def test_captures() -> None:
    fast = CachedQuestions()
    wires = captured_messages()
    for wire in wires * 2:
        assert fast.read(wire) == exact(wire)
    # There are many kinds of damage among them.
    assert fast.unusual < 0.2 * 2 * len(wires)


@pytest.mark.parametrize("seed", range(4))
def test_made_messages(seed: int) -> None:
    """Use the default limits, and small ones with little credit."""
    credit = Credit(limit=20, rest=9, max_rest=9, refill=2)
    fast = CachedQuestions(credit=credit, max_tails=3, max_tail_octets=60) if seed % 2 else CachedQuestions()
    generator = Generator(seed + 100)
    wires = [generator.dns_message() for _ in range(1500)]
    for wire in [*wires, *wires[::-1]]:
        assert fast.read(wire) == exact(wire), wire.hex()


def test_usual_messages() -> None:
    soa = b"\2ns" + IN_NAME + b"\5admin\xc0\x14" + bytes(20)
    cookie = struct.pack(">HH", 10, 8) + b"12345678"
    signature = bytes(18) + b"\3org\0" + b"signature"
    check(
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + EXAMPLE + IN_A,
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(),
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(cookie),
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(struct.pack(">HH", 3, 1) + b"a"),
        message(record(1, b"\1\2\3\4"), record(28, bytes(16)), record(1, b"\1\2\3\4", b"\0")),
        message(
            record(5, b"\1a" + IN_NAME), record(2, b"\2ns\xc0\x14", b"\xc0\x14"), record(12, b"\1a\3org\0", b"\1b\0")
        ),
        message(record(6, soa), record(15, b"\0\5\4mail\xc0\x14"), record(16, b"\2hi"), record(10, b"")),
        message(
            record(46, signature), record(48, b"\1\1\3\x08key"), record(43, b"\0\1\x08\2digest"), record(48, b"\0\1\2")
        ),
        message(record(999, b"\1b\0"), record(1, b"\1\2\3\4", b"\1a\xc0\x29")),
        message(opt(), counts=(1, 0, 0)),
        message(record(2, b"\xc0\x18")),  # the root at the end of the question
    )


def test_names_that_lie_in_the_question_are_checked_for_each() -> None:
    """The octets behind these questions are the same, but in the second no name begins at 20."""
    tail = record(1, b"\1\2\3\4", b"\xc0\x14"), record(1, b"\1\2\3\4")
    good, bad = message(*tail, name=b"\7example\3org\0"), message(*tail, name=b"\x0bexampl\x40\x80org\0")
    fast = CachedQuestions()
    for wire in (good, bad, good, message(*tail, name=b"\7another\3net\0")):
        assert fast.read(wire) == exact(wire)
    assert exact(bad) is None
    assert fast.unusual == 1


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        bytes(12),
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + EXAMPLE + b"\0\1\0",
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\3a\0b\0" + IN_A,
        struct.pack(">6H", 7, 0x100, 0, 0, 0, 0) + EXAMPLE + IN_A,
        struct.pack(">6H", 7, 0x100, 2, 0, 0, 0) + (EXAMPLE + IN_A) * 2,
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A,
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + record(1, b"\1\2\3\4", b"\0"),
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(b"\0\x0a\0\x09"),
        struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + EXAMPLE + IN_A + opt(b"\0\1\0\0\0")[:-1],
        message(record(1, b"\1\2\3")),
        message(record(28, b"\1\2\3")),
        message(record(2, b"\1a\0\0")),
        message(record(6, b"\0\0" + bytes(19))),
        message(record(16, b"\5a")),
        message(record(33, bytes(6) + IN_NAME)),
        message(record(46, bytes(18) + IN_NAME + b"signature")),
        message(record(46, bytes(18) + b"\x3fa" + b"b"), record(46, bytes(60))),
        message(record(1, b"\1\2\3\4", b"\xc0\x0d")),
        message(record(1, b"\1\2\3\4", b"\xc0\x05")),
        message(record(1, b"\1\2\3\4", b"\1a\xc0\x19")),
        message(record(1, b"\1\2\3\4", b"\x80")),
        message(record(16, b"\0"), record(2, b"\xc0\x29"), record(2, b"\xc0\x36")),  # a pointer to a pointer
        message(record(1, b"\1\2\3\4"), record(1, b"\1\2\3\4", b"\xc0\x19"), record(2, b"\xc0\x19")),
        message(record(1, b"\1\2\3\4"), counts=(2, 0, 0)),
        message(record(1, b"\1\2\3\4"))[:-1],
        message(record(1, b"\1\2\3\4"))[:-9],
        message(record(2, (b"\x3f" + b"a" * 63) * 3 + b"\x37" + b"b" * 55 + IN_NAME)),
        message(record(2, (b"\x3f" + b"a" * 63) * 3 + b"\x3f" + b"b" * 63 + b"\0")),
    ],
)
def test_unusual_messages(wire: bytes) -> None:
    check(wire, usual=False)


def test_names_that_begin_in_each_other() -> None:
    start = len(message()) + 12
    for length, usual in ((10, True), (40, False), (4000, False)):
        chain = b"\0" + b"".join(
            b"\1a" + struct.pack(">H", 0xC000 | (start + max(0, 4 * number - 3))) for number in range(length)
        )
        last = struct.pack(">H", 0xC000 | min(start + 4 * length - 3, 0x3FFF))
        fast = CachedQuestions()
        wire = message(record(999, chain), record(1, b"\1\2\3\4", last))
        assert fast.read(wire) == exact(wire)
        assert fast.unusual == (not usual)


@pytest.mark.parametrize(
    "body",
    [
        record(1, b"\1\2\3\4") * 4000,
        b"".join(record(16, struct.pack(">BI", 4, number)) for number in range(3000)),
        b"".join(record(2, b"\1a\xc0\x0c", struct.pack(">H", 0xC000 | 12 + number % 8)) for number in range(3500)),
        record(55, b"\0\0\0\0" + IN_NAME * 30_000),
        record(46, bytes(18) + (b"\x3f" + b"a" * 63) * 1000),
    ],
    ids=["addresses", "texts", "names", "pointers", "labels"],
)
def test_large_messages_take_no_more_than_the_exact_way(body: bytes) -> None:
    wire = struct.pack(">6H", 7, 0x8180, 1, 65535, 0, 0) + EXAMPLE + IN_A + body
    assert len(wire) < 65536
    assert CachedQuestions().read(wire) == exact(wire)
    limit = 3 * least_processor_s(lambda: exact(wire)) + 0.1
    assert least_processor_s(lambda: CachedQuestions().read(wire)) < limit
