"""Data flows one way: of ours, each module imports only modules that stand above it in docs/design.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MODULES = sorted(
    path.relative_to(ROOT) for package in ("framestream", "dnstap") for path in ROOT.glob(f"{package}/**/*.py")
)


def layers() -> list[str]:
    """The modules in the order of the table: "dnstap/codec/" stands for all in the folder."""
    table = (ROOT / "docs" / "design.md").read_text()
    return re.findall(r"^\| `([a-z_/.]+)` \|", table, re.MULTILINE)


def layer_of(module: Path) -> int:
    """The row of a module."""
    for number, layer in enumerate(layers()):
        if str(module) == layer or (layer.endswith("/") and str(module).startswith(layer)):
            return number
    raise AssertionError(f"{module} is not in the table of docs/design.md")


def imports(module: Path) -> set[Path]:
    """The modules of ours that a module imports, for the type checker too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
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
        same_folder = imported.parent == module.parent and len(module.parts) > 2
        assert same_folder or layer_of(imported) < layer_of(module), f"{module} imports {imported}"


def test_framestream_knows_nothing_of_dnstap() -> None:
    for module in MODULES:
        if module.parts[0] == "framestream":
            assert all(imported.parts[0] == "framestream" for imported in imports(module)), module


def test_the_front_ends_do_not_know_each_other() -> None:
    for one, other in (("sync", "aio"), ("aio", "sync")):
        for module in MODULES:
            if module.is_relative_to(f"framestream/{one}"):
                assert not any(imported.is_relative_to(f"framestream/{other}") for imported in imports(module)), module


def test_what_is_for_tests_is_in_nobodys_way() -> None:
    tests = {Path("framestream", f"{name}.py") for name in ("conversations", "peers", "testing", "strategies")}
    tests |= {module for module in MODULES if module.is_relative_to("dnstap/strategies")}
    for module in MODULES:
        if module not in tests:
            assert not imports(module) & tests, module


def test_no_circles_in_folders() -> None:
    """Within a folder the table does not say who may import whom, but not both ways."""
    graph = {module: imports(module) for module in MODULES}

    def reachable(module: Path, seen: set[Path]) -> set[Path]:
        for imported in graph.get(module, set()) - seen:
            reachable(imported, seen | {imported})
            seen.add(imported)
        return seen

    for module in MODULES:
        if module.name != "__init__.py":
            assert module not in reachable(module, set()), module


def test_third_parties_where_they_belong() -> None:
    allowed = {
        "betterproto2": ("dnstap/enums.py", "dnstap/messages.py", "dnstap/codec/"),
        "cryptography": ("dnstap/anonymize/",),
        "dns": ("dnstap/dns/", "dnstap/adapters/dnspython_queries.py"),
        "prometheus_client": ("dnstap/metrics.py",),
        "hypothesis": ("framestream/strategies.py", "dnstap/strategies/"),
    }
    for module in MODULES:
        for line in (ROOT / module).read_text().splitlines():
            if match := re.match(
                r"\s*(?:import|from) (betterproto2|cryptography|dns|hypothesis|prometheus_client)\b", line
            ):
                assert str(module).startswith(allowed[match[1]]), f"{module}: {line}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_assert(module: Path) -> None:
    """A peer's data is never trusted to an assert, which `python -O` leaves out."""
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse((ROOT / module).read_text())))


@pytest.mark.parametrize("module", [module for module in MODULES if module.name == "__init__.py"], ids=str)
def test_the_faces_only_hand_names_on(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert functions <= {"__getattr__", "__dir__"}, module
