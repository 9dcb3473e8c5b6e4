"""Payloads of the cases: what the parts of this package read in them."""

from __future__ import annotations

import pytest

from dnstap import DecodeError, Dnstap, MessageType, SocketFamily, SocketProtocol
from dnstap.conformance.wire import FIRST, LAST, around, blob, dnstap, fixed32, number, query, tag, taken, varint
from framestream.conformance.steps import Send, data


def test_a_good_payload() -> None:
    parsed = Dnstap.parse(dnstap())
    message = parsed.message
    assert message
    assert parsed.identity == b"odd"
    assert message.type is MessageType.CLIENT_QUERY
    assert (message.socket_family, message.socket_protocol) == (SocketFamily.INET, SocketProtocol.UDP)
    assert (message.client, message.query_time_sec, message.qname) == ("192.0.2.1", 1_700_000_000, "odd.")
    assert not parsed._unknown_fields
    assert not message._unknown_fields


def test_changes() -> None:
    parsed = Dnstap.parse(dnstap({4: b"", 7: number(7, 53)}, {1: blob(1, b"x"), 3: blob(3, b"more")}))
    message = parsed.message
    assert message
    assert (parsed.identity, parsed.extra) == (b"x", b"more")
    assert (message.query_address, message.response_port) == (None, 53)
    with pytest.raises(DecodeError):
        Dnstap.parse(dnstap(outer={14: b"", 15: b""}))


def test_fields() -> None:
    assert varint(300).hex() == "ac02"
    assert varint(5, 2).hex() == "858000"
    assert tag(20, 3).hex() == "a301"
    assert number(1, -1).hex() == "08" + 9 * "ff" + "01"
    assert number(1, 5, padding=1).hex() == "088500"
    assert blob(2, b"x", length=300).hex() == "12ac0278"
    assert fixed32(9, 258).hex() == "4d02010000"
    assert query(b"\1a\0", header="0001", after=b"z").hex() == "0001016100000100017a"


def test_good_payloads_are_around() -> None:
    parts = [part for step in around(b"x") if isinstance(step, Send) for part in step.parts]
    assert data(FIRST, b"x", LAST) in b"".join(part for part in parts if isinstance(part, bytes))
    assert taken(b"x")[0].payloads == (FIRST, b"x", LAST)
    assert taken(b"x", optional=True)[0].optional == (b"x",)
