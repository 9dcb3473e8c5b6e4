"""Public names, by docs/design.md, "Public and private"."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]


def public_modules() -> list[str]:
    """Return the modules in the table of docs/design.md."""
    section = (ROOT / "docs/design.md").read_text().partition("## Public and private")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([a-z.]+)`", row)]


PUBLIC = public_modules()


def imports_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each module of ours and name that the Python blocks of a page import."""
    for block in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in ("framestream", "dnstap"):
                for alias in node.names:
                    yield str(node.module), alias.name


def test_the_table_is_found() -> None:
    assert {"framestream", "framestream.aio", "dnstap", "dnstap.adapters"} <= set(PUBLIC)
    assert len(PUBLIC) == len(set(PUBLIC))


@pytest.mark.parametrize("path", sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")]), ids=lambda path: path.name)
def test_pages_use_only_public_names(path: Path) -> None:
    for module, name in imports_in(path):
        assert module in PUBLIC, f"from {module} import {name}"
        assert name in importlib.import_module(module).__all__ or f"{module}.{name}" in PUBLIC, f"{module}.{name}"


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_exist(module: str) -> None:
    imported = importlib.import_module(module)
    assert imported.__doc__
    for name in imported.__all__:
        assert not name.startswith("_")
        assert getattr(imported, name) is not None


def members(module: str) -> Iterator[tuple[str, object]]:
    """Yield the classes and functions of a public module, and the public methods that our classes define."""
    imported = importlib.import_module(module)
    for name in imported.__all__:
        item = getattr(imported, name)
        if inspect.isclass(item):
            yield f"{module}.{name}", item
            for attribute, value in vars(item).items():
                if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    yield f"{module}.{name}.{attribute}", value
        elif callable(item):
            yield f"{module}.{name}", item


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_have_docstrings(module: str) -> None:
    assert [name for name, item in members(module) if not inspect.getdoc(item)] == []


def test_both_front_ends_have_the_same_names() -> None:
    sync, aio = (importlib.import_module(f"framestream.{front}") for front in ("sync", "aio"))
    assert sorted(sync.__all__) == sorted(aio.__all__)
    assert set(sync.__all__) < set(importlib.import_module("framestream").__all__)
