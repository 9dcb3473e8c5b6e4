"""Text of readers: what is found in it."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Level, Taken
from framestream.conformance.steps import payload
from framestream.conformance.texts import FORGED, is_in_text, text_faults

ONE, TWO, TWELVE = payload(1), payload(2), payload(12)


def test_payloads_in_text() -> None:
    assert is_in_text(ONE, b'{"identity": "frame-1"}')
    assert not is_in_text(ONE, b"frame-12.")
    assert is_in_text(b"no mark", b"")


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (b"frame-1 frame-1\nframe-2 frame-2\n", Taken((ONE, TWO))),
        (b"frame-1", Taken((ONE, TWO), at_least=1)),
        (b"frame-2", Taken((ONE, TWO), optional=(ONE,))),
        (b"frame-1 frame-2 frame-12", Taken((ONE, b"no mark", TWO, TWELVE))),
        (b"a\tb\r\n \xc3\xa9", Taken(())),
        (FORGED, Taken(())),
    ],
)
def test_good_text(text: bytes, taken: Taken) -> None:
    assert text_faults(text, [taken], complete=True) == []


@pytest.mark.parametrize(
    ("text", "expected", "level"),
    [
        (b"frame-1 frame-12", "frame-2 in the text", Level.MUST),
        (b"frame-2 frame-1", "payloads in the order in which they were sent", Level.MUST),
        (b"frame-1 \x1b[2J frame-2", "text without control characters", Level.SHOULD),
        (b"frame-1 \xc2\x9b2J frame-2", "text without control characters", Level.SHOULD),
        (b"frame-1\nforged-line\nframe-2", "newlines in values escaped", Level.SHOULD),
    ],
)
def test_faults(text: bytes, expected: str, level: Level) -> None:
    (fault,) = text_faults(text, [Taken((ONE, TWO))], complete=True)
    assert (fault.expected, fault.level) == (expected, level)


def test_text_of_a_stream_that_broke() -> None:
    assert text_faults(b"", [Taken((ONE, TWO))], complete=False) == []
