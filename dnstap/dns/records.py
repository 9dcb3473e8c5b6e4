"""Parsing of rdata, of every record type that miekg/dns 1.1.50 knows.

RECORDS has one row a type: the fields of its rdata in wire order. A field is a reader, and a value for rdata that ends
before the field: Go lets rdata end after any field except one whose length is given by another field. Unknown types
have one field, all bytes. Values are int, bytes (addresses, digests, character strings), str (names), or tuples of
these.

Source: miekg/dns 1.1.50, zmsg.go and msg_helpers.go.
"""

import struct
from collections.abc import Callable
from itertools import takewhile
from typing import Any, NamedTuple

from dnstap.dns.edns import unpack_options
from dnstap.dns.names import NameMemo, unpack_name, unpack_string
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.svcb import unpack_params
from dnstap.errors import DnsMessageError

__all__ = ["RECORDS", "AddressPrefix", "Field", "RecordType", "unpack_rdata"]

Reader = Callable[[bytes, int, int, NameMemo], tuple[Any, int]]
"""(wire, offset, end, memo) -> the value at the offset, and the offset after it. Raises DnsMessageError."""


class AddressPrefix(NamedTuple):
    """One item of an APL record (RFC 3123). The address is padded to its 4 or 16 octets."""

    family: int
    prefix: int
    negated: bool
    address: bytes


class Field(NamedTuple):
    """One field of an rdata."""

    read: Reader
    missing: Any
    """The value if the rdata ends before this field."""
    length_index: int | None = None
    """The index of the field that holds this one's length; None: the field knows its own end."""
    encoding: str = ""
    """The encoding of the text of a field with length_index, which Go names in its error."""
    code: str = ""
    """The code of an integer in the struct module, if there is one."""


class RecordType:
    """One row of the table.

    Attributes:
        fields: the fields of the rdata in wire order.
        head: the integers at its start, which are read in one call.
        rest: the fields after these.
    """

    __slots__ = ("fields", "head", "rest")

    def __init__(self, *fields: Field) -> None:
        integers = list(takewhile(lambda field: field.code, fields))
        self.fields = fields
        self.head = struct.Struct(">" + "".join([field.code for field in integers]))
        self.rest = fields[len(integers) :]


def unpack_rdata(rrtype: int, wire: bytes, offset: int, end: int, memo: NameMemo | None = None) -> tuple[Any, ...]:
    """Parse the rdata between two offsets; return one value for each field of its type.

    Args:
        wire: the whole message, since names may point into it.
        memo: the names of the same message that were read before.

    Raises: DnsMessageError.
    """
    record_type = RECORDS.get(rrtype, _UNKNOWN)
    if memo is None:
        memo = {}
    values: list[Any] = []
    if offset != end:
        fields = record_type.fields
        # Go checks after each field for the end of the rdata. With more octets than the head it is not within the head.
        if end - offset > record_type.head.size:
            values += record_type.head.unpack_from(wire, offset)
            offset += record_type.head.size
            fields = record_type.rest
        for read, _, length_index, encoding, _ in fields:
            if length_index is None:
                value, offset = read(wire, offset, end, memo)
                values.append(value)
                if offset == end:
                    break
            else:
                stop = offset + values[length_index]
                if stop > end:
                    raise DnsMessageError(f"dns: overflow unpacking {encoding}")
                # No check for the end of the rdata here: Go has none after a field whose length is given.
                value, offset = read(wire, offset, stop, memo)
                values.append(value)
        if offset != end:
            raise DnsMessageError("dns: bad rdlength")
    if len(values) < len(record_type.fields):
        values += [field.missing for field in record_type.fields[len(values) :]]
    return tuple(values)


