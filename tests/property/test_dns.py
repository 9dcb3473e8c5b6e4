"""dnstap.dns: any bytes are a message or a DnsMessageError, and names survive a round trip."""

import contextlib
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dnstap.dns import DnsMessage, NameMemo, unpack, unpack_name, unpack_question, unpack_rdata
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.records import RECORDS
from dnstap.dns.text import OPT
from dnstap.dns.walker import WalkError, is_plain_name, name_end, records
from dnstap.errors import DnsMessageError
from dnstap.fields.wires import outcome_reader
from dnstap.messages.classes import Dnstap
from tests.dnstap.dns.test_walker import Labels

CAPTURE = Path(__file__).parents[1] / "data" / "named-recursor.fstrm"


def captured_messages() -> list[bytes]:
    """Return the DNS messages of a small capture that is not truncated."""
    data = CAPTURE.read_bytes()
    messages = []
    offset = 0
    while offset < len(data):
        length, control_length = struct.unpack_from(">II", data.ljust(offset + 8, b"\0"), offset)
        offset += 4
        if length == 0:
            offset += 4 + control_length
            continue
        message = Dnstap.parse(data[offset : offset + length]).message
        offset += length
        if message is not None:
            messages += [wire for wire in (message.query_message, message.response_message) if wire]
    return messages


MESSAGES = captured_messages()

labels = st.lists(st.binary(min_size=1, max_size=63), max_size=6).filter(
    lambda name: sum(len(label) + 1 for label in name) < 255
)


@st.composite
def mutated_messages(draw: st.DrawFn) -> bytes:
    wire = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(1, 4))):
        wire[draw(st.integers(0, len(wire) - 1))] = draw(
            st.sampled_from((0, 1, 12, 63, 64, 192, 255)) | st.integers(0, 255)
        )
    return bytes(wire[: draw(st.none() | st.integers(0, len(wire)))])


def check(wire: bytes) -> None:
    try:
        message = unpack(wire)
    except DnsMessageError:
        with contextlib.suppress(DnsMessageError):
            unpack_question(wire)
        return
    assert isinstance(message, DnsMessage)
    assert unpack_question(wire) == (message.questions[0] if message.questions else None)


def encode(name: list[bytes]) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def unescape(text: str) -> list[bytes]:
    """Return the labels of a name given as text, by the rules of RFC 1035, section 5.1."""
    name: list[bytes] = []
    label = bytearray()
    characters = iter(text)
    for character in characters:
        if character == ".":
            name.append(bytes(label))
            label.clear()
        elif character == "\\":
            first = next(characters)
            label.append(int(first + next(characters) + next(characters)) if first.isdigit() else ord(first))
        else:
            label.append(ord(character))
    return name


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error(wire: bytes) -> None:
    check(wire)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), st.binary(max_size=300))
def test_any_bytes_after_a_header_are_a_message_or_an_error(counts: list[int], body: bytes) -> None:
    check(struct.pack(">6H", 0, 0, *counts) + body)


@given(mutated_messages())
def test_mutated_messages_are_a_message_or_an_error(wire: bytes) -> None:
    check(wire)


@given(st.sampled_from([*RECORDS, 999]), st.binary(max_size=80), st.binary(max_size=4))
def test_any_rdata_has_values_or_is_an_error(rrtype: int, rdata: bytes, behind: bytes) -> None:
    """One value for each field of the type; bytes after the rdata make no difference."""
    outcomes = []
    for wire in (rdata, rdata + behind):
        try:
            values = unpack_rdata(rrtype, wire, 0, len(rdata))
        except DnsMessageError as error:
            outcomes.append(str(error))
        else:
            assert len(values) == len(RECORDS[rrtype].fields if rrtype in RECORDS else [rrtype])
            outcomes.append(repr(values))
    assert outcomes[0] == outcomes[1]


@given(labels, st.binary(max_size=8))
def test_names_round_trip(name: list[bytes], behind: bytes) -> None:
    wire = encode(name)
    text, offset = unpack_name(wire + behind, 0, len(wire + behind))
    assert offset == len(wire)
    assert text.isascii()
    assert text.isprintable()
    assert unescape(text) == (name or [b""])


