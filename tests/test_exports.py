"""What the packages offer at their top is what their modules offer."""

from __future__ import annotations

import importlib
import pkgutil
import runpy
import subprocess
import sys
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


def test_dnstap_loads_its_names_when_they_are_used() -> None:
    for name in dnstap.__all__:
        assert getattr(dnstap, name) is not None
        assert name in dir(dnstap)
    assert dnstap.Dnstap is importlib.import_module("dnstap.messages").Dnstap
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dnstap.nothing


@pytest.mark.parametrize("package", [framestream, framestream.sync, dnstap.adapters])
def test_packages_load_their_names_when_they_are_used(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


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
