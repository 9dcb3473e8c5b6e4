"""Reports: some are passed on at once, others are counted; texts of errors."""

from __future__ import annotations

import ssl

import pytest

from dnstap.pipeline.diagnostics import MAX_PER_PERIOD, ChangeReporter, RateLimitedReporter, error_text


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
    assert not RateLimitedReporter(print).due()
    assert RateLimitedReporter(print, 0.0).due()


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
    assert error_text(OSError(111, "Connect call failed ('127.0.0.1', 6000)")) == "Connection refused"


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
