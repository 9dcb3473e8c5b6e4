"""Messages of payloads; most of it is tested through dnstap.read and collectors."""

from __future__ import annotations

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.decoding import Decoding, DnstapMessage
from dnstap.pairing import Pairs
from tests.dnstap.pairing.messages import query, response

QUERY = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY)).encode()
RESPONSE = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_RESPONSE)).encode()
WITHOUT_MESSAGE = bytes.fromhex("7801")


def test_bad_payloads_are_counted() -> None:
    """Their numbers go on from batch to batch."""
    decoding = Decoding("type = CQ")
    assert [one.encode() for one in decoding.messages([QUERY, RESPONSE])] == [QUERY]
    assert [one.encode() for one in decoding.messages([WITHOUT_MESSAGE, b"\xff", QUERY])] == [QUERY]
    assert (decoding.payloads, decoding.unmatched, decoding.problems.count) == (5, 1, 2)
    assert decoding.problems.first is not None
    assert decoding.problems.first[0] == 3
    bad = "2 of 5 payloads do not decode and were left out; the first was payload 3:"
    assert list(decoding.problems.new_reports(5)) == [f"{bad} Dnstap: required field message is missing"]


def test_lenient() -> None:
    decoding = Decoding(lenient=True)
    assert [one.message for one in decoding.messages([WITHOUT_MESSAGE])] == [None]
    assert DnstapMessage is Dnstap


def test_what_pairing_found() -> None:
    payloads = Pairs(hold_queries=True)([query(0), response(1)])
    decoding = Decoding("answered = yes or latency > 1ms")
    assert decoding.reads_answered
    assert list(decoding.messages(payloads)) == []
    decoding.expect_paired()
    assert [one.answered for one in decoding.messages(payloads)] == [True, None]
    assert not Decoding().reads_answered
