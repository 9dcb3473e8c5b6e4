"""dnstap.filters.selecting: payloads that match, and counts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import DecodeError, Dnstap, DnstapType, Filter, FilterError, compile_filter
from dnstap.filters.selecting import as_filter
from dnstap.pairing import Pairs
from dnstap.strategies import hostile_payloads
from tests.dnstap.filters.examples import DNSTAP, EVERYTHING
from tests.dnstap.pairing.messages import query, response


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


def test_fields_that_are_not_read_are_checked_too() -> None:
    chosen = compile_filter("type = CR")
    payload = DNSTAP.encode()
    assert chosen.select([payload] * 600) == [payload] * 600
    assert chosen.select([payload[:-1]]) == []
    assert chosen.bad == 1


def test_several_expressions() -> None:
    """Each is one by itself, with its own comment and errors."""
    for texts, answer in {
        ("type = CQ # queries", "size > 0"): False,
        ("type = CQ or type = CR", "size > 0 or size = 0 # any"): True,
        ("type = CQ or type = CR", "size < 0 or size = 0"): False,
        ("type = CR",): True,
    }.items():
        chosen = compile_filter(texts)
        assert chosen.matches(DNSTAP) is answer
        assert compile_filter(chosen.text).matches(DNSTAP) is answer
    with pytest.raises(FilterError) as caught:
        compile_filter(["type = CQ) or (type = CR", "size > 0"])
    assert (caught.value.text, caught.value.position) == ("type = CQ) or (type = CR", 9)


def test_does_not_load_betterproto2() -> None:
    program = (
        "import sys, dnstap\n"
        "dnstap.compile_filter('type = CQ and qname under org and rcode = 3 and latency > 1s').select([b''])\n"
        "print('betterproto2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


@given(st.lists(hostile_payloads(), max_size=5), st.lists(st.sampled_from(EVERYTHING), min_size=1))
def test_hostile_payloads(payloads: list[bytes], tests: list[str]) -> None:
    chosen = compile_filter(" and ".join([f"not ({test} and {test})" for test in tests]))
    selected = chosen.select(payloads)
    assert chosen.payloads == len(payloads)
    assert chosen.matched == len(selected) <= len(payloads) - chosen.bad


def test_wrong_arguments() -> None:
    anything: Any = compile_filter
    for text in (None, 5, b"type = CQ", ["type = CQ", None]):
        with pytest.raises(TypeError, match=r"^text: expected text, or a list of texts, got "):
            anything(text)
    with pytest.raises(TypeError, match=r"^now_ns: expected nanoseconds since 1970, or None, got 1\.5"):
        anything("type = CQ", now_ns=1.5)
    with pytest.raises(TypeError, match=r"^files: expected True or False, got 'no'"):
        anything("type = CQ", files="no")
    with pytest.raises(ValueError, match=r"^text: expected an expression, got none"):
        compile_filter([])
    wanted: Any = compile_filter("type = CQ")
    for payloads in (None, b"abc", "abc", 5):
        with pytest.raises(TypeError, match=r"^payloads: expected a list of bytes, got "):
            wanted.select(payloads)
    with pytest.raises(TypeError, match=r"^payload: expected bytes, got 'abc'"):
        wanted.select(["abc"])
    for message in (None, b"abc"):
        with pytest.raises(TypeError, match=r"^message: expected a Dnstap, "):
            wanted.matches(message)


def test_expressions_or_filters_as_arguments() -> None:
    wanted = Filter("type = CQ")
    assert as_filter(wanted) is wanted
    assert as_filter("type = CQ").text == "type = CQ"
    wrong: Any = 5
    with pytest.raises(
        TypeError, match=r"^filter: expected an expression, or a Filter of compile_filter, got 5 of type"
    ):
        as_filter(wrong)


def test_answered_is_only_known_by_pairing() -> None:
    chosen = compile_filter("has answered")
    assert chosen.reads_answered
    assert not compile_filter("latency > 1s").reads_answered
    payloads = Pairs(hold_queries=True)([query(0), response(1)])
    assert chosen.select(payloads) == []
    chosen.expect_paired()
    assert chosen.select(payloads) == [query(0)]
    message = Dnstap.parse(query(0))
    assert not chosen.matches(message)
    message.answered = False
    assert chosen.matches(message)
    assert not compile_filter("answered = yes").matches(message)
