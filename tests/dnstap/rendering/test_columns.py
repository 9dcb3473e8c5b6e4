"""dnstap.rendering.columns: lines of chosen fields, and the colours of lines."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Policy, PolicyAction, Style, render
from dnstap.fields.catalogue import FIELDS, NAMES
from dnstap.schema.enums import HttpProtocol, SocketFamily, SocketProtocol
from dnstap.strategies import dnstaps
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING

QUESTION = b"\7example\3org\0" + struct.pack(">HH", 28, 1)
QUERY = struct.pack(">6H", 7, 0x120, 1, 0, 0, 0) + QUESTION
BADVERS = b"\0" + struct.pack(">HHIH", 41, 1232, 1 << 24, 0)

MESSAGE = Message(
    type=MessageType.CLIENT_RESPONSE,
    socket_family=SocketFamily.INET,
    socket_protocol=SocketProtocol.DOQ,
    query_address=b"\xc0\0\2\1",
    response_address=bytes(15) + b"\1",
    query_port=40_000,
    response_port=53,
    query_time_sec=1_700_000_000,
    query_time_nsec=999_999_000,
    query_zone=b"\3org\0",
    response_time_sec=1_700_000_001,
    response_time_nsec=1_500_000,
    response_message=struct.pack(">6H", 8, 0x8583, 1, 1, 0, 0)
    + QUESTION
    + b"\xc0\x0c"
    + struct.pack(">HHIH", 28, 1, 0, 0),
    policy=Policy(action=PolicyAction.DROP),
    http_protocol=HttpProtocol.HTTP2,
)
DNSTAP = Dnstap(b"my server\x1b", b"1\xff", b"", MESSAGE, DnstapType.MESSAGE)

EXPECTED = {
    "time": "22:13:21.001500",
    "query_time": "22:13:20.999999",
    "response_time": "22:13:21.001500",
    "latency": "1.501ms",
    "answered": "-",
    "qr": "R",
    "type": "CLIENT_RESPONSE",
    "socket_family": "INET",
    "socket_protocol": "DOQ",
    "http_protocol": "HTTP2",
    "query_address": "192.0.2.1",
    "query_port": "40000",
    "response_address": "::1",
    "response_port": "53",
    "size": "41b",
    "query_size": "-",
    "response_size": "41b",
    "query_message": "-",
    "response_message": (MESSAGE.response_message or b"").hex(),
    "id": "8",
    "opcode": "QUERY",
    "rcode": "NXDOMAIN",
    "flags": "qr,aa,rd,ra",
    "aa": "true",
    "tc": "false",
    "rd": "true",
    "ra": "true",
    "z": "false",
    "ad": "false",
    "cd": "false",
    "qname": "example.org.",
    "qtype": "AAAA",
    "qclass": "IN",
    "tld": "org.",
    "registered_domain": "example.org.",
    "qdcount": "1",
    "ancount": "1",
    "nscount": "0",
    "arcount": "0",
    "further_questions": "-",
    "answer_names": "example.org.",
    "answer_types": "AAAA",
    "answer_classes": "IN",
    "answer_ttls": "0",
    "answer_data": "\\#\\0320",
    **{f"authority_{what}": "-" for what in ("names", "types", "classes", "ttls", "data")},
    **{f"additional_{what}": "-" for what in ("names", "types", "classes", "ttls", "data")},
    "error": "-",
    "edns": "false",
    "edns_version": "-",
    "edns_do": "-",
    "edns_udp_size": "-",
    "edns_options": "-",
    "edns_cookie": "-",
    "edns_client_cookie": "-",
    "edns_server_cookie": "-",
    "edns_keepalive": "-",
    "edns_padding": "-",
    "ecs": "-",
    "ecs_scope": "-",
    "ede": "-",
    "ede_text": "-",
    "nsid": "-",
    "query_zone": "org.",
    "policy_type": "-",
    "policy_rule": "-",
    "policy_action": "DROP",
    "policy_match": "-",
    "policy_value": "-",
    "dnstap_type": "MESSAGE",
    "identity": "my\\032server\\027",
    "version": "1\\255",
    "extra": "-",
    "peer": "-",
}

BY_NAME = {name: Style("utc", fields=(name,)) for name in NAMES}


def shown(name: str, dnstap: Dnstap, **style: Any) -> str:
    text = render("quiet", dnstap, BY_NAME[name]._replace(**style))
    assert text.endswith("\n")
    return text[:-1]


def test_every_field() -> None:
    assert {name: shown(name, DNSTAP) for name in FIELDS} == EXPECTED
    assert render("quiet", DNSTAP, Style("utc", fields=tuple(FIELDS))) == " ".join(EXPECTED.values()) + "\n"
    assert render("quiet", DNSTAP, Style("utc", fields=("all",))) == " ".join(EXPECTED.values()) + "\n"
    for name, field in NAMES.items():
        assert shown(name, DNSTAP) == EXPECTED[field.name]


def test_absent_fields() -> None:
    empty = Dnstap(message=Message())
    assert {shown(name, empty) for name in FIELDS} == {"-"}
    assert {shown(name, Dnstap()) for name in FIELDS} == {"-"}
    assert shown("identity", Dnstap(identity=b"ns1")) == "ns1"


def test_a_query() -> None:
    message = replace(MESSAGE, type=MessageType.TOOL_QUERY, query_message=QUERY, query_time_nsec=None)
    query = replace(DNSTAP, message=message)
    assert [shown(name, query) for name in ("time", "qr", "id", "rcode", "size")] == [
        "22:13:20.000000",
        "Q",
        "7",
        "-",
        "29b",
    ]


def response(wire: bytes) -> Dnstap:
    return replace(DNSTAP, message=replace(MESSAGE, response_message=wire))


def test_edns_and_answers() -> None:
    """The example of the filters has everything."""
    names = ("edns", "edns_version", "edns_do", "edns_udp_size", "edns_cookie", "ecs", "ede", "ede_text", "nsid")
    assert [shown(name, EVERYTHING) for name in names] == [
        "true", "0", "true", "1232", "true", "192.0.2.0/24", "3,22", "no\\032way", "ns\\0327",
    ]  # fmt: skip
    assert shown("answer_data", EVERYTHING) == "2001:db8::1"
    cut = response(struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + QUESTION + b"\xc0")
    assert {shown(name, cut) for name in (*names, "answer_data")} == {"X"}
    # Also without answers by its header.
    no_answer = response(struct.pack(">6H", 7, 0x8180, 1, 0, 1, 0) + QUESTION + b"\xc0")
    assert shown("answer_data", no_answer) == "X"


def test_damage_hides_only_the_fields_behind_it() -> None:
    cut = response(struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + QUESTION + b"\xc0")
    assert (shown("qname", cut), shown("rcode", cut), shown("id", cut)) == ("example.org.", "X", "7")
    assert [shown(name, response(bytes(11))) for name in ("id", "flags", "ancount", "size")] == ["X", "X", "X", "11b"]
    assert shown("qname", response(bytes(12))) == "X"
    assert shown("zone", replace(DNSTAP, message=replace(MESSAGE, query_zone=b"\3"))) == "X"
    for address in (b"", b"\1\2\3", bytes(17)):
        assert shown("client", replace(DNSTAP, message=replace(MESSAGE, query_address=address))) == "X"


def test_numbers_without_a_name() -> None:
    odd = response(struct.pack(">6H", 7, 0xB80E, 0, 0, 0, 0) + b"\0")
    assert (shown("rcode", odd), shown("opcode", odd)) == ("RCODE14", "OPCODE7")
    assert shown("rcode", response(struct.pack(">6H", 7, 0x8180, 1, 0, 0, 1) + QUESTION + BADVERS)) == "BADVERS"
    assert shown("flags", response(bytes(13))) == "-"
    assert shown("protocol", replace(DNSTAP, message=Message(socket_protocol=SocketProtocol(99)))) == "99"


def test_style() -> None:
    assert shown("time", DNSTAP, date=True, time_zone="Asia/Kathmandu") == "2023-11-15T03:58:21.001500"
    assert shown("identity", DNSTAP, escape=False) == "my\\032server\x1b"
    with pytest.raises(ValueError, match="unknown field 'nonsense': expected one of all, time, query_time, "):
        render("quiet", DNSTAP, Style(fields=("time", "nonsense")))
    with pytest.raises(
        ValueError, match=r"unknown field 'client_prot' \(did you mean client_port\?\): expected one of "
    ):
        render("quiet", DNSTAP, Style(fields=("client_prot",)))


def test_colours() -> None:
    colours = {name: re.findall("\x1b\\[(\\d+)m", shown(name, DNSTAP, colour=True)) for name in FIELDS}
    assert {name: found[0] for name, found in colours.items() if found} == {
        "time": "2",
        "query_time": "2",
        "response_time": "2",
        "qr": "32",
        "type": "32",
        "rcode": "33",
        "qname": "1",
    }
    assert shown("qname", response(b""), colour=True) == "\x1b[31mX\x1b[0m"
    assert shown("rcode", response(QUERY), colour=True) == "\x1b[32mNOERROR\x1b[0m"
    assert shown("rcode", Dnstap(message=Message(type=MessageType.AUTH_QUERY)), colour=True) == "-"


@pytest.mark.parametrize("date", [False, True])
def test_colours_of_the_line_of_the_go_tool(date: bool) -> None:
    style = Style("utc", date, colour=True)
    for message, letters, question in (
        (MESSAGE, "32mCR", '1m"example.org." IN AAAA'),
        (replace(MESSAGE, type=MessageType.CLIENT_QUERY, query_message=b""), "36mCQ", "31mX "),
    ):
        text = render("quiet", replace(DNSTAP, message=message), style)
        plain = render("quiet", replace(DNSTAP, message=message), Style("utc", date))
        assert re.sub("\x1b\\[\\d+m", "", text) == plain
        assert f"\x1b[{letters}\x1b[0m" in text
        assert text.endswith(f" \x1b[{question}\x1b[0m\n")
    assert render("quiet", Dnstap(), style) == "\x1b[31m[unhandled Dnstap.Type]\x1b[0m\n"


@given(dnstaps(nameless=True), st.binary(max_size=9), st.binary(min_size=1, max_size=9), st.booleans())
@example(DNSTAP, b"a \t\n\xc2\xa0b\\ c", b"a b\\ c\n", False)
@example(DNSTAP, b" \xe2\x80\xa8", b" ", True)
def test_every_field_is_one_word(dnstap: Dnstap, text: bytes, label: bytes, escape: bool) -> None:
    """However a line is split: at blanks, at white space, at the end of lines."""
    name = bytes([len(label)]) + label + b"\0"
    if dnstap.message:
        wire = struct.pack(">6H", 8, 0x8583, 1, 0, 0, 0) + name + bytes(4)
        message = replace(dnstap.message, type=MessageType.CLIENT_RESPONSE, response_message=wire, query_zone=name)
        dnstap = replace(dnstap, identity=text, version=text, extra=text, message=message)
    line = render("quiet", dnstap, Style("utc", date=True, escape=escape, fields=tuple(FIELDS)))
    assert len(line.split(" ")) == len(line.split()) == len(FIELDS)
    assert line.splitlines(keepends=True) == [line] or not escape
    assert line[:-1].isprintable() or not escape
    if dnstap.message:
        qname = dict(zip(FIELDS, line.split(), strict=True))["qname"]
        unescaped = re.sub(r"\\([0-9]{3}|.)", lambda found: chr(int(found[1])) if found[1][1:] else found[1], qname)
        assert unescaped == label.decode("latin-1") + "."


@given(dnstaps(nameless=True), st.booleans())
def test_colours_do_not_change_the_text(dnstap: Dnstap, date: bool) -> None:
    text = render("quiet", dnstap, Style("utc", date, colour=True))
    assert re.sub("\x1b\\[\\d+m", "", text) == render("quiet", dnstap, Style("utc", date))
