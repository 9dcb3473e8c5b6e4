"""What is said at once, and what is only counted."""

from __future__ import annotations

import ssl

import pytest

from dnstap.pipeline import diagnostics as reports
from dnstap.pipeline.diagnostics import AT_ONCE, Changes, Reports, words


def test_of_many_lines_of_a_kind_some_are_counted() -> None:
    said: list[str] = []
    lines = Reports(said.append)
    for number in range(AT_ONCE + 3):
        lines.line("a", f"a: {number}")
    lines.line("b", "b: 1")
    assert said == [*[f"a: {number}" for number in range(AT_ONCE)], "b: 1"]
    assert lines.unsaid == 3
    lines.say_counted(["news"])
    assert said[-2:] == ["a: 3 more such lines", "news"]
    lines.line("a", "a: again")
    lines.say_counted()
    assert said[-1] == "a: again"


def test_a_period(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Reports(print)
    assert not lines.due()
    monkeypatch.setattr(reports, "PERIOD_S", 0.0)
    assert lines.due()


def test_only_changes() -> None:
    said: list[str] = []
    say = Changes(said.append)
    for line in ("a", "a", "b", "a"):
        say(line)
    say.last = ""
    say("a")
    assert said == ["a", "b", "a", "a"]


def test_words() -> None:
    assert words(OSError(2, "No such file")) == "No such file"
    assert words(TimeoutError("late")) == "late"
    assert words(TimeoutError()) == "timed out"
    assert words(ssl.SSLError(1, "wrong")) == "wrong"
    assert words(OSError(111, "Connect call failed ('127.0.0.1', 6000)")) == "Connection refused"


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
    assert words(ssl.SSLError(1, text)) == said
