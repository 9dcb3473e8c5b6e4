"""Rules about a payload and its frame; test_message_rules.py asks them together with those about messages."""

from __future__ import annotations

import pytest

from dnstap import MessageType, PolicyAction
from dnstap.linting.frame_rules import FRAME_RULES, unknown_number
from dnstap.linting.shapes import GOOD, Shape, ShapeReader
from tests.dnstap.linting.payloads import CASES


@pytest.mark.parametrize("name", [rule.id for rule in FRAME_RULES])
def test_rules(name: str) -> None:
    check = {rule.id: rule.check for rule in FRAME_RULES}[name]
    read = ShapeReader().read
    assert check(Shape(*read(CASES[name].bad)[0])) == CASES[name].detail
    assert check(Shape(*read(CASES[name].good)[0])) is None
    assert check(GOOD) is None


def test_unknown_numbers() -> None:
    assert unknown_number("type", MessageType(99)) == "type 99"
    assert unknown_number("action", PolicyAction(-1)) == "action -1"
    assert unknown_number("type", MessageType.AUTH_QUERY) is None
    assert unknown_number("type", None) is None
