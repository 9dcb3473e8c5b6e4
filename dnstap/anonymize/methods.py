"""What becomes of one address: methods, functions from its 4 or 16 octets to as many others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dnstap.dns.memo import Memo
from dnstap.errors import KeyFileError
from framestream.errors import MissingLibraryError

__all__ = ["CryptoPan", "Method", "parse_method", "truncate"]

Method: TypeAlias = Callable[[bytes], bytes]

KEY_OCTETS = 32

MAX_KEY_FILE = 4096
"""Octets of a key file that are looked at."""

MAX_PREFIXES = 1 << 17
"""Addresses and prefixes of which CryptoPan keeps what becomes of them."""

_SIX_TO_FOUR = b"\x20\x02"
"""2002::/16: the 32 bits behind it are an IPv4 address (RFC 3056)."""


def truncate(v4: int = 24, v6: int = 48) -> Method:
    """The method that keeps the first bits of an address and makes all others zero.

    Of an IPv6 address that is made from an IPv4 one (6to4, 2002::/16) no more of that is kept than of any IPv4 address.

    Args: v4, v6: how many bits are kept of IPv4 and of IPv6 addresses.
    Raises: ValueError: there are not so many.
    """
    for name, bits, width in (("IPv4", v4, 32), ("IPv6", v6, 128)):
        if not 0 <= bits <= width:
            raise ValueError(f"{name} prefix of {bits} bits; 0 to {width} expected")

    def mask(bits: int, width: int) -> int:
        return (1 << width) - (1 << width - bits)

    v4_mask, v6_mask, six_to_four_mask = mask(v4, 32), mask(v6, 128), mask(min(v6, 16 + v4), 128)

    def truncated(address: bytes) -> bytes:
        if len(address) == 4:
            return (int.from_bytes(address, "big") & v4_mask).to_bytes(4, "big")
        kept = six_to_four_mask if address.startswith(_SIX_TO_FOUR) else v6_mask
        return (int.from_bytes(address, "big") & kept).to_bytes(16, "big")

    return truncated


class CryptoPan:
    """The method Crypto-PAn: addresses with a common prefix get others with a common prefix of the same length.

    Each bit of an address is flipped or not, as AES says of the bits before it. Different addresses stay different, and
    the same key always gives the same, so that captures of one key can be compared. Who has the key can undo it.

    Args: key: 32 octets: the key of AES-128, and what the pad is made of.
    Raises: ValueError: there are not so many; MissingLibraryError: cryptography is not installed (extra `anonymize`).
    Source: Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address Anonymization, ICNP 2002.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise ValueError(f"a key of {KEY_OCTETS} octets expected, {len(key)} came")
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        except ImportError:
            raise MissingLibraryError("Crypto-PAn", "anonymize") from None
        # What a block says of one bit must depend on the bits before it alone, so blocks are not chained.
        self._encrypt = Cipher(algorithms.AES(key[:16]), modes.ECB()).encryptor().update  # noqa: S305
        pad = int.from_bytes(self._encrypt(key[16:]), "big")
        # The block for a bit: those before it from the address, the others from the pad.
        below = [(1 << 128 - bit) - 1 for bit in range(128)]
        self._blocks = [(~mask, pad & mask) for mask in below]
        self._known: Memo[bytes] = Memo(MAX_PREFIXES)

    @classmethod
    def from_file(cls, path: str | Path) -> CryptoPan:
        """The method with the key in a file: 32 octets, or 64 hexadecimal digits with any blanks and line ends.

        Raises: OSError; KeyFileError: it holds something else; MissingLibraryError.
        """
        with Path(path).open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
        return cls(_key(str(path), data))

    def __call__(self, address: bytes) -> bytes:
        """What becomes of an address of 4 or 16 octets; or of a shorter prefix of whole octets."""
        # The first bits decide about the first bits, whatever follows: known networks take less.
        return self._known.get(address) or self._known.keep(address, self._by_prefix(address))

    def _by_prefix(self, address: bytes) -> bytes:
        known = _SHORTER[len(address)]
        begin = self(address[:known]) if known else b""
        value = int.from_bytes(address, "big") << 128 - 8 * len(address)
        blocks = self._blocks[8 * known : 8 * len(address)]
        encrypted = self._encrypt(b"".join([(value & high | low).to_bytes(16, "big") for high, low in blocks]))
        flips = int(encrypted[::16].translate(_FIRST_BIT), 2)
        rest = int.from_bytes(address[known:], "big") ^ flips
        return begin + rest.to_bytes(len(address) - known, "big")


_SHORTER = {16: 8, 8: 6, 6: 4, 4: 3, 3: 2, 2: 0}
"""Of how many octets is the prefix that is looked up before the rest is worked out: /64, /48, /32, /24, /16."""

_FIRST_BIT = b"0" * 128 + b"1" * 128


def parse_method(text: str) -> Method:
    """The method of `--anonymize`: `truncate`, `truncate=24,48`, or `crypto-pan=FILE`.

    Raises: ValueError: it is none; OSError, KeyFileError, MissingLibraryError: as of CryptoPan.from_file.
    """
    name, _, value = text.partition("=")
    if text == "truncate":
        return truncate()
    if name == "truncate" and (bits := re.fullmatch(r"(\d{1,3}),(\d{1,3})", value, re.ASCII)):
        return truncate(int(bits[1]), int(bits[2]))
    if name == "crypto-pan" and value:
        return CryptoPan.from_file(value)
    raise ValueError(f"truncate, truncate=V4,V6 (numbers of bits) or crypto-pan=FILE expected, {text!r} came")


def _key(path: str, data: bytes) -> bytes:
    """Raises: KeyFileError."""
    if len(data) == KEY_OCTETS:
        return data
    digits = b"".join(data.split())
    came = f"{len(data)} octets" if len(data) <= MAX_KEY_FILE else f"more than {MAX_KEY_FILE} octets"
    if re.fullmatch(rb"[0-9A-Fa-f]+", digits):
        if len(digits) == 2 * KEY_OCTETS:
            return bytes.fromhex(digits.decode())
        came = f"{len(digits)} digits"
    raise KeyFileError(path, f"{KEY_OCTETS} octets or {2 * KEY_OCTETS} hexadecimal digits", came)
