"""The text of rdata, of every record type: one row a type, from the values that dnstap.dns.records parses.

A type without a row is shown as unknown ones are: `\\# 2 abcd`, and its name as TYPEnnn.

Source: miekg/dns 1.1.50, types.go, and the String methods of its types.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import octet_text, quoted, raw_text, string_text, time_text
from dnstap.dns.limits import TextBudget
from dnstap.dns.option_text import ALGORITHMS, param_text
from dnstap.dns.records import AddressPrefix
from dnstap.dns.registry import TYPE_NUMBERS, TYPES, type_text

__all__ = ["RDATA_TEXTS", "rdata_text"]

COMPACT_TIME = "%04d%02d%02d%02d%02d%02d"

_CERTIFICATES = {
    1: "PKIX",
    2: "SPKI",
    3: "PGP",
    4: "IPIX",
    5: "ISPKI",
    6: "IPGP",
    7: "ACPKIX",
    8: "IACPKIX",
    253: "URI",
    254: "OID",
}

_BASE32 = "0123456789ABCDEFGHIJKLMNOPQRSTUV"

Values = tuple[Any, ...]


def rdata_text(rrtype: int, values: Values) -> str:
    """Return the text of an rdata. OPT is not among the types: its text is not in the line of the record.

    Raises: DnsMessageError: the text is longer than that of the longest message may be.
    """
    write = RDATA_TEXTS.get(rrtype)
    return write(values) if write else f"\\# {len(values[0])} {values[0].hex()}"


def _plain(values: Values) -> str:
    """Return names and numbers as they are."""
    return " ".join(map(str, values))


def _address(values: Values) -> str:
    return address_text(values[0]) if values[0] else ""


def _hex(values: Values) -> str:
    """Return numbers, then bytes as hexadecimal digits."""
    return " ".join([*map(str, values[:-1]), values[-1].hex()])


def _upper_hex(values: Values) -> str:
    return " ".join([*map(str, values[:-1]), values[-1].hex().upper()])


def _base64(values: Values) -> str:
    """Return numbers, then bytes in base64."""
    return " ".join([*map(str, values[:-1]), _base64_text(values[-1])])


def _base64_text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _base32_text(octets: bytes) -> str:
    """Return bytes in base32 with the extended hex alphabet (RFC 4648, 7), without padding."""
    # The last digit is filled with zero bits.
    digits = (len(octets) * 8 + 4) // 5
    number = int.from_bytes(octets, "big") << digits * 5 - len(octets) * 8
    return "".join([_BASE32[number >> 5 * digit & 31] for digit in reversed(range(digits))])


def _types(numbers: tuple[int, ...]) -> str:
    """Return the mnemonics of types, each with a blank before it."""
    # Not by type_text: a hostile bitmap has eight types for each octet, and their text took most of the time.
    return "".join([f" {TYPES.get(number) or f'TYPE{number}'}" for number in numbers])


def _signature(values: Values) -> str:
    covered, algorithm, labels, ttl, expiration, inception, tag, signer, signature = values
    times = f"{time_text(expiration, COMPACT_TIME)} {time_text(inception, COMPACT_TIME)}"
    return f"{type_text(covered)} {algorithm} {labels} {ttl} {times} {tag} {signer} {_base64_text(signature)}"


def _salt(octets: bytes) -> str:
    return octets.hex().upper() or "-"


def _nsec3(values: Values) -> str:
    algorithm, flags, iterations, _, salt, _, following, types = values
    return f"{algorithm} {flags} {iterations} {_salt(salt)} {_base32_text(following)}{_types(types)}"


def _nsec3_param(values: Values) -> str:
    algorithm, flags, iterations, _, salt = values
    return f"{algorithm} {flags} {iterations} {_salt(salt)}"


def _smimea(values: Values) -> str:
    """Return numbers, then hexadecimal digits in pieces of 1024; Go adds an empty piece if the last one is full."""
    digits = values[3].hex()
    pieces = [digits[at : at + 1024] for at in range(0, len(digits) + 1, 1024)] if len(digits) >= 1024 else [digits]
    return " ".join([*map(str, values[:3]), *pieces])


def _hip(values: Values) -> str:
    _, algorithm, _, tag, key, servers = values
    # Names of 2 octets can have 1,000 characters each, so one record can exceed what a whole message may have.
    take = TextBudget().take
    return f"{algorithm} {tag.hex()} {_base64_text(key)}{''.join([take(f' {name}') for name in servers])}"


def _certificate(values: Values) -> str:
    kind, tag, algorithm, certificate = values
    names = _CERTIFICATES.get(kind, kind), tag, ALGORITHMS.get(algorithm, algorithm)
    return " ".join([*map(str, names), _base64_text(certificate)])


def _service(values: Values) -> str:
    priority, target, params = values
    return f"{priority} {target}{''.join([f' {param_text(param)}' for param in params])}"


def _naptr(values: Values) -> str:
    order, preference, *strings, replacement = values
    return f"{order} {preference} {quoted(tuple(strings))} {replacement}"


def _prefix(prefix: AddressPrefix) -> str:
    address = address_text(prefix.address)
    # IPv4 mapped into IPv6, which address_text prints as IPv4: Go marks it here, and only here.
    if prefix.family == 2 and "." in address:
        address = f"::ffff:{address}"
    return f"{'!' if prefix.negated else ''}{prefix.family}:{address}/{prefix.prefix}"


def _location(values: Values) -> str:
    """Return the text of LOC (RFC 1876, 2).

    Angles count thousandths of a second from 2^31, sizes are a digit and a power of ten, the altitude counts
    centimetres from 100,000 m below the reference spheroid.
    """
    _, size, horizontal, vertical, latitude, longitude, altitude = values
    angles = f"{_angle(latitude, 'N', 'S')} {_angle(longitude, 'E', 'W')}"
    metres = altitude / 100 - 100_000
    height = f"{metres:.2f}" if altitude % 100 else f"{metres:.0f}"
    return f"{angles} {height}m {_metres(size)}m {_metres(horizontal)}m {_metres(vertical)}m"


def _angle(value: int, positive: str, negative: str) -> str:
    # Go counts the equator as south, and the prime meridian as west.
    side = positive if value > 1 << 31 else negative
    minutes, thousandths = divmod(abs(value - (1 << 31)), 60_000)
    degrees, minutes = divmod(minutes, 60)
    return f"{degrees:02d} {minutes:02d} {thousandths / 1000:.3f} {side}"


def _metres(octet: int) -> str:
    digit, power = octet >> 4, octet & 15
    # A digit times a power of ten in centimetres: these are less than a metre.
    if power < 2:
        return f"0.{digit * 10 if power == 1 else digit:02d}"
    return f"{digit}{'0' * (power - 2)}"


def _grouped(digits: str, size: int, separator: str) -> str:
    return separator.join([digits[at : at + size] for at in range(0, len(digits), size)])


def _transaction_key(values: Values) -> str:
    algorithm, inception, expiration, mode, error, key_size, key, other_size, other = values
    times = f"{time_text(inception, COMPACT_TIME)} {time_text(expiration, COMPACT_TIME)}"
    return f" {algorithm} {times} {mode} {error} {key_size} {key.hex()} {other_size} {other.hex()}"


def _transaction_signature(values: Values) -> str:
    algorithm, signed, fudge, mac_size, mac, original_id, error, other_size, other = values
    time = time_text(signed, COMPACT_TIME)
    return (
        f" {algorithm} {time} {fudge} {mac_size} {mac.hex().upper()} {original_id} {error} {other_size} {other.hex()}"
    )


_BY_NAME: dict[str, Callable[[Values], str]] = {
    **dict.fromkeys(("NS", "MD", "MF", "CNAME", "MB", "MG", "MR", "PTR", "NSAP-PTR", "DNAME"), _plain),
    **dict.fromkeys(("SOA", "MINFO", "RP", "TALINK", "MX", "AFSDB", "RT", "KX", "LP", "SRV", "PX"), _plain),
    **dict.fromkeys(("UID", "GID"), _plain),
    **dict.fromkeys(("A", "AAAA"), _address),
    **dict.fromkeys(("TXT", "SPF", "NINFO", "AVC"), lambda values: quoted(values[0])),
    **dict.fromkeys(("HINFO", "UINFO"), quoted),
    **dict.fromkeys(("X25", "GPOS"), lambda values: " ".join(map(string_text, values))),
    **dict.fromkeys(("KEY", "DNSKEY", "CDNSKEY", "RKEY", "DHCID", "OPENPGPKEY"), _base64),
    **dict.fromkeys(("DS", "CDS", "TA", "DLV", "SSHFP", "EID", "NIMLOC"), _upper_hex),
    **dict.fromkeys(("TLSA", "ZONEMD"), _hex),
    **dict.fromkeys(("SIG", "RRSIG"), _signature),
    **dict.fromkeys(("SVCB", "HTTPS"), _service),
    "ANY": lambda _: "",
    "APL": lambda values: " ".join(map(_prefix, values[0])),
    "CAA": lambda values: f"{values[0]} {string_text(values[1])} {octet_text(values[2])}",
    "CERT": _certificate,
    "CSYNC": lambda values: f"{values[0]} {values[1]}{_types(values[2])}",
    "EUI48": lambda values: _grouped(f"{values[0]:012x}", 2, "-"),
    "EUI64": lambda values: _grouped(f"{values[0]:016x}", 2, "-"),
    "HIP": _hip,
    "L32": lambda values: f"{values[0]} {address_text(values[1])}" if values[1] else str(values[0]),
    "L64": lambda values: f"{values[0]} {_grouped(f'{values[1]:016X}', 4, ':')}",
    "LOC": _location,
    "NAPTR": _naptr,
    "NID": lambda values: f"{values[0]} {_grouped(f'{values[1]:016x}', 4, ':')}",
    "NSEC": lambda values: f"{values[0]}{_types(values[1])}",
    "NSEC3": _nsec3,
    "NSEC3PARAM": _nsec3_param,
    "NULL": lambda values: raw_text(values[0]),
    "SMIMEA": _smimea,
    "TKEY": _transaction_key,
    "TSIG": _transaction_signature,
    "URI": lambda values: f"{values[0]} {values[1]} {octet_text(values[2])}",
}

RDATA_TEXTS: dict[int, Callable[[Values], str]] = {TYPE_NUMBERS[name]: text for name, text in _BY_NAME.items()}
"""Type number -> its text."""
