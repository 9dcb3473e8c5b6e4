"""Values of options, and the extra that some need."""

from __future__ import annotations

import signal
import sys

import pytest

from framestream.cli.values import count, drawing, one_signal, positive, signals


def test_signals() -> None:
    assert signals("TERM") == (signal.SIGTERM,)
    assert signals("hup, SIGINT") == (signal.SIGHUP, signal.SIGINT)
    with pytest.raises(ValueError, match="--stop: expected names of signals, such as TERM or HUP,INT, got 'NOW'"):
        signals("TERM,NOW")
    with pytest.raises(ValueError, match="--reopen: expected names of signals"):
        one_signal("NOW", "--reopen")


def test_numbers() -> None:
    assert (positive("0.5"), count("7")) == (0.5, 7)
    for text in ("0", "-1", "inf", "nan", "x"):
        with pytest.raises(ValueError, match=r".*"):
            positive(text)
        with pytest.raises(ValueError, match=r".*"):
            count(text)


def test_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawing().__name__ == "framestream.fuzzing.drawing"
    monkeypatch.delitem(sys.modules, "framestream.fuzzing.drawing")
    monkeypatch.delattr("framestream.fuzzing.drawing")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ValueError, match=r"need Hypothesis: pip install 'dnstap\[testing\]'"):
        drawing()
