"""What a filter expression compares with, from its text: numbers, names, addresses, networks, times, durations.

All that is no such value raises ValueError; who knows where it stands makes the error of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, NamedTuple

from dnstap.dns.addresses import V4_MAPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "Network",
    "choice",
    "duration",
    "in_networks",
    "moment",
    "name_octets",
    "network",
    "number",
    "text_octets",
]

MAX_NAME = 255
"""Octets of a name, with the root."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

_UNITS_NS = {"ns": 1, "us": 1000, "\N{MICRO SIGN}s": 1000, "\N{GREEK SMALL LETTER MU}s": 1000}
_UNITS_NS |= {"ms": 1_000_000, "s": 1_000_000_000}

_is_integer = re.compile(r"-?[0-9]{1,10}").fullmatch
_as_moment = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?:[Zz]|([+-])([0-9]{2}):?([0-5][0-9]))?)?"
).fullmatch
_as_duration = re.compile(rf"(-?)([0-9]{{1,12}})(?:\.([0-9]{{1,9}}))?({'|'.join(_UNITS_NS)})").fullmatch
_pieces = re.compile(rb"\\([0-9]{3})|\\([^0-9])|(\.)|([^\\])", re.DOTALL).match


def choice(names: Mapping[str, int]) -> Callable[[str], int]:
    """The function from a name of an enum in any case, or a number, to the number."""
    numbers = {name.upper(): number for name, number in names.items()}

    def convert(word: str) -> int:
        named = numbers.get(word.upper())
        return _integer(word, -(1 << 31), (1 << 31) - 1) if named is None else named

    return convert


def number(greatest: int, names: Mapping[str, int] | None = None, prefix: str = "") -> Callable[[str], int]:
    """The function from a number, a name in any case, or a number behind a prefix (TYPE65) to the number."""
    numbers = {name.upper(): number for name, number in (names or {}).items()}

    def convert(word: str) -> int:
        upper = word.upper()
        return numbers[upper] if upper in numbers else _integer(upper.removeprefix(prefix), 0, greatest)

    return convert


def _integer(word: str, least: int, greatest: int) -> int:
    if not _is_integer(word) or not least <= int(word) <= greatest:
        raise ValueError(word)
    return int(word)


def text_octets(text: str) -> bytes:
    """The octets of a text of the sender's. An empty one is as good as none, so nothing is equal to it."""
    if not text:
        raise ValueError(text)
    return text.encode("utf-8", "surrogateescape")


def name_octets(text: str) -> bytes:
    """A domain name in wire format and in lower case, from its text; the final dot may be left out."""
    octets = text.encode("utf-8", "surrogateescape")
    if octets == b".":
        return b"\0"
    name, label, p = b"", b"", 0
    while p < len(octets):
        piece = _pieces(octets, p)
        if piece is None:
            raise ValueError(text)
        p = piece.end()
        digits, escaped, dot, plain = piece.groups()
        if not dot:
            label += bytes((int(digits),)) if digits else escaped or plain
        if dot or p == len(octets):
            name += _label(label)
            label = b""
    if not 0 < len(name) < MAX_NAME:
        raise ValueError(text)
    return name.lower() + b"\0"


def _label(octets: bytes) -> bytes:
    if not 0 < len(octets) < 64:
        raise ValueError(octets)
    return bytes((len(octets),)) + octets


class Network(NamedTuple):
    """A network, or an address, which is one without host bits: its first bits as a number.

    Attributes: size: octets of its addresses; shift: how many bits are not its own.
    """

    size: int
    shift: int
    prefix: int

    def addresses(self) -> tuple[bytes, ...]:
        """The octets of an address; those that are mapped into IPv6 too."""
        octets = self.prefix.to_bytes(self.size, "big")
        return (octets, V4_MAPPED + octets) if self.size == 4 else (octets,)


def network(word: str) -> Network:
    """A network or an address. IPv4 mapped into IPv6 is IPv4, as it is shown."""
    found = ip_network(word)
    if isinstance(found, IPv4Network):
        return _network(found.network_address.packed, found.prefixlen)
    if found.network_address.scope_id is not None:
        raise ValueError(word)
    octets = found.network_address.packed
    if octets.startswith(V4_MAPPED) and found.prefixlen >= 96:
        return _network(octets[12:], found.prefixlen - 96)
    return _network(octets, found.prefixlen)


def _network(octets: bytes, length: int) -> Network:
    shift = 8 * len(octets) - length
    return Network(len(octets), shift, int.from_bytes(octets, "big") >> shift)


def in_networks(networks: Iterable[Network]) -> Callable[[bytes], bool]:
    """The function from an address of 4 or 16 octets to whether it is in one of the networks."""
    prefixes: dict[int, dict[int, set[int]]] = {4: {}, 16: {}}
    for size, shift, prefix in networks:
        prefixes[size].setdefault(shift, set()).add(prefix)
    by_size = {size: list(by_shift.items()) for size, by_shift in prefixes.items()}

    def contains(octets: bytes) -> bool:
        if octets.startswith(V4_MAPPED):
            octets = octets[12:]
        address = int.from_bytes(octets, "big")
        return any(address >> shift in known for shift, known in by_size[len(octets)])

    return contains


def moment(word: str) -> int:
    """Nanoseconds since 1970 UTC, from ISO 8601; UTC if it has no zone."""
    found = _as_moment(word)
    if found is None:
        raise ValueError(word)
    *clock, fraction, sign, hours, minutes = found.groups("0")
    year, month, day, hour, minute, second = map(int, clock)
    seconds: int = (datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH) // _SECOND
    ahead = 3600 * int(hours) + 60 * int(minutes)
    seconds -= -ahead if sign == "-" else ahead
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))


def duration(word: str) -> int:
    """Nanoseconds, from a number with a unit: 20ms, 1.5s."""
    found = _as_duration(word)
    if found is None:
        raise ValueError(word)
    sign, whole, fraction, unit = found.groups("")
    parts: int = 10 ** len(fraction)
    nanoseconds, rest = divmod(int(whole + fraction) * _UNITS_NS[unit], parts)
    if rest:
        raise ValueError(word)
    return -nanoseconds if sign else nanoseconds
