"""From messages to payloads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dnstap import Dnstap, DnstapType, EncodeError, Message, MessageType, Policy, SocketProtocol
from dnstap.strategies import messages
from dnstap.tap.payloads import MAX_KEPT, Payloads

MESSAGE = Message.client_response(
    b"answer",
    query_address="192.0.2.1",
    query_port=5353,
    response_address="192.0.2.53",
    response_port=53,
    socket_protocol=SocketProtocol.TCP,
    query_time=1_700_000_000_000_000_001,
    response_time=1_700_000_000_000_000_002,
)


def made(payloads: Payloads, message: Message) -> bytes:
    return payloads.payload(payloads.values(message))


@pytest.mark.parametrize("identity", [None, "ns1", b"\xff", ""])
@pytest.mark.parametrize("version", [None, "1.0"])
@pytest.mark.parametrize("extra", [None, "näher", b"\0"])
def test_as_the_typed_classes_encode_it(identity: Any, version: Any, extra: Any) -> None:
    def octets(text: str | bytes | None) -> bytes | None:
        return text.encode() if isinstance(text, str) else text

    whole = Dnstap(
        identity=octets(identity),
        version=octets(version),
        extra=octets(extra),
        message=MESSAGE,
        type=DnstapType.MESSAGE,
    )
    assert made(Payloads(identity, version, extra, full=True), MESSAGE) == whole.encode()
    assert made(Payloads(identity, version, lambda message: extra, full=True), MESSAGE) == whole.encode()
    whole.message = replace(MESSAGE, response_message=None)
    assert made(Payloads(identity, version, extra, full=False), MESSAGE) == whole.encode()
    assert MESSAGE.response_message == b"answer"


@given(messages(lenient=False))
def test_any_message(message: Message) -> None:
    whole = Dnstap(identity=b"x", message=message, type=DnstapType.MESSAGE)
    assert made(Payloads("x", None, None, full=True), message) == whole.encode()


@pytest.mark.parametrize("size", [0, 1, 90, 91, 127, 128, MAX_KEPT, MAX_KEPT + 1, 70_000])
def test_lengths(size: int) -> None:
    message = Message(type=MessageType.AUTH_QUERY, query_message=bytes(size))
    payload = made(Payloads(None, None, None, full=True), message)
    assert payload == Dnstap(message=message, type=DnstapType.MESSAGE).encode()


def test_an_extra_for_each_message() -> None:
    payloads = Payloads(None, None, lambda message: f"port {message.query_port}", full=False)
    assert Dnstap.parse(made(payloads, MESSAGE)).extra == b"port 5353"


def test_what_is_set_later_makes_no_difference() -> None:
    payloads = Payloads(None, None, None, full=True)
    message = replace(MESSAGE)
    values = payloads.values(message)
    message.query_port = 1
    message.response_message = None
    assert Dnstap.parse(payloads.payload(values)).message == MESSAGE


@pytest.mark.parametrize(
    ("field", "value"),
    [("query_port", "53"), ("query_port", -1), ("query_address", "192.0.2.1"), ("type", None), ("policy", "no")],
)
def test_what_cannot_be_encoded(field: str, value: Any) -> None:
    payloads = Payloads(None, None, None, full=True)
    message = replace(MESSAGE)
    setattr(message, field, value)
    with pytest.raises(EncodeError, match=field):
        made(payloads, message)


def test_a_policy() -> None:
    message = replace(MESSAGE, policy=Policy(type="RPZ", rule=b"x"))
    payload = made(Payloads(None, None, None, full=True), message)
    assert Dnstap.parse(payload).message == message
