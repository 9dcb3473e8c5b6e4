"""dnstap.dns.addresses: text of addresses as Go prints it."""

import ipaddress
import random
from typing import Any

import pytest

from dnstap.dns.addresses import address_text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("", "<nil>"),
        ("616263", "?616263"),
        ("00" * 17, "?" + "00" * 17),
        ("c0000201", "192.0.2.1"),
        ("00000000000000000000ffffc0000201", "192.0.2.1"),
        ("000000000000000000000000c0000201", "::c000:201"),
        ("00000000000000000000000000000000", "::"),
        ("00000000000000000000000000000001", "::1"),
        ("20010db8000000000000000000000000", "2001:db8::"),
        ("20010db8000000000001000000000001", "2001:db8::1:0:0:1"),
        ("20010db8000000010000000000000001", "2001:db8:0:1::1"),
        ("20010db8000100020003000400050000", "2001:db8:1:2:3:4:5:0"),
        ("00100000000100000000000100100001", "10:0:1::1:10:1"),
        ("0001000000020000000300000004abcd", "1:0:2:0:3:0:4:abcd"),
    ],
)
def test_addresses(octets: str, text: str) -> None:
    assert address_text(bytes.fromhex(octets)) == text


def test_ipv6_as_the_standard_library() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        octets = b"\x20" + bytes(rng.choice((0, 0, 0, 1, 255)) for _ in range(15))
        assert address_text(octets) == str(ipaddress.IPv6Address(octets))


@pytest.mark.parametrize("address", [None, 5, "192.0", "x" * 16, "odd"])
def test_what_is_not_bytes(address: Any) -> None:
    with pytest.raises(TypeError, match=r"^address: expected bytes, got "):
        address_text(address)
