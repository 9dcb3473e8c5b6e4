"""Truncation and Crypto-PAn of single addresses."""

from __future__ import annotations

import re
import sys
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import CryptoPan, KeyFileError, truncate
from dnstap.anonymize import methods
from dnstap.anonymize.methods import parse_method
from framestream import MissingLibraryError

if TYPE_CHECKING:
    from pathlib import Path

    from dnstap.anonymize import Method

# The key of the sample in the Crypto-PAn 1.0 distribution, and lines of its sample_trace_raw.dat and
# sample_trace_sanitized.dat.
KEY = bytes.fromhex("1522178d33a4cf80130a5b1649907d10d8988f83797965276257 4c2d2a842202")
SAMPLE = """
    128.11.68.132 135.242.180.132
    129.118.74.4 134.136.186.123
    130.132.252.244 133.68.164.234
    141.223.7.43 141.167.8.160
    141.233.145.108 141.129.237.235
    152.163.225.39 151.140.114.167
    192.102.249.13 252.138.62.131
    205.188.147.153 242.96.16.101
    205.188.248.25 242.96.88.27
    207.188.7.45 241.255.249.220
    24.0.250.221 100.15.198.226
    24.94.26.44 100.88.228.35
    38.15.67.68 64.3.66.187
    4.3.88.225 124.60.155.63
    64.34.154.117 0.221.154.117
    64.39.15.238 0.219.7.41
"""
# By the same key. The distribution has no IPv6; these are in the tests of two implementations that stand by themselves,
# Yawning Angel's in Go (github.com/Yawning/cryptopan) and node-cryptopan (github.com/noinkling/node-cryptopan).
IPV6 = """
    ::1 78ff:f001:9fc0:20df:8380:b1f1:704:ed
    ::2 78ff:f001:9fc0:20df:8380:b1f1:704:ef
    ::ffff 78ff:f001:9fc0:20df:8380:b1f1:704:f838
    2001:db8::1 4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e
    2001:db8::2 4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c
"""
LINES = [line.split() for line in (SAMPLE + IPV6).splitlines() if line.strip()]


def changed(method: Method, address: str) -> str:
    return str(ip_address(method(ip_address(address).packed)))


@pytest.mark.parametrize(("address", "expected"), LINES)
def test_published_vectors(address: str, expected: str) -> None:
    assert changed(CryptoPan(KEY), address) == expected


def test_what_is_known_does_not_change_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "MAX_PREFIXES", 7)
    few, many = CryptoPan(KEY), CryptoPan(KEY)
    monkeypatch.undo()
    for _ in range(2):
        for address, expected in LINES:
            assert changed(few, address) == changed(many, address) == expected


@pytest.mark.parametrize(
    ("v4", "v6", "address", "expected"),
    [
        (24, 48, "192.0.2.255", "192.0.2.0"),
        (24, 48, "2001:db8:ffff:ffff::1", "2001:db8:ffff::"),
        (0, 0, "255.255.255.255", "0.0.0.0"),
        (0, 0, "ffff::1", "::"),
        (32, 128, "192.0.2.255", "192.0.2.255"),
        (32, 128, "2001:db8::1", "2001:db8::1"),
        (17, 49, "192.0.255.255", "192.0.128.0"),
        (17, 49, "2001:db8:0:ffff:ffff::", "2001:db8:0:8000::"),
        # 6to4 holds an IPv4 address, 192.0.2.255.
        (24, 48, "2002:c000:2ff::1", "2002:c000:200::"),
        (32, 48, "2002:c000:2ff::1", "2002:c000:2ff::"),
        (24, 32, "2002:c000:2ff::1", "2002:c000::"),
        (32, 128, "2002:c000:2ff:1::c000:2ff", "2002:c000:2ff::"),
        # Others that hold 192.0.2.255, and Teredo's client, inverted.
        (24, 128, "::192.0.2.255", "::192.0.2.0"),
        (24, 128, "::ffff:0:192.0.2.255", "::ffff:0:192.0.2.0"),
        (24, 128, "::ffff:192.0.2.255", "::ffff:192.0.2.0"),
        (24, 128, "64:ff9b::192.0.2.255", "64:ff9b::192.0.2.0"),
        (24, 128, "64:ff9b:1:2::192.0.2.255", "64:ff9b:1::"),
        (24, 32, "64:ff9b:1:2::192.0.2.255", "64:ff9b::"),
        (24, 128, "2001:0:c000:2ff:8000:eeee:3fff:fd00", "2001:0:c000:200::"),
        (32, 128, "2001:0:c000:2ff:8000:eeee:3fff:fd00", "2001:0:c000:2ff::"),
        (24, 128, "fe80::5efe:192.0.2.255", "fe80::5efe:192.0.2.0"),
        (24, 128, "2001:db8::200:5efe:192.0.2.255", "2001:db8::200:5efe:192.0.2.0"),
        (24, 128, "c000:2ff::", "c000:200::"),
        (24, 128, "2001:db8:1::5efd:192.0.2.255", "2001:db8:1::5efd:192.0.2.255"),
        (24, 128, "65:ff9b::192.0.2.255", "65:ff9b::192.0.2.255"),
    ],
)
def test_truncate(v4: int, v6: int, address: str, expected: str) -> None:
    assert changed(truncate(v4, v6), address) == str(ip_address(expected))


