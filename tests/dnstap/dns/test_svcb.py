"""dnstap.dns.svcb: SVCB parameters and the checks that miekg/dns makes."""

from typing import Any

import pytest

from dnstap.dns.svcb import SvcParam, unpack_params
from dnstap.errors import DnsMessageError

IPV6 = "20010db8000000000000000000000001"
ORDER = "dns: SVCB keys not in strictly increasing order"


def param(key: int, data: bytes) -> bytes:
    return key.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("key", "data", "value"),
    [
        (0, "", ()),
        (0, "00010004", (1, 4)),
        (1, "", ()),
        (1, "026832 00 0168", (b"h2", b"", b"h")),
        (2, "", None),
        (3, "01bb", 443),
        (4, "c0000201 c0000202", (b"\xc0\0\2\1", b"\xc0\0\2\2")),
        (5, "fe0d", b"\xfe\x0d"),
        (6, IPV6, (bytes.fromhex(IPV6),)),
        (6, IPV6 * 2, (bytes.fromhex(IPV6),) * 2),
        (7, "2f71", b"/q"),
        (65534, "", b""),
    ],
)
def test_values(key: int, data: str, value: Any) -> None:
    wire = param(key, bytes.fromhex(data))
    assert unpack_params(wire, 0, len(wire)) == ((SvcParam(key, value),), len(wire))


@pytest.mark.parametrize(
    ("key", "data", "reason"),
    [
        (0, "000100", "dns: svcbmandatory: value length is not a multiple of 2"),
        (1, "03 6832", "dns: svcbalpn: alpn array overflowing"),
        (2, "00", "dns: svcbnodefaultalpn: no-default-alpn must have no value"),
        (3, "bb", "dns: svcbport: port length is not exactly 2 octets"),
        (4, "", "dns: svcbipv4hint: ipv4 address byte array length is not a multiple of 4"),
        (4, "c0000201 c0", "dns: svcbipv4hint: ipv4 address byte array length is not a multiple of 4"),
        (6, "", "dns: svcbipv6hint: ipv6 address byte array length not a multiple of 16"),
        (6, IPV6 + "00", "dns: svcbipv6hint: ipv6 address byte array length not a multiple of 16"),
        (6, IPV6 + "00" * 10 + "ffffc0000201", "dns: svcbipv6hint: expected ipv6, got ipv4"),
        (65535, "", "dns: bad SVCB key"),
    ],
)
def test_refused_values(key: int, data: str, reason: str) -> None:
    # The same key before it: the value is looked at before the order is.
    for before in (b"", param(key, b"")) if key == 2 else (b"",):
        wire = before + param(key, bytes.fromhex(data))
        with pytest.raises(DnsMessageError) as caught:
            unpack_params(wire, 0, len(wire))
        assert str(caught.value) == reason


@pytest.mark.parametrize("keys", [(2, 2), (7, 5), (0, 0), (9, 10, 8)])
def test_order(keys: tuple[int, ...]) -> None:
    wire = b"".join(param(key, b"") for key in keys)
    with pytest.raises(DnsMessageError, match=ORDER):
        unpack_params(wire, 0, len(wire))


def test_several() -> None:
    wire = b"before" + param(2, b"") + param(7, b"/q") + b"behind"
    expected = (SvcParam(2, None), SvcParam(7, b"/q"))
    assert unpack_params(wire, 6, len(wire) - 6) == (expected, len(wire) - 6)


@pytest.mark.parametrize("end", [1, 3, 5])
def test_cut(end: int) -> None:
    with pytest.raises(DnsMessageError, match=r"^dns: overflow unpacking SVCB$"):
        unpack_params(param(5, b"ab"), 0, end)
