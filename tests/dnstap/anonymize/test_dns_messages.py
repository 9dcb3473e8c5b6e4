"""Addresses inside DNS messages."""

from __future__ import annotations

import struct

import pytest

from dnstap import truncate
from dnstap.anonymize.dns_messages import DnsMessageAnonymizer
from tests.made_messages import captured_messages

QUESTION = b"\7example\3org\0\0\1\0\1"
OWNER = b"\xc0\x0c"
HIDDEN = bytes.fromhex("c0000263")  # 192.0.2.99
HIDDEN6 = bytes.fromhex("20010db8ffffffffffffffffffffff99")


def message(*sections: list[bytes], question: bytes = QUESTION, tail: bytes = b"") -> bytes:
    """Return a message with records in the answer, authority and additional sections."""
    counts = [len(section) for section in sections] + [0] * (3 - len(sections))
    header = struct.pack(">6H", 7, 0x8180, bool(question), *counts)
    return header + question + b"".join([record for section in sections for record in section]) + tail


def record(rrtype: int, rdata: bytes, owner: bytes = OWNER, rrclass: int = 1, length: int | None = None) -> bytes:
    return owner + struct.pack(">HHIH", rrtype, rrclass, 300, len(rdata) if length is None else length) + rdata


def opt(*options: tuple[int, bytes], owner: bytes = b"\0") -> bytes:
    return record(41, b"".join([struct.pack(">HH", code, len(data)) + data for code, data in options]), owner, 1232)


def subnet(family: int, source: int, octets: bytes, scope: int = 0) -> tuple[int, bytes]:
    return 8, struct.pack(">HBB", family, source, scope) + octets


COOKIE = (10, b"\0\x08\0\x08\0\1\x18\0")


def anonymized(wire: bytes, *, answers: bool = False) -> bytes:
    """Truncate addresses to 24 and 48 bits, and assert that nothing is cut."""
    anonymizer = DnsMessageAnonymizer(truncate(), answers=answers)
    new = anonymizer.anonymize(wire)
    assert anonymizer.cut == 0
    assert len(new) == len(wire)
    return new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (subnet(1, 32, HIDDEN, 24), subnet(1, 32, HIDDEN[:3] + b"\0", 24)),
        (subnet(1, 24, HIDDEN[:3]), subnet(1, 24, HIDDEN[:3])),
        (subnet(1, 23, HIDDEN[:3]), subnet(1, 23, HIDDEN[:3])),
        (subnet(1, 8, HIDDEN[:1]), subnet(1, 8, HIDDEN[:1])),
        (subnet(1, 28, b"\xc0\0\2\x60"), subnet(1, 28, b"\xc0\0\2\0")),
        # Bits beyond the prefix should be zero, and are from now on.
        (subnet(1, 23, b"\xc0\0\3"), subnet(1, 23, b"\xc0\0\2")),
        (subnet(2, 56, HIDDEN6[:7]), subnet(2, 56, HIDDEN6[:6] + b"\0")),
        (subnet(2, 128, HIDDEN6), subnet(2, 128, HIDDEN6[:6] + bytes(10))),
        (subnet(1, 0, b""), subnet(1, 0, b"")),
        (subnet(0, 0, b""), subnet(0, 0, b"")),
        # Not as RFC 7871 has it: too many octets for the prefix, families that are none.
        (subnet(1, 24, HIDDEN), subnet(1, 24, bytes(4))),
        (subnet(1, 40, HIDDEN6[:5]), subnet(1, 40, bytes(5))),
        (subnet(0, 0, HIDDEN), subnet(0, 0, bytes(4))),
        (subnet(3, 32, HIDDEN), subnet(3, 32, bytes(4))),
        (subnet(256, 32, HIDDEN), subnet(256, 32, bytes(4))),
    ],
)
def test_client_subnet(before: tuple[int, bytes], after: tuple[int, bytes]) -> None:
    for place in range(3):
        for behind in ([], [record(1, HIDDEN), record(16, b"\0\x08\0\1")]):
            for around in ([], [COOKIE]):
                wire = message(*[[]] * place, [opt(*around, before, *around, before), *behind])
                assert anonymized(wire) == message(*[[]] * place, [opt(*around, after, *around, after), *behind])
    # Where an OPT record does not belong, and under a name.
    old, new = (message([opt(it, owner=OWNER), opt(it)], [opt(it, owner=b"\1a\0")]) for it in (before, after))
    assert anonymized(old) == new
    assert anonymized(message([], [], [opt(before)], question=b"")) == message([], [], [opt(after)], question=b"")


ANSWERS = [record(1, HIDDEN), record(28, HIDDEN6), record(5, b"\1a\xc0\x0c"), record(16, b"\4" + HIDDEN)]
OTHERS = [record(1, HIDDEN[:3] + b"\0"), record(28, HIDDEN6[:6] + bytes(10)), *ANSWERS[2:]]


