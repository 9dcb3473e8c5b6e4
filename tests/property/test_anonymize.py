"""Anonymizing of any addresses, payloads and DNS messages, with dnspython and yacryptopan as judges."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import dns.edns
import dns.exception
import dns.message
import dns.rdtypes.svcbbase
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yacryptopan import CryptoPAn

from dnstap import (
    Anonymizer,
    CryptoPan,
    DnsMessageError,
    Dnstap,
    DnstapError,
    DnstapType,
    Message,
    MessageType,
    truncate,
)
from dnstap.dns import DnsMessage, unpack
from dnstap.dns.addresses import V4_MAPPED
from dnstap.dns.edns import ClientSubnet
from dnstap.strategies import hostile_payloads, server_payloads
from tests.judge import google_parse
from tests.made_messages import DATA, Generator, captured_messages, read_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnstap.anonymize import Method

KEY = bytes(range(100, 132))
ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
METHODS: dict[str, Callable[[], Method]] = {"truncate": truncate, "crypto-pan": lambda: CryptoPan(KEY)}
MARK4, MARK6 = b"\xc6\x33\x64\x99", bytes.fromhex("20010db8c63364990123456789abcdef")


def common_prefix(one: bytes, other: bytes) -> int:
    """Length of an address in bits."""
    differing = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return 8 * len(one) - differing.bit_length()


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw two addresses with a common prefix of any length."""
    one = draw(ADDRESSES)
    bits = 8 * len(one)
    behind = draw(st.integers(0, bits))
    flip = draw(st.integers(0, (1 << behind) - 1))
    return one, (int.from_bytes(one, "big") ^ flip).to_bytes(len(one), "big")


@given(pairs())
def test_crypto_pan_preserves_prefixes(pair: tuple[bytes, bytes]) -> None:
    """Exactly, so different addresses stay different, and independently of earlier calls."""
    one, other = pair
    pan = CryptoPan(KEY)
    assert common_prefix(pan(one), pan(other)) == common_prefix(one, other)
    assert [CryptoPan(KEY)(address) for address in (other, one)] == [pan(other), pan(one)]


@given(st.binary(min_size=32, max_size=32), ADDRESSES)
def test_crypto_pan_agrees_with_another_implementation(key: bytes, address: bytes) -> None:
    assert str(ip_address(CryptoPan(key)(address))) == str(
        ip_address(CryptoPAn(key).anonymize(str(ip_address(address))))
    )


IN_IPV6 = {
    "2002::/16": 16,
    "2001::/32": 32,
    "64:ff9b::/96": 96,
    "::/96": 96,
    "::ffff:0:0/96": 96,
    "::ffff:0:0:0/96": 96,
}
# ISATAP has any prefix, and here two of these.
IN_IPV6 |= {"2001:db8::5efe:0:0/96": 96, "fe80::200:5efe:0:0/96": 96}
"""Networks of addresses with an IPv4 address, and the bit at which it begins."""

MADE_OF_IPV4 = st.builds(
    lambda network, host: (int(ip_network(network).network_address) | host >> ip_network(network).prefixlen).to_bytes(
        16
    ),
    st.sampled_from([*IN_IPV6, "64:ff9b:1::/48"]),
    st.integers(0, 2**128 - 1),
) | st.binary(min_size=4, max_size=4).map(lambda v4: v4 + bytes(12))


@given(ADDRESSES | MADE_OF_IPV4, st.integers(0, 32), st.integers(0, 128))
def test_truncation_gives_the_network(address: bytes, v4: int, v6: int) -> None:
    kept = [v4 if len(address) == 4 else v6]
    if len(address) == 16:
        kept += [begin + v4 for network, begin in IN_IPV6.items() if ip_address(address) in ip_network(network)]
        kept += [48] if ip_address(address) in ip_network("64:ff9b:1::/48") else []
        kept += [v4] if int.from_bytes(address) % 2**96 == 0 else []
    bits = min(kept)
    expected = ip_network((address, bits), strict=False).network_address
    assert truncate(v4, v6)(address) == expected.packed


def everything_else(before: Dnstap, after: Dnstap) -> Dnstap:
    """Return `after` with the fields that may change as they were before."""
    if before.message is None or after.message is None:
        return after
    names = "query_address", "response_address", "query_message", "response_message", "policy"
    kept = {name: getattr(before.message, name) for name in names}
    return replace(after, message=replace(after.message, **kept))


