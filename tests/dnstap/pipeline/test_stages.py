"""Stages: which payloads they keep, and what they report."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Anonymizer, Dnstap, DnstapType, Message, MessageType, compile_filter, truncate
from dnstap.codec.paired import PairedPayload
from dnstap.pairing import Pairs
from dnstap.pipeline.stages import Anonymizing, FunctionStage, Head, Matching, Pairing, Sample, as_stage
from tests.dnstap.pairing.messages import START, query, response
from tests.dnstap.pipeline.kept import FILE


@given(st.integers(1, 9), st.lists(st.integers(0, 20)))
def test_a_sample_is_evenly_spaced(of: int, sizes: list[int]) -> None:
    """For any sizes of batches."""
    payloads = [b"%d" % number for number in range(sum(sizes))]
    sample = Sample(of)
    chosen: list[bytes] = []
    rest = payloads
    for size in sizes:
        chosen += sample.process(rest[:size])
        rest = rest[size:]
    assert chosen == payloads[::of]


@pytest.mark.parametrize("sizes", [[5], [1] * 5, [2, 2, 1], [3, 7]])
def test_the_head(sizes: list[int]) -> None:
    done: list[bool] = []
    head = Head(4, lambda: done.append(True))
    assert [payload for size in sizes for payload in head.process([b"1"] * size)] == [b"1"] * 4
    assert done
    done.clear()
    assert Head(4, lambda: done.append(True)).process([b"1"] * 3) == [b"1"] * 3
    assert not done


def test_counts_of_a_filter_that_was_used_before() -> None:
    payload = bytes(Dnstap(type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY)))
    wanted = compile_filter("type = CQ")
    wanted.select([b"\xff", payload])
    stage = Matching(wanted)
    stage.removed = 3 - len(stage.process([payload, b"\xff", payload]))
    assert (stage.bad, stage.unmatched) == (1, 2)


def test_payloads_that_cannot_be_matched_are_reported_once() -> None:
    payload = bytes(Dnstap(type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY)))
    matching = Matching(compile_filter("qr = Q"))
    assert matching.process([payload]) == [payload]
    assert list(matching.new_reports()) == []
    assert matching.process([b"junk", payload]) == [payload]
    (line,) = matching.new_reports()
    assert line.startswith("1 of 3 payloads cannot be matched; the first was payload 2: ")
    assert list(matching.new_reports()) == []
    matching.removed = 3  # As the dispatcher counts.
    assert [counter.value for counter in matching.counters()] == [2, 3, 1]
    assert matching.summary() == "2 of them match the filter; 3 filtered out, of which 1 could not be matched"


def test_what_was_removed_is_counted() -> None:
    for stage, name, summary in (
        (Sample(2), "sampled_out_frames", "3 sampled out"),
        (Head(1, print), "over_count_frames", "3 left out after the last of --count"),
    ):
        stage.removed = 3
        assert [(counter.name, counter.value) for counter in stage.counters()] == [(name, 3)]
        assert stage.summary() == summary


def test_anonymizing() -> None:
    stage = Anonymizing(Anonymizer(truncate()))
    assert stage.process([b"junk", b"\x78\x01"]) == [b"\x78\x01"]
    assert [counter.value for counter in stage.counters()] == [1, 0, 0]
    (line,) = stage.new_reports()
    assert line.startswith("1 of 2 payloads cannot be anonymized and are left out; the first was payload 1: ")
    assert stage.summary().startswith("2 payloads came to be anonymized, of which 1 were left out; ")


def test_as_stage() -> None:
    sample = Sample(2)
    assert as_stage(sample) is sample
    assert isinstance(as_stage(Anonymizer(truncate())), Anonymizing)
    function = as_stage(lambda payloads: payloads[1:])
    assert isinstance(function, FunctionStage)
    assert function.process([b"1", b"2"]) == [b"2"]


@pytest.mark.parametrize("stage", [None, 5, "type = CQ"])
def test_what_is_no_stage(stage: Any) -> None:
    with pytest.raises(TypeError, match=r"^stages: expected a function from a list of payloads"):
        as_stage(stage)


def carried(payloads: list[bytes]) -> list[tuple[object, object]]:
    """Return the time of the query and the answer to "answered" that payloads carry."""
    paired = [payload if isinstance(payload, PairedPayload) else PairedPayload() for payload in payloads]
    return [(payload.query_time, payload.answered) for payload in paired]


def test_pairing() -> None:
    stage = Pairing(Pairs())
    assert stage.process([query(0), response(1)]) == [query(0), response(1)]
    assert stage.held == 0
    stage.hold()
    assert stage.pass_on([query(2), query(2, query_port=1)], FILE) == []
    assert stage.held == 2
    assert stage.pass_on([response(3), response(3, query_port=2)], FILE) == [
        ([query(2), response(3), response(3, query_port=2)], FILE)
    ]
    assert stage.release() == [([query(2, query_port=1)], FILE)]
    assert [(counter.name, counter.value) for counter in stage.counters()] == [
        ("paired_queries", 2),
        ("unanswered_queries", 1),
        ("given_up_queries", 0),
        ("orphaned_responses", 1),
    ]
    assert stage.summary() == (
        "2 of 3 queries paired, 1 unanswered, 0 given up, 0 outstanding; 1 of 3 responses orphaned"
    )


def test_pairing_while_nothing_comes() -> None:
    """Time in messages stands still then."""
    now = 100.0
    stage = Pairing(Pairs(5, hold_queries=True), clock=lambda: now)
    now = 200.0
    assert list(stage.tick()) == []
    assert stage.pass_on([query(0)], FILE) == []
    now = 205.0
    assert list(stage.tick()) == []
    now = 205.1
    assert stage.tick() == [([query(0)], FILE)]
    assert stage.held == 0


def test_what_is_known_goes_through_an_anonymizer() -> None:
    """Also where another payload is left out."""
    stage = Anonymizing(Anonymizer(truncate()))
    stage.expect_paired()
    out = stage.process([b"junk", *Pairs()([query(0), response(1)])])
    assert carried(out) == [(None, None), ((START, 0), None)]
    message = Dnstap.parse(out[1]).message
    assert message is not None
    assert message.query_address == b"\n\0\0\0"


def test_a_filter_of_what_is_known() -> None:
    slow, unanswered = Matching(compile_filter("latency > 1s")), Matching(compile_filter("answered = no"))
    assert (slow.uses_answered, unanswered.uses_answered) == (False, True)
    payloads = Pairs(hold_queries=True)([query(0), response(1.5), query(2), response(2.5), query(3)])
    payloads += Pairs(hold_queries=True)([query(4), response(100)])
    assert unanswered.process(payloads) == []
    for stage in (slow, unanswered):
        stage.expect_paired()
    assert slow.process(payloads) == [response(1.5)]
    pairs = Pairs(hold_queries=True)
    assert unanswered.process([*pairs([query(0), response(1), query(2)]), *pairs.finish()]) == [query(2)]


def test_pairs_and_filters_as_stages() -> None:
    assert isinstance(as_stage(Pairs()), Pairing)
    assert isinstance(as_stage(compile_filter("type = CQ")), Matching)
