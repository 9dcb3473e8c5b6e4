"""dnstap.filters.networks: networks from text, and sets of them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from dnstap.filters.networks import MAX_ADDRESSES, Network, Networks, parse_network


def packed(text: str) -> bytes:
    return ip_address(text).packed


def of(*words: str) -> Networks:
    return Networks([parse_network(word) for word in words])


def test_networks() -> None:
    assert parse_network("192.0.2.0/24") == Network(4, 8, 0xC00002)
    assert parse_network("::ffff:192.0.2.0/120") == Network(4, 8, 0xC00002)
    assert parse_network("2001:db8::/32") == Network(16, 96, 0x20010DB8)
    for length in range(33):
        network = ip_network((0, length))
        assert parse_network(str(network)) == parse_network(network.with_netmask) == Network(4, 32 - length, 0)
    assert parse_network("255.249.199.99") == parse_network("255.249.199.99/32") == Network(4, 0, 0xFFF9C763)
    # Too short a prefix to be IPv4 mapped into IPv6.
    assert parse_network("::fffe:0:0/95").size == 16
    for word in (
        "",
        "192.0.2.1/24",
        "192.0.2",
        "fe80::1%eth0",
        "example.org",
        "1.2.3.256",
        "1.2.3.04",
        "1.2.3.4/33",
        "1.2.3.4/0",
        "1.2.3.4 ",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 (the grammar makes the error that a user sees)
            parse_network(word)


def test_addresses_in_networks() -> None:
    contains = of("192.0.2.0/24", "192.0.3.1", "2001:db8::/32").contains
    inside = "192.0.2.1", "192.0.3.1", "2001:db8:ffff::", "::ffff:192.0.2.1"
    outside = "192.0.3.2", "2001:db9::", "::192.0.2.1", "::ffff:192.0.3.2"
    assert all(contains(packed(address)) for address in inside)
    assert not any(contains(packed(address)) for address in outside)
    assert not of().contains(packed("192.0.2.1"))


def test_networks_in_networks() -> None:
    contains = of("192.0.2.0/24", "2001:db8::/32").contains_network
    inside = "192.0.2.0/24", "192.0.2.128/25", "192.0.2.7", "2001:db8:1::/48", "::ffff:192.0.2.7"
    outside = "192.0.2.0/23", "192.0.3.0/24", "0.0.0.0/0", "::/0", "2001:db9::/48"
    assert all(contains(parse_network(word)) for word in inside)
    assert not any(contains(parse_network(word)) for word in outside)


def test_few_addresses_are_looked_up_as_bytes() -> None:
    found = of("192.0.2.1", "2001:db8::1").addresses()
    assert found == frozenset(map(packed, ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1")))
    assert of().addresses() == frozenset()
    assert of("192.0.2.0/31", "192.0.2.3").addresses() is None
    many = Networks([Network(16, 0, number) for number in range(MAX_ADDRESSES + 1)])
    assert many.addresses() is None
    assert many.contains((7).to_bytes(16, "big"))


def test_sets_have_each_network_once() -> None:
    words = "192.0.2.0/24", "192.0.2.1", "::/0", "2001:db8::1"
    assert sorted(of(*words, *words)) == sorted(map(parse_network, words))
