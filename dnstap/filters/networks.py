"""Networks and addresses of filter expressions, and the sets of them that addresses are looked up in."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, NamedTuple

from dnstap.dns.addresses import V4_MAPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MAX_ADDRESSES", "Network", "Networks", "parse_network"]

MAX_ADDRESSES = 1024
"""Number of addresses that are looked up as bytes, which take two or three times the memory of numbers."""


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_match_v4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(?:/(3[0-2]|[12]?[0-9]))?").fullmatch


class Network(NamedTuple):
    """A network. An address is a network without host bits.

    Attributes: size: bytes of its addresses; shift: host bits; prefix: the other bits as a number.
    """

    size: int
    shift: int
    prefix: int


def parse_network(word: str) -> Network:
    """Return a network or an address. IPv4 mapped into IPv6 is IPv4, as it is in all text formats.

    Raises: ValueError: neither.
    """
    if found_v4 := _match_v4(word):
        # A list has a million of them, and ip_network takes three times as long.
        *octets, length = found_v4.groups("32")
        shift = 32 - int(length)
        number = int.from_bytes(map(int, octets), "big")
        if number & ((1 << shift) - 1):
            raise ValueError(word)
        return Network(4, shift, number >> shift)
    found = ip_network(word)
    if isinstance(found, IPv4Network):
        return _network(found.network_address.packed, found.prefixlen)
    # An interface, as in fe80::1%eth0, is never in a payload.
    if found.network_address.scope_id is not None:
        raise ValueError(word)
    address = found.network_address.packed
    if address.startswith(V4_MAPPED) and found.prefixlen >= 96:
        return _network(address[12:], found.prefixlen - 96)
    return _network(address, found.prefixlen)


def _network(address: bytes, prefix_length: int) -> Network:
    shift = 8 * len(address) - prefix_length
    return Network(len(address), shift, int.from_bytes(address, "big") >> shift)


class Networks:
    """A set of networks.

    A look-up takes one step for each prefix length among them, however many networks there are.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        self._prefixes: dict[int, dict[int, set[int]]] = {4: {}, 16: {}}
        for size, shift, prefix in networks:
            self._prefixes[size].setdefault(shift, set()).add(prefix)

    def __iter__(self) -> Iterator[Network]:
        """Yield the networks, in any order."""
        for size, by_shift in self._prefixes.items():
            for shift, prefixes in by_shift.items():
                for prefix in prefixes:
                    yield Network(size, shift, prefix)

    def addresses(self) -> frozenset[bytes] | None:
        """Return the addresses as messages can have them, IPv4 ones mapped into IPv6 as well.

        None if one is a network with host bits, or there are more than MAX_ADDRESSES.
        """
        found: set[bytes] = set()
        for size, by_shift in self._prefixes.items():
            if any(by_shift) or len(by_shift.get(0, ())) > MAX_ADDRESSES:
                return None
            for number in by_shift.get(0, ()):
                address = number.to_bytes(size, "big")
                found |= {address, V4_MAPPED + address} if size == 4 else {address}
        return frozenset(found)

    def contains(self, address: bytes) -> bool:
        """Return whether an address of 4 or 16 bytes is in one of the networks."""
        if address.startswith(V4_MAPPED):
            address = address[12:]
        number = int.from_bytes(address, "big")
        for shift, prefixes in self._prefixes[len(address)].items():  # noqa: SIM110 (any() takes 1.4 times as long)
            if number >> shift in prefixes:
                return True
        return False

    def contains_network(self, network: tuple[int, int, int]) -> bool:
        """Return whether all of a network, as Network has it, is in one of the networks."""
        size, inner, prefix = network
        for shift, prefixes in self._prefixes[size].items():
            if inner <= shift and prefix >> (shift - inner) in prefixes:
                return True
        return False
