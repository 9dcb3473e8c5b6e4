"""Properties of all rules."""

from __future__ import annotations

import re

import pytest

from dnstap.linting.catalogue import RULES
from dnstap.linting.rules import SEVERITIES


@pytest.mark.parametrize("name", RULES)
def test_rules_are_described(name: str) -> None:
    rule = RULES[name]
    assert rule.id == name
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)
    assert rule.severity in SEVERITIES
    for text in (rule.summary, rule.effect):
        # Both are parts of a line.
        assert text == text.strip()
        assert not text.endswith(".")
        assert text.isprintable()
