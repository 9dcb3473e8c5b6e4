"""dnstap.row_reader: payloads become named tuples of typed values."""

from __future__ import annotations

from typing import Any

import pytest

import dnstap
from dnstap import DecodeError, Dnstap, DnstapType, Message, MessageType
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.rows import row_maker, row_reader
from dnstap.pairing import Pairs
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING
from tests.dnstap.pairing.messages import query, response

QUERY = bytes.fromhex("0007 0100 0001 0000 0000 0000 076578616d706c65036f726700 001c 0001")
MESSAGE = Message(
    MessageType.CLIENT_QUERY, query_address=b"\xc0\0\2\1", query_port=53, query_time_sec=5, query_message=QUERY
)
PAYLOAD = bytes(Dnstap(b"ns\n1", type=DnstapType.MESSAGE, message=MESSAGE))


def test_names_and_values() -> None:
    read = dnstap.row_reader(["time", "client", "query_port", "answers", "qname", "qtype", "flags", "rd", "identity"])
    row = read(PAYLOAD)
    assert row == (
        5 * 10**9,
        "192.0.2.1",
        53,
        0,
        "example.org.",
        "AAAA",
        ("rd",),
        True,
        "ns\\0101",
    )
    assert (row.client, row.answers) == ("192.0.2.1", 0)
    assert row._fields[:2] == ("time", "client")
    assert row._asdict()["qtype"] == "AAAA"
    # What the first has taught is not mixed up with the next.
    assert read(bytes(Dnstap(type=DnstapType.MESSAGE))) == (None,) * 9
    assert read(PAYLOAD) == row


def test_each_field_has_one_type() -> None:
    read = row_reader(["all"])
    seen = set()
    for payload in (bytes(EVERYTHING), PAYLOAD):
        for name, value in read(payload)._asdict().items():
            if value is not None:
                assert type(value) is FIELDS[name].kind.python_type
                seen.add(name)
    assert len(seen) > 40
    assert {*read(bytes(Dnstap(type=DnstapType.MESSAGE)))} == {None, "MESSAGE"}


def test_rows_of_what_is_decoded() -> None:
    for message in (
        EVERYTHING,
        Dnstap(b"ns", type=DnstapType.MESSAGE, message=MESSAGE),
        Dnstap(type=DnstapType.MESSAGE),
    ):
        assert row_maker(["all"])(message) == row_reader(["all"])(bytes(message))
    assert row_maker(("client", "rd"))(EVERYTHING)._fields == ("client", "rd")


def test_a_payload_that_does_not_decode() -> None:
    with pytest.raises(DecodeError):
        row_reader(("time",))(b"\x0a\x05")


def test_what_pairing_found() -> None:
    payloads = Pairs(hold_queries=True)([query(0), response(1)])
    for paired, rows in (True, [(True, None), (None, 10**9)]), (False, [(None, None)] * 2):
        read = row_reader(["answered", "latency"], paired=paired)
        assert [read(payload) for payload in payloads] == rows
    assert [row_reader(["latency"], paired=True)(payload) for payload in payloads] == [(None,), (10**9,)]


def test_wrong_fields() -> None:
    for names, said in (
        (["what"], "unknown field 'what'"),
        (["time", "time"], "field 'time' is given more than once"),
        ([], "expected the name of a field, got none"),
    ):
        for function in (row_reader, row_maker):
            with pytest.raises(ValueError, match=f"^{said}"):
                function(names)
    anything: Any
    for anything in (row_reader, row_maker):
        for wrong in ("time", None, [5]):
            with pytest.raises(TypeError, match=r"^fields: expected a list of names, got "):
                anything(wrong)
