"""dnstap.fields.sections: questions and records of DNS messages."""

from __future__ import annotations

import struct

import pytest

import dnstap
from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.dns import unpack
from dnstap.fields.sections import (
    read_classes,
    read_data,
    read_names,
    read_questions,
    read_sections,
    read_ttls,
    read_types,
)
from dnstap.fields.wires import outcome_reader
from tests.dnstap.filters.examples import ANSWER, BADVERS, OPT, QUESTION

SECTIONS = ("answer", "authority", "additional")
FIELDS = [f"{section}_{what}" for section in SECTIONS for what in ("names", "types", "classes", "ttls", "data")]


def payload(wire: bytes) -> bytes:
    message = Message(MessageType.CLIENT_RESPONSE, response_message=wire)
    return bytes(Dnstap(type=DnstapType.MESSAGE, message=message))


def test_records_of_a_message() -> None:
    message = read_sections(BADVERS, outcome_reader()(BADVERS))
    # The OPT record is that of the fields of EDNS.
    assert [len(section) for section in message[2:]] == [0, 1, 1, 1]
    assert read_names(message.additionals, BADVERS) == ("ns.exaMple.org.",)
    assert read_types(message.additionals) == (1,)
    assert read_classes(message.additionals) == (3,)
    assert read_ttls(message.authorities) == (3600,)
    assert read_data(message.answers, BADVERS) == ("2001:db8::1",)
    for read in (read_types, read_classes, read_ttls):
        assert read(()) is None
    for read_texts in (read_names, read_data):
        assert read_texts((), BADVERS) is None


def test_messages_without_records() -> None:
    read = outcome_reader()
    for wire in (None, b"", BADVERS[:-1]):
        assert [*read_sections(wire, read(wire))] == [0, 0, (), (), (), ()]
    # By its header it has an answer, which is not there.
    wire = struct.pack(">6H", 7, 0, 1, 1, 0, 0) + QUESTION
    row = dnstap.row_reader(FIELDS)
    assert row(payload(wire)) == (None,) * len(FIELDS)
    line = dnstap.renderer("quiet", Style(fields=tuple(FIELDS)))
    assert set(line(Dnstap.parse(payload(wire))).split()) == {"-"}
    assert set(line(Dnstap.parse(payload(BADVERS[:-1]))).split()) == {"X"}


def test_an_opt_record_alone_is_no_additional_record() -> None:
    row = dnstap.row_reader(["arcount", "additional_types", "additional_ttls"])
    header = struct.pack(">5H", 7, 0, 1, 0, 0)
    assert row(payload(header + b"\0\1" + QUESTION + OPT)) == (1, None, None)
    # The last one is that of EDNS.
    assert row(payload(header + b"\0\2" + QUESTION + OPT + OPT)) == (2, ("OPT",), (1 << 24 | 0x8000,))
    answer = struct.pack(">6H", 7, 0, 1, 1, 0, 0)
    assert dnstap.row_reader(["answer_types"])(payload(answer + QUESTION + OPT)) == (("OPT",),)


def test_each_record_has_its_place() -> None:
    """Also one without rdata, as in a dynamic update, whose text would be empty."""
    empty = b"\0" + struct.pack(">HHIH", 28, 255, 7, 0)
    header = struct.pack(">6H", 7, 0, 1, 2, 0, 0)
    row = dnstap.row_reader([name for name in FIELDS if name.startswith("answer")])
    assert row(payload(header + QUESTION + empty + ANSWER)) == (
        (".", "WWW.exaMple.org."),
        ("AAAA", "AAAA"),
        ("CLASS255", "IN"),
        (7, 0),
        ("\\# 0", "2001:db8::1"),
    )


def test_names_are_written_like_that_of_the_question() -> None:
    name = b"\6a b,c\n\0"
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 0)
    wire = struct.pack(">6H", 7, 0, 2, 1, 0, 0) + (name + bytes([0, 1, 0, 1])) * 2 + answer
    qname, questions, names = dnstap.row_reader(["qname", "further_questions", "answer_names"])(payload(wire))
    assert qname == "a\\032b,c\\010."
    assert (questions, names) == ((f"{qname} IN A",), (qname,))
    style = Style(fields=("qname", "answer_names", "further_questions"))
    line = dnstap.render("quiet", Dnstap.parse(payload(wire)), style)
    assert line == "a\\032b,c\\010. a\\032b\\044c\\010. a\\032b\\044c\\010.\\032IN\\032A\n"


def test_further_questions() -> None:
    second = b"\0" + struct.pack(">HH", 2, 3)
    for count, found in (1, None), (2, (". CH NS",)), (3, (". CH NS", ". CH NS")):
        wire = struct.pack(">6H", 7, 0, count, 0, 0, 0) + QUESTION + second * 2
        assert dnstap.row_reader(["further_questions"])(payload(wire)) == (found,)
    assert dnstap.compile_filter('further_questions ~ "^[.] CH"').select([payload(wire)]) == [payload(wire)]


def test_texts_that_are_too_long() -> None:
    """Each name of two octets has 247 characters."""
    name = b"".join([b"\x3d" + b"a" * 61] * 4) + b"\0"
    header = struct.pack(">6H", 7, 0, 2, 2000, 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 2, 1, 0, 2) + b"\xc0\x0c"
    question = bytes([0, 1, 0, 1])
    wire = header + name + question + b"\xc0\x0c" + question + record * 2000
    style = Style(fields=("answer_names", "answer_data", "further_questions"))
    line = dnstap.render("quiet", Dnstap.parse(payload(wire)), style)
    assert line == f"X X {'.'.join(['a' * 61] * 4)}.\\032IN\\032A\n"
    types, ttls = dnstap.row_reader(["answer_types", "answer_ttls"])(payload(wire))
    assert (types, ttls) == (("NS",) * 2000, (0,) * 2000)
    chosen = dnstap.compile_filter("has answer_data or has answer_names or not answer_types = NS")
    assert chosen.select([payload(wire)]) == []
    assert read_questions(unpack(wire).questions * 1000, wire) is None


@pytest.mark.parametrize("wire", [BADVERS[:-1], b"", bytes(11)])
def test_the_error(wire: bytes) -> None:
    (error,) = dnstap.row_reader(["error"])(payload(wire))
    assert error.startswith("dns: ")
    for expression, found in (
        ("has error", True),
        (f'error = "{error}"', True),
        ("error ~ ^dns", True),
        ("not has error", False),
    ):
        assert dnstap.compile_filter(expression).select([payload(wire)]) == [payload(wire)] * found
    assert dnstap.compile_filter("has error").select([payload(BADVERS)]) == []
