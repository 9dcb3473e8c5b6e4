"""Parsing of the options in an OPT record.

An option is its code and a value: bytes, unless the table has a reader for its code. The readers check exactly as much
as miekg/dns checks, because one refused option makes the Go `dnstap` tool print the whole message as broken.

Source: miekg/dns 1.1.50, unpackDataOpt (msg_helpers.go) and edns.go.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from dnstap.dns.names import BUFFER_TOO_SMALL
from dnstap.errors import DnsMessageError

__all__ = ["ClientSubnet", "ExtendedError", "LongLivedQuery", "Option", "UpdateLease", "unpack_options"]


class Option(NamedTuple):
    """One EDNS option. The value is bytes, or the result of the reader for its code."""

    code: int
    value: Any


class LongLivedQuery(NamedTuple):
    """LLQ, code 1 (RFC 8764)."""

    version: int
    opcode: int
    error: int
    id: int
    lease_life: int


class UpdateLease(NamedTuple):
    """UL, code 2 (RFC 9664), in seconds; key_lease is 0 if absent."""

    lease: int
    key_lease: int


class ClientSubnet(NamedTuple):
    """SUBNET, code 8 (RFC 7871). The address is padded to its 4 or 16 octets; 0.0.0.0 for family 0."""

    family: int
    source_prefix: int
    scope_prefix: int
    address: bytes


class ExtendedError(NamedTuple):
    """EDE, code 15 (RFC 8914). The text is bytes, as it need not be UTF-8."""

    info_code: int
    text: bytes


def unpack_options(wire: bytes, offset: int, end: int) -> tuple[tuple[Option, ...], int]:
    """Return the options between two offsets, and the second offset.

    Raises: DnsMessageError.
    """
    options = []
    while offset < end:
        start = offset + 4
        if start > end:
            raise DnsMessageError("dns: overflow unpacking opt")
        code, length = _code_and_length(wire, offset)
        offset = start + length
        if offset > end:
            raise DnsMessageError("dns: overflow unpacking opt")
        data = wire[start:offset]
        read = _READERS.get(code)
        options.append(Option(code, read(data) if read else data))
    return tuple(options), offset


_code_and_length = struct.Struct(">HH").unpack_from


def _unpack_long_lived_query(data: bytes) -> LongLivedQuery:
    # Octets after the value are ignored, as in Go.
    if len(data) < 18:
        raise DnsMessageError(BUFFER_TOO_SMALL)
    return LongLivedQuery(*struct.unpack_from(">HHHQI", data))


def _unpack_update_lease(data: bytes) -> UpdateLease:
    if len(data) not in (4, 8):
        raise DnsMessageError(BUFFER_TOO_SMALL)
    return UpdateLease(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big"))


def _unpack_client_subnet(data: bytes) -> ClientSubnet:
    if len(data) < 4:
        raise DnsMessageError(BUFFER_TOO_SMALL)
    family, source, scope = struct.unpack_from(">HBB", data)
    if family > 2 or (family == 0 and source != 0):
        raise DnsMessageError("dns: bad address family")
    if family == 0:
        # dig sends family 0 for "no address"; the rest of the option is ignored.
        return ClientSubnet(family, source, scope, bytes(4))
    width = 4 if family == 1 else 16
    if max(source, scope) > 8 * width:
        raise DnsMessageError("dns: bad netmask")
    # Octets after a whole address are ignored, and missing ones are zeros, as in Go's copy into an array.
    return ClientSubnet(family, source, scope, data[4 : 4 + width].ljust(width, b"\0"))


def _unpack_expire(data: bytes) -> int | None:
    """Return seconds; None for the empty option of a query (RFC 7314)."""
    if not data:
        return None
    if len(data) < 4:
        raise DnsMessageError(BUFFER_TOO_SMALL)
    return int.from_bytes(data[:4], "big")


def _unpack_keepalive(data: bytes) -> int:
    """Return units of 100 ms; 0 for the empty option of a query (RFC 7828)."""
    if len(data) not in (0, 2):
        raise DnsMessageError(f"dns: length mismatch, want 0/2 but got {len(data)}")
    return int.from_bytes(data, "big")


def _unpack_extended_error(data: bytes) -> ExtendedError:
    if len(data) < 2:
        raise DnsMessageError(BUFFER_TOO_SMALL)
    return ExtendedError(int.from_bytes(data[:2], "big"), data[2:])


_READERS: dict[int, Callable[[bytes], Any]] = {
    1: _unpack_long_lived_query,
    2: _unpack_update_lease,
    8: _unpack_client_subnet,
    9: _unpack_expire,
    11: _unpack_keepalive,
    15: _unpack_extended_error,
}
