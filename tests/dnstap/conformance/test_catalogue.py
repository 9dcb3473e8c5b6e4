"""The catalogue: ids, rules, the entry point, and a good collector that is not ours."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

from dnstap.conformance.catalogue import CASES, FAMILIES
from framestream.conformance.cases import Case, PeerRole
from framestream.conformance.catalogue import GROUP
from tests.dnstap.conformance.kit import reader
from tests.framestream.conformance.kit import judge, verdicts

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0].id)
def test_ids_are_dense_in_a_family(family: tuple[Case, ...]) -> None:
    numbers = [int(case.id.rpartition("-")[2]) for case in family]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] % 100 == 1


def test_rules_are_distinct() -> None:
    assert len({case.id for case in CASES}) == len({case.rule for case in CASES}) == len(CASES)
    assert sum(case.role is PeerRole.READER for case in CASES) >= 80


def test_the_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (value,) = project["entry-points"][GROUP].values()
    assert resolve_name(value) is CASES


def test_the_command_does_not_load_them() -> None:
    code = "import sys, dnstap.cli.main; print([name for name in sys.modules if 'conformance' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("form", ["frames", "text"])
def test_a_good_collector_passes(form: str) -> None:
    chosen = [case for case in CASES if case.role is PeerRole.READER]
    results = judge(chosen, command=reader(form), keep=True, output_text=form == "text")
    assert verdicts(results) == {}
