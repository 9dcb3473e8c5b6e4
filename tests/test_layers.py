"""Layers: each module imports only modules of ours that stand above it in docs/design.md."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

ROOT = Path(__file__).parents[1]

MODULES = sorted(
    path.relative_to(ROOT) for package in ("framestream", "dnstap") for path in ROOT.glob(f"{package}/**/*.py")
)


def layers() -> list[str]:
    """Modules in the order of the table: "dnstap/codec/" stands for all in the folder."""
    table = (ROOT / "docs" / "design.md").read_text()
    return re.findall(r"^\| `([a-z_/.]+)` \|", table, re.MULTILINE)


def layer_of(module: Path) -> int:
    """Return the row of a module."""
    for number, layer in enumerate(layers()):
        if str(module) == layer or (layer.endswith("/") and str(module).startswith(layer)):
            return number
    raise AssertionError(f"{module} is not in the table of docs/design.md")


class WithoutTypeChecking(ast.NodeTransformer):
    """Remover of the imports under `if TYPE_CHECKING`, which never run."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Remove the node, or keep it with what is left of its body."""
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


@cache
def imports(module: Path, *, for_type_checker: bool = True) -> set[Path]:
    """Return the modules of ours that a module imports, at its top or in a function."""
    found = set()
    tree = ast.parse((ROOT / module).read_text())
    for node in ast.walk(tree if for_type_checker else WithoutTypeChecking().visit(tree)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            while parts and parts[0] in ("framestream", "dnstap"):
                path = Path(*parts)
                if (ROOT / path).with_suffix(".py").exists():
                    found.add(path.with_suffix(".py"))
                    break
                if (ROOT / path / "__init__.py").exists():
                    found.add(path / "__init__.py")
                    break
                parts.pop()
    return found - {module}


@pytest.mark.parametrize("module", [module for module in MODULES if module.name != "__init__.py"], ids=str)
def test_imports_come_from_above(module: Path) -> None:
    for imported in imports(module):
        # A package's face: framestream's, seen from dnstap, and dnstap's own for the version.
        if imported.name == "__init__.py" and (imported.parts[0] != module.parts[0] or len(imported.parts) == 2):
            continue
        same_room = layer_of(imported) == layer_of(module)
        assert same_room or layer_of(imported) < layer_of(module), f"{module} imports {imported}"


def test_framestream_knows_nothing_of_dnstap() -> None:
    for module in MODULES:
        if module.parts[0] == "framestream":
            assert all(imported.parts[0] == "framestream" for imported in imports(module)), module


def test_the_front_ends_do_not_know_each_other() -> None:
    for one, other in (("sync", "aio"), ("aio", "sync")):
        for module in MODULES:
            if module.is_relative_to(f"framestream/{one}"):
                assert not any(imported.is_relative_to(f"framestream/{other}") for imported in imports(module)), module


def test_modules_for_tests_are_imported_by_no_other() -> None:
    tests = {Path("framestream", f"{name}.py") for name in ("conversations", "peers", "testing", "strategies")}
    of_framestream = (f"framestream/{name}" for name in ("conformance", "fuzzing", "cli"))
    for folder in ("dnstap/strategies", "dnstap/conformance", *of_framestream):
        tests |= {module for module in MODULES if module.is_relative_to(folder)}
    tests.add(Path("framestream/__main__.py"))
    for module in MODULES:
        if module not in tests:
            assert not imports(module, for_type_checker=module.name != "__init__.py") & tests, module


def circles(graph: Mapping[T, Iterable[T]]) -> list[list[T]]:
    """Return the circles in a graph: for each edge that closes one, the nodes from its end to its beginning."""
    found: list[list[T]] = []
    done: set[T] = set()

    def visit(node: T, path: list[T]) -> None:
        if node in path:
            found.append(path[path.index(node) :])
        elif node not in done:
            for neighbour in sorted(graph.get(node, ()), key=str):
                visit(neighbour, [*path, node])
            done.add(node)

    for node in sorted(graph, key=str):
        visit(node, [])
    return found


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"a": "bc", "b": "c"}, []),
        ({"a": "a"}, ["a"]),
        ({"a": "b", "b": "a"}, ["ab"]),
        ({"a": "b", "b": "c", "c": "b"}, ["bc"]),
        ({"a": "bc", "b": "d", "c": "d", "d": "a"}, ["abd"]),
        ({"a": "b", "b": "a", "c": "d", "d": "ec", "e": ""}, ["ab", "cd"]),
    ],
)
def test_circles_are_found(graph: dict[str, str], expected: list[str]) -> None:
    assert ["".join(circle) for circle in circles(graph)] == expected


def test_no_modules_import_in_circles() -> None:
    """No circles inside a folder either, which the table does not order; imports in functions count too."""
    graph = {module: imports(module, for_type_checker=False) for module in MODULES}
    assert circles(graph) == []


def test_third_parties_are_imported_where_they_belong() -> None:
    allowed = {
        "betterproto2": ("dnstap/schema/enums.py", "dnstap/messages/classes.py", "dnstap/codec/"),
        "cryptography": ("dnstap/anonymize/",),
        "dns": ("dnstap/dns/", "dnstap/adapters/dnspython_queries.py"),
        "prometheus_client": ("dnstap/pipeline/prometheus.py",),
        "hypothesis": ("framestream/strategies.py", "framestream/fuzzing/drawing.py", "dnstap/strategies/"),
    }
    for module in MODULES:
        for line in (ROOT / module).read_text().splitlines():
            if match := re.match(
                r"\s*(?:import|from) (betterproto2|cryptography|dns|hypothesis|prometheus_client)\b", line
            ):
                assert str(module).startswith(allowed[match[1]]), f"{module}: {line}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_checks_data_by_assert(module: Path) -> None:
    """Data of a peer is never checked by an assert, which `python -O` leaves out."""
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse((ROOT / module).read_text())))


@pytest.mark.parametrize("module", [module for module in MODULES if module.name == "__init__.py"], ids=str)
def test_package_modules_only_hand_names_on(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text())
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
