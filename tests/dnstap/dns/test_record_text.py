"""dnstap.dns.record_text: rdata as miekg/dns 1.1.50 prints it. tests/interop compares all types with Go."""

from __future__ import annotations

import struct

import pytest

from dnstap.dns.record_text import RDATA_TEXTS, rdata_text
from dnstap.dns.records import RECORDS, unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS

EXAMPLE = b"\7example\3org\0"


@pytest.mark.parametrize(
    ("type_name", "rdata", "text"),
    [
        ("A", bytes((192, 0, 2, 1)), "192.0.2.1"),
        ("A", b"", ""),
        ("MX", b"\0\5" + EXAMPLE, "5 example.org."),
        ("TXT", b"\2hi\3a\"b", r'"hi" "a\"b"'),
        ("DS", b"\x30\x39\x08\2\xab\xcd", "12345 8 2 ABCD"),
        ("TLSA", b"\3\1\1\xab\xcd", "3 1 1 abcd"),
        ("DNSKEY", b"\1\0\3\x08key", "256 3 8 a2V5"),
        ("RRSIG", struct.pack(">HBBIIIH", 1, 8, 2, 300, 86400, 0, 7) + EXAMPLE + b"sig",
         "A 8 2 300 19700102000000 19700101000000 7 example.org. c2ln"),
        ("NSEC", EXAMPLE + b"\0\1\x62", "example.org. A NS SOA"),
        ("NSEC3", b"\1\0\0\5\0\5hello\0\1\x40", "1 0 5 - D1IMOR3F A"),
        ("NSEC3PARAM", b"\1\0\0\5\1\xab", "1 0 5 AB"),
        ("SMIMEA", b"\3\1\1" + bytes(512), "3 1 1 " + "0" * 1024 + " "),
        ("SVCB", b"\0\1\0\0\3\0\2\1\xbb", '1 . port="443"'),
        ("CAA", b"\0\5issueca.test", '0 issue "ca.test"'),
        ("CERT", b"\0\1\0\2\x08cert", "PKIX 2 RSASHA256 Y2VydA=="),
        ("NAPTR", b"\0\1\0\2\1s\0\0" + EXAMPLE, '1 2 "s" "" "" example.org.'),
        ("APL", b"\0\1\x18\x83\xc0\0\2\0\2\x80\0", "!1:192.0.2.0/24 2:::/128"),
        ("APL", b"\0\2\x80\x10" + bytes(10) + b"\xff\xff\1\2\3\4", "2:::ffff:1.2.3.4/128"),
        ("LOC", struct.pack(">BBBBIII", 0, 0x12, 0x16, 0x10, (1 << 31) + 3_600_500, (1 << 31) - 60_000, 10_000_050),
         "01 00 0.500 N 00 01 0.000 W 0.50m 1m 10000m 0.01m"),
        ("HIP", b"\2\1\0\3\xab\xcdkey" + EXAMPLE, "1 abcd a2V5 example.org."),
        ("EUI48", bytes(range(6)), "00-01-02-03-04-05"),
        ("L32", b"\0\1\xc0\0\2\1", "1 192.0.2.1"),
        ("L64", b"\0\1" + bytes(range(8)), "1 0001:0203:0405:0607"),
        ("NULL", b"raw\xff", "raw\udcff"),
    ],
)  # fmt: skip
def test_types(type_name: str, rdata: bytes, text: str) -> None:
    rrtype = TYPE_NUMBERS[type_name]
    assert rdata_text(rrtype, unpack_rdata(rrtype, rdata, 0, len(rdata))) == text


def test_types_without_a_row() -> None:
    assert rdata_text(261, (b"\xab\xcd",)) == r"\# 2 abcd"
    assert rdata_text(261, (b"",)) == r"\# 0 "


def test_each_type_that_is_parsed_has_a_text() -> None:
    assert set(RECORDS) - set(RDATA_TEXTS) == {TYPE_NUMBERS["OPT"]}
