"""Judgement of readers that write text: which payloads are in it, whatever its format.

Each payload of `steps.payload` has an identity and asks for a name that no other has. One of both must be in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from framestream.conformance.cases import Level
from framestream.conformance.player import OutputDifference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framestream.conformance.cases import Taken
    from framestream.conformance.player import Deviation

__all__ = ["FORGED", "is_in_text", "text_faults"]

FORGED = b"forged-line"
"""Text after a newline in the values of some cases: no line of text output may begin with it."""

_MARK = re.compile(rb"frame-\d+")

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
"""Control characters, but for tab, newline and carriage return, also those of UTF-8."""

_SHOWN_BYTES = 200


def is_in_text(payload: bytes, text: bytes) -> bool:
    """Return whether a payload is in the text; True for a payload that nothing can be recognized by."""
    return _place(payload, _marks(text)) >= 0


def text_faults(text: bytes, expected: Iterable[Taken], *, complete: bool) -> list[Deviation]:
    """Compare text output with what it must be, by the first place of each payload.

    Args: complete: whether everything that must come out was sent.
    """
    marks = _marks(text)
    for taken in expected:
        required = taken.payloads if taken.at_least is None else taken.payloads[: taken.at_least]
        places = {payload: _place(payload, marks) for payload in required if payload not in taken.optional}
        if complete and (missing := [payload for payload, place in places.items() if place < 0]):
            mark = _MARK.findall(missing[0])[0].decode()
            return [OutputDifference(f"{mark} in the text", f"text that ends {text[-_SHOWN_BYTES:]!r}", taken.level)]
        found = [place for payload, place in places.items() if place >= 0 and _MARK.search(payload)]
        if found != sorted(found):
            return [OutputDifference("payloads in the order in which they were sent", "another order", Level.MUST)]
    if control := _CONTROL.search(text):
        shown = text[max(0, control.start() - _SHOWN_BYTES // 2) : control.end()]
        return [OutputDifference("text without control characters", f"text with {shown!r}", Level.SHOULD)]
    if b"\n" + FORGED in text:
        return [OutputDifference("newlines in values escaped", "a line that a sender has made up", Level.SHOULD)]
    return []


def _marks(text: bytes) -> dict[bytes, int]:
    """Return the first places of all marks in the text."""
    places: dict[bytes, int] = {}
    for found in _MARK.finditer(text):
        places.setdefault(found[0], found.start())
    return places


def _place(payload: bytes, marks: dict[bytes, int]) -> int:
    """Return the place of a payload in the text, -1 if it is not there, and 0 if it cannot be recognized."""
    mark = _MARK.search(payload)
    return 0 if mark is None else marks.get(mark[0], -1)
