"""dnstap.dns.records: the rdata of every type, whole, cut and broken."""

from typing import Any

import pytest

from dnstap.dns.edns import Option
from dnstap.dns.names import NameMemo
from dnstap.dns.records import RECORDS, AddressPrefix, unpack_rdata
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.svcb import SvcParam
from dnstap.errors import DnsMessageError

# At offset 1 of every message here, for pointers c001; the rdata starts at 14.
START = b"\xff\7example\3net\0"

RRSIG = "0001 08 02 00000e10 5f000000 5e000000 1234 c001 abcdef"
RRSIG_VALUES = (1, 8, 2, 3600, 0x5F000000, 0x5E000000, 0x1234, "example.net.", b"\xab\xcd\xef")
NET = "example.net."


def unpack(name: str, rdata: str) -> tuple[Any, ...]:
    wire = START + bytes.fromhex(rdata) + b"behind"
    number = TYPE_NUMBERS[name] if name in TYPE_NUMBERS else int(name)
    return unpack_rdata(number, wire, len(START), len(wire) - len(b"behind"))


@pytest.mark.parametrize(
    ("name", "rdata", "values"),
    [
        ("A", "c0000201", (b"\xc0\0\2\1",)),
        ("NS", "02 6e73 c001", ("ns." + NET,)),
        ("MD", "c001", (NET,)),
        ("MF", "c001", (NET,)),
        ("CNAME", "00", (".",)),
        ("SOA", "c001 c009 00000001 00000002 00000003 00000004 ffffffff", (NET, "net.", 1, 2, 3, 4, 2**32 - 1)),
        ("MB", "c001", (NET,)),
        ("MG", "c001", (NET,)),
        ("MR", "c001", (NET,)),
        ("NULL", "00ff", (b"\0\xff",)),
        ("PTR", "c001", (NET,)),
        ("HINFO", "0161 00", (b"a", b"")),
        ("MINFO", "c001 c009", (NET, "net.")),
        ("MX", "000a c001", (10, NET)),
        ("TXT", "0161 00 02ff00", ((b"a", b"", b"\xff\0"),)),
        ("RP", "c001 00", (NET, ".")),
        ("AFSDB", "0001 c001", (1, NET)),
        ("X25", "03313233", (b"123",)),
        ("RT", "0001 c001", (1, NET)),
        ("NSAP-PTR", "c001", (NET,)),
        ("SIG", RRSIG, RRSIG_VALUES),
        ("KEY", "0100 03 08 abcd", (256, 3, 8, b"\xab\xcd")),
        ("PX", "000a c001 00", (10, NET, ".")),
        ("GPOS", "0131 0132 0133", (b"1", b"2", b"3")),
        ("AAAA", "20010db8" + "00" * 12, (b"\x20\1\x0d\xb8" + bytes(12),)),
        ("LOC", "00 12 16 13 80000000 80000001 00989680", (0, 18, 22, 19, 2**31, 2**31 + 1, 10_000_000)),
        ("EID", "0102", (b"\1\2",)),
        ("NIMLOC", "0102", (b"\1\2",)),
        ("SRV", "0001 0002 0003 c001", (1, 2, 3, NET)),
        ("NAPTR", "0001 0002 0141 0142 0143 c001", (1, 2, b"A", b"B", b"C", NET)),
        ("KX", "0001 c001", (1, NET)),
        ("CERT", "0001 0002 08 ab", (1, 2, 8, b"\xab")),
        ("DNAME", "c001", (NET,)),
        ("OPT", "000c 0001 00 000b 0000", ((Option(12, b"\0"), Option(11, 0)),)),
        (
            "APL",
            "0001 18 03 c00002 0002 80 82 2001 0001 00 80",
            (
                (
                    AddressPrefix(1, 24, False, b"\xc0\0\2\0"),
                    AddressPrefix(2, 128, True, b"\x20\1" + bytes(14)),
                    AddressPrefix(1, 0, True, bytes(4)),
                ),
            ),
        ),
        ("DS", "0001 08 02 abcd", (1, 8, 2, b"\xab\xcd")),
        ("SSHFP", "01 02 abcd", (1, 2, b"\xab\xcd")),
        ("RRSIG", RRSIG, RRSIG_VALUES),
        ("NSEC", "c001 00 02 4001 01 01 80", (NET, (1, 15, 256))),
        ("DNSKEY", "0101 03 0d ab", (257, 3, 13, b"\xab")),
        ("DHCID", "0102", (b"\1\2",)),
        ("NSEC3", "01 00 000a 02 abcd 03 010203 00 01 40", (1, 0, 10, 2, b"\xab\xcd", 3, b"\1\2\3", (1,))),
        ("NSEC3", "01 00 0000 00 00", (1, 0, 0, 0, b"", 0, b"", ())),
        ("NSEC3PARAM", "01 00 000a 01 ab", (1, 0, 10, 1, b"\xab")),
        ("TLSA", "03 01 01 ab", (3, 1, 1, b"\xab")),
        ("SMIMEA", "03 01 01 ab", (3, 1, 1, b"\xab")),
        ("HIP", "01 02 0002 aa bbcc c001 00", (1, 2, 2, b"\xaa", b"\xbb\xcc", (NET, "."))),
        ("HIP", "00 02 0000 c001", (0, 2, 0, b"", b"", (NET,))),
        ("NINFO", "0161", ((b"a",),)),
        ("RKEY", "0100 03 08 ab", (256, 3, 8, b"\xab")),
        ("TALINK", "c001 00", (NET, ".")),
        ("CDS", "0001 08 02 ab", (1, 8, 2, b"\xab")),
        ("CDNSKEY", "0101 03 0d ab", (257, 3, 13, b"\xab")),
        ("OPENPGPKEY", "0102", (b"\1\2",)),
        ("CSYNC", "00000001 0003 00 01 40", (1, 3, (1,))),
        ("ZONEMD", "00000001 01 02 ab", (1, 1, 2, b"\xab")),
        ("SVCB", "0001 c001 0002 0000", (1, NET, (SvcParam(2, None),))),
        ("HTTPS", "0000 c001", (0, NET, ())),
        ("SPF", "0161", ((b"a",),)),
        ("UINFO", "0161", (b"a",)),
        ("UID", "00000001", (1,)),
        ("GID", "00000001", (1,)),
        ("NID", "0001 0000000000000002", (1, 2)),
        ("L32", "0001 c0000201", (1, b"\xc0\0\2\1")),
        ("L64", "0001 ffffffffffffffff", (1, 2**64 - 1)),
        ("LP", "0001 c001", (1, NET)),
        ("EUI48", "010203040506", (0x010203040506,)),
        ("EUI64", "0102030405060708", (0x0102030405060708,)),
        (
            "TKEY",
            "c001 00000001 00000002 0003 0000 0002 abcd 0001 ef",
            (NET, 1, 2, 3, 0, 2, b"\xab\xcd", 1, b"\xef"),
        ),
        (
            "TSIG",
            "c001 000000000001 012c 0002 abcd 1234 0000 0001 ef",
            (NET, 1, 300, 2, b"\xab\xcd", 0x1234, 0, 1, b"\xef"),
        ),
        ("ANY", "", ()),
        ("URI", "0001 0002 ff00", (1, 2, b"\xff\0")),
        ("CAA", "80 056973737565 6361", (128, b"issue", b"ca")),
        ("AVC", "0161", ((b"a",),)),
        ("TA", "0001 08 02 ab", (1, 8, 2, b"\xab")),
        ("DLV", "0001 08 02 ab", (1, 8, 2, b"\xab")),
        ("999", "00ff", (b"\0\xff",)),
        ("ISDN", "0161", (b"\1a",)),
    ],
)
def test_values(name: str, rdata: str, values: tuple[Any, ...]) -> None:
    assert unpack(name, rdata) == values


