"""Methods of anonymizing one address: functions from its 4 or 16 bytes to as many others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dnstap.dns.addresses import V4_MAPPED
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.errors import KeyFileError
from framestream.arguments import check_type
from framestream.errors import MissingLibraryError

__all__ = ["CryptoPan", "Method", "parse_method", "truncate"]

Method: TypeAlias = Callable[[bytes], bytes]

KEY_BYTES = 32

MAX_KEY_FILE = 4096
"""Bytes that are read of a key file: enough for a key in hexadecimal digits with any line ends."""

MAX_PREFIXES = 1 << 17
"""Addresses and prefixes whose results CryptoPan remembers."""

_ISATAP = (b"\0\0\x5e\xfe", b"\2\0\x5e\xfe")
"""The 4 bytes before the IPv4 address at the end of an ISATAP address (RFC 5214, 6.1)."""

_EMBEDDED: list[tuple[bytes, int]] = [
    # 6to4 (RFC 3056). The rest of the address may have the IPv4 address again.
    (bytes.fromhex("2002"), 16),
    # Teredo (RFC 4380): that of the server. That of the client is at the end, so none of it stays.
    (bytes.fromhex("20010000"), 32),
    # NAT64 (RFC 6052).
    (bytes.fromhex("0064ff9b") + bytes(8), 96),
    # IPv4-compatible and IPv4-mapped (RFC 4291), and IPv4-translated (RFC 2765).
    (bytes(12), 96),
    (V4_MAPPED, 96),
    (bytes(8) + b"\xff\xff\0\0", 96),
]
"""Prefixes of IPv6 addresses made from an IPv4 address, and the bit at which that begins."""

_LOCAL_NAT64 = bytes.fromhex("0064ff9b0001")
"""64:ff9b:1::/48, which networks divide as they like (RFC 8215): the IPv4 address begins at bit 48 or later."""


def truncate(v4: int = 24, v6: int = 48) -> Method:
    """Return the method that keeps the first bits of an address and sets all others to zero.

    An IPv6 address made from an IPv4 address (docs/anonymizing.md) keeps no more bits of that than an IPv4 address
    does.

    Args: v4, v6: bits to keep of IPv4 and of IPv6 addresses.
    Raises: ValueError: an address has fewer bits.
    """
    for name, bits, width in (("IPv4", v4, 32), ("IPv6", v6, 128)):
        check_type(f"prefix of {name}", bits, int, "a number of bits")
        if not 0 <= bits <= width:
            raise ValueError(f"{name} prefix must be 0 to {width} bits, got {bits}")

    def truncated(address: bytes) -> bytes:
        bits, width = (v4, 32) if len(address) == 4 else (min(v6, _bits_to_keep(address, v4)), 128)
        spare = width - bits
        return (int.from_bytes(address, "big") >> spare << spare).to_bytes(len(address), "big")

    return truncated


def _bits_to_keep(address: bytes, v4: int) -> int:
    """Return how many bits of an IPv6 address may be kept if `v4` bits of an IPv4 address may."""
    bits = [begin + v4 for prefix, begin in _EMBEDDED if address.startswith(prefix)]
    if address.startswith(_LOCAL_NAT64):
        bits.append(48)
    if address[8:12] in _ISATAP:
        bits.append(96 + v4)
    # Nothing but 4 bytes: an IPv4 address that somebody took for the beginning of one of IPv6.
    if not any(address[4:]):
        bits.append(v4)
    return min(bits, default=128)


class CryptoPan:
    """The method Crypto-PAn: addresses with a common prefix get others with a common prefix of the same length.

    AES decides from the bits before a bit whether it is flipped. Different addresses stay different, and one key always
    gives the same result, so that captures can be compared. With the key it can be undone.

    Args: key: 32 bytes: the key of AES-128, then the input of the pad.
    Raises: ValueError: a key of another length; MissingLibraryError: cryptography is not installed (extra `anonymize`).
    Source: Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address Anonymization, ICNP 2002.
    """

    def __init__(self, key: bytes) -> None:
        check_type("key", key, bytes, f"{KEY_BYTES} bytes")
        if len(key) != KEY_BYTES:
            raise ValueError(f"expected a key of {KEY_BYTES} bytes, got {len(key)}")
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        except ImportError:
            raise MissingLibraryError("Crypto-PAn", "anonymize") from None
        # The block for one bit must depend on the bits before it alone, so blocks are not chained.
        self._encrypt = Cipher(algorithms.AES(key[:16]), modes.ECB()).encryptor().update  # noqa: S305
        pad = int.from_bytes(self._encrypt(key[16:]), "big")
        # The block for a bit has the bits before it from the address, and the others from the pad.
        below = [(1 << 128 - bit) - 1 for bit in range(128)]
        self._blocks = [(~mask, pad & mask) for mask in below]
        self._known: BoundedCache[bytes] = BoundedCache(MAX_PREFIXES)

    @classmethod
    def from_file(cls, path: str | Path) -> CryptoPan:
        """Read the key from a file: 32 bytes, or 64 hexadecimal digits with any blanks and line ends.

        Raises: OSError; KeyFileError: the file holds something else; MissingLibraryError.
        """
        with Path(path).open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
        return cls(_key(str(path), data))

    def __call__(self, address: bytes) -> bytes:
        """Return the replacement of an address of 4 or 16 bytes, or of one of the prefixes in _PREFIX_BYTES."""
        # The first bits of a result depend on the first bits alone, so the results of networks can be remembered.
        return self._known.get(address) or self._known.store(address, self._by_prefix(address))

    def _by_prefix(self, address: bytes) -> bytes:
        known = _PREFIX_BYTES[len(address)]
        prefix = self(address[:known]) if known else b""
        # An IPv4 address, or a prefix, takes the first bits of the block, as in Crypto-PAn.
        value = int.from_bytes(address, "big") << 128 - 8 * len(address)
        blocks = self._blocks[8 * known : 8 * len(address)]
        encrypted = self._encrypt(b"".join([(value & high | low).to_bytes(16, "big") for high, low in blocks]))
        # The first byte of each block of AES, of which the first bit decides about one bit of the address.
        flips = int(encrypted[::16].translate(_FIRST_BIT), 2)
        rest = int.from_bytes(address[known:], "big") ^ flips
        return prefix + rest.to_bytes(len(address) - known, "big")


_PREFIX_BYTES = {16: 8, 8: 6, 6: 4, 4: 3, 3: 2, 2: 0}
"""Bytes of an address or prefix -> bytes of the prefix that is looked up before the rest is computed.

