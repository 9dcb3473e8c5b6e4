"""Two inputs that differ in hidden bits of an address give the same output, wherever the address is.

dnspython builds the DNS messages, and another implementation of RFC 6052 the addresses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import dns.edns
import dns.flags
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Anonymizer, CryptoPan, Dnstap, DnstapType, Message, MessageType, Policy, PolicyMatch, truncate

V4_BITS = 24
OWN, OTHER = IPv4Address("198.51.100.77").packed, IPv4Address("198.51.100.178").packed
"""Addresses of one network of V4_BITS."""

Maker = Callable[[bytes], bytes]
"""From an IPv4 address to bytes with it."""


def nat64(prefix: str, bits: int) -> Maker:
    """Return the function that puts an address behind a prefix (RFC 6052, 2.2)."""

    def make(v4: bytes) -> bytes:
        # Bits 64 to 71 are zero, and the address goes on after them.
        octets = bytearray(IPv6Address(prefix).packed[: bits // 8])
        for octet in v4:
            octets += b"\0" if len(octets) == 8 else b""
            octets.append(octet)
        return bytes(octets.ljust(16, b"\0"))

    return make


def inverted(v4: bytes) -> bytes:
    return bytes(octet ^ 255 for octet in v4)


EMBEDDED: dict[str, Maker] = {
    "IPv4-mapped": lambda v4: IPv6Address(f"::ffff:{IPv4Address(v4)}").packed,
    "IPv4-compatible": lambda v4: bytes(12) + v4,
    "IPv4-translated": lambda v4: IPv6Address(f"::ffff:0:{IPv4Address(v4)}").packed,
    "6to4": lambda v4: b"\x20\x02" + v4 + bytes(10),
    "6to4 twice": lambda v4: b"\x20\x02" + v4 + bytes(6) + v4,
    "Teredo server": lambda v4: IPv6Address("2001::").packed[:4] + v4 + b"\x80\0\xee\xee" + inverted(b"\xc0\0\2\1"),
    "Teredo client": lambda v4: IPv6Address("2001:0:c000:201:8000:eeee::").packed[:12] + inverted(v4),
    "NAT64": nat64("64:ff9b::", 96),
    **{f"local NAT64 of {bits} bits": nat64("64:ff9b:1:abcd:12:3456::", bits) for bits in (48, 56, 64, 96)},
    "ISATAP": lambda v4: IPv6Address("2001:db8:1:2:0:5efe::").packed[:12] + v4,
    "ISATAP of a global address": lambda v4: IPv6Address("fe80::200:5efe:0:0").packed[:12] + v4,
    "the first 4 of 16 octets": lambda v4: v4 + bytes(12),
}


def dnstap(**fields: object) -> bytes:
    message = Message(type=MessageType.CLIENT_RESPONSE, **fields)  # type: ignore[arg-type]
    return bytes(Dnstap(type=DnstapType.MESSAGE, message=message))


def response(*options: dns.edns.Option, answer: tuple[str, bytes, str] | None = None) -> bytes:
    """Return a response with options, and an answer of this type, rdata and class."""
    message = dns.message.make_response(dns.message.make_query("www.example.org.", "A"))
    message.id = 7
    if answer:
        rrtype, rdata, rrclass = dns.rdatatype.from_text(answer[0]), answer[1], dns.rdataclass.from_text(answer[2])
        record = dns.rdata.GenericRdata(rrclass, rrtype, rdata)
        message.answer.append(dns.rrset.from_rdata("www.example.org.", 60, record))
    if options:
        message.use_edns(0, options=list(options))
    return message.to_wire()


def subnet(family: int, source: int, octets: bytes) -> dns.edns.Option:
    return dns.edns.GenericOption(dns.edns.OptionType.ECS, struct.pack(">HBB", family, source, 0) + octets)


COOKIE = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"\0\x08abcdef")

WIRES: dict[str, Maker] = {
    "subnet": lambda v4: response(dns.edns.ECSOption(str(IPv4Address(v4)), 32)),
    "subnet of 31 bits": lambda v4: response(dns.edns.ECSOption(str(IPv4Address(v4)), 31)),
    "subnet between cookies": lambda v4: response(COOKIE, dns.edns.ECSOption(str(IPv4Address(v4)), 32), COOKIE),
    "two subnets": lambda v4: response(*2 * [dns.edns.ECSOption(str(IPv4Address(v4)), 32)]),
    "4 octets of IPv6": lambda v4: response(subnet(2, 32, v4)),
    "32 of 4 and 16 octets": lambda v4: response(subnet(2, 32, v4 + bytes(12))),
    "no prefix": lambda v4: response(subnet(1, 0, v4)),
    "short prefix": lambda v4: response(subnet(1, 8, v4)),
    "long prefix": lambda v4: response(subnet(1, 40, v4)),
    "family 0": lambda v4: response(subnet(0, 32, v4)),
    "family 3": lambda v4: response(subnet(3, 32, v4)),
    "family 16384": lambda v4: response(subnet(16384, 32, v4)),
    **{
        f"subnet of {name}": lambda v4, make=make: response(subnet(2, 128, make(v4)))  # type: ignore[misc]
        for name, make in EMBEDDED.items()
    },
}
"""DNS messages with a Client Subnet."""

ANSWERS: dict[str, Maker] = {
    "A": lambda v4: response(answer=("A", v4, "IN")),
    "A of another class": lambda v4: response(answer=("A", v4, "CH")),
    "a Chaosnet address": lambda v4: response(answer=("A", b"\1a\0" + v4[2:], "CH")),
    "hint": lambda v4: response(answer=("HTTPS", b"\0\1\0\0\4\0\4" + v4, "IN")),
    **{
        f"{name} in AAAA": lambda v4, make=make: response(answer=("AAAA", make(v4), "IN"))  # type: ignore[misc]
        for name, make in EMBEDDED.items()
    },
}
"""DNS messages with an address in an answer."""

PAYLOADS: dict[str, Maker] = {
    "address": lambda v4: dnstap(query_address=v4, response_address=v4),
    **{name: lambda v4, make=make: dnstap(query_address=make(v4)) for name, make in EMBEDDED.items()},  # type: ignore[misc]
    "of 5 octets": lambda v4: dnstap(query_address=v4 + b"\1"),
    "type of a policy": lambda v4: dnstap(policy=Policy(type=str(IPv4Address(v4)), match=PolicyMatch.QNAME)),
    "rule of a policy": lambda v4: dnstap(policy=Policy(rule=v4, match=PolicyMatch.CLIENT_IP)),
    "value of a policy": lambda v4: dnstap(policy=Policy(value=v4, match=PolicyMatch.NS_IP)),
    **{name: lambda v4, make=make: dnstap(response_message=make(v4)) for name, make in WIRES.items()},  # type: ignore[misc]
}


def hides(make: Maker, *, v6: int, answers: bool = False) -> bool:
    """Return whether the outputs for two addresses of one network are the same."""
    own, other = (Anonymizer(truncate(V4_BITS, v6), answers=answers)([make(v4)]) for v4 in (OWN, OTHER))
    return own == other and len(own) == 1


@pytest.mark.parametrize("v6", [0, 32, 48, 56, 64, 96, 127, 128])
def test_hidden_bits_leave_no_trace(v6: int) -> None:
    for name, make in PAYLOADS.items():
        assert make(OWN) != make(OTHER), name
        assert hides(make, v6=v6), name
    for name, make in ANSWERS.items():
        assert hides(lambda v4, make=make: dnstap(response_message=make(v4)), v6=v6, answers=True), name  # type: ignore[misc]


# With other octets after the 4 it is an IPv6 address like any other.
@pytest.mark.parametrize("name", sorted(set(WIRES) - {"subnet of the first 4 of 16 octets"}))
def test_cut_messages(name: str) -> None:
    """Cut off at any octet, and with other octets after them."""
    make = WIRES[name]
    for end in range(12, len(make(OWN)) + 1):
        for tail in (b"", b"\0", b"\0\x0a\0\x08"):
            assert hides(lambda v4, end=end, tail=tail: dnstap(query_message=make(v4)[:end] + tail), v6=128), end  # type: ignore[misc]


@pytest.mark.parametrize("family", [0, 1, 2, 3, 255, 256])
@pytest.mark.parametrize("source", [0, 1, 24, 32, 33, 128, 255])
def test_lengths_of_options(family: int, source: int) -> None:
    """The length of an option says too much or too little; the address begins in it or after it."""
    for length in (*range(14), 20, 21, 60, 255, 65535):

        def make(v4: bytes, length: int = length) -> bytes:
            rdata = struct.pack(">HHHBB", 8, length, family, source, 0) + v4
            opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(rdata)) + rdata
            return dnstap(response_message=struct.pack(">6H", 7, 0x8180, 0, 0, 0, 1) + opt)

        assert hides(make, v6=48), length


@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_crypto_pan_leaves_no_address(name: str, data: st.DataObject) -> None:
    """Addresses of which no octet is in the payload by itself."""
    v4 = bytes(data.draw(st.lists(st.integers(131, 190), min_size=4, max_size=4, unique=True)))
    (out,) = Anonymizer(CryptoPan(bytes(range(32))))([PAYLOADS[name](v4)])
    assert v4 not in out
    assert inverted(v4) not in out
    assert str(IPv4Address(v4)).encode() not in out


def test_kept_bits_stay() -> None:
    """Otherwise all of this could be so because everything is zero."""
    other_network = IPv4Address("198.51.101.77").packed
    for make in (PAYLOADS["address"], PAYLOADS["subnet"], PAYLOADS["NAT64"], PAYLOADS["6to4"], PAYLOADS["ISATAP"]):
        out = [Anonymizer(truncate(V4_BITS, 128))([make(v4)]) for v4 in (OWN, other_network)]
        assert out[0] != out[1]
