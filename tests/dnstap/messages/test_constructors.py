"""dnstap.messages.constructors: the constructors of Message by type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnstap.messages.constructors
from dnstap import Message, MessageType, SocketFamily, SocketProtocol

QUERY = dns.message.make_query("example.net.", "AAAA", id=1)

addresses = st.ip_addresses()


def make(message_type: MessageType = MessageType.CLIENT_QUERY, *arguments: Any, **fields: Any) -> Message:
    """By the constructor of the type."""
    message: Message = getattr(Message, message_type.name.lower())(*arguments, **fields)
    return message


@pytest.mark.parametrize("message_type", list(MessageType))
def test_each_type(message_type: MessageType) -> None:
    field = "query_message" if message_type.name.endswith("_QUERY") else "response_message"
    expected = Message(type=message_type)
    setattr(expected, field, b"wire")
    assert make(message_type, b"wire") == expected
    assert make(message_type) == Message(type=message_type)
    constructor = getattr(Message, message_type.name.lower())
    assert constructor.__name__ == message_type.name.lower()
    assert message_type.name in constructor.__doc__


def test_of_an_instance() -> None:
    assert Message().client_query(b"q") == make(MessageType.CLIENT_QUERY, b"q")


def test_every_argument() -> None:
    message = Message.resolver_response(
        b"wire",
        query_address="192.0.2.1",
        query_port=0,
        response_address="192.0.2.2",
        response_port=65535,
        socket_protocol=SocketProtocol.DOT,
        query_time=1_999_999_999,
        response_time=3_000_000_001,
    )
    assert message == Message(
        type=MessageType.RESOLVER_RESPONSE,
        socket_family=SocketFamily.INET,
        socket_protocol=SocketProtocol.DOT,
        query_address=b"\xc0\0\2\1",
        response_address=b"\xc0\0\2\2",
        query_port=0,
        response_port=65535,
        query_time_sec=1,
        query_time_nsec=999_999_999,
        response_time_sec=3,
        response_time_nsec=1,
        response_message=b"wire",
    )
    assert Message.parse(bytes(message)) == message


@given(addresses, st.sampled_from(["query", "response"]))
def test_addresses(address: Any, side: str) -> None:
    forms = [str(address), address, address.packed, bytearray(address.packed), memoryview(address.packed)]
    messages = [make(**{f"{side}_address": form}) for form in forms]
    assert getattr(messages[0], f"{side}_ip") == address
    assert messages[0].socket_family == (SocketFamily.INET if address.version == 4 else SocketFamily.INET6)
    assert all(message == messages[0] and bytes(message) == bytes(messages[0]) for message in messages)


def test_texts_that_are_kept_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnstap.messages.constructors, "MAX_CACHED_ADDRESSES", 2)
    kept: dict[str, bytes] = {}
    monkeypatch.setattr(dnstap.messages.constructors, "_cached_addresses", kept)
    for number in [*range(5), 4]:
        address = f"192.0.2.{number}"
        assert make(query_address=address).query_ip == ip_address(address)
        assert len(kept) <= 2


@given(st.integers(0, 2**64 - 1))
def test_times_in_nanoseconds(nanoseconds: int) -> None:
    assert make(query_time=nanoseconds).query_time_ns == nanoseconds
    assert make(response_time=nanoseconds).response_time_ns == nanoseconds


@given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9))])))  # noqa: DTZ001
def test_times_as_datetime(time: datetime) -> None:
    assert make(query_time=time).query_time == time
    assert make(response_time=time).response_time == time


def test_an_int_of_another_class_is_a_time() -> None:
    assert make(query_time=True).query_time_ns == 1


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_wire_as_octets(wrap: Any) -> None:
    message = make(MessageType.AUTH_QUERY, wrap(b"wire"))
    assert message.query_message == b"wire"
    assert type(message.query_message) is bytes


def test_wire_of_dnspython() -> None:
    assert Message.tool_query(QUERY).query_message == QUERY.to_wire()
    assert Message.tool_response(QUERY).dns == QUERY


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"query_address": "192.0.2"}, "'192.0.2' does not appear to be an IPv4 or IPv6 address"),
        ({"query_address": b"123"}, "expected an address of 4 or 16 bytes, got 3 bytes: b'123'"),
        (
            {"response_address": bytes(99)},
            f"expected an address of 4 or 16 bytes, got 99 bytes: {bytes(20)!r}",
        ),
        (
            {"query_address": "::1", "response_address": "127.0.0.1"},
            "expected addresses of one family, got INET6 in query_address and INET in response_address",
        ),
        ({"query_port": -1}, "query_port: expected 0 to 65535, got -1"),
        ({"response_port": 65536}, "response_port: expected 0 to 65535, got 65536"),
        ({"query_time": -1}, "query_time: expected a time since 1970, got -1"),
        (
            {"response_time": datetime(1969, 12, 31, tzinfo=UTC)},
            "response_time: expected a time since 1970, got 1969-12-31 00:00:00+00:00",
        ),
        (
            {"query_time": datetime(2026, 1, 1)},  # noqa: DTZ001
            "query_time: expected a datetime with a time zone, such as datetime.UTC, got 2026-01-01 00:00:00",
        ),
    ],
)
def test_no_such_value(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is compared)
        make(**arguments)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"query_address": 1}, "expected an address as text, bytes or of ipaddress, got 1 of type int"),
        ({"query_port": "53"}, "query_port: expected int, got '53' of type str"),
        ({"response_port": 53.0}, "response_port: expected int, got 53.0 of type float"),
        ({"query_time": 1.5}, "query_time: expected nanoseconds as int, or datetime, got 1.5 of type float"),
        ({"wire": "wire"}, "wire: expected bytes or a message of dnspython, got 'wire' of type str"),
    ],
)
def test_value_of_another_type(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as caught:
        make(**arguments)
    assert str(caught.value) == text


def test_a_port_of_another_class_of_int() -> None:
    assert make(query_port=SocketProtocol.DOT).query_port == 3
