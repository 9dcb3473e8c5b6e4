"""Cases for readers, 301 to 399: our command passes them, and wrong readers do not."""

from __future__ import annotations

import pytest

from framestream.conformance.runner import Verdict
from tests.dnstap.conformance.kit import faults_of_ours, result_of

FAULTS = [
    (301, "frames", "hangs", "loops"),
    (303, "frames", "dies", "long names"),
    (305, "frames", "dies", "counts"),
    (306, "frames", "dies", "short headers"),
    (313, "text", "silent", "no questions"),
]


@pytest.mark.parametrize("text", [False, True], ids=["frames", "text"])
def test_ours_passes(text: bool) -> None:
    assert faults_of_ours(301, 399, text=text) == {}


@pytest.mark.parametrize(("id", "form", "effect", "what"), FAULTS)
def test_wrong_readers_are_found(id: int, form: str, effect: str, what: str) -> None:
    result = result_of(id, form, effect, what)
    assert result.verdict is Verdict.FAIL, result
