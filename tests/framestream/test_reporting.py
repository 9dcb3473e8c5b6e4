"""Reports: some are passed on at once, others are counted; texts of errors."""

from __future__ import annotations

import ssl

import pytest

from framestream.reporting import MAX_PER_PERIOD, ChangeReporter, RateLimitedReporter, error_text
from tests.threads import Threads


def test_of_many_lines_of_a_kind_some_are_counted() -> None:
    said: list[str] = []
    lines = RateLimitedReporter(said.append)
    for number in range(MAX_PER_PERIOD + 3):
        lines.report("a", f"a: {number}")
    lines.report("b", "b: 1")
    assert said == [*[f"a: {number}" for number in range(MAX_PER_PERIOD)], "b: 1"]
    assert lines.suppressed == 3
    lines.end_period(["news"])
    assert said[-2:] == ["a: 3 more such lines", "news"]
    lines.report("a", "a: again")
    lines.end_period()
    assert said[-1] == "a: again"


def test_a_period() -> None:
    said: list[str] = []
    early, late = RateLimitedReporter(said.append), RateLimitedReporter(said.append, 0.0)
    assert not early.due()
    assert late.due()
    for lines in (early, late):
        for number in range(MAX_PER_PERIOD + 1):
            lines.report("a", f"a: {number}")
    assert len(said) == 2 * MAX_PER_PERIOD
    early.report_if_due()
    late.report_if_due()
    assert said[2 * MAX_PER_PERIOD :] == ["a: 1 more such lines"]


def test_time_to_the_next_summary() -> None:
    lines = RateLimitedReporter(str, 60.0)
    for number in range(MAX_PER_PERIOD):
        lines.report("a", f"a: {number}")
    assert lines.left_s() is None  # There is nothing to sum up.
    lines.report("a", "another")
    left_s = lines.left_s()
    assert left_s is not None
    assert 0 < left_s <= 60
    lines.end_period()
    assert lines.left_s() is None


def test_many_threads_lose_no_count() -> None:
    said: list[str] = []
    lines = RateLimitedReporter(said.append)

    def report_many() -> None:
        for _ in range(2000):
            lines.report("a", "line")

    with Threads() as threads:
        for _ in range(4):
            threads.submit(report_many)
    assert len(said) + lines.suppressed == 8000
    assert len(said) == MAX_PER_PERIOD


def test_only_changes() -> None:
    said: list[str] = []
    say = ChangeReporter(said.append)
    for line in ("a", "a", "b", "a"):
        say(line)
    say.reset()
    say("a")
    assert said == ["a", "b", "a", "a"]


def test_error_text() -> None:
    assert error_text(OSError(2, "No such file")) == "No such file"
    assert error_text(TimeoutError("late")) == "late"
    assert error_text(TimeoutError()) == "timed out"
    assert error_text(ssl.SSLError(1, "wrong")) == "wrong"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)",
            "TLS refused by the other side: certificate required",
        ),
        (
            "[SSL: SSL/TLS_ALERT_BAD_CERTIFICATE] ssl/tls alert bad certificate (_ssl.c:1006)",
            "TLS refused by the other side: bad certificate",
        ),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)",
            "TLS failed: certificate verify failed: self-signed certificate",
        ),
        ("[SSL] unknown error (_ssl.c:1000)", "TLS failed: unknown error"),
        ("[SSL: NO_CIPHERS_AVAILABLE] no ciphers available", "TLS failed: no ciphers available"),
    ],
)
def test_words_of_tls(text: str, said: str) -> None:
    assert error_text(ssl.SSLError(1, text)) == said
