"""What payloads go through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, compile_filter
from dnstap.pipeline.stages import First, Matching, Sample


@given(st.integers(1, 9), st.lists(st.integers(0, 20)))
def test_a_sample_is_evenly_spaced(of: int, sizes: list[int]) -> None:
    """However the payloads come."""
    payloads = [b"%d" % number for number in range(sum(sizes))]
    sample = Sample(of)
    chosen: list[bytes] = []
    rest = payloads
    for size in sizes:
        chosen += sample(rest[:size])
        rest = rest[size:]
    assert chosen == payloads[::of]


@pytest.mark.parametrize("sizes", [[5], [1] * 5, [2, 2, 1], [3, 7]])
def test_the_first(sizes: list[int]) -> None:
    done: list[bool] = []
    first = First(4, lambda: done.append(True))
    assert [payload for size in sizes for payload in first([b"1"] * size)] == [b"1"] * 4
    assert done
    done.clear()
    assert First(4, lambda: done.append(True))([b"1"] * 3) == [b"1"] * 3
    assert not done


def test_what_cannot_be_matched_is_said_once() -> None:
    payload = bytes(Dnstap(type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY)))
    matching = Matching(compile_filter("qr = Q"))
    assert matching([payload]) == [payload]
    assert list(matching.new_reports()) == []
    assert matching([b"junk", payload]) == [payload]
    (line,) = matching.new_reports()
    assert line.startswith("1 of 3 payloads cannot be matched; the first was payload 2: ")
    assert list(matching.new_reports()) == []