@given(st.lists(st.sampled_from((0, 1, 1, 2, 3, 0xC0, 0xC0, 0xC1, 0x40)), max_size=60), st.data())
def test_a_memo_changes_no_name(octets: list[int], data: st.DataObject) -> None:
    """Names at any offsets with any ends give the same with a shared memo as without."""
    wire = bytes(octets)
    memo: NameMemo = {}
    reads = st.lists(st.tuples(st.integers(0, len(wire)), st.integers(0, len(wire))), max_size=20)
    for offset, end in data.draw(reads):
        outcomes = []
        for known in (memo, None):
            try:
                outcomes.append(repr(unpack_name(wire, offset, end, known)))
            except DnsMessageError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


compressed = st.lists(st.sampled_from((0, 1, 1, 2, 3, 0xC0, 0xC0, 0xC1, 0x40)), max_size=60).map(bytes)


@given(compressed, st.data())
def test_a_walk_over_names_finds_what_the_parser_finds(wire: bytes, data: st.DataObject) -> None:
    """Compared for names at any offsets, one after the other in one walk."""
    names = Labels()
    for offset in sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=20))):
        try:
            text, end = unpack_name(wire, offset, len(wire))
        except DnsMessageError:
            text, end = "", 0
        try:
            assert names.read(wire, offset) == end
            assert unpack_name(names[offset], 0, len(names[offset]))[0] == text
            assert name_end(wire, offset) == end
        except (WalkError, IndexError):
            # What the walk leaves to the parser may be good; but the parser refuses what has no end.
            assert not text or name_end(wire, offset) == end


@given(mutated_messages() | st.sampled_from(MESSAGES))
def test_a_walk_over_records_finds_what_the_parser_finds(wire: bytes) -> None:
    """Compared for each message that the parser accepts, with one complete question."""
    try:
        message = unpack(wire)
    except DnsMessageError:
        return
    if wire[4:6] != b"\0\1" or len(wire) == 12:
        return
    parsed = [*message.answers, *message.authorities, *message.additionals]
    counts = struct.unpack_from(">3H", wire, 6)
    start = name_end(wire, 12) + 4
    walked = list(records(wire, start, sum(counts))) if start <= len(wire) else []
    assert [(rrtype, rrclass) for rrtype, rrclass, _, _ in walked] == [(r.rrtype, r.rrclass) for r in parsed]
    for (rrtype, _, start, end), record in zip(walked, parsed, strict=True):
        assert unpack_rdata(rrtype, wire, start, end) == record.rdata


@given(labels.map(encode) | compressed, st.binary(max_size=2))
def test_plain_names_are_names_without_pointers(octets: bytes, after: bytes) -> None:
    """Bytes are a plain name if the parser takes all of them as one name without following a pointer."""
    octets += after
    memo: NameMemo = {}
    try:
        _, end = unpack_name(octets, 0, len(octets), memo)
    except DnsMessageError:
        expected = False
    else:
        expected = end == len(octets) and not any(pointers for _, _, pointers, _, _ in memo.values())
    assert is_plain_name(octets) == expected


@given(mutated_messages() | st.sampled_from(MESSAGES))
def test_outcomes_are_those_of_a_walk_by_the_walker(wire: bytes) -> None:
    """Filters and fields read rcodes from messages that the cache of questions accepts."""
    cached = CachedQuestions()
    cached.read(wire)
    if cached.unusual:
        return
    answers, authorities, additionals = struct.unpack_from(">3H", wire, 6)
    walked = list(records(wire, name_end(wire, 12) + 4, answers + authorities + additionals))
    # The type stands ten octets before the rdata, and the upper bits of the rcode six.
    opts = [start - 10 for rrtype, _, start, _ in walked[answers + authorities :] if rrtype == OPT]
    upper = [wire[opt + 4] for opt in opts]
    assert outcome_reader()(wire) == (([0, *upper][-1] << 4) | wire[3] & 15, [None, *opts][-1])
