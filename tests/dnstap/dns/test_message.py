"""dnstap.dns.message: whole messages, their tolerance and their limits."""

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from dnstap.dns.edns import Option
from dnstap.dns.message import DnsMessage, Question, Record, unpack, unpack_question
from dnstap.errors import DnsMessageError

QUESTION = b"\7example\3net\0" + struct.pack(">HH", 1, 1)
NAME = b"\xc0\x0c"


def header(questions: int = 0, answers: int = 0, authorities: int = 0, additionals: int = 0) -> bytes:
    return struct.pack(">6H", 0x1234, 0x8180, questions, answers, authorities, additionals)


def record(rrtype: int, rdata: bytes, owner: bytes = NAME) -> bytes:
    return owner + struct.pack(">HHIH", rrtype, 1, 300, len(rdata)) + rdata


def error(wire: bytes) -> str:
    with pytest.raises(DnsMessageError) as caught:
        unpack(wire)
    return str(caught.value)


def test_all_sections() -> None:
    wire = header(1, 2, 1, 1) + QUESTION
    wire += record(1, b"\xc0\0\2\1") + record(5, NAME) + record(2, b"\2ns" + NAME)
    wire += b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 4) + struct.pack(">HH", 12, 0)
    assert unpack(wire) == DnsMessage(
        id=0x1234,
        flags=0x8180,
        questions=(Question("example.net.", 1, 1),),
        answers=(
            Record("example.net.", 1, 1, 300, (b"\xc0\0\2\1",)),
            Record("example.net.", 5, 1, 300, ("example.net.",)),
        ),
        authorities=(Record("example.net.", 2, 1, 300, ("ns.example.net.",)),),
        additionals=(Record(".", 41, 1232, 0x8000, ((Option(12, b""),),)),),
    )


def test_header_alone_may_count_what_it_likes() -> None:
    assert unpack(header(1, 2, 3, 4)) == DnsMessage(0x1234, 0x8180, (), (), (), ())


@pytest.mark.parametrize("length", range(12))
def test_cut_header(length: int) -> None:
    assert error(header()[:length]) == "dns: overflow unpacking uint16"


def test_octets_behind_the_last_record_are_ignored() -> None:
    message = unpack(header(1, 1) + QUESTION + record(1, bytes(4)) + b"\xff\xff")
    assert len(message.answers) == 1


@pytest.mark.parametrize("counts", [(3, 0, 0), (2, 7, 65535), (65535, 65535, 65535)])
def test_records_missing_at_the_end_are_no_error(counts: tuple[int, int, int]) -> None:
    message = unpack(header(1, *counts) + QUESTION + record(1, bytes(4)) * 2)
    assert [len(section) for section in (message.answers, message.authorities, message.additionals)] == [2, 0, 0]


def test_missing_question() -> None:
    assert error(header(2) + QUESTION) == "dns: buffer size too small"


@pytest.mark.parametrize(
    ("left", "question"),
    [
        (b"", Question("a.", 0, 0)),
        (b"\0\x1c", Question("a.", 28, 0)),
        (b"\0\x1c\0", Question("a.", 28, 0)),
        (b"\0\x1c\0\3", Question("a.", 28, 3)),
    ],
)
def test_message_that_ends_within_its_question(left: bytes, question: Question) -> None:
    wire = header(1, 1) + b"\1a\0" + left
    assert unpack(wire).questions == (question,)
    assert error(header(2) + b"\1a\0" + left) == "dns: buffer size too small"


def test_message_that_ends_within_the_type_of_its_question() -> None:
    assert error(header(1) + b"\1a\0\0") == "dns: overflow unpacking uint16"


@pytest.mark.parametrize(
    ("octets", "field"),
    [(0, 16), (1, 16), (2, 16), (3, 16), (4, 32), (7, 32), (8, 16), (9, 16)],
)
def test_message_that_ends_within_the_header_of_a_record(octets: int, field: int) -> None:
    wire = header(1, 1) + QUESTION + record(1, bytes(4))[: len(NAME) + octets]
    assert error(wire) == f"dns: overflow unpacking uint{field}"


def test_message_that_ends_within_rdata() -> None:
    assert error(header(1, 1) + QUESTION + record(1, bytes(4))[:-1]) == "dns: overflowing header size"


