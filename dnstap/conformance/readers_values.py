"""Cases for readers, 201 to 299: values that the schema allows, or does not forbid, and hardly any server sends."""

from __future__ import annotations

from dnstap.conformance.wire import around, blob, dnstap, fixed32, number, query, taken
from framestream.conformance.cases import Case, Level
from framestream.conformance.texts import FORGED

__all__ = ["CASES"]

_HEX_END = (1 << 64) - 1


def _dns(size: int) -> bytes:
    """Return a DNS message of a size: a question, and an OPT record with padding."""
    head = query(header="0001 0100 0001 0000 0000 0001")
    room = size - len(head) - 15
    opt = b"\0\0\x29\x10\0\0\0\0\0" + (room + 4).to_bytes(2, "big") + b"\0\x0c" + room.to_bytes(2, "big")
    return head + opt + bytes(room)


def _in_outer_fields(content: bytes) -> tuple[bytes, ...]:
    """Return payloads that have some bytes as identity, as version, and as extra."""
    return tuple([dnstap(outer={field: blob(field, content)}) for field in (1, 2, 3)])


def _in_policy(content: bytes) -> bytes:
    """Return a payload with a policy that has some bytes as type, rule and value."""
    policy = blob(1, content) + blob(2, content) + number(3, 1) + number(4, 3) + blob(5, content)
    return dnstap({15: blob(15, policy)})


LONG_DNS = dnstap({10: blob(10, _dns(65_535))})
LONGER_DNS = dnstap({10: blob(10, _dns(65_535) + bytes(20_000))})
EMPTY_DNS = dnstap({10: blob(10, b"")}), dnstap({1: number(1, 6), 10: b"", 14: blob(14, b"")})
NO_ADDRESS = dnstap({4: blob(4, b""), 5: blob(5, b"")})
OTHER_LENGTHS = tuple([dnstap({4: blob(4, bytes(size)), 5: blob(5, bytes(size))}) for size in (1, 3, 5, 15, 17, 255)])
OTHER_FAMILY = dnstap({4: blob(4, bytes(16))}), dnstap({2: number(2, 2), 4: blob(4, bytes(4))})
HIGH_PORTS = dnstap({6: number(6, 65_536), 7: number(7, (1 << 32) - 1)})
NANOSECONDS = tuple([dnstap({9: fixed32(9, value)}) for value in (1_000_000_000, (1 << 32) - 1)])
SECONDS = tuple([dnstap({8: number(8, value)}) for value in (0, 253_402_300_800, (1 << 63) - 1, 1 << 63, _HEX_END)])
BACKWARDS = dnstap({1: number(1, 6), 10: b"", 12: number(12, 1), 13: fixed32(13, 0), 14: blob(14, query())})
HALF_TIMES = dnstap({8: b""}), dnstap({9: b""})
ONLY_TYPE = dnstap(dict.fromkeys((2, 3, 4, 6, 8, 9, 10), b""), {1: b""})
BOTH = (
    dnstap({14: blob(14, query(header="0001 8180 0001 0000 0000 0000"))}),
    dnstap({1: number(1, 6)}),
)
ZONES = tuple(
    [dnstap({11: blob(11, zone)}) for zone in (b"", b"\0", b"example.org", b"\7exam", b"\xc0\0", b"\x3fx" * 200)]
)
EMPTY = _in_outer_fields(b"")
NULS = _in_outer_fields(b"a\0b")
ESCAPES = _in_outer_fields(b"\x1b[2J\x1b]0;title\x07\x9b31m\xc2\x9b31m")
BAD_UTF8 = _in_outer_fields(b"\xff\xfe\xc3(\xed\xa0\x80")
NEWLINES = _in_outer_fields(b"ns1\n" + FORGED + b"\r\n" + FORGED + b"\xe2\x80\xa8")
MARKUP = _in_outer_fields(b"\"'`$(id)%s%n{{x}}<b>&\\,;: - #")
LONG_IDENTITY = dnstap(outer={1: blob(1, b"x" * 60_000)})
POLICY = _in_policy(b"\x1b[2J\n" + FORGED + b"\0")
POLICY_UTF8 = _in_policy(b"\xff\xfe")
LONG_POLICY = _in_policy(b"x" * 20_000)


def _case(
    id: int, rule: str, failure: str, *payloads: bytes, source: str = "dnstap.proto", optional: bool = False
) -> Case:
    return Case(
        id=f"DNSTAP-READER-{id}",
        level=Level.MUST,
        rule=rule,
        source=source,
        failure=failure,
        steps=around(*payloads),
        output=taken(*payloads, optional=optional),
    )


