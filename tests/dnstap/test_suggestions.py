"""dnstap.suggestions: names for those that were mistyped."""

from __future__ import annotations

import pytest

from dnstap.suggestions import MAX_WORD, did_you_mean

NAMES = ["qname", "qtype", "NXDOMAIN", "NOERROR", "AAAA"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("qnam", "did you mean qname?"),
        ("QNAMES", "did you mean qname?"),
        ("nxdomian", "did you mean NXDOMAIN?"),
        ("AAA", "did you mean AAAA?"),
        ("colour", ""),
        ("", ""),
        ("qname" + "e" * MAX_WORD, ""),
    ],
)
def test_suggestions(word: str, expected: str) -> None:
    assert did_you_mean(word, NAMES) == expected


def test_long_words_take_no_time() -> None:
    assert did_you_mean("qname" * 1_000_000, NAMES) == ""
