"""TapLimits: the defaults are those that docs/tapping.md promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dnstap.tap.base import CLOSE_S, QUEUE
from dnstap.tap.limits import DEFAULT_LIMITS

DOCS = re.sub(r"\s+", " ", (Path(__file__).parents[3] / "docs" / "tapping.md").read_text())


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param(f"{QUEUE:,} by default", id="queue"),
        pytest.param(
            f"when {DEFAULT_LIMITS.gather_frames:,} wait, or {DEFAULT_LIMITS.gather_s:g} s after the first", id="gather"
        ),
        pytest.param(f"**A receiver that does not read** for {DEFAULT_LIMITS.deadlines.write_s:g} s", id="write"),
        pytest.param(f"answer within {DEFAULT_LIMITS.deadlines.handshake_s:g} s", id="handshake"),
        pytest.param(
            f"after {DEFAULT_LIMITS.backoff.first_s:g} s, doubling up to {DEFAULT_LIMITS.backoff.most_s:g} s",
            id="backoff",
        ),
        pytest.param(f"There may be {DEFAULT_LIMITS.max_sinks}", id="sinks"),
        pytest.param(f"once in {DEFAULT_LIMITS.report_s:g} s", id="report"),
        pytest.param(f"`close(timeout_s={CLOSE_S})`", id="close"),
    ],
)
def test_default_is_documented(sentence: str) -> None:
    assert sentence in DOCS