@pytest.mark.parametrize(
    ("v4", "v6", "text"),
    [
        (33, 48, "IPv4 prefix must be 0 to 32 bits, got 33"),
        (-1, 48, "IPv4 prefix must be 0 to 32 bits, got -1"),
        (24, 129, "IPv6 prefix must be 0 to 128 bits, got 129"),
    ],
)
def test_wrong_prefixes(v4: int, v6: int, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        truncate(v4, v6)


DIGITS = KEY.hex()


@pytest.mark.parametrize(
    "data",
    [
        KEY,
        bytes(32),
        DIGITS.encode(),
        DIGITS.upper().encode() + b"\n",
        b" ".join([DIGITS[at : at + 4].encode() for at in range(0, 64, 4)]) + b"\r\n",
        b"\n" + DIGITS[:31].encode() + b"\n" + DIGITS[31:].encode(),
    ],
)
def test_key_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    same = CryptoPan(data if len(data) == 32 else KEY)
    for method in (CryptoPan.from_file(path), parse_method(f"crypto-pan={path}")):
        assert changed(method, "2001:db8::1") == changed(same, "2001:db8::1")


@pytest.mark.parametrize(
    ("data", "came"),
    [
        (b"", "0 bytes"),
        (KEY[:-1], "31 bytes"),
        (KEY + b"\n", "33 bytes"),
        (DIGITS[:-1].encode() + b"\n", "63 digits"),
        (DIGITS.encode() + b"00", "66 digits"),
        (DIGITS[:-1].encode() + b"g", "64 bytes"),
        (b"0x" + DIGITS.encode(), "66 bytes"),
        (bytes(4097), "more than 4096 bytes"),
    ],
)
def test_no_key_file(data: bytes, came: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(KeyFileError) as caught:
        CryptoPan.from_file(path)
    assert str(caught.value) == f"{path}: expected 32 bytes or 64 hexadecimal digits, got {came}"


def test_an_endless_file() -> None:
    with pytest.raises(KeyFileError, match="got more than 4096 bytes"):
        CryptoPan.from_file("/dev/zero")


def test_no_key() -> None:
    with pytest.raises(ValueError, match=r"^expected a key of 32 bytes, got 16$"):
        CryptoPan(KEY[:16])


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(MissingLibraryError, match=re.escape("pip install '.[anonymize]'")):
        CryptoPan(KEY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("truncate", "2001:db8:ffff::"),
        ("truncate=0,16", "2001::"),
        ("truncate=32,128", "2001:db8:ffff:ffff::1"),
    ],
)
def test_method_by_name(text: str, expected: str) -> None:
    address = IPv6Address("2001:db8:ffff:ffff::1").packed
    assert str(IPv6Address(parse_method(text)(address))) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "trunc", "truncate=", "truncate=24", "truncate=24,", "truncate=24,48,1", "truncate=-1,4", "truncate=٣,4"),
        *("crypto-pan", "crypto-pan=", "cryptopan=key", "=key"),
    ],
)
def test_no_method(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"or crypto-pan=FILE, got {text!r}")):
        parse_method(text)


def test_wrong_types() -> None:
    anything: Any = truncate
    for bits in ("24", 1.5, None):
        with pytest.raises(TypeError, match=r"^prefix of IPv4: expected a number of bits, got "):
            anything(bits)
    anything = CryptoPan
    for key in (None, "x" * 32):
        with pytest.raises(TypeError, match=r"^key: expected 32 bytes, got "):
            anything(key)