@pytest.mark.parametrize("section", [0, 1, 2])
def test_broken_rdata_in_any_section(section: int) -> None:
    counts = [0, 0, 0]
    counts[section] = 1
    assert error(header(1, *counts) + QUESTION + record(1, bytes(5))) == "dns: bad rdlength"


def test_pointer_of_rdata_stays_before_its_end_and_that_of_an_owner_does_not() -> None:
    target = 12 + len(QUESTION) + 2 * len(record(5, NAME))
    pointer = struct.pack(">H", 0xC000 | target)
    good = header(1, 2) + QUESTION + record(5, NAME, owner=pointer) + record(5, NAME) + b"\1x\0"
    assert unpack(good).answers[0].owner == "x."
    # The owner's pointer made the target known, which must not help the rdata.
    bad = header(1, 2) + QUESTION + record(5, pointer, owner=pointer) + record(5, NAME) + b"\1x\0"
    assert error(bad) == "dns: buffer size too small"


def hip(names: bytes) -> bytes:
    """A HIP record: as many names as there is room for."""
    return record(55, bytes(4) + names, owner=b"\0")


def many_labels(offset: int) -> bytes:
    """Every octet a label of one octet, so that a name of up to 126 labels starts at each of them."""
    return (b"\1" * 252 + b"\0\0") * ((0x3FFF - offset) // 254)


def many_pointers(offset: int) -> bytes:
    """A name of 60 labels of one octet with a pointer behind each, then pointers to it."""
    tail = b"".join(b"\1a" + struct.pack(">H", 0xC000 | offset + 4 * (index + 1)) for index in range(60)) + b"\0\0"
    return tail + struct.pack(">H", 0xC000 | offset) * ((0x3FFF - offset - len(tail)) // 2)


@pytest.mark.parametrize("region", [many_labels, many_pointers])
def test_hostile_names_take_linear_time(region: Callable[[int], bytes]) -> None:
    """30,000 names, each with another start and hundreds of steps: 0.04 s, and minutes without the memo."""
    octets = region(12 + 11)
    start = header(0, 2) + record(999, octets, owner=b"\0")
    targets = [target for target in range(12 + 11, 12 + 11 + len(octets) - 1, 2) if target < 0x3FF0]
    room = (65535 - len(start) - 11 - 4) // 2
    names = b"".join(struct.pack(">H", 0xC000 | targets[index % len(targets)]) for index in range(room))
    wire = start + hip(names)
    before = time.process_time()
    try:
        unpack(wire)
    except DnsMessageError as caught:
        pytest.fail(f"not the message it should be: {caught}")
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    ("wire", "question"),
    [
        (header(1) + QUESTION, Question("example.net.", 1, 1)),
        (header(2) + QUESTION + b"\1", Question("example.net.", 1, 1)),
        (header(1, 1) + QUESTION + b"\xff", Question("example.net.", 1, 1)),
        (header(1) + b"\1a\0", Question("a.", 0, 0)),
        (header(1) + b"\0\0\2\0\3", Question(".", 2, 3)),
        (header(0, 1) + record(1, bytes(4), owner=b"\0"), None),
        (header(1, 2, 3, 4), None),
    ],
)
def test_first_question(wire: bytes, question: Question | None) -> None:
    assert unpack_question(wire) == question


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"", "dns: overflow unpacking uint16"),
        (header(1)[:-1], "dns: overflow unpacking uint16"),
        (header(1) + b"\1a", "dns: buffer size too small"),
        (header(1) + b"\1a\0\0", "dns: overflow unpacking uint16"),
        (header(1) + b"\xc0\x0c", "dns: too many compression pointers"),
    ],
)
def test_no_first_question(wire: bytes, reason: str) -> None:
    with pytest.raises(DnsMessageError) as caught:
        unpack_question(wire)
    assert str(caught.value) == reason


@pytest.mark.parametrize("wire", [None, 5, "text of twelve bytes and more"])
def test_what_is_not_bytes(wire: Any) -> None:
    for parse in (unpack, unpack_question):
        with pytest.raises(TypeError, match=r"^wire: expected bytes, got "):
            parse(wire)
