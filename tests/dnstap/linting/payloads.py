"""Payloads for the linter: one that breaks no rule, and for each rule one that breaks it and one that nearly does."""

from __future__ import annotations

from typing import Any, NamedTuple

import dns.message

from dnstap import (
    Dnstap,
    DnstapType,
    HttpProtocol,
    Message,
    MessageType,
    Policy,
    PolicyAction,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
)

__all__ = ["CASES", "QUERY", "RESPONSE", "Case", "payload", "query"]

QUERY = dns.message.make_query("example.org", "A", id=7).to_wire()
RESPONSE = QUERY[:2] + b"\x81" + QUERY[3:]
_OTHER_ID = b"\0\x08" + QUERY[2:]
_OTHER_QUESTION = dns.message.make_query("example.net", "A", id=7).to_wire()
_NO_QUESTION = RESPONSE[:4] + bytes(8)


def payload(
    *, identity: bytes | None = b"ns1", version: bytes | None = b"1.0", extra: bytes | None = None, **fields: Any
) -> bytes:
    """Return a payload that breaks no rule, except for these fields of its Message."""
    values = {
        "type": MessageType.AUTH_RESPONSE,
        "socket_family": SocketFamily.INET,
        "socket_protocol": SocketProtocol.UDP,
        "query_address": b"\xc0\0\2\1",
        "response_address": b"\xc0\0\2\2",
        "query_port": 4242,
        "response_port": 53,
        "query_time_sec": 1_700_000_000,
        "query_time_nsec": 5,
        "response_time_sec": 1_700_000_000,
        "response_time_nsec": 999_999_999,
        "response_message": RESPONSE,
        **fields,
    }
    dnstap = Dnstap(type=DnstapType.MESSAGE, identity=identity, version=version, extra=extra, message=Message(**values))
    return dnstap.encode(lenient=True)


def query(**fields: Any) -> bytes:
    """Return a query that breaks no rule, except for these fields of its Message."""
    values = {
        "type": MessageType.AUTH_QUERY,
        "query_message": QUERY,
        "response_message": None,
        "response_time_sec": None,
        "response_time_nsec": None,
        **fields,
    }
    return payload(**values)


def _inside(more: bytes) -> bytes:
    """Return a payload with more bytes in its Message."""
    message = Dnstap.parse(payload()).message
    assert message is not None
    encoded = bytes(message) + more
    head = b"\x0a\x03ns1\x12\x031.0\x78\x01\x72"
    return head + bytes([len(encoded)]) + encoded


def _sized(size: int) -> bytes:
    """Return a payload of this size, with an `extra`."""
    return payload(extra=bytes(size - len(payload(extra=bytes(size))) + size))


class Case(NamedTuple):
    """One rule.

    Attributes:
        detail: what is found in `bad`.
        more: other rules that `bad` breaks too.
    """

    bad: bytes
    good: bytes
    detail: str
    more: frozenset[str] = frozenset()


_ABSENT = {"response_time_sec": None, "response_time_nsec": None}
_NEITHER = {"query_time_sec": None, "query_time_nsec": None}
_DOH = SocketProtocol.DOH

