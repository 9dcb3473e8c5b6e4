"""dnstap.dns.walker: offsets in well-formed messages, and a WalkError for anything else."""

from __future__ import annotations

import struct

import pytest

from dnstap.dns.walker import CompressedNames, WalkError, code_value_pairs, name_end, records
from tests.dnstap.dns.test_cached_texts import EXAMPLE, IN_NAME, message, opt, record

FIRST = len(message())


class Labels(CompressedNames[bytes]):
    """The names of a message without compression, root included."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    def plain(self, wire: bytes, offset: int, end: int) -> bytes:
        return wire[offset:end]

    def joined(self, wire: bytes, offset: int, end: int, tail: bytes) -> bytes:
        return wire[offset:end] + tail


@pytest.mark.parametrize("name", [b"\0", EXAMPLE, b"\x3f" + b"a" * 63 + b"\0", IN_NAME, b"\3www\xff\xff"])
def test_name_end(name: bytes) -> None:
    for after in (b"", b"\0", b"more"):
        assert name_end(b"before" + name + after, 6) == 6 + len(name)


@pytest.mark.parametrize("name", [b"", b"\3www", b"\3ww", b"\xc0", b"\3www\xc0", b"\x40" + bytes(80), b"\1a\xbf\0"])
def test_no_name_end(name: bytes) -> None:
    with pytest.raises(WalkError):
        name_end(b"before" + name, 6)


def test_records() -> None:
    wire = message(record(1, b"\1\2\3\4"), record(16, b"\2hi", EXAMPLE, 5), record(5, b"\0", b"\1a" + IN_NAME), opt())
    found = list(records(wire, FIRST, 4))
    assert [(rrtype, rrclass) for rrtype, rrclass, _, _ in found] == [(1, 1), (16, 1), (5, 1), (41, 1)]
    assert [wire[start:end] for _, _, start, end in found] == [b"\1\2\3\4", b"\2hi", b"\0", b""]
    assert found[-1][3] == len(wire)
    assert list(records(wire, FIRST, 2)) == found[:2]


def test_records_missing_at_the_end() -> None:
    wire = message(record(1, b"\1\2\3\4"), counts=(9, 0, 0))
    assert list(records(wire, FIRST, 9)) == [(1, 1, len(wire) - 4, len(wire))]


@pytest.mark.parametrize(
    "tail",
    [
        record(1, b"\1\2\3\4")[:-1],
        record(1, b"")[:-1],
        record(1, b"", b"\xc0")[:1],
        record(1, b"", b"\3ww")[:3],
        record(1, b"", b"\x80"),
    ],
)
def test_a_record_that_ends_after_the_message(tail: bytes) -> None:
    wire = message(record(1, b"\1\2\3\4"), tail)
    walk = records(wire, FIRST, 2)
    next(walk)
    with pytest.raises(WalkError):
        next(walk)


def test_records_after_the_message() -> None:
    with pytest.raises(WalkError):
        next(records(bytes(12), 13, 1))


def test_pairs() -> None:
    pairs = struct.pack(">HH", 10, 2) + b"ab" + struct.pack(">HH", 8, 0)
    assert list(code_value_pairs(b"x" + pairs, 1, 1 + len(pairs))) == [(10, 5, 7), (8, 11, 11)]
    assert list(code_value_pairs(b"x", 1, 1)) == []


@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_pair_that_ends_after_the_rdata(length: int) -> None:
    wire = struct.pack(">HH", 10, 2) + b"abcd"
    with pytest.raises(WalkError):
        list(code_value_pairs(wire, 0, length))


def test_compressed_names() -> None:
    wire = b"\3org\0\7example\xc0\0\3www\xc0\5\xc0\5"
    names = Labels()
    assert [names.read(wire, offset) for offset in (0, 5, 15, 21)] == [5, 15, 21, 23]
    assert names == {
        0: b"\3org\0",
        5: b"\7example\3org\0",
        15: b"\3www\7example\3org\0",
        21: b"\7example\3org\0",
    }


def test_names_that_only_pointers_lead_to() -> None:
    wire = b"\3org\0\7example\xc0\0\3www\xc0\5"
    names = Labels()
    assert names.read(wire, 15) == 21
    assert names[15] == b"\3www\7example\3org\0"
    assert names.follow(wire, 15, 21) == names[15]


@pytest.mark.parametrize(
    ("wire", "offset"),
    [
        pytest.param(b"\1a\0\1b\xc0\3", 3, id="itself"),
        pytest.param(b"\xc0\2\1a\0", 0, id="forward"),
        pytest.param(b"\1a\xc0\4\1b\xc0\0", 4, id="circle"),
        pytest.param(b"\1a\0\xc0\0\xc0\3", 5, id="pointer to a pointer"),
        pytest.param(b"\3ab\xc0\1\0", 3, id="overlap"),
        pytest.param(b"\1a\x80\0", 0, id="length octet"),
    ],
)
def test_unusual_names(wire: bytes, offset: int) -> None:
    with pytest.raises(WalkError):
        Labels().read(wire, offset)


def test_pointers_lead_to_known_names_or_after_the_first_offset() -> None:
    wire = b"\1a\0\1b\0\1c\xc0\0"
    with pytest.raises(WalkError):
        Labels(3).read(wire, 6)
    names = Labels(3)
    names[0] = b"\1z\0"
    names.read(wire, 6)
    assert names[6] == b"\1c\1z\0"


def test_recursion_is_bounded() -> None:
    chain = b"\0" + b"".join(b"\1a" + struct.pack(">H", 0xC000 | max(0, 4 * number - 3)) for number in range(500))
    with pytest.raises(WalkError):
        Labels().read(chain, 4 * 499 + 1)
    # One after the other, each is known when the next is read.
    names = Labels()
    for number in range(500):
        names.read(chain, 4 * number + 1)
    assert len(names[4 * 499 + 1]) == 1001
