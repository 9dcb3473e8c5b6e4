"""dnstap.fields.wires: questions, rcodes and OPT records of DNS messages."""

from __future__ import annotations

import random
import struct

import pytest

from dnstap import compile_filter
from dnstap.dns import unpack
from dnstap.dns.text import extended_rcode, last_opt
from dnstap.fields.wires import Edns, edns_reader, outcome_reader, question_reader, read_error, zone_reader
from tests.dnstap.filters.examples import ANSWER, BADVERS, OPT, QUESTION, matches, response
from tests.made_messages import Generator, captured_messages


@pytest.mark.parametrize(
    ("octets", "name", "rrtype"),
    [
        (b"\3a\0b\3org\0\0\1\0\1", "a\\000b.org", 1),
        (b"\3a.b\3org\0\0\1\0\1", "a\\.b.org", 1),
        (b"\3a\\b\3org\0\0\1\0\1", "a\\\\b.org", 1),
        # A pointer to what stands behind the class.
        (b"\1a\xc0\x14\0\1\0\1\3org\0", "a.org", 1),
        (b"\3ORG\0\0\1", "org", 1),
        (b"\3org\0", "org", 0),
        (b"\0\0\2\0\1", ".", 2),
        (b"\x3f" + b"a" * 63 + b"\0\0\1\0\1", "a" * 63, 1),
        ((b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0\0\1\0\1", ".".join(["a" * 63] * 3 + ["b" * 61]), 1),
    ],
)
def test_unusual_questions(octets: bytes, name: str, rrtype: int) -> None:
    odd = response(BADVERS[:12] + octets)
    assert matches(f'qname = "{name}" and qtype = {rrtype}'.replace("\\", "\\\\"), odd)
    assert matches(f"qname = {name}", odd)
    assert not matches("qname under b.org", odd)
    assert matches("has qname", odd)


def test_names_that_are_too_long() -> None:
    too_long = BADVERS[:12] + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"b" * 62 + b"\0\0\1\0\1"
    assert not matches("has qname", response(too_long))
    # A label of 70 octets, and what would be one of 192, were it no pointer.
    for length in (70, 192):
        odd = BADVERS[:12] + bytes((length,)) + b"a" * length + b"\0\0\1\0\1"
        assert not matches("qname ~ aaa", response(odd))


def test_no_question_beside_one_that_is_remembered() -> None:
    chosen = compile_filter("qname = www.example.org")
    none = BADVERS[:4] + b"\0\0" + BADVERS[6:]
    many = BADVERS[:4] + b"\1\0" + BADVERS[6:]
    wires = (BADVERS, none, BADVERS, many, BADVERS[: len(BADVERS) - 20])
    assert [chosen.matches(response(wire)) for wire in wires] == [True, False, True, True, True]


def test_rcodes_and_opt_records_of_all_kinds_of_messages() -> None:
    generator = Generator(3)
    read = outcome_reader()
    wires = captured_messages() + [generator.dns_message() for _ in range(1500)]
    two_opts = (
        struct.pack(">6H", 7, 0x8005, 1, 0, 1, 2)
        + QUESTION
        + b"\1a"
        + ANSWER
        + OPT
        + OPT.replace(b"\1\0\x80", b"\2\0\x80")
    )
    # The longest name that there is, with records that have it as their name, and as a part of it.
    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0\0\1\0\1"
    for owner in (b"\xc0\x0c", b"\1a\xc0\x0c", b"\1a\xc0\x4c"):
        wires.append(struct.pack(">6H", 7, 0x8005, 1, 1, 0, 1) + longest + owner + ANSWER[2:] + OPT)
    wires += [BADVERS, BADVERS[:-1], two_opts, struct.pack(">6H", 7, 0x8003, 0, 0, 0, 0)]
    random.Random(1).shuffle(wires)
    bad = 0
    for wire in wires:
        try:
            message = unpack(wire)
        except Exception:  # noqa: BLE001 (whatever it is, it must be no more than that)
            bad += 1
            assert read(wire) == (None, None)
        else:
            opt = last_opt(message)
            rcode, found = read(wire)
            assert rcode == extended_rcode(message.flags, opt)
            if isinstance(found, int):
                assert opt
                assert wire[found : found + 8] == struct.pack(">HHI", 41, opt.rrclass, opt.ttl)
            else:
                assert found == opt
    assert read(None) == (None, None)
    assert 0 < bad < len(wires) / 2


def test_questions() -> None:
    read = question_reader()
    wire = bytes(5) + b"\1" + bytes(6) + b"\3WWW\7example\3org\0\0\x1c\0\1"
    for _ in range(2):
        assert read(wire) == (b"\3www\7example\3org\0", 28, 1, b"\3WWW\7example\3org\0")
    assert read(None) == (None, None, None, None)
    assert read(wire[:20]) == (None, None, None, None)
    # Pointers are followed.
    odd = wire[:12] + b"\1A\xc0\x14\0\1\0\1\3ORG\0"
    assert read(odd) == (b"\1a\3org\0", 1, 1, b"\1A\3ORG\0")


def test_zones() -> None:
    read = zone_reader()
    for _ in range(2):
        assert read(b"\7EXAMPLE\3org\0") == (b"\7example\3org\0", b"\7EXAMPLE\3org\0")
        assert read(b"\7EXAMPLE") == (None, None)
        assert read(None) == (None, None)


def edns_of(wire: bytes | None) -> Edns:
    read = edns_reader()
    outcome = outcome_reader()(wire)
    first = read(wire, outcome)
    assert read(wire, outcome) == first
    return first


def with_opt(*options: bytes, ttl: int = 0) -> bytes:
    """Return a query with an OPT record."""
    data = b"".join(options)
    opt = b"\0" + struct.pack(">HHIH", 41, 512, ttl, len(data)) + data
    return struct.pack(">6H", 7, 0, 1, 0, 0, 1) + QUESTION + opt


def option(code: int, data: bytes) -> bytes:
    return struct.pack(">HH", code, len(data)) + data


def test_edns() -> None:
    expected = Edns(
        0,
        True,
        1232,
        options=(8, 15, 15, 3, 10, 11, 12),
        subnet=(4, 8, 0xC00002),
        scope=0,
        errors=(3, 22),
        error_texts=("no way",),
        nsid=b"ns 7",
        cookie=True,
        client_cookie=b"cookie!!",
        server_cookie=b"\0srv\xff",
        keepalive=10 * 10**9,
        padding=4,
    )
    assert edns_of(BADVERS) == expected
    # With a second question, which only the exact parser takes.
    assert edns_of(BADVERS[:5] + b"\2" + BADVERS[6:12] + QUESTION + BADVERS[12:]) == expected
    assert edns_of(with_opt(ttl=7 << 16)) == Edns(7, False, 512, cookie=False)
    assert edns_of(struct.pack(">6H", 7, 0, 1, 0, 0, 0) + QUESTION) == Edns()
    assert edns_of(BADVERS[:-1]) == edns_of(None) == Edns()


def test_options_of_edns() -> None:
    assert edns_of(with_opt(option(3, b""))).nsid is None
    assert edns_of(with_opt(option(3, b"a"), option(3, b"b"))).nsid == b"a"
    short = edns_of(with_opt(option(10, b"only 8 b"), option(11, b""), option(12, b""), option(12, b"second")))
    assert (short.client_cookie, short.server_cookie) == (b"only 8 b", None)
    assert (short.keepalive, short.padding, short.options) == (0, 0, (10, 11, 12, 12))
    bad_text = edns_of(with_opt(option(15, b"\0\1\xff")))
    assert (bad_text.errors, bad_text.error_texts) == ((1,), ("\udcff",))
    subnets = {
        b"\0\1\x18\0\xc0\0\2": (4, 8, 0xC00002),
        # Bits after the prefix do not count.
        b"\0\1\x0c\0\xc0\xff": (4, 20, 0xC0F),
        b"\0\0\0\0": (4, 32, 0),
        b"\0\2\x20\0\x20\1\x0d\xb8": (16, 96, 0x20010DB8),
        # IPv4 mapped into IPv6, and a network that is wider than theirs.
        b"\0\2\x78\0" + bytes(10) + b"\xff\xff\xc0\0\2": (4, 8, 0xC00002),
        b"\0\2\x5a\0" + bytes(10) + b"\xff\xff": (16, 38, 0xFFFF >> 6),
    }
    assert {data: edns_of(with_opt(option(8, data))).subnet for data in subnets} == subnets


def test_errors() -> None:
    assert read_error(BADVERS) is None
    assert read_error(BADVERS[:-1]) == b"dns: overflowing header size"
    assert (read_error(b"") or b"").startswith(b"dns: ")