def without_unknown(dnstap: Dnstap) -> Dnstap:
    message = dnstap.message
    return replace(dnstap, message=message and replace(message, _unknown_fields=b""), _unknown_fields=b"")


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("name", METHODS)
@given(payload=hostile_payloads() | server_payloads())
def test_any_payload_is_anonymized_or_refused(name: str, answers: bool, payload: bytes) -> None:
    anonymizer = Anonymizer(METHODS[name](), answers=answers)
    out = anonymizer([payload])
    try:
        before = Dnstap.parse(payload)
    except DnstapError:
        assert out == []
        assert anonymizer.bad == 1
        return
    after = Dnstap.parse(out[0])
    assert google_parse("Dnstap", out[0]) is not None
    assert everything_else(before, after) == without_unknown(before)
    assert anonymizer.anonymize(before) == after
    assert Anonymizer(METHODS[name](), answers=answers)([payload]) == out
    method = METHODS[name]()
    if before.message and after.message:
        for field in "query_address", "response_address":
            old, new = getattr(before.message, field), getattr(after.message, field)
            assert (old is None) == (new is None)
            if old is not None:
                assert new == other(method, old)


def other(method: Method, address: bytes) -> bytes:
    """Return the expected address, computed as the documentation describes it."""
    if len(address) == 16 and address[:12] == V4_MAPPED:
        return V4_MAPPED + method(address[12:])
    return method(address) if len(address) in (4, 16) else bytes(len(address))


def subnets(message: dns.message.Message) -> Iterator[tuple[Any, ...]]:
    """Return the Client Subnets that dnspython finds: family, prefix, scope, address."""
    for option in message.options:
        if isinstance(option, dns.edns.ECSOption):
            yield option.family, option.srclen, option.scopelen, ip_address(option.address).packed


def answers_of(message: dns.message.Message) -> Iterator[bytes]:
    """Return the addresses in records that dnspython finds, in its order."""
    for rrset in (*message.answer, *message.authority, *message.additional):
        for rdata in rrset:
            if rdata.rdtype in (1, 28) and hasattr(rdata, "address"):
                yield ip_address(rdata.address).packed
            for key in 4, 6:
                if isinstance(rdata, dns.rdtypes.svcbbase.SVCBBase) and key in rdata.params:
                    yield from (ip_address(address).packed for address in rdata.params[key].addresses)


def parsed(wire: bytes) -> dns.message.Message | None:
    """Return a message parsed by dnspython, None if it refuses."""
    # It raises more than it says: struct.error, AttributeError, ValueError.
    try:
        return dns.message.from_wire(wire, one_rr_per_rrset=True, keyring=False)
    except Exception:  # noqa: BLE001
        return None


def masked(address: bytes, bits: int) -> bytes:
    return ip_network((address, bits), strict=False).network_address.packed


def check_wire(method: Method, wire: bytes) -> tuple[int, int]:
    """Check a message that dnspython parses to its end; return the number of subnets and of answers."""
    before = parsed(wire)
    if before is None:
        return 0, 0
    for answers in (False, True):
        anonymizer = Anonymizer(method, answers=answers)
        response = Message(type=MessageType.CLIENT_RESPONSE, response_message=wire)
        new = anonymizer.anonymize(Dnstap(type=DnstapType.MESSAGE, message=response)).message
        assert new
        assert new.response_message is not None
        after = parsed(new.response_message)
        assert after is not None
        if anonymizer.cut:
            # Refused although dnspython reads it: two questions, octets behind the end, and the like. Nothing is left.
            assert [len(section) for section in after.sections[1:]] == [0, 0, 0]
            assert not after.options
            continue
        assert len(new.response_message) == len(wire)
        assert [subnet[:3] for subnet in subnets(after)] == [subnet[:3] for subnet in subnets(before)]
        for (_, bits, _, old), (*_, shown) in zip(subnets(before), subnets(after), strict=True):
            assert shown == masked(other(method, old), bits)
        expected = [other(method, address) if answers else address for address in answers_of(before)]
        assert list(answers_of(after)) == expected
    return len(list(subnets(before))), len(list(answers_of(before)))


def test_captured_dns_messages_are_anonymized() -> None:
    method = CryptoPan(KEY)
    found = [check_wire(method, wire) for wire in captured_messages()]
    assert sum(subnets for subnets, _ in found) > 10
    assert sum(answers for _, answers in found) > 100


