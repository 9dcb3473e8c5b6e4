"""dnstap.strategies: it needs Hypothesis."""

from __future__ import annotations

import runpy
import sys

import pytest

from dnstap import strategies


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        runpy.run_path(strategies.__file__)