def test_memo() -> None:
    """Names of one message share what their pointers lead to, each within its own end."""
    wire = START + b"\xc0\x01\xc0\x01\0"
    memo = NameMemo()
    for start in (14, 16):
        assert unpack_rdata(TYPE_NUMBERS["NS"], wire, start, start + 2, memo) == (NET,)
    assert memo[1][0] == NET


def test_every_type_of_miekg_dns() -> None:
    assert len(RECORDS) == 74


@pytest.mark.parametrize("number", [*RECORDS, 999])
def test_no_rdata(number: int) -> None:
    """As in a dynamic update: one value for each field all the same."""
    values = unpack_rdata(number, b"", 0, 0)
    assert not any(values)
    assert len(values) == len(RECORDS[number].fields if number in RECORDS else [number])


@pytest.mark.parametrize(
    ("name", "rdata", "values"),
    [
        ("MX", "000a", (10, "")),
        ("SOA", "00 00 00000001", (".", ".", 1, 0, 0, 0, 0)),
        ("RRSIG", "0001", (1, 0, 0, 0, 0, 0, 0, "", b"")),
        ("RRSIG", "0001 08 02 00000e10 5f000000 5e000000 1234", (*RRSIG_VALUES[:7], "", b"")),
        ("L32", "0001", (1, b"")),
        ("HINFO", "0161", (b"a", b"")),
        ("SSHFP", "01", (1, 0, b"")),
        ("DS", "0001 08", (1, 8, 0, b"")),
        ("TKEY", "00 00000000 00000000 0000 0000 0001 ab 0001", (".", 0, 0, 0, 0, 1, b"\xab", 1, b"")),
        ("NSEC3PARAM", "01 00 000a 05", (1, 0, 10, 5, b"")),
        ("HIP", "05 02 0005", (5, 2, 5, b"", b"", ())),
        ("TSIG", "00 000000000001", (".", 1, 0, 0, b"", 0, 0, 0, b"")),
    ],
)
def test_rdata_may_end_behind_a_field(name: str, rdata: str, values: tuple[Any, ...]) -> None:
    assert unpack(name, rdata) == values


