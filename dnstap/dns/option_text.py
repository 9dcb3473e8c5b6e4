"""The text of EDNS options, and of the parameters of SVCB records.

Source: miekg/dns 1.1.50, edns.go and svcb.go.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from dnstap.dns.addresses import address_text
from dnstap.dns.edns import ClientSubnet, ExtendedError, Option
from dnstap.dns.escapes import escaped, raw_text
from dnstap.dns.svcb import SvcParam

__all__ = ["ALGORITHMS", "EXTENDED_ERRORS", "option_text", "param_text"]

ALGORITHMS = {
    1: "RSAMD5",
    2: "DH",
    3: "DSA",
    5: "RSASHA1",
    6: "DSA-NSEC3-SHA1",
    7: "RSASHA1-NSEC3-SHA1",
    8: "RSASHA256",
    10: "RSASHA512",
    12: "ECC-GOST",
    13: "ECDSAP256SHA256",
    14: "ECDSAP384SHA384",
    15: "ED25519",
    16: "ED448",
    252: "INDIRECT",
    253: "PRIVATEDNS",
    254: "PRIVATEOID",
}
"""DNSSEC algorithms."""

_HASHES = {1: "SHA1", 2: "SHA256", 3: "GOST94", 4: "SHA384", 5: "SHA512"}

EXTENDED_ERRORS = (
    "Other",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
)
"""By info code."""


def option_text(option: Option) -> str | None:
    """Return the line of an option without `; `, None for EXPIRE, which Go does not show."""
    write = _OPTIONS.get(option.code)
    return write(option.value) if write else f"LOCAL OPT: {option.code}:0x{option.value.hex()}"


def _nsid(octets: bytes) -> str:
    # Go shows each octet as the character of that number, also of UTF-8 with several octets a character.
    return f"NSID: {octets.hex()}  {''.join([f'({chr(octet)})' for octet in octets])}"


def _client_subnet(subnet: ClientSubnet) -> str:
    address = address_text(subnet.address)
    # IPv4 mapped into IPv6 is printed as IPv4 (addresses.py), and Go puts only IPv6 in brackets.
    if subnet.family == 2 and ":" in address:
        address = f"[{address}]"
    return f"SUBNET: {address}/{subnet.source_prefix}/{subnet.scope_prefix}"


def _keepalive(units: int) -> str:
    # Go multiplies in 16 bits.
    shown = f"{units * 100 & 65535}ms" if units else "omitted"
    return f"KEEPALIVE: use tcp keep-alive, timeout {shown}"


def _extended_error(error: ExtendedError) -> str:
    code = error.info_code
    name = f" ({EXTENDED_ERRORS[code]})" if code < len(EXTENDED_ERRORS) else ""
    return f"EDE: {code}{name}: ({raw_text(error.text)})"


def _understood(kind: str, names: dict[int, str]) -> Callable[[bytes], str]:
    def write(octets: bytes) -> str:
        return f"{kind} UNDERSTOOD: {''.join([f' {names.get(octet, octet)}' for octet in octets])}"

    return write


def _expire(_: int | None) -> None:
    return None


_OPTIONS: dict[int, Callable[[Any], str | None]] = {
    1: lambda llq: "LONG LIVED QUERIES: " + " ".join(map(str, llq)),
    2: lambda update: f"UPDATE LEASE: {update.lease} {update.key_lease}",
    3: _nsid,
    4: lambda octets: f"ESU: {raw_text(octets)}",
    5: _understood("DNSSEC ALGORITHM", ALGORITHMS),
    6: _understood("DS HASH", _HASHES),
    7: _understood("NSEC3 HASH", _HASHES),
    8: _client_subnet,
    9: _expire,
    10: lambda octets: f"COOKIE: {octets.hex()}",
    11: _keepalive,
    12: lambda octets: f"PADDING: {octets.hex().upper()}",
    15: _extended_error,
}
"""Code -> its text."""


_KEYS = {
    0: "mandatory",
    1: "alpn",
    2: "no-default-alpn",
    3: "port",
    4: "ipv4hint",
    5: "ech",
    6: "ipv6hint",
    7: "dohpath",
}


def _key(key: int) -> str:
    # Go has no name for the reserved key. Only the list of mandatory keys can have it.
    return "" if key == 65535 else _KEYS.get(key, f"key{key}")


def param_text(param: SvcParam) -> str:
    """Return a parameter as `key="value"`."""
    write = _PARAMS.get(param.key)
    value = write(param.value) if write else escaped(param.value, '"; \\')
    return f'{_key(param.key)}="{value}"'


def _alpn(protocols: tuple[bytes, ...]) -> str:
    """Return a list, whose commas and backslashes are escaped twice: for the list, and for the text."""
    return ",".join(
        [
            "".join([_IN_LISTS.get(octet) or escaped(bytes((octet,)), '"; ') for octet in protocol])
            for protocol in protocols
        ]
    )


_IN_LISTS = {ord(","): "\\\\\\044", ord("\\"): "\\\\\\092"}


_PARAMS: dict[int, Callable[[Any], str]] = {
    0: lambda keys: ",".join(map(_key, keys)),
    1: _alpn,
    2: lambda _: "",
    3: str,
    4: lambda addresses: ",".join(map(address_text, addresses)),
    5: lambda octets: b64encode(octets).decode(),
    6: lambda addresses: ",".join(map(address_text, addresses)),
}
"""Key -> its text. The values of other keys are shown as escaped bytes."""