CASES = (
    _case(
        201,
        "A DNS message of 65,535 bytes is taken.",
        "Zone transfers and large answers over TCP are lost, or end the stream.",
        LONG_DNS,
        source="dnstap.proto; RFC 1035, 4.2.2: the length over TCP has 16 bits",
    ),
    _case(
        202,
        "A DNS message of more than 65,535 bytes costs no other.",
        "A buffer for one DNS message overflows.",
        LONGER_DNS,
    ),
    _case(
        203,
        "DNS messages of no bytes are taken.",
        "Packets without content that reach a server are logged, and end the collector.",
        *EMPTY_DNS,
    ),
    _case(
        204,
        "Addresses of no bytes are taken.",
        "A server that does not know an address ends the collector.",
        NO_ADDRESS,
        source="dnstap.proto; observed: dnstap-read -y crashes",
    ),
    _case(
        205,
        "Addresses of 1, 3, 5, 15, 17 and 255 bytes are taken, and cost no other message.",
        "Addresses of unix sockets, or anonymized ones that are cut, end what is recorded.",
        *OTHER_LENGTHS,
        source="dnstap.proto; observed: the Go tool's -j prints nothing more",
    ),
    _case(
        206,
        "Addresses whose length is not that of the socket_family are taken.",
        "Bytes after an address are read as part of it, or mapped addresses of dual-stack sockets lose their messages.",
        *OTHER_FAMILY,
    ),
    _case(207, "Ports over 65,535 are taken.", "The message is lost, or all others after it.", HIGH_PORTS),
    _case(
        208,
        "Nanoseconds that make a second or more are taken.",
        "A library for times refuses them, and the collector ends.",
        *NANOSECONDS,
        source="dnstap.proto; observed: dnstap-read aborts",
    ),
    _case(
        209,
        "Seconds of year 10,000 and later, up to 64 bits, are taken.",
        "A server whose clock is wrong ends the collector.",
        *SECONDS,
    ),
    _case(
        210,
        "A response with a time before that of its query is taken.",
        "A clock that is set back makes a negative latency, that no histogram has a place for.",
        BACKWARDS,
    ),
    _case(
        211,
        "Seconds without nanoseconds are taken, and the reverse.",
        "The time is read where there is none.",
        *HALF_TIMES,
    ),
    _case(
        212,
        "A message of which only the type is known is taken.",
        "Everything else is optional, and read without a look whether it is there.",
        ONLY_TYPE,
        source="dnstap.proto: all other fields are optional",
    ),
    _case(
        213,
        "A query with a response_message is taken, and a response with only a query_message.",
        "The DNS message is looked for by the type, and read where there is none.",
        *BOTH,
    ),
    _case(
        214,
        "A query_zone that is not a name is taken.",
        "A zone as text, or cut, ends the collector.",
        *ZONES,
        source="dnstap.proto: query_zone is a name in wire format",
    ),
    _case(215, "Identity, version and extra may have no bytes.", "An empty identity is no key of a table.", *EMPTY),
    _case(
        216,
        "NUL in identity, version and extra is taken.",
        "They end there in C, or the whole line in a database.",
        *NULS,
        source="dnstap.proto: they are bytes",
    ),
    _case(
        217,
        "Terminal escapes in identity, version and extra are taken, and text has no control characters of them.",
        "A server that is broken into controls the terminal of those who read the logs.",
        *ESCAPES,
        source="dnstap.proto: they are bytes",
    ),
    _case(
        218,
        "Identity, version and extra that are not UTF-8 are taken.",
        "Text of JSON or YAML is not valid, or the collector ends.",
        *BAD_UTF8,
        source="dnstap.proto: they are bytes",
    ),
    _case(
        219,
        "Newlines in identity, version and extra are taken, and no line of text begins with what is after them.",
        "A server that is broken into writes lines of the log as it likes.",
        *NEWLINES,
        source="dnstap.proto: they are bytes",
    ),
    _case(
        220,
        "Quotes, backslashes, formats and markup in identity, version and extra are taken.",
        "They are run or read as part of the format, and messages after them are lost.",
        *MARKUP,
        source="dnstap.proto: they are bytes",
    ),
    _case(221, "An identity of 60,000 bytes is taken.", "A buffer for a host name overflows.", LONG_IDENTITY),
    _case(
        222,
        "Control characters in the type, rule and value of a policy are taken.",
        "Authors of a policy zone write lines of the log, or on the terminal.",
        POLICY,
    ),
    _case(
        223,
        "A policy whose type is not UTF-8 costs no other message.",
        "The type alone is text for protobuf, and some decoders refuse it: what is recorded ends.",
        POLICY_UTF8,
        source="dnstap.proto: Policy.type is a string",
        optional=True,
    ),
    _case(224, "A policy of 60,000 bytes is taken.", "A buffer for the name of a rule overflows.", LONG_POLICY),
)
