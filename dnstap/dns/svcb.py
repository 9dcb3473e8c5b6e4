"""Parsing of the parameters of SVCB and HTTPS records.

A parameter is its key and a value: bytes, unless the table has a reader for its key. Each value is checked before the
order of the keys, as in Go, so that the first error is the same.

Source: miekg/dns 1.1.50, unpackDataSVCB (msg_helpers.go) and svcb.go.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from dnstap.dns.addresses import V4_MAPPED
from dnstap.errors import DnsMessageError

__all__ = ["SvcParam", "unpack_params"]

_RESERVED_KEY = 65535


class SvcParam(NamedTuple):
    """One parameter. The value is bytes, or the result of the reader for its key."""

    key: int
    value: Any


def unpack_params(wire: bytes, offset: int, end: int) -> tuple[tuple[SvcParam, ...], int]:
    """Return the parameters between two offsets, and the second offset.

    Raises: DnsMessageError.
    """
    params: list[SvcParam] = []
    last_key = -1
    while offset < end:
        start = offset + 4
        if start > end:
            raise DnsMessageError("dns: overflow unpacking SVCB")
        key, length = _key_and_length(wire, offset)
        offset = start + length
        if offset > end:
            raise DnsMessageError("dns: overflow unpacking SVCB")
        if key == _RESERVED_KEY:
            raise DnsMessageError("dns: bad SVCB key")
        data = wire[start:offset]
        read = _READERS.get(key)
        params.append(SvcParam(key, read(data) if read else data))
        if key <= last_key:
            raise DnsMessageError("dns: SVCB keys not in strictly increasing order")
        last_key = key
    return tuple(params), offset


_key_and_length = struct.Struct(">HH").unpack_from


def _unpack_mandatory(data: bytes) -> tuple[int, ...]:
    if len(data) % 2:
        raise DnsMessageError("dns: svcbmandatory: value length is not a multiple of 2")
    return struct.unpack(f">{len(data) // 2}H", data)


def _unpack_alpn(data: bytes) -> tuple[bytes, ...]:
    protocols = []
    offset = 0
    while offset < len(data):
        stop = offset + 1 + data[offset]
        if stop > len(data):
            raise DnsMessageError("dns: svcbalpn: alpn array overflowing")
        protocols.append(data[offset + 1 : stop])
        offset = stop
    return tuple(protocols)


def _unpack_no_default_alpn(data: bytes) -> None:
    if data:
        raise DnsMessageError("dns: svcbnodefaultalpn: no-default-alpn must have no value")


def _unpack_port(data: bytes) -> int:
    if len(data) != 2:
        raise DnsMessageError("dns: svcbport: port length is not exactly 2 octets")
    return int.from_bytes(data, "big")


def _unpack_ipv4_hint(data: bytes) -> tuple[bytes, ...]:
    if not data or len(data) % 4:
        raise DnsMessageError("dns: svcbipv4hint: ipv4 address byte array length is not a multiple of 4")
    return tuple(data[start : start + 4] for start in range(0, len(data), 4))


def _unpack_ipv6_hint(data: bytes) -> tuple[bytes, ...]:
    if not data or len(data) % 16:
        raise DnsMessageError("dns: svcbipv6hint: ipv6 address byte array length not a multiple of 16")
    addresses = tuple(data[start : start + 16] for start in range(0, len(data), 16))
    if any(address.startswith(V4_MAPPED) for address in addresses):
        raise DnsMessageError("dns: svcbipv6hint: expected ipv6, got ipv4")
    return addresses


_READERS: dict[int, Callable[[bytes], Any]] = {
    0: _unpack_mandatory,
    1: _unpack_alpn,
    2: _unpack_no_default_alpn,
    3: _unpack_port,
    4: _unpack_ipv4_hint,
    6: _unpack_ipv6_hint,
}