@pytest.mark.parametrize(
    ("name", "rdata", "reason"),
    [
        ("A", "c00002", "overflow unpacking a"),
        ("A", "c000020100", "bad rdlength"),
        ("AAAA", "00" * 15, "overflow unpacking aaaa"),
        ("ANY", "00", "bad rdlength"),
        ("CNAME", "c001 00", "bad rdlength"),
        ("CNAME", "c0ff", "buffer size too small"),
        ("CNAME", "c012 00", "buffer size too small"),  # behind the end of the rdata, within the message
        ("DS", "00", "overflow unpacking uint16"),
        ("UID", "000000", "overflow unpacking uint32"),
        ("UID", "0000000000", "bad rdlength"),
        ("NID", "0001 00", "overflow unpacking uint64"),
        ("EUI48", "0102030405", "overflow unpacking uint64 as uint48"),
        ("TXT", "0161 02 61", "overflow unpacking txt"),
        ("X25", "0161 00", "bad rdlength"),
        ("OPT", "000c", "overflow unpacking opt"),
        ("SVCB", "0001 00 0002", "overflow unpacking SVCB"),
        # No check for the end behind a field whose length another one gives.
        ("NSEC3", "01 00 000a 02 ab", "overflow unpacking hex"),
        ("NSEC3", "01 00 000a 01 ab", "overflow unpacking uint8"),
        ("NSEC3", "01 00 000a 01 ab 02 01", "overflow unpacking base32"),
        ("NSEC3PARAM", "01 00 000a 01 ab cd", "bad rdlength"),
        ("HIP", "01 02 0002 aa bb", "overflow unpacking base64"),
        ("HIP", "00 02 0001 aa c0", "buffer size too small"),
        ("TSIG", "00 000000000001 012c 0002 abcd", "overflow unpacking uint16"),
        ("NSEC", "00 00", "overflow unpacking NSEC(3)"),
        ("NSEC", "00 01 01 80 01 01 80", "out of order NSEC(3) block in type bitmap"),
        ("NSEC", "00 00 00", "empty NSEC(3) block in type bitmap"),
        ("NSEC", "00 00 21 " + "00" * 33, "NSEC(3) block too long in type bitmap"),
        ("NSEC", "00 00 02 00", "overflowing NSEC(3) block in type bitmap"),
        ("APL", "0001 18", "overflow unpacking APL prefix"),
        ("APL", "0003 00 00", "unrecognized APL address family"),
        ("APL", "0001 21 00", "APL prefix too long"),
        ("APL", "0002 81 00", "APL prefix too long"),
        ("APL", "0001 18 05 c000020101", "APL length too long"),
        ("APL", "0001 18 03 c000", "overflow unpacking APL address"),
        ("APL", "0001 18 03 c00000", "extra APL address bits"),
    ],
)
def test_broken_rdata(name: str, rdata: str, reason: str) -> None:
    with pytest.raises(DnsMessageError) as caught:
        unpack(name, rdata)
    assert str(caught.value) == f"dns: {reason}"
