"""Rules about payloads and their messages: each finds the payload that breaks it, and not the one that nearly does."""

from __future__ import annotations

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketProtocol
from dnstap.linting.frame_rules import FRAME_RULES
from dnstap.linting.linter import Finding, Linter
from dnstap.linting.message_rules import MESSAGE_RULES
from tests.dnstap.linting.payloads import CASES, QUERY, RESPONSE, payload, query


def findings(data: bytes) -> dict[str, Finding]:
    """Return what all rules find in one payload, by rule."""
    linter = Linter()
    linter.check_payloads([data])
    return {finding.rule.id: finding for finding in linter.findings()}


def test_each_rule_has_a_case() -> None:
    assert [*CASES] == [rule.id for rule in (*FRAME_RULES, *MESSAGE_RULES)]


@pytest.mark.parametrize("name", CASES)
def test_payload_that_breaks_a_rule_breaks_no_other(name: str) -> None:
    case = CASES[name]
    found = findings(case.bad)
    assert found.keys() == {name, *case.more}
    assert (found[name].detail, found[name].times, found[name].frame) == (case.detail, 1, 1)


@pytest.mark.parametrize("name", CASES)
def test_payload_that_nearly_breaks_a_rule_does_not(name: str) -> None:
    assert name not in findings(CASES[name].good)


@pytest.mark.parametrize("data", [payload(), query()])
def test_good_payloads_break_no_rule(data: bytes) -> None:
    assert findings(data) == {}


@pytest.mark.parametrize(
    ("data", "name", "detail"),
    [
        (payload(identity=None, version=None), "no-identity", "no identity and no version"),
        (payload(version=b""), "no-identity", "no version"),
        (payload(http_protocol=2, socket_protocol=None), "http-without-doh", "http_protocol with no protocol"),
        (payload(query_address=bytes(16)), "address-family", "INET with query_address of 16 bytes"),
        (query(query_time_sec=None, query_time_nsec=None), "no-time", "AUTH_QUERY without query time"),
        (query(query_time_nsec=2**32 - 1), "nanoseconds-range", "query_time_nsec 4294967295"),
        (query(query_message=None), "no-dns-message", "AUTH_QUERY without query_message"),
        (query(query_message=b""), "empty-dns-message", "empty query_message"),
        (query(query_message=RESPONSE), "qr-bit", "query_message with QR 1"),
        (query(query_message=QUERY[:3]), "malformed-dns", "query_message: dns: overflow unpacking uint16"),
        (query(query_message=bytes(65_540)), "dns-over-64k", "query_message of 65540 bytes"),
        (query(type=MessageType.STUB_QUERY), "stub-or-update-type", "STUB_QUERY"),
        (query(type=MessageType.RESOLVER_QUERY), "no-query-zone", "RESOLVER_QUERY without query_zone"),
        (query(socket_protocol=SocketProtocol.DNSCryptUDP), "newer-protocol", "DNSCryptUDP"),
        (query(type=MessageType(99), query_message=None), "no-dns-message", "UNKNOWN(99) without any DNS message"),
    ],
)
def test_rules_look_at_all_fields(data: bytes, name: str, detail: str) -> None:
    assert findings(data)[name].detail == detail


def test_types_that_do_not_tell_the_direction_may_have_either_part() -> None:
    absent = dict.fromkeys(("query_time_sec", "query_time_nsec", "response_time_sec", "response_time_nsec"))
    for data in (payload(type=MessageType(99)), query(type=MessageType(99))):
        assert findings(data).keys() == {"unknown-message-type"}
    found = findings(payload(type=MessageType(99), **absent))
    assert found["no-time"].detail == "UNKNOWN(99) without any time"
    assert "no-query-time" not in found


def test_message_without_fields_breaks_rules_about_what_is_missing() -> None:
    data = Dnstap(type=DnstapType.MESSAGE, message=Message()).encode(lenient=True)
    assert findings(data).keys() == {
        "no-identity",
        "no-message-type",
        "no-family",
        "no-protocol",
        "no-query-address",
        "no-response-address",
        "no-query-port",
        "no-response-port",
        "no-time",
        "no-dns-message",
    }


def test_policy_without_numbers_breaks_no_rule() -> None:
    assert findings(payload(policy=None)) == {}


def test_unknown_fields_are_found_in_every_part() -> None:
    policy = payload() + b"\x72\5\x7a\3\xc0\6\1"  # A second Message is merged into the first.
    assert findings(policy)["unknown-field"].detail == "field 104 of Policy"
    assert findings(b"\x08\1" + payload())["misplaced-field"].detail == "identity of Dnstap with wire type 0"


def test_half_a_time_is_a_time() -> None:
    assert findings(query(query_time_nsec=None)).keys() == {"half-time"}
    assert findings(query(query_time_sec=None)).keys() == {"half-time"}
