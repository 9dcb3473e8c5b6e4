"""dnstap.Dnstap, Message, Policy and the enums."""

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import assert_type

from dns.message import Message as DnspythonMessage

from dnstap import Dnstap, DnstapType, HttpProtocol, Message, MessageType, Policy, PolicyAction, SocketProtocol
from dnstap.dns import Question


def fields(message: Message, policy: Policy) -> None:
    assert_type(message.type, MessageType | None)
    assert_type(message.query_address, bytes | None)
    assert_type(message.query_port, int | None)
    assert_type(message.policy, Policy | None)
    assert_type(message.http_protocol, HttpProtocol | None)
    assert_type(policy.type, str | None)
    assert_type(policy.action, PolicyAction | None)
    message.query_port = "53"  # type: ignore[assignment]
    message.policy = message  # type: ignore[assignment]
    message.response_size  # type: ignore[attr-defined]  # noqa: B018 (shows the error)


def constructors(wire: DnspythonMessage) -> None:
    assert_type(Message(MessageType.AUTH_QUERY, query_port=53, policy=Policy(rule=b"")), Message)
    assert_type(Dnstap(b"ns1", message=Message(), type=DnstapType.MESSAGE), Dnstap)
    Message(query_port="53")  # type: ignore[arg-type]
    Dnstap("ns1")  # type: ignore[arg-type]
    Dnstap(nonsense=1)  # type: ignore[call-arg]
    made = Message.client_query(wire, query_address="192.0.2.1", query_port=53, query_time=1)
    assert_type(made, Message)
    assert_type(made.client_response(b"", socket_protocol=SocketProtocol.DOH), Message)
    Message.client_query("wire")  # type: ignore[arg-type]
    Message.client_query(b"", 53)  # type: ignore[call-arg, arg-type]
    Message.client_query(b"", query_zone=b"")  # type: ignore[call-arg]


def accessors(message: Message) -> None:
    assert_type(message.is_query, bool)
    assert_type(message.time, datetime | None)
    assert_type(message.time_ns, int | None)
    assert_type(message.query_time, datetime | None)
    assert_type(message.response_time_ns, int | None)
    assert_type(message.query_ip, IPv4Address | IPv6Address | None)
    assert_type(message.latency, timedelta | None)
    assert_type(message.latency_ns, int | None)
    assert_type(message.client, str | None)
    assert_type(message.server, str | None)
    assert_type(message.id, int | None)
    assert_type(message.opcode, str | None)
    assert_type(message.rcode, str | None)
    assert_type(message.flags, tuple[str, ...])
    assert_type(message.qname, str | None)
    assert_type(message.qtype, str | None)
    assert_type(message.qclass, str | None)
    assert_type(message.wire, bytes | None)
    assert_type(message.question, Question | None)
    assert_type(message.dns, DnspythonMessage | None)
    message.is_query = True  # type: ignore[misc]


def as_dict(dnstap: Dnstap) -> None:
    found = dnstap.as_dict()
    assert_type(found, dict[str, int | str | tuple[int, ...] | tuple[str, ...] | None])
    assert_type(dnstap.as_dict(["time", "qname"])["time"], int | str | tuple[int, ...] | tuple[str, ...] | None)
    assert_type(dnstap.as_dict(("time", "qname")), dict[str, int | str | tuple[int, ...] | tuple[str, ...] | None])
    dnstap.as_dict([5])  # type: ignore[list-item]


def codec(payload: bytes, buffer: memoryview) -> None:
    dnstap = Dnstap.parse(payload)
    assert_type(dnstap, Dnstap)
    assert_type(dnstap.message, Message | None)
    assert_type(Message.parse(buffer, lenient=True), Message)
    assert_type(bytes(dnstap), bytes)
    assert_type(dnstap.encode(lenient=True), bytes)
    Dnstap.parse("payload")  # type: ignore[arg-type]
    Dnstap.parse(payload, True)  # type: ignore[call-arg]
    Dnstap.parse(payload, nonsense=1)  # type: ignore[call-arg]