With /64, /48, /32, /24 and /16, a new address in a known network takes less than half of the time of another one
(docs/anonymizing.md, "Speed").
"""

_FIRST_BIT = b"0" * 128 + b"1" * 128
"""The first bit of each byte as a digit: a block decides by its first bit."""


def parse_method(text: str) -> Method:
    """Parse the value of `--anonymize`: `truncate`, `truncate=24,48`, or `crypto-pan=FILE`.

    Raises: ValueError: another value; OSError, KeyFileError, MissingLibraryError: as CryptoPan.from_file.
    """
    name, _, value = text.partition("=")
    if text == "truncate":
        return truncate()
    if name == "truncate" and (bits := re.fullmatch(r"(\d{1,3}),(\d{1,3})", value, re.ASCII)):
        return truncate(int(bits[1]), int(bits[2]))
    if name == "crypto-pan" and value:
        return CryptoPan.from_file(value)
    raise ValueError(f"expected truncate, truncate=V4,V6 (numbers of bits) or crypto-pan=FILE, got {text!r}")


def _key(path: str, data: bytes) -> bytes:
    """Return the key in the data of a key file.

    Raises: KeyFileError.
    """
    if len(data) == KEY_BYTES:
        return data
    digits = b"".join(data.split())
    got = f"{len(data)} bytes" if len(data) <= MAX_KEY_FILE else f"more than {MAX_KEY_FILE} bytes"
    if re.fullmatch(rb"[0-9A-Fa-f]+", digits):
        if len(digits) == 2 * KEY_BYTES:
            return bytes.fromhex(digits.decode())
        got = f"{len(digits)} digits"
    raise KeyFileError(path, f"{KEY_BYTES} bytes or {2 * KEY_BYTES} hexadecimal digits", got)