def test_answers_only_on_request() -> None:
    wire = message(ANSWERS, ANSWERS, [*ANSWERS, opt(COOKIE)])
    assert anonymized(wire) == wire
    assert anonymized(wire, answers=True) == message(OTHERS, OTHERS, [*OTHERS, opt(COOKIE)])


def test_classes() -> None:
    # An UPDATE deletes by class NONE, and names what must exist by ANY and no data.
    wire = message([record(1, b"", rrclass=255)], [record(1, HIDDEN, rrclass=254)])
    expected = message([record(1, b"", rrclass=255)], [record(1, HIDDEN[:3] + b"\0", rrclass=254)])
    assert anonymized(wire, answers=True) == expected
    # CHAOS has a name and an address of 16 bits in A; of 4 octets it may be an IPv4 address.
    rdata = {HIDDEN: HIDDEN[:3] + b"\0", b"\xc0\x0c\1\2": b"\xc0\x0c\1\0", b"\1a\xc0\x0c\1\2": b"\1a\xc0\x0c\0\0"}
    for before, after in rdata.items():
        wire = message([record(1, before, rrclass=3)])
        assert anonymized(wire) == wire
        assert anonymized(wire, answers=True) == message([record(1, after, rrclass=3)])


def params(v4: bytes, v6: bytes) -> bytes:
    # The last, dohpath, holds no address.
    pairs = (1, b"\2h2"), (3, b"\1\xbb"), (4, v4), (6, v6), (7, HIDDEN)
    return b"".join([struct.pack(">HH", key, len(value)) + value for key, value in pairs if value])


@pytest.mark.parametrize("rrtype", [64, 65])
@pytest.mark.parametrize("target", [b"\0", b"\3svc\7example\0"])
def test_hints(rrtype: int, target: bytes) -> None:
    head = b"\0\1" + target
    old = record(rrtype, head + params(HIDDEN * 2, HIDDEN6))
    new = record(rrtype, head + params((HIDDEN[:3] + b"\0") * 2, HIDDEN6[:6] + bytes(10)))
    assert anonymized(message([old]), answers=True) == message([new])
    alias = message([record(rrtype, b"\0\0" + target)])
    assert anonymized(alias, answers=True) == alias


OPTION = b"\0\x08\0\x08\0\1\x20\0" + HIDDEN
SUBNET = record(41, OPTION, b"\0", 1232)
LONG = b"".join([b"\x3f" + letter * 63 for letter in (b"a", b"b", b"c", b"d")])
KEPT = message()
HEADER = KEPT[:4] + bytes(8)


@pytest.mark.parametrize(
    ("wire", "kept"),
    [
        (message([SUBNET], tail=b"x"), KEPT),
        (message([SUBNET])[:-1], KEPT),
        (message([opt((10, b"x"), subnet(1, 32, HIDDEN))[:-5] + b"\0"]), KEPT),
        # Options that end behind their record, or behind the message.
        (message([record(41, b"\0\x08\0\x09\0\1\x20\0" + HIDDEN)]), KEPT),
        (message([record(41, b"\0\x0a\0\1x\0\x08")], tail=b"\0\5" + HIDDEN), KEPT),
        (message([record(41, OPTION, length=9)]), KEPT),
        (message([record(41, OPTION, length=65535)]), KEPT),
        (message([record(41, b"\0\x08\0\x14\0\2\x80\0" + HIDDEN)]), KEPT),
        (message([record(41, b"\0\x08\0\x30\0\1\x20\0" + HIDDEN)]), KEPT),
        (message([record(41, b"\0\x08\xff\xff\0\2\x20\0" + HIDDEN)]), KEPT),
        # Options that are too short for their address, which may follow them.
        (message([opt((8, b""))]), KEPT),
        (message([opt((8, b"\0\1\x18"), (10, HIDDEN))]), KEPT),
        (message([opt(subnet(1, 32, HIDDEN[:3]), COOKIE)]), KEPT),
        (message([opt(subnet(0, 8, b""), COOKIE)]), KEPT),
        (message([record(41, b"\0\x08\0\4\0\1\0\0" + HIDDEN)]), KEPT),
        (message([record(41, b"\0\x08\0\x30\0\3\x20\0" + HIDDEN)]), KEPT),
        (message([record(41, b"\0\x08\x30\0\x40\0\x20\0" + HIDDEN)]), KEPT),
        (message(tail=b"\0\x29\0\x08\0\x30\0\3\x20\0" + bytes(4)), KEPT),
        # Names that are none, a record that is cut off.
        (message([record(41, OPTION, owner=b"\x40")]), KEPT),
        (message([record(41, OPTION, owner=b"\x3f")]), KEPT),
        (message([SUBNET, record(1, b"")[:-1]]), KEPT),
        (message([SUBNET, b"\1"]), KEPT),
        # Two questions, of which the second may be what it is not.
        (struct.pack(">6H", 7, 0x8180, 2, 0, 0, 0) + QUESTION + SUBNET, KEPT),
        (struct.pack(">6H", 7, 0x8180, 65535, 0, 0, 1) + QUESTION + QUESTION + SUBNET, KEPT),
        (struct.pack(">6H", 7, 0x8180, 0, 0, 0, 0) + SUBNET, HEADER),
        # Questions that are none by themselves.
        (message([SUBNET], question=b"\xc0\x13\0\1\0\1\0\1\0", tail=b"x"), HEADER),
        (message(question=b"\x0a" + OPTION + b"\0\x29"), HEADER),
        (message(question=b"\3abc\x80\0\x29" + OPTION), HEADER),
        (message(question=LONG + QUESTION[-5:], tail=SUBNET), HEADER),
        (message(question=b"\x0f\0\x29" + OPTION + b"a\0\0\1\0"), HEADER),
        # Less than a header.
        (b"\0\x29" + OPTION[:9], b""),
    ],
)
def test_what_cannot_be_stepped_over_is_cut(wire: bytes, kept: bytes) -> None:
    for answers in (False, True):
        anonymizer = DnsMessageAnonymizer(truncate(), answers=answers)
        assert anonymizer.anonymize(wire) == kept
        assert anonymizer.cut == 1


