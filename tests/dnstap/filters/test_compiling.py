"""dnstap.filters.compiling: the answers of compiled filters, and their source."""

from __future__ import annotations

import inspect
import struct
import textwrap
from dataclasses import replace
from ipaddress import ip_address

import pytest

from dnstap import Dnstap, MessageType, Policy, compile_filter
from dnstap.filters import compiling
from dnstap.filters.compiling import MAX_LENGTH
from dnstap.filters.grammar import parse_expression
from tests.dnstap.filters.examples import BADVERS, DNSTAP, EMPTY, EVERYTHING, changed, matches, response
from tests.golden import assert_golden
from tests.made_messages import Generator


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
        "aa = false",
        "ede = 4",
        "ede != 22",
        "ede not in (3, 99)",
        "ede_text ~ ^way",
        "answer_data = 2001:db8::2",
        "ecs = 192.0.2.0/25",
        "ecs in 192.0.2.0/25",
        "ecs not in 192.0.0.0/16",
        "qname = example.org",
        "qname under ample.org",
        "qname under a.www.example.org",
        "qname under (example.net, com)",
        "qname ~ ^example",
        "qname like example.org",
        "qname like *.example.com",
        "qname like www.example.or?g",
        "identity like MY*",
        "identity like server",
        "ede_text like way",
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
def test_tests_that_fail(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize("length", [MAX_LENGTH - 1, MAX_LENGTH])
def test_regular_expressions_on_texts_of_any_length(length: int) -> None:
    """Answers for long texts are not remembered."""
    wanted = compile_filter('identity ~ "(a+)+b$"')
    for _ in range(2):
        assert not wanted.matches(Dnstap(b"a" * length))
        assert wanted.matches(Dnstap(b"a" * (length - 1) + b"b"))


@pytest.mark.parametrize(
    ("text", "zone", "answer"),
    [
        # The response came at 22:13:21.001500 UTC.
        ("time = 23:13:21.0015", "Europe/Prague", True),
        ("time = 22:13:21.0015", "Europe/Prague", False),
        ("time = 2023-11-15T03:58:21.0015", "Asia/Kathmandu", True),
        ("time = 2023-11-14T22:13:21.0015Z", "Asia/Kathmandu", True),
        ("time < 04:00", "Asia/Kathmandu", True),
        ("time < 04:00", "utc", False),
    ],
)
def test_times_without_a_zone(text: str, zone: str, answer: bool) -> None:
    assert compile_filter(text, zone).matches(DNSTAP) is answer


def test_times_relative_to_a_time() -> None:
    """The response came at 1,700,000,001.0015 s."""
    now_ns = 1_700_000_011_001_500_000
    for text, answer in {
        "time > -10s": False,
        "time >= -10s": True,
        "time = -10s": True,
        "time in (-9s, -10000ms)": True,
        "time not in (-10s, 2026-01-01)": False,
        "time <= -10s and time > -10.000000001s": True,
        "time > -1m and time < now": True,
        "time < -11s or time > now": False,
        "query_time < +1h and response_time != +1h": True,
    }.items():
        assert compile_filter(text, "Asia/Kathmandu", now_ns=now_ns).matches(DNSTAP) is answer, text
        later = compile_filter(text, now_ns=now_ns + 10**15)
        assert later.matches(changed(response_time_sec=1_701_000_001)) is answer, text
    chosen = compile_filter("time > -1h", now_ns=now_ns)
    # What comes later is not asked how old it is when it comes.
    assert chosen.matches(changed(response_time_sec=1_800_000_000))


def test_times_of_day_over_midnight() -> None:
    night = compile_filter("time >= 22:00 or time < 02:00")
    midnight_s = 1_699_999_999 // 86_400 * 86_400
    for clock_s, answer in ((0, True), (7199, True), (7200, False), (79_199, False), (79_200, True), (86_399, True)):
        assert night.matches(changed(response_time_sec=midnight_s + clock_s, response_time_nsec=0)) is answer


def test_flags() -> None:
    names = ("qr", "aa", "tc", "rd", "ra", "z", "ad", "cd")
    for number, bit in enumerate((0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10)):
        only = response(struct.pack(">6H", 7, bit, 0, 0, 0, 0))
        assert [matches(f"flag {name}", only) for name in names] == [index == number for index in range(8)]
    assert not matches("flag qr", response(struct.pack(">6H", 7, 0xFFFF, 0, 0, 0, 0)[:11]))


def test_precedence_of_and_or_not() -> None:
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


def test_absent_is_neither_equal_nor_different() -> None:
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
    # A payload without a type does not decode.
    no_type = changed(type=None)
    for text, answer in {"has qr": False, "has type": False, "rcode = 16": True, "flag aa": True}.items():
        assert compile_filter(text).matches(no_type) is answer
    unnamed = changed(type=MessageType(99))
    assert matches("type = 99 and not has qr and rcode = 16 and flag aa", unnamed)


def test_addresses_of_other_lengths_and_mapped_ones() -> None:
    for address in (b"", b"\1\2\3", bytes(17)):
        odd = changed(query_address=address)
        for text in ("client != 192.0.2.1", "has client", "client in 0.0.0.0/0", "client not in ::/0"):
            assert not matches(text, odd)
    mapped = changed(query_address=bytes(10) + b"\xff\xff\xc0\0\2\1")
    assert matches("client = 192.0.2.1 and client in 192.0.2.0/30 and client not in ::/0", mapped)
    assert matches("client in ::ffff:0:0/96", mapped)
    assert not matches("client != 192.0.2.1", mapped)
    assert not matches("client = ::1 or client in ::1", mapped)


def test_the_sender() -> None:
    """It is no part of a message: whoever calls sets it."""
    tests = {
        "peer = 192.0.2.1": (True, True, False),
        "peer != 192.0.2.1": (False, False, True),
        "peer in 192.0.2.0/24": (True, True, False),
        "peer in (::/0, 192.0.2.7)": (False, False, True),
        "peer not in (192.0.2.0/24, 2001:db8::/64)": (False, False, True),
        "peer not in ::1": (True, True, True),
        "has peer": (True, True, True),
        "not has peer or not peer in 0.0.0.0/0": (False, False, True),
    }
    for text, answers in tests.items():
        chosen = compile_filter(text)
        assert chosen.reads_peer
        for address, answer in zip(("192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1::1"), answers, strict=True):
            chosen.peer.address = ip_address(address).packed
            assert chosen.matches(DNSTAP) is answer, (text, address)
        # As for files and unix sockets.
        chosen.peer.set(None)
        assert chosen.matches(DNSTAP) is text.startswith("not"), text
    assert not compile_filter("has identity").reads_peer


def test_damage_hides_only_the_fields_behind_it() -> None:
    cut = response(BADVERS[:-1])
    assert matches("qname under example.org and qtype = AAAA and flag aa and id = 7", cut)
    assert matches("answers = 1", cut)
    for text in ("has rcode", "rcode != NOERROR", "rcode = 16"):
        assert not matches(text, cut)
    header = BADVERS[:12]
    for wire in (b"", b"\0", BADVERS[:11], header, header + b"\3ww", header + b"\3www\0\0", header + b"\xc0"):
        for text in ("has qname", "has qtype", "qclass < 3", "qname != a", "qname ~ .", "qname under ."):
            assert not matches(text, response(wire)), (text, wire)
    assert not matches("has zone", changed(query_zone=b"\3or"))
    assert not matches("has zone", changed(query_zone=b""))


def test_long_expressions() -> None:
    names = [f"n{number}.example" for number in range(20_000)]
    anywhere = " or ".join([f"qname = {name}" for name in names])
    assert not matches(anywhere)
    assert matches(f"{anywhere} or qname under org")
    assert matches(f"qname under ({', '.join(names)}, example.org) and not qname in ({', '.join(names)})")
    networks = ", ".join([f"10.{number >> 8}.{number & 255}.0/24" for number in range(20_000)])
    assert matches(f"client in ({networks}, 192.0.2.0/25)")


def test_values_do_not_become_source() -> None:
    text = '"a\\" or True) #"'
    assert not matches(f"identity = {text}")
    assert matches('identity = "a\') or (True"', replace(DNSTAP, identity=b"a') or (True"))


def test_hostile_dns_messages() -> None:
    generator = Generator(5)
    chosen = [compile_filter(f"not {text}") for text in EVERYTHING]
    for _ in range(300):
        odd = changed(response_message=generator.dns_message(), query_zone=generator.name())
        answers = [one.matches(odd) for one in chosen]
        assert {type(answer) for answer in answers} == {bool}
        assert [one.matches(odd) for one in chosen] == answers


def source_of(text: str) -> str:
    matches, _ = compiling.compile_tree(parse_expression(text))
    return inspect.getsource(matches)


def test_generated_source() -> None:
    for name, text in {
        "type-and-name": "type = CQ and qname under example.org",
        "every-kind-of-test": (
            "not (client in 192.0.2.0/24 or port = 53 or identity in (a, b)) and (rcode in (SERVFAIL, REFUSED)"
            " or flag TC or latency > 1ms and qname ~ ^www and has policy and zone != org)"
        ),
    }.items():
        assert_golden(f"Filter.matches.{name}", source_of(text))


def test_the_docstring_quotes_the_generated_source() -> None:
    source = source_of("type = CQ and qname under example.org")
    assert textwrap.indent(source, "    ") in str(compiling.__doc__)


def test_cheap_tests_come_first() -> None:
    source = source_of("rcode = 3 and qtype = A and latency > 1s and type = CR")
    order = ["message.type ==", "seconds :=", "read_question", "read_outcome"]
    assert sorted(order, key=source.index) == order


def test_a_traceback_shows_the_line() -> None:
    compiled, _ = compiling.compile_tree(parse_expression("size > 12"))
    with pytest.raises(AttributeError) as caught:
        compiled(None)
    assert caught.traceback[-1].statement.lines == ["    message = dnstap.message"]
