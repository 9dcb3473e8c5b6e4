"""Payloads: encodes frames as the typed classes do, in two steps."""

from __future__ import annotations

import enum
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dnstap import Dnstap, DnstapType, EncodeError, Message, MessageType, Policy, SocketProtocol
from dnstap.messages.constructors import VALUES
from dnstap.strategies import messages
from dnstap.tap.payloads import MAX_CACHED_LENGTH, Payloads, field_values, memory_of

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


def encoded(payloads: Payloads, message: Message) -> bytes:
    values = field_values(message)
    return payloads.encode(payloads.with_extra(values, message) if payloads.has_extra_function else values)


@pytest.mark.parametrize("identity", [None, "ns1", b"\xff", ""])
@pytest.mark.parametrize("version", [None, "1.0"])
@pytest.mark.parametrize("extra", [None, "näher", b"\0"])
def test_payloads_are_those_of_the_typed_classes(identity: Any, version: Any, extra: Any) -> None:
    def as_bytes(text: str | bytes | None) -> bytes | None:
        return text.encode() if isinstance(text, str) else text

    whole = Dnstap(
        identity=as_bytes(identity),
        version=as_bytes(version),
        extra=as_bytes(extra),
        message=MESSAGE,
        type=DnstapType.MESSAGE,
    )
    assert encoded(Payloads(identity, version, extra, full=True), MESSAGE) == whole.encode()
    assert encoded(Payloads(identity, version, lambda message: extra, full=True), MESSAGE) == whole.encode()
    whole.message = replace(MESSAGE, response_message=None)
    assert encoded(Payloads(identity, version, extra, full=False), MESSAGE) == whole.encode()
    assert MESSAGE.response_message == b"answer"


@given(messages(lenient=False))
def test_any_message_is_encoded_as_by_the_typed_classes(message: Message) -> None:
    whole = Dnstap(identity=b"x", message=message, type=DnstapType.MESSAGE)
    assert encoded(Payloads("x", None, None, full=True), message) == whole.encode()


@pytest.mark.parametrize("size", [0, 1, 90, 91, 127, 128, MAX_CACHED_LENGTH, MAX_CACHED_LENGTH + 1, 70_000])
def test_messages_of_any_length(size: int) -> None:
    message = Message(type=MessageType.AUTH_QUERY, query_message=bytes(size))
    payload = encoded(Payloads(None, None, None, full=True), message)
    assert payload == Dnstap(message=message, type=DnstapType.MESSAGE).encode()


def test_a_function_makes_extra_for_each_message() -> None:
    payloads = Payloads(None, None, lambda message: f"port {message.query_port}", full=False)
    assert Dnstap.parse(encoded(payloads, MESSAGE)).extra == b"port 5353"


def test_changes_of_a_message_afterwards_have_no_effect() -> None:
    payloads = Payloads(None, None, None, full=True)
    message = replace(MESSAGE)
    values = field_values(message)
    message.query_port = 1
    message.response_message = None
    assert Dnstap.parse(payloads.encode(values)).message == MESSAGE


@pytest.mark.parametrize(
    ("field", "value"),
    [("query_port", "53"), ("query_port", -1), ("query_address", "192.0.2.1"), ("type", None), ("policy", "no")],
)
def test_bad_values_are_refused_when_encoded(field: str, value: Any) -> None:
    payloads = Payloads(None, None, None, full=True)
    message = replace(MESSAGE)
    setattr(message, field, value)
    with pytest.raises(EncodeError, match=field):
        encoded(payloads, message)


def test_a_policy_is_encoded() -> None:
    message = replace(MESSAGE, policy=Policy(type="RPZ", rule=b"x"))
    payload = encoded(Payloads(None, None, None, full=True), message)
    assert Dnstap.parse(payload).message == message


def test_without_a_function_extra_is_absent() -> None:
    payloads = Payloads(None, None, "x", full=True)
    assert payloads.with_extra(field_values(MESSAGE), MESSAGE) == (field_values(MESSAGE), b"")


@pytest.mark.parametrize(
    "message",
    [
        Message.client_query(bytes(50), query_address="192.0.2.1", query_port=53),
        Message.client_query(None, query_address="2001:db8::1", response_address="2001:db8::2"),
        Message.client_response(bytes(60_000), query_address="192.0.2.1", query_time=1),
        Message(
            type=MessageType.CLIENT_QUERY,
            query_message=bytes(1000),
            response_message=bytes(2000),
            query_zone=bytes(30_000),
        ),
        Message(type=MessageType.CLIENT_QUERY, policy=Policy(type="x", rule=bytes(50_000), value=bytes(20_000))),
        Message.parse(b"\x08\x01\xaa\x06\x90\x4e" + bytes(10_000)),  # With an unknown field.
    ],
)
@pytest.mark.parametrize("extra", [b"", bytes(40_000)], ids=["", "extra"])
def test_memory_of_a_frame(message: Message, extra: bytes) -> None:
    """About what Python has allocated for it."""
    values = field_values(message)
    parts = [part for part in values if part is not None and not isinstance(part, enum.Enum)]
    if message.policy:
        parts += [message.policy.type, message.policy.rule, message.policy.value]
    real = sys.getsizeof(values) + sum(map(sys.getsizeof, parts)) + len(extra)
    assert memory_of((values, extra) if extra else values) == pytest.approx(real, abs=600)
    payloads = Payloads(None, None, None, full=True)
    payload = payloads.encode(values)
    if not any(values[VALUES:]):
        assert memory_of(values[:VALUES]) == memory_of(values)
        assert payloads.encode(values[:VALUES]) == payload
    assert memory_of(payload) == sys.getsizeof(payload)


def test_memory_of_what_is_no_frame() -> None:
    with pytest.raises(TypeError):
        memory_of(field_values(Message(query_message=5)))  # type: ignore[arg-type]
