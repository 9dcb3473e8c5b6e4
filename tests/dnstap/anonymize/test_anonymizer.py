"""Payloads and messages: which fields are changed, and which are not."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from dnstap import (
    Anonymizer,
    CryptoPan,
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
    truncate,
)

IPV4, SHORT4 = bytes.fromhex("c0000263"), bytes.fromhex("c0000200")
IPV6, SHORT6 = bytes.fromhex("20010db8ffffffffffffffffffffff99"), bytes.fromhex("20010db8ffff") + bytes(10)
MAPPED = bytes(10) + b"\xff\xff"
# A query with a Client Subnet of 28 bits; a response with an address.
QUERY = bytes.fromhex("0007010000010000000000010000010001 000029040000000000000c 00080008 00011c00 c0000260")
QUERY_AFTER = QUERY[:-1] + b"\0"
RESPONSE = bytes.fromhex("0007818000010001000000000000010001 0000010001000000010004 c0000263")
RESPONSE_AFTER = RESPONSE[:-1] + b"\0"

MESSAGE = Message(
    type=MessageType.CLIENT_RESPONSE,
    socket_family=SocketFamily.INET,
    socket_protocol=SocketProtocol.DOH,
    query_address=IPV4,
    response_address=IPV6,
    query_port=40_000,
    response_port=53,
    query_time_sec=1_700_000_000,
    query_time_nsec=999_000_000,
    query_message=QUERY,
    query_zone=b"\1a\0",
    response_time_sec=1_700_000_001,
    response_time_nsec=0,
    response_message=RESPONSE,
    policy=Policy("RPZ", b"\1a\0", PolicyAction.DROP, PolicyMatch.QNAME, b"a."),
    http_protocol=HttpProtocol.HTTP2,
)
DNSTAP = Dnstap(b"ns1", b"version", b"extra", MESSAGE, DnstapType.MESSAGE)


def changed(**fields: Any) -> Dnstap:
    return replace(DNSTAP, message=replace(MESSAGE, **fields))


def anonymized(dnstap: Dnstap, **options: bool) -> Dnstap:
    """Anonymize a message as an object, which must not change, and as a payload."""
    before = deepcopy(dnstap)
    after = Anonymizer(truncate(), **options).anonymize(dnstap)
    assert dnstap == before
    assert Anonymizer(truncate(), **options)([bytes(dnstap)]) == [bytes(after)]
    return after


USUAL: dict[str, Any] = {"query_address": SHORT4, "response_address": SHORT6, "query_message": QUERY_AFTER}


def test_what_is_changed() -> None:
    assert anonymized(DNSTAP) == changed(**USUAL)


def test_what_is_changed_on_request() -> None:
    assert anonymized(DNSTAP, answers=True) == changed(**USUAL, response_message=RESPONSE_AFTER)
    assert anonymized(DNSTAP, ports=True) == changed(**USUAL, query_port=0, response_port=0)


def test_what_is_not_there() -> None:
    for dnstap in (
        Dnstap(type=DnstapType.MESSAGE),
        Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.TOOL_QUERY)),
        Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.TOOL_QUERY, query_address=b"", query_port=0)),
    ):
        assert anonymized(dnstap, ports=True, answers=True) == dnstap


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAPPED + IPV4, MAPPED + SHORT4),
        (b"\xc0\0\2", bytes(3)),
        (IPV4 + IPV4, bytes(8)),
        (IPV6 + IPV6, bytes(32)),
        (b"192.0.2.99", bytes(10)),
    ],
)
def test_addresses(before: bytes, after: bytes) -> None:
    assert anonymized(changed(query_address=before)) == changed(**USUAL | {"query_address": after})


def test_one_method_everywhere() -> None:
    """A mapped address, a subnet and an answer get what the address itself gets."""
    pan = CryptoPan(bytes(range(32)))
    anonymizer = Anonymizer(pan, answers=True)
    message = anonymizer.anonymize(changed(query_address=MAPPED + IPV4)).message
    assert message
    new = pan(IPV4)
    assert message.query_address == MAPPED + new
    assert message.response_message == RESPONSE[:-4] + new
    # Of 28 bits.
    assert message.query_message == QUERY[:-4] + new[:3] + bytes((new[3] & 0xF0,))
    mapped = MAPPED + IPV4[:3] + b"\x60"
    query = QUERY[:26] + b"\0\x18\0\x08\0\x14\0\2\x7c\0" + mapped
    message = anonymizer.anonymize(changed(query_message=query)).message
    assert message
    assert message.query_message == query[:-4] + new[:3] + bytes((new[3] & 0xF0,))


@pytest.mark.parametrize("match", [None, *PolicyMatch, PolicyMatch(77)])
def test_policies(match: PolicyMatch | None) -> None:
    """A rule that matched an address is left out; a rule that matched a name stays."""
    policy = replace(MESSAGE.policy or Policy(), match=match)
    stays = match in (PolicyMatch.QNAME, PolicyMatch.NS_NAME)
    after = policy if stays else Policy("RPZ", None, PolicyAction.DROP, match)
    assert anonymized(changed(policy=policy)) == changed(**USUAL, policy=after)
    anonymizer = Anonymizer(truncate())
    for bare in (replace(policy, rule=None), replace(policy, value=None), replace(policy, rule=None, value=None)):
        anonymizer.anonymize(changed(policy=bare))
    assert anonymizer.stripped == (0 if stays else 2)


@pytest.mark.parametrize("text", ["192.0.2.99", "2001:db8::1", "RPZ 192.0.2.99", "\u0661", "RPZ\n", "zone.example"])
@pytest.mark.parametrize("match", [None, PolicyMatch.QNAME, PolicyMatch.CLIENT_IP])
def test_the_type_of_a_policy_is_a_word(match: PolicyMatch | None, text: str) -> None:
    anonymizer = Anonymizer(truncate())
    for kept in ("RPZ", "response-policy_zone", ""):
        policy = Policy(kept, match=match)
        assert anonymizer.anonymize(changed(policy=policy)) == changed(**USUAL, policy=policy)
    assert anonymizer.stripped == 0
    policy = Policy(text, action=PolicyAction.DROP, match=match)
    assert anonymizer.anonymize(changed(policy=policy)) == changed(**USUAL, policy=replace(policy, type=None))
    assert anonymizer.stripped == 1


UNKNOWN = b"\xaa\x06\x04" + IPV4


def test_unknown_fields_are_left_out_and_counted() -> None:
    anonymizer = Anonymizer(truncate())
    policy = replace(MESSAGE.policy or Policy(), _unknown_fields=UNKNOWN)
    with_unknown = [
        replace(DNSTAP, _unknown_fields=UNKNOWN),
        changed(_unknown_fields=UNKNOWN),
        changed(policy=policy),
        replace(changed(policy=policy, _unknown_fields=UNKNOWN), _unknown_fields=UNKNOWN),
    ]
    octets = [bytes(dnstap) for dnstap in with_unknown]
    expected = bytes(changed(**USUAL))
    assert anonymizer(octets) == [expected] * 4
    assert anonymizer.stripped == 4
    assert [bytes(anonymizer.anonymize(dnstap)) for dnstap in with_unknown] == [expected] * 4
    assert [bytes(dnstap) for dnstap in with_unknown] == octets


def test_unknown_fields_without_a_message() -> None:
    bare = Dnstap(b"ns1", type=DnstapType.MESSAGE)
    assert anonymized(replace(bare, _unknown_fields=UNKNOWN)) == bare


def test_a_field_that_comes_twice_hides_nothing() -> None:
    payload = bytes(DNSTAP)
    hidden = b"r\x0a" + b"\x22\x08" + IPV4 + IPV4 + payload
    assert Anonymizer(truncate())([hidden]) == [bytes(changed(**USUAL))]


def test_counts_and_news() -> None:
    anonymizer = Anonymizer(truncate())
    good = bytes(DNSTAP)
    assert anonymizer([good]) == [bytes(changed(**USUAL))]
    assert list(anonymizer.new_reports()) == []
    no_type = bytes.fromhex("7200")
    assert anonymizer([good, b"junk", good, no_type]) == [bytes(changed(**USUAL))] * 2
    assert (anonymizer.payloads, anonymizer.bad, anonymizer.cut, anonymizer.stripped) == (5, 2, 0, 0)
    assert anonymizer.first_bad
    assert anonymizer.first_bad[0] == 3
    (line,) = anonymizer.new_reports()
    assert line.startswith("2 of 5 payloads cannot be anonymized and are left out; the first was payload 3: Dnstap: ")
    assert list(anonymizer.new_reports()) == []
    cut = bytes(changed(query_message=QUERY[:-1]))
    assert anonymizer([cut]) == [
        bytes(changed(**USUAL | {"query_message": b"\0\7\1\0\0\1" + bytes(6) + b"\0\0\1\0\1"}))
    ]
    assert list(anonymizer.new_reports()) == [
        "1 DNS messages that do not parse and may hold addresses are cut after their question"
    ]
    anonymizer([good + UNKNOWN])
    assert list(anonymizer.new_reports()) == [
        "1 payloads have fields that may hold addresses; these fields are left out"
    ]
    assert anonymizer.summary() == (
        "7 payloads came to be anonymized, of which 2 were left out; 1 DNS messages were cut, and of 1 payloads fields"
        " left out"
    )


def test_a_method_that_makes_another_length() -> None:
    for dnstap in (DNSTAP, changed(query_address=None, response_address=None)):
        with pytest.raises(TypeError, match="the method returned 5 bytes for an address of 4"):
            Anonymizer(lambda address: address + b"x").anonymize(dnstap)


def test_wrong_arguments() -> None:
    anything: Any = Anonymizer
    for method in (None, "truncate"):
        with pytest.raises(TypeError, match=r"^method: expected a function from an address to another"):
            anything(method)
    anything = Anonymizer(truncate())
    for payloads in (None, b"abc", 5):
        with pytest.raises(TypeError, match=r"^payloads: expected a list of bytes, got "):
            anything(payloads)
    with pytest.raises(TypeError, match=r"^dnstap: expected a Dnstap, "):
        anything.anonymize(b"abc")


def test_addresses_and_ports_outside_of_messages() -> None:
    anonymizer = Anonymizer(truncate())
    assert [anonymizer.anonymize_address(address) for address in (IPV4, IPV6)] == [SHORT4, SHORT6]
    assert [anonymizer.anonymize_port(53), Anonymizer(truncate(), ports=True).anonymize_port(53)] == [53, 0]
    with pytest.raises(TypeError, match="4 or 16 bytes"):
        anonymizer.anonymize_address("192.0.2.1")  # type: ignore[arg-type]
