"""dnstap.filters: fields, operators, errors, and what hostile octets and expressions do."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import (
    DecodeError,
    Dnstap,
    DnstapType,
    Filter,
    FilterError,
    HttpProtocol,
    Message,
    MessageType,
    Policy,
    PolicyAction,
    SocketFamily,
    SocketProtocol,
    compile_filter,
)
from dnstap.dns import unpack
from dnstap.dns.text import extended_rcode, last_opt
from dnstap.filters.fields import FIELDS, MESSAGE_TYPES
from dnstap.filters.grammar import MAX_DEPTH
from dnstap.filters.wires import wholes
from dnstap.rendering.columns import FIELDS as COLUMNS
from dnstap.strategies import hostile_payloads
from tests.made_messages import Generator, captured_messages

QUESTION = b"\3WWW\7exaMple\3org\0" + struct.pack(">HH", 28, 1)
QUERY = struct.pack(">6H", 7, 0x0120, 1, 0, 0, 0) + QUESTION
OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 1 << 24, 0)
ANSWER = b"\xc0\x0c" + struct.pack(">HHIH", 28, 1, 0, 0)
BADVERS = struct.pack(">6H", 7, 0x8580, 1, 1, 0, 1) + QUESTION + ANSWER + OPT

MESSAGE = Message(
    type=MessageType.CLIENT_RESPONSE,
    socket_family=SocketFamily.INET,
    socket_protocol=SocketProtocol.DOQ,
    query_address=b"\xc0\0\2\1",
    response_address=bytes(15) + b"\1",
    query_port=40_000,
    response_port=53,
    query_time_sec=1_700_000_000,
    query_time_nsec=999_000_000,
    query_zone=b"\7example\3ORG\0",
    query_message=QUERY,
    response_time_sec=1_700_000_001,
    response_time_nsec=1_500_000,
    response_message=BADVERS,
    policy=Policy(action=PolicyAction.DROP),
    http_protocol=HttpProtocol.HTTP2,
)
DNSTAP = Dnstap(b"my server", b'v"1\\', b"\xff\x00", MESSAGE, DnstapType.MESSAGE)
EMPTY = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_RESPONSE))


def matches(text: str, dnstap: Dnstap = DNSTAP) -> bool:
    """By the object, and by the octets."""
    chosen = compile_filter(text)
    answer = chosen.matches(dnstap)
    octets = dnstap.encode()
    assert chosen.select([octets]) == [octets] * answer
    return answer


def changed(**fields: Any) -> Dnstap:
    return replace(DNSTAP, message=replace(MESSAGE, **fields))


def response(wire: bytes) -> Dnstap:
    return changed(response_message=wire)


# Of each field: what is so of DNSTAP, and what is not.
TRUE_AND_FALSE = {
    "type": ("= CLIENT_RESPONSE", "= cr", "== 6", "!= CQ", "in (AQ, CR)", "not in (1, 2)"),
    "qr": ("= R", "= r", "!= Q", "in (Q, R)"),
    "family": ("= inet", "= 1", "!= INET6"),
    "protocol": ("= DOQ", "= 7", "!= -1", "not in (dnscryptudp, DNSCryptTCP)"),
    "http": ("= HTTP2", "!= HTTP1"),
    "policy": ("= DROP", "!= LOCAL_DATA"),
    "client": (
        "= 192.0.2.1",
        '= "::ffff:192.0.2.1"',
        "!= 192.0.2.2",
        "in 192.0.2.0/24",
        "in 192.0.2.1",
        "in ::ffff:192.0.2.0/120",
        "in (::/0, 192.0.0.0/16)",
        "in (192.0.2.1, ::1)",
        "not in 192.0.2.2/31",
        "not in ::/0",
    ),
    "server": ("= ::1", "!= 192.0.2.1", "in ::/64", "not in 0.0.0.0/0", "in 0:0:0:0::/127"),
    "address": ("= 192.0.2.1", "= ::1", "!= ::1", "in ::/64"),
    "client_port": ("= 40000", "> 1023", ">= 40000", "<= 40000", "< 40001", "!= 53", "in (53, 40000)"),
    "server_port": ("= 53", "not in (54, 55)"),
    "port": ("= 53", "= 40000", "> 53"),
    "time": (
        "= 2023-11-14T22:13:21.0015Z",
        "= 2023-11-14T22:13:21.001500000",
        "= 2023-11-15T03:58:21.0015+05:45",
        '= "2023-11-14 20:13:21.0015-0200"',
        "> 2023-11-14T22:13",
        ">= 2023-11-14",
        "< 2023-11-15",
    ),
    "query_time": ("= 2023-11-14T22:13:20.999z", "< 2023-11-14T22:13:21"),
    "response_time": ("= 2023-11-14T22:13:21.0015Z",),
    "latency": ("= 2.5ms", "= 2500us", "= 2500\N{MICRO SIGN}s", "= 2500000ns", "> -1s", "< 0.0026s"),
    "size": (f"= {len(BADVERS)}", "> 12", "!= 0"),
    "id": ("= 7", "< 8"),
    "opcode": ("= QUERY", "= OPCODE0", "< 1"),
    "rcode": ("= BADVERS", "= badsig", "= RCODE16", "= 16", "!= NOERROR", "> 15", "in (NXDOMAIN, 16)"),
    "answers": ("= 1", ">= 1"),
    "qname": (
        "= www.example.org",
        '= "WWW.EXAMPLE.ORG."',
        "= w\\ww.\\101xample.org",
        "!= example.org",
        "in (a, www.example.org)",
        "not in (a, b)",
        "under example.org",
        "under ORG.",
        "under .",
        "under www.example.org",
        "under (net, org)",
        "~ ^www\\.EXAMPLE",
        '~ "^(www|ftp)\\.exa(?=m)"',
        "~ \\.org\\.$",
    ),
    "qtype": ("= AAAA", "= aaaa", "= TYPE28", "= 28", "!= A", "< 29", "in (A, AAAA)"),
    "qclass": ("= IN", "= CLASS1", "!= ANY"),
    "zone": ("= example.org", "under org", "~ ^exa", "!= org"),
    "identity": ('= "my server"', "!= my", "~ ser", '~ "^my server$"', 'in (a, "my server")'),
    "version": ('= "v\\"1\\\\"', "~ \\\\$", '~ "\\\\\\\\$"'),
    "extra": ('~ "\\x00"', '= "\udcff\x00"', "!= a"),
}


def test_each_field_is_one_of_columns() -> None:
    assert {*FIELDS, "flags"} == set(COLUMNS)
    assert {*FIELDS, "address", "port"} == set(TRUE_AND_FALSE)


@pytest.mark.parametrize("name", TRUE_AND_FALSE)
def test_fields(name: str) -> None:
    for test in TRUE_AND_FALSE[name]:
        assert matches(f"{name} {test}"), test
        assert not matches(f"not {name} {test}"), test
        # What is not there is not so, whatever is asked of it, and nothing that there is not either.
        for absent in (EMPTY, Dnstap(type=DnstapType.MESSAGE)):
            assert matches(f"{name} {test}", absent) is (name in ("type", "qr") and absent is EMPTY), test
    assert matches(f"has {name}")
    assert not matches(f"has {name}", Dnstap(type=DnstapType.MESSAGE))


@pytest.mark.parametrize(
    "text",
    [
        "type = CQ",
        "type != CR",
        "type not in (CR, CQ)",
        "qr = Q",
        "client = 192.0.2.2",
        "client not in (192.0.2.0/24, ::1)",
        "client in (192.0.2.2, 10.0.0.0/8, 192.0.2.128/25)",
        "address = 192.0.2.2",
        "server in ::2/127",
        "server in 0.0.0.0/0",
        "client_port < 40000",
        "client_port > 40000",
        "latency >= 2501us",
        "latency = -2500us",
        "time < 2023-11-14T22:13:21.001500000",
        "time = 2023-11-14T22:13:20.999",
        "query_time > 2023-11-14T22:13:20.999",
        "rcode = NOERROR",
        "rcode in (NOERROR, NXDOMAIN)",
        "rcode != 16",
        "answers = 0",
        "qname = example.org",
        "qname under ample.org",
        "qname under a.www.example.org",
        "qname under (example.net, com)",
        "qname ~ ^example",
        "qname not in (www.example.org, a)",
        "qtype = A",
        "qclass = CH",
        "zone under www.example.org",
        'identity = "MY SERVER"',
        "identity ~ MY",
        "flag tc",
        "flag ad",
        "not flag AA",
    ],
)
def test_what_is_not_so(text: str) -> None:
    assert not matches(text)


def test_flags() -> None:
    names = ("qr", "aa", "tc", "rd", "ra", "z", "ad", "cd")
    for number, bit in enumerate((0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10)):
        only = response(struct.pack(">6H", 7, bit, 0, 0, 0, 0))
        assert [matches(f"flag {name}", only) for name in names] == [index == number for index in range(8)]
    assert not matches("flag qr", response(struct.pack(">6H", 7, 0xFFFF, 0, 0, 0, 0)[:11]))


def test_and_or_not() -> None:
    for text, answer in {
        "qr = R and flag aa": True,
        "qr = Q and flag aa": False,
        "qr = Q or flag aa": True,
        "qr = R or qr = Q and qr = Q": True,
        "(qr = R or qr = Q) and qr = Q": False,
        "not qr = Q and qr = R": True,
        "NOT (qr = Q AND qr = R) Or qr = Q": True,
        "not not qr = R": True,
        "((((qr = R))))": True,
        "(qname under org and (qr = R and (client_port = 1 or server_port = 53)))": True,
        "QR=R\tand\n(port=53)and not(size<12)": True,
        # In the place of a value, a keyword is a value.
        "identity = and or identity != not and has identity": True,
    }.items():
        assert matches(text) is answer, text


def test_what_is_absent_differs_from_what_is_different() -> None:
    assert not matches("rcode != NOERROR", EMPTY)
    assert matches("not (rcode = NOERROR)", EMPTY)
    query = changed(type=MessageType.TOOL_QUERY)
    assert matches("flag rd and size < 40 and id = 7 and time < 2023-11-14T22:13:21", query)
    assert not matches("has rcode", query)
    assert matches("answers = 0", query)
    assert not matches("has latency", changed(query_time_sec=None))
    assert not matches("has latency", changed(response_time_sec=None))
    assert matches("latency = -998.5ms", changed(response_time_sec=1_700_000_000, response_time_nsec=500_000))
    assert matches("time = 2023-11-14T22:13:21", changed(response_time_nsec=None))
    assert not matches("has identity", replace(DNSTAP, identity=b""))
    assert not matches("has policy", changed(policy=Policy()))


def test_a_type_that_is_absent_or_has_no_name() -> None:
    # Octets without a type do not decode.
    no_type = changed(type=None)
    for text, answer in {"has qr": False, "has type": False, "rcode = 16": True, "flag aa": True}.items():
        assert compile_filter(text).matches(no_type) is answer
    unnamed = changed(type=MessageType(99))
    assert matches("type = 99 and not has qr and rcode = 16 and flag aa", unnamed)


def test_addresses_that_are_none() -> None:
    for octets in (b"", b"\1\2\3", bytes(17)):
        odd = changed(query_address=octets)
        for text in ("client != 192.0.2.1", "has client", "client in 0.0.0.0/0", "client not in ::/0"):
            assert not matches(text, odd)
    mapped = changed(query_address=bytes(10) + b"\xff\xff\xc0\0\2\1")
    assert matches("client = 192.0.2.1 and client in 192.0.2.0/30 and client not in ::/0", mapped)
    assert matches("client in ::ffff:0:0/96", mapped)
    assert not matches("client != 192.0.2.1", mapped)
    assert not matches("client = ::1 or client in ::1", mapped)


def test_damage_counts_where_it_is() -> None:
    cut = response(BADVERS[:-1])
    assert matches("qname under example.org and qtype = AAAA and flag aa and id = 7", cut)
    for text in ("has rcode", "rcode != NOERROR", "rcode = 16", "answers = 1", "has answers"):
        assert not matches(text, cut)
    header = BADVERS[:12]
    for wire in (b"", b"\0", BADVERS[:11], header, header + b"\3ww", header + b"\3www\0\0", header + b"\xc0"):
        for text in ("has qname", "has qtype", "qclass < 3", "qname != a", "qname ~ .", "qname under ."):
            assert not matches(text, response(wire)), (text, wire)
    assert not matches("has zone", changed(query_zone=b"\3or"))
    assert not matches("has zone", changed(query_zone=b""))


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


def test_rcodes_and_answers_of_all_kinds_of_messages() -> None:
    generator = Generator(3)
    whole = wholes()
    wires = captured_messages() + [generator.dns_message() for _ in range(1500)]
    two_opts = struct.pack(">6H", 7, 0x8005, 1, 0, 1, 2) + QUESTION + b"\1a" + ANSWER + OPT + OPT.replace(b"\1", b"\2")
    wires += [BADVERS, BADVERS[:-1], two_opts, struct.pack(">6H", 7, 0x8003, 0, 0, 0, 0)]
    random.Random(1).shuffle(wires)
    bad = 0
    for wire in wires:
        try:
            message = unpack(wire)
        except Exception:  # noqa: BLE001 (whatever it is, it must be no more than that)
            bad += 1
            assert whole(wire) == (None, None)
        else:
            assert whole(wire) == (extended_rcode(message.flags, last_opt(message)), len(message.answers))
    assert whole(None) == (None, None)
    assert 0 < bad < len(wires) / 2


def test_types_have_letters() -> None:
    assert {name: number for name, number in MESSAGE_TYPES.items() if len(name) == 2} == {
        "AQ": 1, "AR": 2, "RQ": 3, "RR": 4, "CQ": 5, "CR": 6, "FQ": 7, "FR": 8, "SQ": 9, "SR": 10,
        "TQ": 11, "TR": 12, "UQ": 13, "UR": 14,
    }  # fmt: skip


TESTS = "type, qr, family, protocol, http, policy, client, server, client_port, server_port, time, query_time, "
TESTS += "response_time, latency, size, id, opcode, qname, qtype, qclass, zone, rcode, answers, identity, version, "
TESTS += "extra, address, port"
A_TEST = f"a test: (, not, has, flag, or a field: one of {TESTS}"


@pytest.mark.parametrize(
    ("text", "position", "expected", "came"),
    [
        ("", 0, A_TEST, "the end"),
        ("  ", 2, A_TEST, "the end"),
        ("qnme = a", 0, A_TEST, "'qnme'"),
        ('"type" = CQ', 0, A_TEST, "'\"type\"'"),
        ("type = CQ and", 13, A_TEST, "the end"),
        ("(type = CQ) or )", 15, A_TEST, "')'"),
        ("has", 3, f"a field: one of {TESTS}", "the end"),
        ("has nonsense", 4, f"a field: one of {TESTS}", "'nonsense'"),
        ("flags = RD", 0, "flag and one of qr, aa, tc, rd, ra, z, ad, cd", "'flags'"),
        ("flag XX", 5, "one of qr, aa, tc, rd, ra, z, ad, cd", "'XX'"),
        ("type", 4, "an operator: =, !=, in or not in", "the end"),
        ("type CQ", 5, "an operator: =, !=, in or not in", "'CQ'"),
        ('type "="', 5, "an operator: =, !=, in or not in", "'\"=\"'"),
        ("type < CQ", 5, "an operator of this field: =, !=, in or not in", "'<'"),
        ("size ~ a", 5, "an operator of this field: =, !=, in, <, <=, >, >= or not in", "'~'"),
        ("identity under a", 9, "an operator of this field: =, !=, in, ~ or not in", "'under'"),
        ("qname not under a", 10, "in", "'under'"),
        ("type = XX", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'XX'"),
        ("type = 2147483648", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'2147483648'"),
        ("qr = S", 5, "Q or R", "'S'"),
        ("family = 0x1", 9, "INET, INET6 or a number", "'0x1'"),
        ("type = (CQ)", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'('"),
        ("type in CQ", 8, "( and values", "'CQ'"),
        ("type in (CQ", 11, ", or )", "the end"),
        ("type in ()", 9, "a message type such as CLIENT_QUERY or CQ or a number", "')'"),
        ("port = 65536", 7, "a port, 0 to 65535", "'65536'"),
        ("port > -1", 7, "a port, 0 to 65535", "'-1'"),
        ("port = " + "9" * 50, 7, "a port, 0 to 65535", f"'{'9' * 40}...'"),
        ("client = 192.0.2.0/24", 9, "an address", "'192.0.2.0/24'"),
        ("client = fe80::1%eth0", 9, "an address", "'fe80::1%eth0'"),
        ("client in 192.0.2.1/24", 10, "a network or an address", "'192.0.2.1/24'"),
        ("time > 2023-13-01", 7, "a time such as 2026-11-23T21:45:12.973Z", "'2023-13-01'"),
        ("time > yesterday", 7, "a time such as 2026-11-23T21:45:12.973Z", "'yesterday'"),
        ("latency > 20", 10, "a duration such as 20ms, 1.5s or 300us", "'20'"),
        ("latency > 0.5ns", 10, "a duration such as 20ms, 1.5s or 300us", "'0.5ns'"),
        ("qtype = TYPE65536", 8, "a record type such as AAAA, TYPE65 or 65", "'TYPE65536'"),
        ("rcode = NOPE", 8, "an rcode such as NXDOMAIN, RCODE3 or 3", "'NOPE'"),
        ("qname = a..b", 8, "a domain name", "'a..b'"),
        ("qname = a\\", 8, "a domain name", "'a\\\\'"),
        ("qname = a\\999", 8, "a domain name", "'a\\\\999'"),
        ("qname = a\\1", 8, "a domain name", "'a\\\\1'"),
        ('qname = ""', 8, "a domain name", "'\"\"'"),
        (f"qname = {'a' * 64}", 8, "a domain name", f"'{'a' * 40}...'"),
        (f"qname = {'.'.join(['abc'] * 64)}", 8, "a domain name", f"'{'abc.' * 10}...'"),
        ('identity = ""', 11, "a text that is not empty", "'\"\"'"),
        ("identity = \ud800", 11, "a text that is not empty", "'\\ud800'"),
        (
            'qname ~ "("',
            8,
            "a regular expression (missing ), unterminated subpattern at position 0)",
            "'\"(\"'",
        ),
        ("qname ~", 7, "a regular expression", "the end"),
        ('identity = "abc', 11, 'a text with a " at its end', "the end"),
        ("rcode ! 3", 6, "!=", "'!'"),
        ("type = CQ type = CR", 10, "and, or, or the end", "'type'"),
        ("type = CQ)", 9, "and, or, or the end", "')'"),
        ("(type = CQ", 10, "and, or, or )", "the end"),
    ],
)
def test_errors(text: str, position: int, expected: str, came: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    error = caught.value
    assert (error.text, error.position, error.expected, error.came) == (text, position, expected, came)


def test_the_text_of_errors() -> None:
    ten = "type = CQ or " * 10
    for text, shown in {
        "type = CQ and port = x": "type = CQ and port = x\n                       ^",
        # White space is shown as blanks, so that the caret is in its place.
        "type\n=\tCQ and port = x": "type = CQ and port = x\n                       ^",
        f"{ten}port = x": "... type = CQ or type = CQ or type = CQ or type = CQ or port = x\n" + " " * 65 + "^",
        f"port = x or {ten}": f"port = x or {ten[:88]}...\n         ^",
    }.items():
        with pytest.raises(FilterError) as caught:
            compile_filter(text)
        assert str(caught.value) == f"a port, 0 to 65535 expected, 'x' came\n  {shown}"


def test_depth() -> None:
    deep = "(" * MAX_DEPTH + "type = CR" + ")" * MAX_DEPTH
    assert matches(deep)
    alternating = "type = CR"
    for level in range(MAX_DEPTH):
        alternating = f"({alternating} {'or' if level % 2 else 'and'} qr = R)"
    assert matches(alternating)
    assert matches("not " * MAX_DEPTH + "type = CR")
    for text in (f"({deep})", "not " * 100_000 + "type = CR", "(" * 100_000):
        with pytest.raises(FilterError, match="no more than 64 parentheses and nots within each other expected"):
            compile_filter(text)


def test_length() -> None:
    names = [f"n{number}.example" for number in range(20_000)]
    anywhere = " or ".join([f"qname = {name}" for name in names])
    assert not matches(anywhere)
    assert matches(f"{anywhere} or qname under org")
    assert matches(f"qname under ({', '.join(names)}, example.org) and not qname in ({', '.join(names)})")
    networks = ", ".join([f"10.{number >> 8}.{number & 255}.0/24" for number in range(20_000)])
    assert matches(f"client in ({networks}, 192.0.2.0/25)")


def test_hostile_regular_expressions() -> None:
    for pattern in ("(" * 20_000 + ")" * 20_000, "a{99999999999999999999}"):
        with pytest.raises(FilterError, match="a regular expression"):
            compile_filter(f'identity ~ "{pattern}"')


def test_values_are_no_source() -> None:
    text = '"a\\" or True) #"'
    assert not matches(f"identity = {text}")
    assert matches('identity = "a\') or (True"', replace(DNSTAP, identity=b"a') or (True"))


def test_select_counts() -> None:
    chosen = Filter("identity = a")
    good, other, bad = (Dnstap(identity=name, type=DnstapType.MESSAGE).encode() for name in (b"a", b"b", b"c"))
    assert chosen.text == "identity = a"
    assert chosen.select([good, other]) == [good]
    assert (chosen.payloads, chosen.matched, chosen.bad, chosen.first_bad) == (2, 1, 0, None)
    assert chosen.select([other, b"\x0a\x05", good, bad[:-1], good]) == [good, good]
    assert (chosen.payloads, chosen.matched, chosen.bad) == (7, 3, 2)
    assert chosen.first_bad is not None
    number, error = chosen.first_bad
    assert number == 4
    assert isinstance(error, DecodeError)
    assert chosen.select([]) == []


def test_what_is_not_read_is_checked_too() -> None:
    chosen = compile_filter("type = CR")
    payload = DNSTAP.encode()
    assert chosen.select([payload] * 600) == [payload] * 600
    assert chosen.select([payload[:-1]]) == []
    assert chosen.bad == 1


def test_does_not_load_betterproto2() -> None:
    program = (
        "import sys, dnstap\n"
        "dnstap.compile_filter('type = CQ and qname under org and rcode = 3 and latency > 1s').select([b''])\n"
        "print('betterproto2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


EVERYTHING = [f"{name} {test}" for name, tests in TRUE_AND_FALSE.items() for test in tests]


@given(st.lists(hostile_payloads(), max_size=5), st.lists(st.sampled_from(EVERYTHING), min_size=1))
def test_hostile_payloads(payloads: list[bytes], tests: list[str]) -> None:
    chosen = compile_filter(" and ".join([f"not ({test} and {test})" for test in tests]))
    selected = chosen.select(payloads)
    assert chosen.payloads == len(payloads)
    assert chosen.matched == len(selected) <= len(payloads) - chosen.bad


def test_hostile_dns_messages() -> None:
    generator = Generator(5)
    chosen = [compile_filter(f"not {text}") for text in EVERYTHING]
    for _ in range(300):
        odd = changed(response_message=generator.dns_message(), query_zone=generator.name())
        answers = [one.matches(odd) for one in chosen]
        assert {type(answer) for answer in answers} == {bool}
        assert [one.matches(odd) for one in chosen] == answers
