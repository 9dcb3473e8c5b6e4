"""Cases for readers, 301 to 399: hostile DNS messages. Servers log what clients send, before they look at it."""

from __future__ import annotations

from dnstap.conformance.wire import around, blob, dnstap, number, query, taken
from framestream.conformance.cases import Case, Level
from framestream.conformance.texts import FORGED

__all__ = ["CASES"]

_ONE_ANSWER = "0001 8180 0001 0001 0000 0000"


def _asked(*wires: bytes) -> tuple[bytes, ...]:
    """Return queries that have DNS messages."""
    return tuple([dnstap({10: blob(10, wire)}) for wire in wires])


def _answered(*wires: bytes) -> tuple[bytes, ...]:
    """Return responses that have DNS messages."""
    return tuple([dnstap({1: number(1, 6), 10: b"", 14: blob(14, wire)}) for wire in wires])


def _record(kind: int, rdata: bytes, *, owner: bytes = b"\xc0\x0c", length: int | None = None) -> bytes:
    """Return a resource record."""
    size = len(rdata) if length is None else length
    return owner + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + size.to_bytes(2, "big") + rdata


_TEXT = b"\x1b]0;x\x07\n" + FORGED + b'\x9b31m"\\\0\xff\x80\xc2'
_LONG_NAME = b"".join([b"\x3f" + b"x" * 63] * 3 + [b"\x3d" + b"x" * 61, b"\0"])

LOOPS = _asked(query(b"\xc0\x0c"), query(b"\1a\xc0\x0c"), query(b"\xc0\x0e\xc0\x0c"))
FORWARD = _asked(query(b"\xc0\x20"), query(b"\xff\xff"), query(b"\1a\xc0"))
LONG_NAMES = _asked(query(b"\x3f" + b"x" * 63 + _LONG_NAME), query(b"\1x" * 2_000 + b"\0"), query(_LONG_NAME))
LABEL_TYPES = _asked(query(b"\x41\x01\xff\0"), query(b"\x80a\0"), query(b"\x40\0"))
COUNTS = _asked(*[query(header="0001 0100" + " 0000" * at + " ffff" + " 0000" * (3 - at)) for at in range(4)])
SHORT_HEADERS = _asked(*[query()[:size] for size in range(1, 13)])
CUT = _answered(
    *[query(header=_ONE_ANSWER, after=_record(1, bytes(4)))[:size] for size in (14, 18, 20, 22, 28, 30, 35)]
)
RDLENGTHS = _answered(
    query(header=_ONE_ANSWER, after=_record(1, bytes(4), length=400)),
    query(header=_ONE_ANSWER, after=_record(1, bytes(3))),
    query(header=_ONE_ANSWER, after=_record(6, b"\xc0\x0c\xc0\x0c" + bytes(5))),
    query(header=_ONE_ANSWER, after=_record(16, b"\xffshort")),
    query(header=_ONE_ANSWER, after=_record(5, b"")),
)
OPTIONS = _asked(
    *[
        query(header="0001 0100 0001 0000 0000 0001", after=b"\0\0\x29\x10\0\0\0\0\0" + rdata)
        for rdata in (b"\0\1\0", b"\0\4\0\x0a\0\x20", b"\0\4\0\x08\0\0", b"\0\5\0\x08\0\1\x09")
    ]
)
ESCAPES = _asked(
    query(b"\4\x1b[2J\0"),
    query(b"\3a.b\0"),
    query(b'\2"\\\0'),
    query(b"\x0d\n" + FORGED + b"\n\0"),
    query(b"\3\0\xff\x9b\0"),
)
BOMB = _answered(
    query(_LONG_NAME, header="0001 8180 0001 2000 0000 0000", after=b"\xc0\x0c\0\x02\0\1\0\0\0\x3c\0\2\xc0\x0c" * 3_500)
)
UNKNOWN = _answered(
    query(header="0001 ffff 0001 0001 0000 0000", after=_record(65_280, b"\1\2\3")),
    bytes.fromhex("0001 7800 0001 0000 0000 0000 0000 fffe 0000"),
)
QUESTIONS = _asked(
    query(header="0001 0100 0002 0000 0000 0000", after=b"\1b\0\0\1\0\1"), bytes.fromhex("0001 0100") + bytes(8)
)
TRAILING = _asked(query(after=b"after"))
TEXTS = _answered(query(header=_ONE_ANSWER, after=_record(16, bytes([len(_TEXT)]) + _TEXT)))
NESTED = _answered(query(header=_ONE_ANSWER, after=_record(46, bytes(18) + b"\xc0\x29" + bytes(9))))


