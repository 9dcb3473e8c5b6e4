"""dnstap.messages.accessors: what a Message says of itself, beside what the standard library and dnspython say."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import DnsMessageError, Dnstap, Message, MessageType, SocketFamily
from dnstap.dns import Question
from dnstap.messages.accessors import Accessors
from framestream import read_file

SAMPLE = Path(__file__).parents[3] / "examples" / "coredns.fstrm"
QUERY = dns.message.make_query("example.net.", "AAAA", id=1).to_wire()
RESPONSE = dns.message.make_response(dns.message.make_query("www.example.net.", "MX")).to_wire()
PROPERTIES = [name for name, value in vars(Accessors).items() if isinstance(value, property)]

LAST_SECOND = 253_402_300_799

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

instants = st.datetimes(timezones=st.just(UTC), min_value=EPOCH.replace(tzinfo=None))


def sides(side: str, **fields: Any) -> Message:
    """A Message with fields of one side: `sides("query", time_sec=1)`."""
    return Message(**{f"{side}_{name}": value for name, value in fields.items()})


@pytest.mark.parametrize("kind", list(MessageType))
def test_which_way(kind: MessageType) -> None:
    message = Message(kind, query_message=b"q", response_message=b"r")
    assert message.is_query == kind.name.endswith("_QUERY")
    assert message.is_response == kind.name.endswith("_RESPONSE")
    assert message.wire == (b"q" if message.is_query else b"r")
    missing = "query_message" if message.is_query else "response_message"
    setattr(message, missing, None)
    assert message.wire is None


@pytest.mark.parametrize("kind", [None, MessageType(0), MessageType(15), MessageType(-1)])
@pytest.mark.parametrize(
    ("query", "response", "wire"),
    [(None, None, None), (b"q", None, b"q"), (None, b"r", b"r"), (b"q", b"r", b"r"), (b"q", b"", b"")],
)
def test_type_that_says_nothing(
    kind: MessageType | None, query: bytes | None, response: bytes | None, wire: bytes | None
) -> None:
    message = Message(kind, query_message=query, response_message=response)
    assert (message.is_query, message.is_response) == (False, False)
    assert message.wire == wire


def test_each_side_reads_its_own() -> None:
    message = Message(
        query_time_sec=1,
        query_time_nsec=1_000_000,
        response_time_sec=2,
        response_time_nsec=2_000_000,
        query_address=bytes(4),
        response_address=bytes(16),
    )
    assert (message.query_time_ns, message.response_time_ns) == (1_001_000_000, 2_002_000_000)
    assert message.query_time == datetime(1970, 1, 1, 0, 0, 1, 1000, tzinfo=UTC)
    assert message.response_time == datetime(1970, 1, 1, 0, 0, 2, 2000, tzinfo=UTC)
    assert (message.query_ip, message.response_ip) == (IPv4Address("0.0.0.0"), IPv6Address("::"))


def test_nothing_there() -> None:
    message = Message(query_time_nsec=5, response_time_nsec=5)
    absent = dict.fromkeys(PROPERTIES) | {"is_query": False, "is_response": False, "flags": ()}
    assert {name: getattr(message, name) for name in PROPERTIES} == absent


@pytest.mark.parametrize("side", ["query", "response"])
@given(instant=instants, nanoseconds=st.integers(0, 999))
def test_times(side: str, instant: datetime, nanoseconds: int) -> None:
    microseconds = (instant - EPOCH) // timedelta(microseconds=1)
    seconds, fraction = divmod(microseconds * 1000 + nanoseconds, 10**9)
    message = sides(side, time_sec=seconds, time_nsec=fraction)
    assert getattr(message, f"{side}_time_ns") == microseconds * 1000 + nanoseconds
    time = getattr(message, f"{side}_time")
    assert time == instant
    assert time.tzinfo is UTC


@given(st.integers(0, 2**64 - 1), st.none() | st.integers(0, 2**32 - 1))
def test_any_time(seconds: int, nanoseconds: int | None) -> None:
    message = Message(query_time_sec=seconds, query_time_nsec=nanoseconds)
    time_ns = message.query_time_ns
    assert time_ns is not None
    assert divmod(time_ns - (nanoseconds or 0), 10**9) == (seconds, 0)
    if time_ns // 10**9 <= LAST_SECOND:
        assert message.query_time == datetime.fromtimestamp(time_ns // 10**9, UTC).replace(
            microsecond=time_ns // 1000 % 10**6
        )
    else:
        with pytest.raises(
            ValueError, match=f"query_time: expected a time before the year 10000, got {time_ns} ns after 1970"
        ):
            _ = message.query_time


@pytest.mark.parametrize("side", ["query", "response"])
def test_the_last_time(side: str) -> None:
    last = sides(side, time_sec=LAST_SECOND, time_nsec=999_999_999)
    assert getattr(last, f"{side}_time") == datetime.max.replace(tzinfo=UTC)
    for later in (
        sides(side, time_sec=LAST_SECOND, time_nsec=1_000_000_000),
        sides(side, time_sec=LAST_SECOND + 1),
        sides(side, time_sec=2**64 - 1, time_nsec=2**32 - 1),
    ):
        assert getattr(later, f"{side}_time_ns") > LAST_SECOND * 10**9
        with pytest.raises(ValueError, match=f"^{side}_time: expected a time before the year 10000, got "):
            getattr(later, f"{side}_time")


@pytest.mark.parametrize("side", ["query", "response"])
@given(address=st.ip_addresses())
def test_addresses(side: str, address: IPv4Address | IPv6Address) -> None:
    assert getattr(sides(side, address=address.packed), f"{side}_ip") == address


def test_the_length_decides_and_not_the_family() -> None:
    message = Message(socket_family=SocketFamily.INET, query_address=b"\0" * 10 + b"\xff\xff\xc0\0\2\1")
    assert message.query_ip == ip_address("::ffff:192.0.2.1")


@pytest.mark.parametrize("side", ["query", "response"])
@pytest.mark.parametrize("octets", [0, 3, 5, 15, 17])
def test_no_addresses(side: str, octets: int) -> None:
    with pytest.raises(ValueError, match=f"^{side}_address: expected 4 or 16 bytes, got {octets}$"):
        getattr(sides(side, address=bytes(octets)), f"{side}_ip")


def test_the_time_of_what_it_is_about() -> None:
    message = Message(MessageType.CLIENT_QUERY, query_time_sec=1, response_time_sec=2)
    assert (message.time_ns, message.time) == (10**9, EPOCH + timedelta(seconds=1))
    message.type = MessageType.CLIENT_RESPONSE
    assert (message.time_ns, message.time) == (2 * 10**9, EPOCH + timedelta(seconds=2))
    message.type = None
    assert message.time_ns == 2 * 10**9
    message.response_time_sec = None
    assert message.time_ns == 10**9
    message.query_time_sec = 2**64 - 1
    assert message.time is None


@pytest.mark.parametrize(
    ("query", "response", "latency"),
    [
        ((5, 0), (5, 868_426), timedelta(microseconds=868)),
        ((5, 999_999_999), (6, None), timedelta(0)),
        # Rounded down, also below zero.
        ((5, 1), (5, 0), timedelta(microseconds=-1)),
        ((0, 0), (86_400 * 10**9 - 1, 999_999_999), timedelta.max),
        ((0, 0), (86_400 * 10**9, 0), None),
        ((2**64 - 1, 0), (0, 0), None),
    ],
)
def test_latency(query: tuple[int, int], response: tuple[int, int | None], latency: timedelta | None) -> None:
    message = Message(
        query_time_sec=query[0],
        query_time_nsec=query[1],
        response_time_sec=response[0],
        response_time_nsec=response[1],
    )
    assert message.latency_ns == (response[0] - query[0]) * 10**9 + (response[1] or 0) - query[1]
    assert message.latency == latency


def test_header_and_question() -> None:
    query = bytes.fromhex("0102 2120 0001 0000 0000 0000 0357 2e57 0000 1c00 03")
    answer = bytes.fromhex("0304 8583 0001 0000 0000 0000 0161 00 ff00 0007")
    message = Message(MessageType.AUTH_QUERY, query_message=query, response_message=answer)
    assert (message.id, message.opcode, message.rcode, message.flags) == (0x102, "NOTIFY", None, ("rd", "ad"))
    assert (message.qname, message.qtype, message.qclass) == ("W\\.W.", "AAAA", "CH")
    message.type = MessageType.AUTH_RESPONSE
    assert (message.id, message.opcode, message.rcode) == (0x304, "QUERY", "NXDOMAIN")
    assert message.flags == ("qr", "aa", "rd", "ra")
    assert (message.qname, message.qtype, message.qclass) == ("a.", "TYPE65280", "CLASS7")
    # Only what is cut off is missing: the rcode needs all of the message.
    message.response_message = answer[:-3]
    assert (message.id, message.rcode, message.qname) == (0x304, None, None)
    message.response_message = answer[:11]
    assert [getattr(message, name) for name in ("id", "opcode", "flags")] == [None, None, ()]


def test_both_ends() -> None:
    message = Message(query_address=b"\xc0\0\2\1", response_address=bytes(15) + b"\1")
    assert (message.client, message.server) == ("192.0.2.1", "::1")
    # No error, where query_ip raises one.
    message.query_address = message.response_address = b"\0\1\2"
    assert (message.client, message.server) == (None, None)


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_are_no_fields(name: str) -> None:
    """They have no part in constructors, copies, JSON and setting."""
    cls: Any = Message
    message = cls(MessageType.CLIENT_QUERY)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        cls(**{name: None})
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        dataclasses.replace(message, **{name: None})
    with pytest.raises(KeyError, match=f"Unknown field '{name}'"):
        Message.from_dict({name: None})
    with pytest.raises(AttributeError):
        setattr(message, name, None)


def test_question_and_dns() -> None:
    message = Message(MessageType.CLIENT_QUERY, query_message=QUERY, response_message=RESPONSE)
    assert message.question == Question("example.net.", 28, 1)
    assert message.dns == dns.message.from_wire(QUERY)
    message.type = MessageType.CLIENT_RESPONSE
    assert message.question == Question("www.example.net.", 15, 1)
    assert message.dns == dns.message.from_wire(RESPONSE)


@pytest.mark.parametrize("wire", [b"", QUERY[:11], QUERY[:20]])
def test_what_does_not_parse(wire: bytes) -> None:
    message = Message(MessageType.TOOL_QUERY, query_message=wire)
    with pytest.raises(DnsMessageError):
        _ = message.question
    with pytest.raises(dns.exception.DNSException):
        _ = message.dns


def test_a_real_stream() -> None:
    with read_file(SAMPLE) as reader:
        messages = [Dnstap.parse(payload).message for payload in reader]
    for message in messages:
        assert message is not None
        parsed, question = message.dns, message.question
        assert parsed is not None
        assert question is not None
        (asked,) = parsed.question
        assert (asked.name.to_text(), asked.rdtype, asked.rdclass) == question
        assert bool(parsed.flags & dns.flags.QR) == message.is_response
        time = message.response_time if message.is_response else message.query_time
        assert time is not None
        assert 2020 < time.year < 2030
        inet = message.socket_family is SocketFamily.INET
        assert message.query_ip == ip_address("127.0.0.1" if inet else "::1")
    assert len(messages) == 36


def test_nothing_is_kept() -> None:
    message = Message(MessageType.AUTH_QUERY, query_message=QUERY, query_address=bytes(4), query_time_sec=1)
    before = Message(**{field.name: getattr(message, field.name) for field in dataclasses.fields(message)})
    absent = {name for name in PROPERTIES if getattr(message, name) is None}
    assert absent == {"response_time_ns", "response_time", "response_ip", "latency_ns", "latency", "server", "rcode"}
    assert message == before
    assert vars(message) == vars(before) == {}
    assert message.to_dict() == before.to_dict()
    assert not {field.name for field in dataclasses.fields(Message)} & set(PROPERTIES)
    assert message.dns is not message.dns


def test_what_is_not_used_is_not_loaded() -> None:
    code = (
        "import sys\nfrom dnstap import Message\n"
        "message = Message(query_time_sec=0, query_address=bytes(4), query_message=bytes(12))\n"
        "message.time, message.query_ip, message.wire\n"
        "print([name for name in ('dns', 'dnstap.dns') if name in sys.modules])\n"
        "message.question, message.rcode, message.qname\n"
        "print([name for name in ('dns', 'dnstap.dns') if name in sys.modules])\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert process.stdout.splitlines() == ["[]", "['dnstap.dns']"]
