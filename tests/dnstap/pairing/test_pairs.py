"""Pairs of queries and responses."""

from __future__ import annotations

from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, Message
from dnstap.codec.paired import PairedPayload
from dnstap.pairing import PairCounts, Pairs
from dnstap.pairing.clock import AHEAD
from dnstap.pairing.pairs import MAX_EARLY
from tests.dnstap.pairing.messages import QUESTION, START, query, response


def latency(payload: bytes) -> float | None:
    """Return the seconds between both times, once they are put into the message; None without both."""
    message = Pairs().decoder(Dnstap.parse)(payload).message
    if message.query_time_ns is None or message.response_time_ns is None:
        return None
    return float(message.response_time_ns - message.query_time_ns) / 1e9


def answered(payloads: list[bytes]) -> list[bool | None]:
    """Return what payloads carry about their being answered."""
    return [payload.answered if isinstance(payload, PairedPayload) else None for payload in payloads]


def pair(*payloads: bytes) -> PairCounts:
    """Return the counts of pairing some payloads."""
    pairs = Pairs()
    assert pairs([*payloads]) == [*payloads]
    return pairs.counts


def test_pair() -> None:
    pairs = Pairs()
    out = pairs([query(1), response(1.5)])
    assert out == [query(1), response(1.5)]
    assert [latency(payload) for payload in out] == [None, 0.5]
    assert pairs.counts == PairCounts(queries=1, responses=1, paired=1)


def test_response_with_its_own_query_time() -> None:
    """It keeps what the server has measured."""
    pairs = Pairs()
    _, out = pairs([query(1), response(1.5, query_time_sec=START, query_time_nsec=0)])
    assert latency(out) == 1.5
    assert pairs.counts.paired == 1


def test_query_without_a_time() -> None:
    pairs = Pairs()
    _, out = pairs([query(None), response(1)])
    assert latency(out) is None
    assert pairs.counts.paired == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": b"\0\2"},
        {"query_port": 4712},
        {"response_port": 5353},
        {"query_address": b"\n\0\0\3"},
        {"response_address": b"\n\0\0\3"},
        {"socket_protocol": None},
        {"question": QUESTION[:-3] + b"\x1c\0\1"},
    ],
)
def test_what_must_agree(changes: dict[str, Any]) -> None:
    assert pair(query(), response(1, **changes)).paired == 0
    assert pair(query(**changes), response(1, **changes)).paired == 1


def test_case_of_names() -> None:
    assert pair(query(), response(1, question=b"\3wWw\7EXAMPLE\0\0\1\0\1")).paired == 1


@pytest.mark.parametrize("garbage", [b"\3www", b"\xff" * 10])
def test_question_that_does_not_parse(garbage: bytes) -> None:
    """It counts as none."""
    assert pair(query(question=garbage), response(1, question=None)).paired == 1


def test_no_dns_message() -> None:
    assert pair(query(query_message=None), response(1, response_message=None)).paired == 1
    assert pair(query(query_message=None), response(1)).paired == 0


def test_types_that_bind_mixes() -> None:
    assert pair(query(kind="AUTH"), response(1)).paired == 1
    assert pair(query(), response(1, "AUTH")).paired == 1
    assert pair(query(kind="TOOL"), response(1)).paired == 0


def test_port_that_unbound_mixes() -> None:
    """Each response is given to the query of its port, if there is one, and else to the oldest."""
    assert pair(query(kind="RESOLVER"), response(1, "RESOLVER", query_port=1)).paired == 1
    pairs = Pairs()
    out = pairs([query(0, "RESOLVER"), query(1, "RESOLVER", query_port=1), response(2, "RESOLVER", query_port=1)])
    assert latency(out[-1]) == 1
    assert pairs.counts.outstanding == 1


def test_response_without_a_question() -> None:
    """It is given to the oldest query."""
    pairs = Pairs()
    out = pairs([query(0), query(1, question=b"\0\0\1\0\1"), response(2, question=None), response(2, question=None)])
    assert [latency(payload) for payload in out] == [None, None, 2, 1]


def test_repeated_query() -> None:
    """The first response is given to the first of them, the second to the second."""
    pairs = Pairs()
    out = pairs([query(0), query(1), response(3), response(3)])
    assert [latency(payload) for payload in out[2:]] == [3, 2]
    assert pairs.counts == PairCounts(queries=2, responses=2, paired=2)


def test_repeated_response() -> None:
    pairs = Pairs()
    pairs([query(0), response(1), response(1)])
    assert pairs.counts == PairCounts(queries=1, responses=2, paired=1, early=1)
    pairs.finish()
    assert pairs.counts == PairCounts(queries=1, responses=2, paired=1, orphaned=1)


def test_response_before_its_query() -> None:
    """It has gone on, without the time of the query; the query is paired."""
    pairs = Pairs(hold_queries=True)
    out = pairs([response(1), query(0)])
    assert out == [response(1), query(0)]
    assert latency(out[0]) is None
    assert answered(out) == [None, True]
    assert pairs.counts == PairCounts(queries=1, responses=1, paired=1)
    assert pair(response(1), query(0)).paired == 1


def test_response_to_an_earlier_query() -> None:
    """A response is never that of a query that was sent after it."""
    assert pair(response(0), query(1)).paired == 0
    assert pair(query(1), response(0)).paired == 0
    assert pair(response(None), query(1)).orphaned == 1
    assert pair(response(0), query(None)).paired == 0


