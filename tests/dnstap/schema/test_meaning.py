"""Meaning of a message type: one answer for accessors, filters and lines of fields."""

from __future__ import annotations

from typing import Any

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, compile_filter, render
from dnstap.schema.meaning import DIRECTIONS, is_query, own_time, own_wire

QUERY = dns.message.make_query("query.example.", "A", id=1).to_wire()
RESPONSE = dns.message.make_query("response.example.", "A", id=1).to_wire()


@pytest.mark.parametrize("message_type", list(MessageType))
def test_direction_of_named_types(message_type: MessageType) -> None:
    """Odd numbers are queries, as the schema has it; the names say the same."""
    assert is_query(message_type) is (message_type % 2 == 1) is message_type.name.endswith("_QUERY")
    assert is_query(int(message_type)) is is_query(message_type)


@pytest.mark.parametrize("number", [0, 15, 16, 99, -1, None])
def test_direction_of_other_types(number: int | None) -> None:
    assert is_query(number) is None
    assert number not in DIRECTIONS


def test_own_fields_where_the_type_does_not_say() -> None:
    message = Message(MessageType(16), query_message=b"q", query_time_sec=1, query_time_nsec=2)
    assert (own_wire(message), own_time(message)) == (b"q", (1, 2))
    message.response_message, message.response_time_sec = b"", 3
    assert (own_wire(message), own_time(message)) == (b"", (3, None))
    assert (own_wire(Message()), own_time(Message())) == (None, (None, None))


def times(side: str) -> Any:
    return st.sampled_from([{}, {f"{side}_time_sec": 1}, {f"{side}_time_sec": 2, f"{side}_time_nsec": 5_000}])


@given(
    message_type=st.none() | st.integers(0, 20).map(MessageType),
    wires=st.tuples(st.sampled_from([None, QUERY]), st.sampled_from([None, RESPONSE])),
    query_time=times("query"),
    response_time=times("response"),
)
def test_every_reader_agrees(
    message_type: MessageType | None,
    wires: tuple[bytes | None, bytes | None],
    query_time: dict[str, Any],
    response_time: dict[str, Any],
) -> None:
    message = Message(message_type, query_message=wires[0], response_message=wires[1], **query_time, **response_time)
    dnstap = Dnstap(message=message, type=DnstapType.MESSAGE)
    line = render("quiet", dnstap, Style("utc", fields=("qr", "qname", "time")))
    direction, name, time = line.split()

    assert message.is_query is (is_query(message_type) is True) is (direction == "Q")
    assert message.is_response is (is_query(message_type) is False) is (direction == "R")
    for letter, answer in (("Q", True), ("R", False)):
        assert compile_filter(f"qr = {letter}").matches(dnstap) is (is_query(message_type) is answer)

    assert message.wire == own_wire(message)
    question = message.question
    assert name == ("-" if question is None else question.name)
    for asked in ("query.example", "response.example"):
        assert compile_filter(f"qname = {asked}").matches(dnstap) is (name == f"{asked}.")

    seconds, nanoseconds = own_time(message)
    assert time == ("-" if seconds is None else f"00:00:0{seconds}.{(nanoseconds or 0) // 1000:06d}")
    for text, nanosecond in (("1", 0), ("2", 0), ("2.000005", 5_000)):
        known = seconds is not None and seconds + (nanoseconds or 0) / 1e9 == float(text)
        moment = f"1970-01-01T00:00:0{text}Z"
        assert compile_filter(f"time = {moment}").matches(dnstap) is known, nanosecond
