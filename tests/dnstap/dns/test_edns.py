"""dnstap.dns.edns: EDNS options and the checks that miekg/dns makes."""

from typing import Any

import pytest

from dnstap.dns.edns import ClientSubnet, ExtendedError, LongLivedQuery, Option, UpdateLease, unpack_options
from dnstap.errors import DnsMessageError

BUFFER = "dns: buffer size too small"
FAMILY = "dns: bad address family"
NETMASK = "dns: bad netmask"


def option(code: int, data: bytes) -> bytes:
    return code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("code", "data", "value"),
    [
        (1, "0001 0002 0003 0000000000000004 00000005 ff", LongLivedQuery(1, 2, 3, 4, 5)),
        (2, "00000e10", UpdateLease(3600, 0)),
        (2, "00000e10 00000001", UpdateLease(3600, 1)),
        (3, "6e73", b"ns"),
        (4, "", b""),
        (5, "080d", b"\x08\x0d"),
        (8, "0000 00 ff", ClientSubnet(0, 0, 255, bytes(4))),
        (8, "0001 18 00 c00002", ClientSubnet(1, 24, 0, b"\xc0\0\2\0")),
        (8, "0001 20 20 c000020102", ClientSubnet(1, 32, 32, b"\xc0\0\2\1")),
        (8, "0002 80 80 20010db8", ClientSubnet(2, 128, 128, b"\x20\1\x0d\xb8" + bytes(12))),
        (9, "", None),
        (9, "00000e10 ff", 3600),
        (10, "0102030405060708", bytes(range(1, 9))),
        (11, "", 0),
        (11, "0064", 100),
        (12, "0000", b"\0\0"),
        (15, "0017", ExtendedError(23, b"")),
        (15, "0017 ff00", ExtendedError(23, b"\xff\0")),
        (65001, "01", b"\1"),
    ],
)
def test_values(code: int, data: str, value: Any) -> None:
    wire = option(code, bytes.fromhex(data))
    assert unpack_options(wire, 0, len(wire)) == ((Option(code, value),), len(wire))


@pytest.mark.parametrize(
    ("code", "data", "reason"),
    [
        (1, "00" * 17, BUFFER),
        (2, "", BUFFER),
        (2, "0000000000", BUFFER),
        (8, "000118", BUFFER),
        (8, "0000 01 00", FAMILY),
        (8, "0003 00 00", FAMILY),
        (8, "0001 21 00", NETMASK),
        (8, "0001 00 21", NETMASK),
        (8, "0002 81 00", NETMASK),
        (8, "0002 00 81", NETMASK),
        (9, "000000", BUFFER),
        (11, "00", "dns: length mismatch, want 0/2 but got 1"),
        (11, "000000", "dns: length mismatch, want 0/2 but got 3"),
        (15, "00", BUFFER),
    ],
)
def test_refused_values(code: int, data: str, reason: str) -> None:
    wire = option(10, b"first") + option(code, bytes.fromhex(data))
    with pytest.raises(DnsMessageError) as caught:
        unpack_options(wire, 0, len(wire))
    assert str(caught.value) == reason


def test_several() -> None:
    wire = b"before" + option(10, b"12345678") + option(12, b"") + option(10, b"") + b"behind"
    expected = (Option(10, b"12345678"), Option(12, b""), Option(10, b""))
    assert unpack_options(wire, 6, len(wire) - 6) == (expected, len(wire) - 6)
    assert unpack_options(wire, 6, 6) == ((), 6)


@pytest.mark.parametrize("end", [1, 3, 4, 11, 13, 15])
def test_cut(end: int) -> None:
    wire = option(10, b"12345678") + option(12, b"")
    with pytest.raises(DnsMessageError, match=r"^dns: overflow unpacking opt$"):
        unpack_options(wire, 0, end)
