"""What is said at once, and what is only counted."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from dnstap import reports
from dnstap.reports import AT_ONCE, Changes, Reports, words

if TYPE_CHECKING:
    import pytest


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
