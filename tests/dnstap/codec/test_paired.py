"""Payloads that carry what pairing has found out."""

from __future__ import annotations

from dnstap import Decoder, Dnstap
from dnstap.codec.paired import PairedPayload, carry_over, paired_decoder
from dnstap.codec.projections import for_fields
from tests.dnstap.pairing.messages import START, query, response

TIMES = for_fields(frozenset(("query_time_sec", "query_time_nsec", "answered")))


def carrying(payload: bytes, **attributes: object) -> PairedPayload:
    paired = PairedPayload(payload)
    for name, value in attributes.items():
        setattr(paired, name, value)
    return paired


def test_time_of_the_query() -> None:
    payload = carrying(response(1), query_time=(START, 5))
    for decode in (Dnstap.parse, Decoder(TIMES).decode):
        message = paired_decoder(decode, answered=False)(payload).message
        assert (message.query_time_sec, message.query_time_nsec) == (START, 5)


def test_answered() -> None:
    for cls in (Dnstap, TIMES):
        decode = paired_decoder(Decoder(cls).decode, answered=True)
        assert decode(carrying(query(), answered=False)).answered is False
        assert decode(carrying(query(), answered=True)).answered is True
        assert decode(query()).answered is None


def test_no_room_for_answered() -> None:
    decode = paired_decoder(Decoder(for_fields(frozenset())).decode, answered=False)
    assert decode(carrying(query(), answered=True)).answered is None


def test_carry_over() -> None:
    assert type(carry_over(b"a", b"b")) is bytes
    carried = carry_over(carrying(b"a", answered=True, query_time=(1, 2)), b"b")
    assert carried == b"b"
    assert isinstance(carried, PairedPayload)
    assert (carried.answered, carried.query_time) == (True, (1, 2))