def _integer(octets: int, go_name: str, code: str = "") -> Field:
    """Return a field for an unsigned integer.

    Args: go_name: its type in Go's error; code: its code in the struct module.
    """

    def read(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[int, int]:
        stop = offset + octets
        if stop > end:
            raise DnsMessageError(f"dns: overflow unpacking {go_name}")
        return int.from_bytes(wire[offset:stop], "big"), stop

    return Field(read, 0, code=code)


def _address(octets: int, go_name: str) -> Field:
    """Return a field for an address. Its value is empty, and not 0.0.0.0, if the rdata ends before it."""

    def read(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[bytes, int]:
        stop = offset + octets
        if stop > end:
            raise DnsMessageError(f"dns: overflow unpacking {go_name}")
        return wire[offset:stop], stop

    return Field(read, b"")


def _unpack_rest(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[bytes, int]:
    return wire[offset:end], end


def _sized(length_index: int, encoding: str) -> Field:
    """Return a field whose length is the value of an earlier field."""
    return Field(_unpack_rest, b"", length_index, encoding)


def _unpack_strings(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[tuple[bytes, ...], int]:
    strings = []
    while offset < end:
        string, offset = unpack_string(wire, offset, end)
        strings.append(string)
    return tuple(strings), offset


def _unpack_names(wire: bytes, offset: int, end: int, memo: NameMemo) -> tuple[tuple[str, ...], int]:
    names = []
    while offset < end:
        name, offset = unpack_name(wire, offset, end, memo)
        names.append(name)
    return tuple(names), offset


_BITS = [tuple(bit for bit in range(8) if octet & 0x80 >> bit) for octet in range(256)]
"""The numbers of the bits set in each octet; the highest bit is 0 (RFC 4034, 4.1.2)."""


def _unpack_type_bitmap(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[tuple[int, ...], int]:
    types: list[int] = []
    last_window = -1
    while offset < end:
        start = offset + 2
        if start > end:
            raise DnsMessageError("dns: overflow unpacking NSEC(3)")
        window, length = wire[offset], wire[offset + 1]
        offset = start + length
        # In Go's order of checks; the rules are those of RFC 4034, 4.1.2.
        if window <= last_window:
            raise DnsMessageError("dns: out of order NSEC(3) block in type bitmap")
        if length == 0:
            raise DnsMessageError("dns: empty NSEC(3) block in type bitmap")
        if length > 32:
            raise DnsMessageError("dns: NSEC(3) block too long in type bitmap")
        if offset > end:
            raise DnsMessageError("dns: overflowing NSEC(3) block in type bitmap")
        for index, octet in enumerate(wire[start:offset]):
            first = window << 8 | index << 3
            types += [first + bit for bit in _BITS[octet]]
        last_window = window
    return tuple(types), offset


def _unpack_prefixes(wire: bytes, offset: int, end: int, _memo: NameMemo) -> tuple[tuple[AddressPrefix, ...], int]:
    prefixes = []
    while offset < end:
        start = offset + 4
        if start > end:
            raise DnsMessageError("dns: overflow unpacking APL prefix")
        family, prefix, length = wire[offset] << 8 | wire[offset + 1], wire[offset + 2], wire[offset + 3] & 0x7F
        negated = wire[offset + 3] > 0x7F
        if family not in (1, 2):
            raise DnsMessageError("dns: unrecognized APL address family")
        width = 4 if family == 1 else 16
        if prefix > 8 * width:
            raise DnsMessageError("dns: APL prefix too long")
        if length > width:
            raise DnsMessageError("dns: APL length too long")
        offset = start + length
        if offset > end:
            raise DnsMessageError("dns: overflow unpacking APL address")
        address = wire[start:offset]
        # Zero octets at the end have to be left out (RFC 3123, 4).
        if address.endswith(b"\0"):
            raise DnsMessageError("dns: extra APL address bits")
        prefixes.append(AddressPrefix(family, prefix, negated, address.ljust(width, b"\0")))
    return tuple(prefixes), offset


U8 = _integer(1, "uint8", "B")
U16 = _integer(2, "uint16", "H")
U32 = _integer(4, "uint32", "I")
U48 = _integer(6, "uint64 as uint48")
U64 = _integer(8, "uint64", "Q")
IPV4 = _address(4, "a")
IPV6 = _address(16, "aaaa")
NAME = Field(unpack_name, "")
NAMES = Field(_unpack_names, ())
STRING = Field(lambda wire, offset, end, _memo: unpack_string(wire, offset, end), b"")
STRINGS = Field(_unpack_strings, ())
REST = Field(_unpack_rest, b"")
BITMAP = Field(_unpack_type_bitmap, ())
PREFIXES = Field(_unpack_prefixes, ())
OPTIONS = Field(lambda wire, offset, end, _memo: unpack_options(wire, offset, end), ())
PARAMS = Field(lambda wire, offset, end, _memo: unpack_params(wire, offset, end), ())

_UNKNOWN = RecordType(REST)

_BY_NAME: dict[str, RecordType] = {
    "A": RecordType(IPV4),
    "NS": RecordType(NAME),
    "MD": RecordType(NAME),
    "MF": RecordType(NAME),
    "CNAME": RecordType(NAME),
    "SOA": RecordType(NAME, NAME, U32, U32, U32, U32, U32),
    "MB": RecordType(NAME),
    "MG": RecordType(NAME),
    "MR": RecordType(NAME),
    "NULL": RecordType(REST),
    "PTR": RecordType(NAME),
    "HINFO": RecordType(STRING, STRING),
    "MINFO": RecordType(NAME, NAME),
    "MX": RecordType(U16, NAME),
    "TXT": RecordType(STRINGS),
    "RP": RecordType(NAME, NAME),
    "AFSDB": RecordType(U16, NAME),
    "X25": RecordType(STRING),
    "RT": RecordType(U16, NAME),
    "NSAP-PTR": RecordType(NAME),
    "SIG": RecordType(U16, U8, U8, U32, U32, U32, U16, NAME, REST),
    "KEY": RecordType(U16, U8, U8, REST),
    "PX": RecordType(U16, NAME, NAME),
    "GPOS": RecordType(STRING, STRING, STRING),
    "AAAA": RecordType(IPV6),
    "LOC": RecordType(U8, U8, U8, U8, U32, U32, U32),
    "EID": RecordType(REST),
    "NIMLOC": RecordType(REST),
    "SRV": RecordType(U16, U16, U16, NAME),
    "NAPTR": RecordType(U16, U16, STRING, STRING, STRING, NAME),
    "KX": RecordType(U16, NAME),
    "CERT": RecordType(U16, U16, U8, REST),
    "DNAME": RecordType(NAME),
    "OPT": RecordType(OPTIONS),
    "APL": RecordType(PREFIXES),
    "DS": RecordType(U16, U8, U8, REST),
    "SSHFP": RecordType(U8, U8, REST),
    "RRSIG": RecordType(U16, U8, U8, U32, U32, U32, U16, NAME, REST),
    "NSEC": RecordType(NAME, BITMAP),
    "DNSKEY": RecordType(U16, U8, U8, REST),
    "DHCID": RecordType(REST),
    "NSEC3": RecordType(U8, U8, U16, U8, _sized(3, "hex"), U8, _sized(5, "base32"), BITMAP),
    "NSEC3PARAM": RecordType(U8, U8, U16, U8, _sized(3, "hex")),
    "TLSA": RecordType(U8, U8, U8, REST),
    "SMIMEA": RecordType(U8, U8, U8, REST),
    "HIP": RecordType(U8, U8, U16, _sized(0, "hex"), _sized(2, "base64"), NAMES),
    "NINFO": RecordType(STRINGS),
    "RKEY": RecordType(U16, U8, U8, REST),
    "TALINK": RecordType(NAME, NAME),
    "CDS": RecordType(U16, U8, U8, REST),
    "CDNSKEY": RecordType(U16, U8, U8, REST),
    "OPENPGPKEY": RecordType(REST),
    "CSYNC": RecordType(U32, U16, BITMAP),
    "ZONEMD": RecordType(U32, U8, U8, REST),
    "SVCB": RecordType(U16, NAME, PARAMS),
    "HTTPS": RecordType(U16, NAME, PARAMS),
    "SPF": RecordType(STRINGS),
    "UINFO": RecordType(STRING),
    "UID": RecordType(U32),
    "GID": RecordType(U32),
    "NID": RecordType(U16, U64),
    "L32": RecordType(U16, IPV4),
    "L64": RecordType(U16, U64),
    "LP": RecordType(U16, NAME),
    "EUI48": RecordType(U48),
    "EUI64": RecordType(U64),
    "TKEY": RecordType(NAME, U32, U32, U16, U16, U16, _sized(5, "hex"), U16, _sized(7, "hex")),
    "TSIG": RecordType(NAME, U48, U16, U16, _sized(3, "hex"), U16, U16, U16, _sized(7, "hex")),
    "ANY": RecordType(),
    "URI": RecordType(U16, U16, REST),
    "CAA": RecordType(U8, STRING, REST),
    "AVC": RecordType(STRINGS),
    "TA": RecordType(U16, U8, U8, REST),
    "DLV": RecordType(U16, U8, U8, REST),
}

RECORDS: dict[int, RecordType] = {TYPE_NUMBERS[name]: record_type for name, record_type in _BY_NAME.items()}
"""Type number -> its row."""