def _case(id: int, rule: str, failure: str, payloads: tuple[bytes, ...], source: str = "") -> Case:
    return Case(
        id=f"DNSTAP-READER-{id}",
        level=Level.MUST,
        rule=rule,
        source=f"dnstap.proto: the message as it was received{source and '; '}{source}",
        failure=failure,
        steps=around(*payloads),
        output=taken(*payloads),
    )


CASES = (
    _case(
        301,
        "Names that point to themselves, or in a circle, cost no other message.",
        "One packet from the Internet makes the collector hang.",
        LOOPS,
        "RFC 1035, 4.1.4",
    ),
    _case(
        302,
        "Names that point forward, or outside of the DNS message, cost no other message.",
        "One packet from the Internet makes the collector read memory that is not its own.",
        FORWARD,
        "RFC 1035, 4.1.4: a pointer is to a prior occurrence",
    ),
    _case(
        303,
        "Names of more than 255 bytes cost no other message.",
        "A buffer for a name overflows.",
        LONG_NAMES,
        "RFC 1035, 2.3.4",
    ),
    _case(
        304,
        "Labels of the types 0x40 and 0x80 cost no other message.",
        "They are taken for long labels, and read beyond the end.",
        LABEL_TYPES,
        "RFC 1035, 4.1.4: reserved",
    ),
    _case(
        305,
        "Counts of 65,535 records that are not there cost no other message.",
        "As many records are reserved or looked for.",
        COUNTS,
        "RFC 1035, 4.1.1",
    ),
    _case(
        306,
        "DNS messages that are shorter than a header, of 1 to 12 bytes, cost no other message.",
        "Servers log what clients send: one short packet from the Internet ends the collector.",
        SHORT_HEADERS,
        "RFC 1035, 4.1.1",
    ),
    _case(
        307,
        "DNS messages that are cut in the question, the owner, the head or the data of a record cost no other message.",
        "A response that was truncated without a mark ends the collector.",
        CUT,
        "RFC 1035, 4.1.3",
    ),
    _case(
        308,
        "Data of records that is longer or shorter than its type and its length say costs no other message.",
        "It is read beyond its end.",
        RDLENGTHS,
        "RFC 1035, 4.1.3",
    ),
    _case(
        309,
        "EDNS options that are cut or have an impossible content cost no other message.",
        "A client's option, which no resolver checks, ends the collector.",
        OPTIONS,
        "RFC 6891, 6.1.2",
    ),
    _case(
        310,
        "Escapes, quotes, dots, newlines and NUL in the name of a question are taken, and text shows none of them raw.",
        "Anyone who can send a query writes lines of the log, or on the terminal.",
        ESCAPES,
        "RFC 4343, 2.1: \\DDD",
    ),
    _case(
        311,
        "Thousands of records with compressed names of 255 bytes cost no other message.",
        "One packet becomes megabytes of text, and the collector stands still or runs out of memory.",
        BOMB,
        "RFC 1035, 4.1.4",
    ),
    _case(
        312,
        "Types, classes, opcodes and rcodes that are not assigned are taken.",
        "A table of names is read beyond its end.",
        UNKNOWN,
        "RFC 3597",
    ),
    _case(
        313,
        "DNS messages with two questions, or none, are taken.",
        "The first question is read where there is none.",
        QUESTIONS,
        "RFC 1035, 4.1.2",
    ),
    _case(314, "Bytes after the end of a DNS message cost no other message.", "They are taken for a record.", TRAILING),
    _case(
        315,
        "Any bytes in the strings of a TXT record are taken, and text shows none of them raw.",
        "Owners of any zone write lines of the log, or on the terminal.",
        TEXTS,
        "RFC 1035, 3.3.14",
    ),
    _case(
        316,
        "A name inside the data of a record that points into that data costs no other message.",
        "Names in data are read by other code than owners, without its checks.",
        NESTED,
        "RFC 3597, 4",
    ),
)
