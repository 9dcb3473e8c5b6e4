"""One test module for each source module, at the same relative path."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("framestream", "dnstap")
    for path in ROOT.glob(f"{package}/**/*.py")
    if path.name != "__init__.py"
)

WITHOUT = {"dnstap/__main__.py", "framestream/__main__.py"}
"""Modules without a test module of their own."""


def paths_of(module: Path) -> list[Path]:
    """Return the paths at which a module may have its tests.

    The modules of framestream/sync and aio have the same names, and most of their tests run through both.
    """
    name = f"test_{module.name.lstrip('_')}"
    paths = [Path("tests", module.parent, name)]
    if module.parent in (Path("framestream/sync"), Path("framestream/aio")):
        paths.append(Path("tests/framestream/both", name))
    return paths


def has_tests(path: Path) -> bool:
    """Return whether a file exists and defines a test."""
    if not (ROOT / path).exists():
        return False
    tree = ast.parse((ROOT / path).read_text())
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


@pytest.mark.parametrize("module", [module for module in MODULES if str(module) not in WITHOUT], ids=str)
def test_each_module_has_tests(module: Path) -> None:
    assert any(map(has_tests, paths_of(module))), f"{module} has no test in {' or '.join(map(str, paths_of(module)))}"
