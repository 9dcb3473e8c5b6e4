"""Markers that every reader must take of a stream."""

from __future__ import annotations

import pytest

from framestream.conformance.steps import STOP, TYPE, control, data, start, word
from framestream.conversations import wire_of
from framestream.fuzzing.samples import AFTERWARDS, FIRST, LAST, MARKERS, NEIGHBOURS, head_of, text_of, wanted
from tests.framestream.fuzzing.kit import FILE_HEAD, SOCKET_HEAD, around


def test_markers_have_texts_of_their_own() -> None:
    assert [*MARKERS] == [FIRST, LAST, *NEIGHBOURS, AFTERWARDS]
    assert len({text_of(marker) for marker in MARKERS}) == len(MARKERS)
    for marker in MARKERS:
        assert [other for other in MARKERS if text_of(other).encode() in marker] == [marker]


def test_heads() -> None:
    assert SOCKET_HEAD.endswith(FILE_HEAD)
    assert wire_of(start(TYPE)) == FILE_HEAD
    assert head_of(b"x", bidirectional=False) == wire_of(start(b"x"))


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", []),
        (data(FIRST, b"\xff", LAST), [FIRST, LAST]),
        (data(FIRST) + word(0xFFFFFFFF) + data(LAST), [FIRST]),
        (data(FIRST) + word(98_305) + bytes(98_305) + data(LAST), [FIRST]),
        (data(FIRST) + control(6) + data(LAST), [FIRST, LAST]),
        (data(FIRST) + wire_of(start()) + data(LAST), [FIRST]),
        (data(FIRST) + wire_of(STOP) + data(LAST), [FIRST]),
        (data(FIRST, LAST)[:-1], [FIRST]),
    ],
)
def test_wanted(rest: bytes, expected: list[bytes]) -> None:
    assert wanted(FILE_HEAD + rest, FILE_HEAD) == expected


def test_a_reader_may_refuse_other_beginnings() -> None:
    assert wanted(around(), SOCKET_HEAD) == []
    assert wanted(wire_of(start(b"x")) + data(FIRST), FILE_HEAD) == []
