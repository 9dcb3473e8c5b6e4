"""Cases for readers, 201 to 299: our command passes them, and wrong readers do not."""

from __future__ import annotations

import pytest

from framestream.conformance.runner import Verdict
from tests.dnstap.conformance.kit import faults_of_ours, result_of

FAULTS = [
    (201, "frames", "drops", "64 KiB"),
    (202, "frames", "closes", "64 KiB"),
    (203, "text", "dies", "empty DNS messages"),
    (204, "frames", "dies", "empty addresses"),
    (205, "text", "silent", "other addresses"),
    (207, "frames", "drops", "high ports"),
    (208, "frames", "dies", "nanoseconds"),
    (209, "frames", "dies", "years"),
    (214, "frames", "closes", "zones"),
    (215, "frames", "drops", "no identity"),
    (216, "frames", "dies", "NUL"),
    (218, "text", "dies", "bytes"),
    (221, "frames", "dies", "long names of hosts"),
    (223, "frames", "dies", "policies"),
]


@pytest.mark.parametrize("text", [False, True], ids=["frames", "text"])
def test_ours_passes(text: bool) -> None:
    assert faults_of_ours(201, 299, text=text) == {}


@pytest.mark.parametrize(
    ("id", "expected"), [(217, "text without control characters"), (219, "newlines in values escaped")]
)
def test_text_in_which_nothing_is_escaped(id: int, expected: str) -> None:
    result = result_of(id, "raw", "none", "nothing")
    assert result.verdict is Verdict.NON_STRICT
    assert result.fault
    assert result.fault.expected == expected


@pytest.mark.parametrize(("id", "form", "effect", "what"), FAULTS)
def test_wrong_readers_are_found(id: int, form: str, effect: str, what: str) -> None:
    result = result_of(id, form, effect, what)
    assert result.verdict is Verdict.FAIL, result
