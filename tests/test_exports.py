"""Names that the packages offer are those that their modules offer."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import pydoc
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dnstap
import dnstap.adapters
import framestream
import framestream.sync

if TYPE_CHECKING:
    from types import ModuleType


@pytest.mark.parametrize("package", [dnstap, framestream])
def test_every_module_says_what_is_public(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            names = importlib.import_module(module.name).__all__
            assert sorted(set(names)) == sorted(names), module.name


def names_for_the_type_checker(package: ModuleType) -> tuple[dict[str, str], set[str]]:
    """Return names and own modules that a package imports under `if TYPE_CHECKING`; names with their modules."""
    tree = ast.parse(Path(str(package.__file__)).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    homes: dict[str, str] = {}
    submodules: set[str] = set()
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name, "under another name, or as nothing that is exported"
            if statement.module == package.__name__:
                submodules.add(alias.name)
            else:
                homes[alias.name] = str(statement.module)
    return homes, submodules


@pytest.mark.parametrize(
    "package", [framestream, framestream.sync, dnstap.adapters], ids=lambda package: package.__name__
)
class TestLazyPackages:
    def test_the_type_checker_sees_the_same_names(self, package: ModuleType) -> None:
        homes, submodules = names_for_the_type_checker(package)
        assert sorted(homes) == package.__all__
        assert {name for name in dir(package) if not name.startswith("__")} == set(homes) | submodules
        for name, home in homes.items():
            assert getattr(package, name) is getattr(importlib.import_module(home), name)
        for name in submodules:
            assert getattr(package, name) is importlib.import_module(f"{package.__name__}.{name}")

    def test_other_names_are_refused(self, package: ModuleType) -> None:
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
            _ = package.nothing

    def test_help_works(self, package: ModuleType) -> None:
        text = pydoc.plain(pydoc.render_doc(package))
        assert all(name in text for name in package.__all__)


def test_help_of_a_message() -> None:
    """The text names the fields and methods, and the class is as before."""
    program = """
import pydoc, dnstap
for item in (dnstap.Message, dnstap.Message.parse, dnstap.messages.classes._Payload, dnstap):
    print(pydoc.plain(pydoc.render_doc(item)))
print(dnstap.Dnstap(identity=b"a", message=dnstap.Message(query_port=53)).to_dict())
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "query_port" in process.stdout
    assert process.stdout.endswith("{'identity': 'YQ==', 'message': {'queryPort': 53}}\n")


def test_both_packages_have_one_version() -> None:
    assert framestream.__version__ == dnstap.__version__


def test_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["dnstap", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("dnstap", run_name="__main__")
    assert capfd.readouterr().out == f"dnstap {dnstap.__version__}\n"


@pytest.mark.parametrize("name", ["TapLogger", "TappedDatagramProtocol", "TappedProtocol"])
def test_an_adapter_loads_nothing_of_the_others(name: str) -> None:
    program = f"""
import sys
from dnstap.adapters import {name}
print(*sorted({{"dns", "dnslib", "asyncio"}} & set(sys.modules)))
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.split() == ([] if name == "TapLogger" else ["asyncio"])
