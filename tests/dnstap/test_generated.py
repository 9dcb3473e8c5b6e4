"""dnstap._generated: generated functions have source that tracebacks show."""

from __future__ import annotations

import inspect
import linecache
import traceback

import pytest

from dnstap import _generated
from dnstap._generated import compile_function, indented

SOURCE = """\
def double(value):
    return value * factor
"""


def test_function_runs_in_its_namespace() -> None:
    assert compile_function("double", SOURCE, {"factor": 2})(21) == 42


def test_traceback_shows_the_line() -> None:
    double = compile_function("Number.double", SOURCE, {"factor": None})
    assert double.__qualname__ == "Number.double"
    with pytest.raises(TypeError) as caught:
        double(21)
    text = "".join(traceback.format_exception(caught.value))
    assert "<dnstap Number.double " in text
    assert "    return value * factor\n" in text


def test_source_can_be_read() -> None:
    assert inspect.getsource(compile_function("double", SOURCE, {})) == SOURCE


def test_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_generated, "_filenames", type(_generated._filenames)())
    monkeypatch.setattr(_generated, "MAX_SOURCES", 3)
    before = len(linecache.cache)
    functions = [compile_function("double", SOURCE, {"factor": 1}) for _ in range(5)]
    assert len(linecache.cache) - before == 3
    assert inspect.getsource(functions[-1]) == SOURCE
    assert functions[0](1) == 1


def test_indented() -> None:
    assert indented("one\n  two", 4) == "    one\n      two"