CASES = {
    "undecodable": Case(b"\xff", payload(), "Dnstap: the last field is cut off, at byte 1"),
    "no-type": Case(payload()[:-2], payload(), "Dnstap without type"),
    "unknown-dnstap-type": Case(payload()[:-1] + b"\2", payload(), "type 2"),
    "no-message": Case(
        b"\x0a\3ns1\x12\x031.0\x78\1", b"\x0a\3ns1\x12\x031.0\x72\2\x08\1\x78\1", "type MESSAGE without a message"
    ),
    "misplaced-field": Case(_inside(b"\x32\1a"), _inside(b"\x30\1"), "query_port of Message with wire type 2"),
    "unknown-field": Case(payload() + b"\xf8\7\1", payload() + b"\x1a\0", "field 127 of Dnstap"),
    "no-identity": Case(payload(identity=b""), payload(identity=b"\0"), "no identity"),
    "frame-over-96k": Case(_sized(98_305), _sized(98_304), "98305 bytes"),
    "frame-over-256k": Case(_sized(262_141), _sized(262_140), "262141 bytes", frozenset({"frame-over-96k"})),
    "no-message-type": Case(payload(type=None), payload(), "Message without type"),
    "unknown-message-type": Case(payload(type=MessageType(15)), payload(), "type 15"),
    "stub-or-update-type": Case(
        payload(type=MessageType.UPDATE_RESPONSE), payload(type=MessageType.TOOL_RESPONSE), "UPDATE_RESPONSE"
    ),
    "no-family": Case(payload(socket_family=None), payload(), "AUTH_RESPONSE without socket_family"),
    "unknown-family": Case(payload(socket_family=SocketFamily(3)), payload(), "socket_family 3"),
    "no-protocol": Case(payload(socket_protocol=None), payload(), "AUTH_RESPONSE without socket_protocol"),
    "unknown-protocol": Case(payload(socket_protocol=SocketProtocol(8)), payload(), "socket_protocol 8"),
    "newer-protocol": Case(
        payload(socket_protocol=SocketProtocol.DOQ), payload(socket_protocol=SocketProtocol.TCP), "DOQ"
    ),
    "unknown-http-protocol": Case(
        payload(socket_protocol=_DOH, http_protocol=HttpProtocol(4)),
        payload(socket_protocol=_DOH, http_protocol=HttpProtocol.HTTP3),
        "http_protocol 4",
        frozenset({"newer-protocol"}),
    ),
    "http-without-doh": Case(
        payload(http_protocol=HttpProtocol.HTTP2),
        payload(socket_protocol=_DOH, http_protocol=HttpProtocol.HTTP2),
        "http_protocol with UDP",
    ),
    "unknown-policy-number": Case(
        payload(policy=Policy(action=PolicyAction(7), match=PolicyMatch(6))),
        payload(policy=Policy(action=PolicyAction.DROP, match=PolicyMatch.NS_IP)),
        "action 7 and match 6",
    ),
    "address-length": Case(
        payload(query_address=bytes(5), response_address=bytes(17)),
        payload(),
        "query_address of 5 bytes and response_address of 17 bytes",
    ),
    "empty-address": Case(payload(response_address=b""), payload(), "response_address of 0 bytes"),
    "address-family": Case(
        payload(socket_family=SocketFamily.INET6, query_address=bytes(16)),
        payload(socket_family=SocketFamily.INET6, query_address=bytes(16), response_address=bytes(16)),
        "INET6 with response_address of 4 bytes",
    ),
    "no-query-address": Case(payload(query_address=None), payload(), "AUTH_RESPONSE without query_address"),
    "no-response-address": Case(payload(response_address=None), payload(), "AUTH_RESPONSE without response_address"),
    "no-query-port": Case(payload(query_port=None), payload(), "AUTH_RESPONSE without query_port"),
    "no-response-port": Case(payload(response_port=None), payload(), "AUTH_RESPONSE without response_port"),
    "port-zero": Case(payload(query_port=0), payload(query_port=1), "query_port 0"),
    "port-range": Case(
        payload(query_port=65_536, response_port=70_000),
        payload(query_port=65_535),
        "query_port 65536 and response_port 70000",
    ),
    "no-time": Case(payload(**_ABSENT), query(**_ABSENT), "AUTH_RESPONSE without response time"),
    "no-query-time": Case(payload(**_NEITHER), payload(), "AUTH_RESPONSE without query time"),
    "half-time": Case(
        payload(query_time_sec=None, response_time_nsec=None),
        payload(query_time_sec=0, query_time_nsec=0),
        "query_time_nsec without query_time_sec and response_time_sec without response_time_nsec",
    ),
    "nanoseconds-range": Case(payload(response_time_nsec=1_000_000_000), payload(), "response_time_nsec 1000000000"),
    "response-before-query": Case(
        payload(response_time_nsec=4), payload(response_time_nsec=5), "response time before query time"
    ),
    "no-dns-message": Case(payload(response_message=None), query(), "AUTH_RESPONSE without response_message"),
    "empty-dns-message": Case(payload(response_message=b""), payload(), "empty response_message"),
    "query-with-response": Case(
        query(response_message=RESPONSE), payload(query_message=QUERY), "AUTH_QUERY with response_message"
    ),
    "qr-bit": Case(payload(response_message=QUERY), payload(), "response_message with QR 0"),
    "id-mismatch": Case(
        payload(query_message=_OTHER_ID),
        payload(query_message=QUERY),
        "query_message and response_message with another id",
    ),
    "question-mismatch": Case(
        payload(query_message=_OTHER_QUESTION),
        payload(query_message=QUERY.replace(b"example", b"eXaMpLe")),
        "query_message and response_message with another question",
    ),
    "malformed-dns": Case(
        payload(response_message=RESPONSE[:20]), payload(), "response_message: dns: buffer size too small"
    ),
    "dns-over-64k": Case(
        payload(response_message=RESPONSE.ljust(65_536, b"\0")),
        payload(response_message=RESPONSE.ljust(65_535, b"\0")),
        "response_message of 65536 bytes",
    ),
    "no-question": Case(
        payload(response_message=_NO_QUESTION, query_message=QUERY),
        payload(query_message=QUERY),
        "response_message without a question",
    ),
    "no-query-zone": Case(
        payload(type=MessageType.RESOLVER_RESPONSE),
        payload(type=MessageType.RESOLVER_RESPONSE, query_zone=b"\0"),
        "RESOLVER_RESPONSE without query_zone",
    ),
    "malformed-zone": Case(payload(query_zone=b"\x3f"), payload(query_zone=b"\3org\0"), "query_zone is not a name"),
}
"""Name of a rule -> payloads for it."""