def test_timeout() -> None:
    pairs = Pairs(2)
    pairs([query(0), response(2.1), query(3), response(5)])
    assert pairs.counts.paired == 1


def test_expired() -> None:
    """Messages older than the timeout are let go before the next message; others still wait."""
    pairs = Pairs(5, hold_queries=True)
    assert pairs([query(0), response(1, identifier=b"\0\2"), query(3, query_port=1)]) == [
        response(1, identifier=b"\0\2")
    ]
    assert (pairs.held, pairs.counts.early) == (2, 1)
    out = pairs([query(5, query_port=2), query(7, query_port=3), response(7.5, query_port=3)])
    assert out == [query(0), query(7, query_port=3), response(7.5, query_port=3)]
    assert answered(out) == [False, True, None]
    assert pairs.counts == PairCounts(4, 2, paired=1, unanswered=1, outstanding=2, orphaned=1)
    assert answered(pairs.finish()) == [False, False]


def test_after_a_silence() -> None:
    """Some messages after it show that it is no garbled time. What came before it expires, and none of these."""
    pairs = Pairs(5)
    after = [query(3600, query_port=number) for number in range(AHEAD)]
    pairs([query(0), *after[:-1]])
    assert pairs.counts.unanswered == 0
    pairs([after[-1]])
    assert pairs.counts == PairCounts(AHEAD + 1, unanswered=1, outstanding=AHEAD)


def test_garbled_times() -> None:
    """They neither let anything expire nor are paired."""
    pairs = Pairs(5)
    hostile = [query(0, query_port=1, query_time_sec=seconds) for seconds in (0, 2**34, 2**64 - 1)]
    pairs([query(0), *hostile, response(1), response(1, query_port=1)])
    assert pairs.counts == PairCounts(4, 2, paired=1, outstanding=3, early=1)


def test_no_room() -> None:
    """The oldest query is given up, and it is not known whether it was answered."""
    pairs = Pairs(max_queries=2, hold_queries=True)
    assert pairs([query(0, query_port=1), query(0, query_port=2)]) == []
    out = pairs([query(1, query_port=3), response(2, query_port=1), response(2, query_port=2)])
    assert out[0] == query(0, query_port=1)
    assert answered(out) == [None, None, True, None]
    assert pairs.counts == PairCounts(3, 2, paired=1, given_up=1, outstanding=1, early=1)


def test_no_room_for_long_messages() -> None:
    """Messages that wait take no more than their payloads, whatever is long in them."""
    padding = bytes(1 << 20)
    pairs = Pairs(hold_queries=True)
    out = pairs([query(0, query_address=padding)] * 64)
    out += pairs([response(0, query_zone=padding)] * 16)
    assert pairs.counts == PairCounts(64, 16, given_up=1, outstanding=63, orphaned=1, early=15)
    assert len(out) == 1 + 16


def test_no_room_for_early_responses() -> None:
    pairs = Pairs()
    pairs([response(0)] * (MAX_EARLY + 1))
    assert (pairs.counts.early, pairs.counts.orphaned) == (MAX_EARLY, 1)


def test_not_held() -> None:
    """Queries go on at once, and it is not known whether they are answered."""
    pairs = Pairs(5)
    out = pairs([query(0), query(0, query_port=1), response(1), response(20)])
    assert out == [query(0), query(0, query_port=1), response(1), response(20)]
    assert answered(out[:2]) == [None, None]
    assert pairs.finish() == []


def test_other_payloads_go_on_at_once() -> None:
    """Those that do not decode, those without a message, and those of unknown types."""
    nothing = Dnstap(type=DnstapType.MESSAGE).encode()
    unknown = Dnstap(type=DnstapType.MESSAGE, message=Message(type=99)).encode()  # type: ignore[arg-type]
    pairs = Pairs(hold_queries=True)
    assert pairs([query(), b"junk", nothing, unknown]) == [b"junk", nothing, unknown]
    assert pairs.counts == PairCounts(queries=1, outstanding=1)


def test_parts_of_one_origin() -> None:
    """Queries that were held are passed on with where they came from."""
    pairs = Pairs(hold_queries=True)
    first, second, other = (query(0, query_port=port) for port in (1, 2, 3))
    assert pairs.sorted([first, second], "A") == []
    assert pairs.sorted([other], "B") == []
    answers = [response(1, query_port=port) for port in (3, 1, 2)]
    assert pairs.sorted([b"junk", *answers], "C") == [
        ([b"junk"], "C"),
        ([other], "B"),
        ([answers[0]], "C"),
        ([first], "A"),
        ([answers[1]], "C"),
        ([second], "A"),
        ([answers[2]], "C"),
    ]
    pairs.sorted([first, second], "A")
    pairs.sorted([other], "B")
    assert pairs.release() == [([first, second], "A"), ([other], "B")]
    assert pairs.release() == []


def test_arguments() -> None:
    for timeout in (0, -1, float("nan"), float("inf"), 1e9):
        with pytest.raises(ValueError, match=r"timeout_s: expected a number"):
            Pairs(timeout)
    with pytest.raises(TypeError, match="timeout_s: expected a number"):
        Pairs("5s")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_queries: expected a whole number of at least 1"):
        Pairs(max_queries=0)
    with pytest.raises(TypeError, match="hold_queries: expected True or False, got 1 of type int"):
        Pairs(hold_queries=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="payloads: expected a list of bytes"):
        Pairs()(b"payload")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="decode: expected a function"):
        Pairs().decoder(None)  # type: ignore[arg-type]
