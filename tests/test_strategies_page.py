"""Tables of docs/testing.md: each strategy with the arguments and defaults that it has, and an example that works."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import dnstap.strategies
import framestream.strategies
from dnstap import CONTENT_TYPE
from framestream import Role, Transport

PAGE = (Path(__file__).parents[1] / "docs" / "testing.md").read_text()

NAMES: dict[str, Any] = {
    "CONTENT_TYPE": CONTENT_TYPE,
    "Role": Role,
    "Transport": Transport,
    "st": st,
    **{name: getattr(framestream.strategies, name) for name in framestream.strategies.__all__},
    **{name: getattr(dnstap.strategies, name) for name in dnstap.strategies.__all__},
}


def section(module: str) -> str:
    return PAGE.partition(f"## Strategies of {module}\n")[2].partition("\n## ")[0]


def rows(module: str) -> dict[str, tuple[str, str]]:
    """Return the signature and the example of each strategy in the table of a module, by its name."""
    found = re.findall(r"^\| `((\w+)\(.*?\))` \| .* \| `(.*)` \|$", section(module), re.MULTILINE)
    return {name: (signature, example) for signature, name, example in found}


MODULES = {"framestream.strategies": framestream.strategies, "dnstap.strategies": dnstap.strategies}
STRATEGIES = [(module, name) for module in MODULES for name in rows(module)]


@pytest.mark.parametrize("module", MODULES)
def test_the_table_has_each_strategy(module: str) -> None:
    functions = {name: getattr(MODULES[module], name) for name in MODULES[module].__all__}
    strategies = {
        name
        for name, function in functions.items()
        if inspect.isfunction(function) and "SearchStrategy" in str(inspect.signature(function).return_annotation)
    }
    assert rows(module).keys() == strategies


@pytest.mark.parametrize(("module", "name"), STRATEGIES)
def test_the_table_has_the_arguments_and_defaults(module: str, name: str) -> None:
    signature, _ = rows(module)[name]
    shown: dict[str, Any] = {}
    exec(f"def {signature}: ...", dict(NAMES), shown)
    expected = inspect.signature(getattr(MODULES[module], name)).parameters.values()
    found = inspect.signature(shown[name]).parameters.values()
    assert [(p.name, p.kind, p.default) for p in found] == [(p.name, p.kind, p.default) for p in expected]


@pytest.mark.parametrize("module", MODULES)
def test_the_other_table_explains_each_argument(module: str) -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", section(module), re.MULTILINE))
    arguments = {
        parameter.name
        for name in rows(module)
        for parameter in inspect.signature(getattr(MODULES[module], name)).parameters.values()
    }
    obvious = {"data", "max_size"}
    assert explained == arguments - obvious


@pytest.mark.parametrize(("module", "name"), STRATEGIES)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_examples_can_be_drawn_from(module: str, name: str, data: st.DataObject) -> None:
    _, example = rows(module)[name]
    assert example.startswith(f"{name}(")
    strategy = eval(example, dict(NAMES))
    assert isinstance(strategy, SearchStrategy)
    assert data.draw(strategy) is not None
