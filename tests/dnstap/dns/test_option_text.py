"""dnstap.dns.option_text: EDNS options and SVCB parameters as miekg/dns 1.1.50 prints them."""

from __future__ import annotations

import struct

import pytest

from dnstap.dns.edns import unpack_options
from dnstap.dns.option_text import option_text, param_text
from dnstap.dns.svcb import unpack_params


@pytest.mark.parametrize(
    ("code", "data", "text"),
    [
        (1, struct.pack(">HHHQI", 1, 2, 3, 4, 5), "LONG LIVED QUERIES: 1 2 3 4 5"),
        (2, struct.pack(">II", 3600, 7200), "UPDATE LEASE: 3600 7200"),
        (3, b"ns\xff", "NSID: 6e73ff  (n)(s)(ÿ)"),
        (4, b"sip:x", "ESU: sip:x"),
        (5, bytes((8, 13, 99)), "DNSSEC ALGORITHM UNDERSTOOD:  RSASHA256 ECDSAP256SHA256 99"),
        (6, b"\2\4", "DS HASH UNDERSTOOD:  SHA256 SHA384"),
        (7, b"\1", "NSEC3 HASH UNDERSTOOD:  SHA1"),
        (8, b"\0\1\x18\0\xc0\0\2", "SUBNET: 192.0.2.0/24/0"),
        (8, b"\0\2\x20\x10\x20\x01\x0d\xb8", "SUBNET: [2001:db8::]/32/16"),
        (8, b"\0\0\0\0", "SUBNET: 0.0.0.0/0/0"),
        (9, b"", None),
        (10, bytes(range(8)), "COOKIE: 0001020304050607"),
        (11, b"", "KEEPALIVE: use tcp keep-alive, timeout omitted"),
        (11, b"\0\x64", "KEEPALIVE: use tcp keep-alive, timeout 10000ms"),
        # 655.36 s is 0 in 16 bits of milliseconds.
        (11, b"\x40\0", "KEEPALIVE: use tcp keep-alive, timeout 0ms"),
        (12, b"\0\xab", "PADDING: 00AB"),
        (15, b"\0\x12too old", "EDE: 18 (Prohibited): (too old)"),
        (15, b"\xff\xff", "EDE: 65535: ()"),
        (65001, b"\1\2", "LOCAL OPT: 65001:0x0102"),
    ],
)
def test_options(code: int, data: bytes, text: str | None) -> None:
    wire = struct.pack(">HH", code, len(data)) + data
    (option,), _ = unpack_options(wire, 0, len(wire))
    assert option_text(option) == text


@pytest.mark.parametrize(
    ("key", "data", "text"),
    [
        (0, b"\0\1\xff\xff\0\x63", 'mandatory="alpn,,key99"'),
        (1, b"\2h2\4a,\\b", r'alpn="h2,a\\\044\\\092b"'),
        (2, b"", 'no-default-alpn=""'),
        (3, b"\1\xbb", 'port="443"'),
        (4, bytes((192, 0, 2, 1, 192, 0, 2, 2)), 'ipv4hint="192.0.2.1,192.0.2.2"'),
        (5, b"\0\1\2", 'ech="AAEC"'),
        (6, b"\x20\1\x0d\xb8" + bytes(11) + b"\1", 'ipv6hint="2001:db8::1"'),
        (7, b"/q{?dns}", 'dohpath="/q{?dns}"'),
        (99, b'a;"b', r'key99="a\;\"b"'),
    ],
)
def test_parameters(key: int, data: bytes, text: str) -> None:
    wire = struct.pack(">HH", key, len(data)) + data
    (param,), _ = unpack_params(wire, 0, len(wire))
    assert param_text(param) == text