def addresses_in(message: DnsMessage) -> tuple[list[ClientSubnet], list[bytes]]:
    """Return Client Subnets and answers that our exact decoder finds, which accepts more than dnspython."""
    records = [*message.answers, *message.authorities, *message.additionals]
    options = [option.value for record in records if record.rrtype == 41 for option in record.rdata[0]]
    answers: list[bytes] = []
    for record in records:
        if record.rrtype in (1, 28) and record.rrclass != 3:
            answers += [record.rdata[0]] if record.rdata[0] else []
        elif record.rrtype in (64, 65):
            answers += [address for param in record.rdata[2] if param.key in (4, 6) for address in param.value]
    return [option for option in options if isinstance(option, ClientSubnet)], answers


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_generated_dns_messages_are_anonymized(name: str, answers: bool) -> None:
    method = METHODS[name]()
    generator = Generator(5)
    found = {"subnets": 0, "answers": 0, "bad": 0}
    for _ in range(3000):
        wire = generator.dns_message()
        anonymizer = Anonymizer(method, answers=answers)
        response = Message(type=MessageType.CLIENT_RESPONSE, response_message=wire)
        new = anonymizer.anonymize(Dnstap(type=DnstapType.MESSAGE, message=response)).message
        assert new
        assert new.response_message is not None
        try:
            before = unpack(wire)
        except DnsMessageError:
            found["bad"] += 1
            continue
        if anonymizer.cut:
            assert len(new.response_message) < len(wire) or len(wire) <= 12
            continue
        after = unpack(new.response_message)
        (old_subnets, old_answers), (new_subnets, new_answers) = addresses_in(before), addresses_in(after)
        assert new_answers == [other(method, address) if answers else address for address in old_answers]
        assert [subnet[:3] for subnet in new_subnets] == [subnet[:3] for subnet in old_subnets]
        for old, shown in zip(old_subnets, new_subnets, strict=True):
            # Zeros where it is not as RFC 7871 has it, which is not shown.
            assert shown.address in (masked(other(method, old.address), old.source_prefix), bytes(len(old.address)))
            found["subnets"] += shown.address != bytes(len(old.address))
        found["answers"] += len(new_answers)
    assert all(number > 3 for number in found.values()), found


@given(st.data())
def test_no_bytes_of_a_subnet_stay(data: st.DataObject) -> None:
    """Also in damaged messages: records truncated, moved, with wrong counts and lengths."""
    octets = data.draw(st.sampled_from([MARK4, MARK6]))
    option = struct.pack(">HHHBB", 8, 4 + len(octets), 1 if len(octets) == 4 else 2, 8 * len(octets), 0) + octets
    padding = data.draw(st.sampled_from([b"", b"\0\x0a\0\x08abcdefgh", b"\0\x0c\0\3\0\0\0"]))
    rdata = padding + option + data.draw(st.sampled_from([b"", padding]))
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(rdata)) + rdata
    records = data.draw(st.permutations([opt, b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd", b"\1a\0\0\x10\0\1\0\0\0\1\0\2\1a"]))
    counts = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 65535]), min_size=4, max_size=4))
    wire = bytearray(struct.pack(">6H", 1, 0x100, *counts) + b"\7example\3org\0\0\1\0\1" + b"".join(records))
    place = wire.index(octets)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(12, len(wire) - 1).filter(lambda at: not place <= at < place + len(octets)))
        wire[at] = data.draw(st.integers(0, 255))
    wire += data.draw(st.sampled_from([b"", b"x", octets]))
    query = Message(type=MessageType.CLIENT_QUERY, query_message=bytes(wire))
    after = Anonymizer(truncate(0, 0)).anonymize(Dnstap(type=DnstapType.MESSAGE, message=query)).message
    assert after
    assert after.query_message is not None
    new = parsed(after.query_message)
    assert new is None or not any(any(address) for *_, address in subnets(new))
    # The octets may stay where no reader of the message finds a Client Subnet: the mutilation hit its code or its type.
    assert octets not in after.query_message or not is_subnet(bytes(wire), octets)


def is_subnet(wire: bytes, octets: bytes) -> bool:
    """Return whether the bytes are those of a Client Subnet in the message as dnspython parses it."""
    message = parsed(wire)
    return message is not None and any(address == octets for *_, address in subnets(message))


@given(st.data())
def test_captures_as_they_are_and_mutilated(data: st.DataObject) -> None:
    """Neither an error nor a longer payload."""
    payload = data.draw(st.sampled_from(payloads()))
    octets = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.sampled_from([0, 1, 8, 41, 192, 255]))
    for answers in (False, True):
        out = b"".join(Anonymizer(truncate(), answers=answers)([bytes(octets)]))
        assert len(out) <= len(octets)


@cache
def payloads() -> list[bytes]:
    return [frame for path in sorted(DATA.glob("*.fstrm")) for frame in read_frames(path)][::7]
