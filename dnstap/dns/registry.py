"""Names of DNS types and classes, as miekg/dns 1.1.50 prints them.

The tables have the names of that version, not those that IANA has registered since: the Go `dnstap` tool prints RESINFO
(261) as TYPE261, and so does `dnstap`. Mnemonics are unique, so that other tables can be written with them.

Source: miekg/dns 1.1.50, types.go and ztypes.go.
"""

from framestream.arguments import check_number

__all__ = ["CLASSES", "TYPES", "TYPE_NUMBERS", "class_text", "type_text"]

TYPES: dict[int, str] = {
    0: "None",
    1: "A",
    2: "NS",
    3: "MD",
    4: "MF",
    5: "CNAME",
    6: "SOA",
    7: "MB",
    8: "MG",
    9: "MR",
    10: "NULL",
    12: "PTR",
    13: "HINFO",
    14: "MINFO",
    15: "MX",
    16: "TXT",
    17: "RP",
    18: "AFSDB",
    19: "X25",
    20: "ISDN",
    21: "RT",
    23: "NSAP-PTR",
    24: "SIG",
    25: "KEY",
    26: "PX",
    27: "GPOS",
    28: "AAAA",
    29: "LOC",
    30: "NXT",
    31: "EID",
    32: "NIMLOC",
    33: "SRV",
    34: "ATMA",
    35: "NAPTR",
    36: "KX",
    37: "CERT",
    39: "DNAME",
    41: "OPT",
    42: "APL",
    43: "DS",
    44: "SSHFP",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    49: "DHCID",
    50: "NSEC3",
    51: "NSEC3PARAM",
    52: "TLSA",
    53: "SMIMEA",
    55: "HIP",
    56: "NINFO",
    57: "RKEY",
    58: "TALINK",
    59: "CDS",
    60: "CDNSKEY",
    61: "OPENPGPKEY",
    62: "CSYNC",
    63: "ZONEMD",
    64: "SVCB",
    65: "HTTPS",
    99: "SPF",
    100: "UINFO",
    101: "UID",
    102: "GID",
    103: "UNSPEC",
    104: "NID",
    105: "L32",
    106: "L64",
    107: "LP",
    108: "EUI48",
    109: "EUI64",
    249: "TKEY",
    250: "TSIG",
    251: "IXFR",
    252: "AXFR",
    253: "MAILB",
    254: "MAILA",
    255: "ANY",
    256: "URI",
    257: "CAA",
    258: "AVC",
    32768: "TA",
    32769: "DLV",
    65535: "Reserved",
}

TYPE_NUMBERS: dict[str, int] = {name: number for number, name in TYPES.items()}

# Class 255 is missing on purpose: its name ANY is also a type's, and Go prints no class name that could be a type.
CLASSES: dict[int, str] = {1: "IN", 2: "CS", 3: "CH", 4: "HS", 254: "NONE"}


def type_text(number: int) -> str:
    """Return the mnemonic of a record or question type, or TYPEnnn (RFC 3597, 5)."""
    return TYPES.get(number) or f"TYPE{_number(number)}"


def class_text(number: int) -> str:
    """Return the mnemonic of a class, or CLASSnnn (RFC 3597, 5)."""
    return CLASSES.get(number) or f"CLASS{_number(number)}"


def _number(number: int) -> int:
    check_number("number", number, 0)
    return number