@pytest.mark.parametrize(
    "bad",
    [
        record(1, HIDDEN + b"x"),
        record(1, HIDDEN[:3]),
        record(28, HIDDEN),
        record(1, HIDDEN + b"x", rrclass=3),
        record(1, b"", rrclass=3, length=1),
        record(65, b"\0\1\0" + params(HIDDEN[:3], b"")),
        record(65, b"\0\1\0" + params(b"", HIDDEN)),
        record(65, b"\0\1\0\0\4\0\5" + HIDDEN),
        record(65, b"\0\1\0\0\4\0\4" + HIDDEN, length=10),
        record(65, b"\0\1\0\0"),
        record(65, b"\0"),
        record(65, b"\0\1\3abcd", length=6),
    ],
)
def test_answers_that_are_none_are_cut_on_request(bad: bytes) -> None:
    wire = message([bad])
    assert anonymized(wire) == wire
    for tail in ([], [record(16, bytes(8))]):
        anonymizer = DnsMessageAnonymizer(truncate(), answers=True)
        assert anonymizer.anonymize(message([bad, *tail])) == KEPT
        assert anonymizer.cut == 1


@pytest.mark.parametrize(
    "wire",
    [
        # A bare header, with whatever counts; records that are missing at the end.
        b"\0\x29\0\x08" + b"\0\5" * 4,
        struct.pack(">6H", 0x29, 8, 1, 9, 9, 9) + QUESTION,
        struct.pack(">6H", 7, 0x8180, 1, 9, 9, 9) + QUESTION + opt(subnet(1, 24, HIDDEN[:3])),
        message([record(16, b"\0\x08\0\5aaaaa"), record(16, b"\0\x29")], question=b"")[:-14],
        # Without OPT, without option 8, or with 8 as the length of a cookie, however wrong it is.
        struct.pack(">6H", 0x29, 2, 3, 0, 0, 0) + b"garbage",
        struct.pack(">6H", 8, 0x0500, 3, 0, 0, 0) + b"garbage",
        message(tail=b"\0\x29\0\x0a\0\x08\0\4\0\1\0\0"),
        message(tail=b"\0\x29\0\x0a\0\x08\0\4\0\x0a\0\x08"),
        b"",
        b"\0",
    ],
)
def test_where_nothing_can_be(wire: bytes) -> None:
    assert anonymized(wire) == wire


def test_answers_of_what_has_none() -> None:
    for wire in (b"", b"\0\1\x81\x85" + b"\xff" * 8, message([], [], [opt(COOKIE)])):
        assert anonymized(wire, answers=True) == wire


def test_captured_messages_stay_as_long() -> None:
    for answers in (False, True):
        anonymizer = DnsMessageAnonymizer(lambda address: bytes(len(address)), answers=answers)
        lengths = [(len(wire), len(anonymizer.anonymize(wire)), anonymizer.cut) for wire in captured_messages()]
        whole = [before == after for before, after, _ in lengths]
        assert 0 < anonymizer.cut < len(lengths) / 20
        assert whole.count(False) <= anonymizer.cut


def test_longer_than_any_message() -> None:
    anonymizer = DnsMessageAnonymizer(truncate(), answers=False)
    wire = message()
    assert anonymizer.anonymize(wire.ljust(65_535, b"\0")) == wire.ljust(65_535, b"\0")
    assert anonymizer.anonymize(wire.ljust(65_536, b"\0")) == wire
    assert anonymizer.cut == 1
