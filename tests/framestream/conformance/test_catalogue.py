"""The catalogue: ids, texts, and cases of other packages."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING

import pytest

from framestream.conformance import catalogue
from framestream.conformance.catalogue import FAMILIES, GROUP, PROBES, cases

if TYPE_CHECKING:
    from framestream.conformance.cases import Case

OF_RUNS = {
    "stop",
    "known payloads",
    "empty payloads",
    "connecting",
    "listening",
    "connections",
    "full disk",
    "any payload",
}
"""Capabilities of runs: keys of `lacking` of Settings and FileTarget."""

OTHERS = tuple(FAMILIES[0][:1])


def test_ids_are_unique() -> None:
    ids = [case.id for case in cases()]
    assert len(ids) == len(set(ids)) >= 165


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0].id)
def test_ids_are_dense_in_a_family(family: tuple[Case, ...]) -> None:
    numbers = [int(case.id.rpartition("-")[2]) for case in family]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] % 100 == 1


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_cases_are_complete(case: Case) -> None:
    assert re.fullmatch(r"[A-Z]+-(READER|WRITER|FILE-READER|FILE-WRITER)-\d{3}", case.id)
    assert case.role
    assert case.steps or case.file
    assert re.fullmatch(r"[A-Z0-9].{15,}\.", case.rule)
    assert re.fullmatch(r"[A-Z].{15,}\.", case.failure)
    assert re.match(r"rules? \d|fstrm control\.h|dnstap\.proto|protobuf encoding|observed: \w", case.source)
    assert {*case.needs} <= {*OF_RUNS, *PROBES}


def test_rules_are_distinct() -> None:
    assert len({case.rule for case in cases()}) == len(cases())


def test_patterns_and_order() -> None:
    assert [case.id for case in cases("FS-READER-10[1-3]")] == [f"FS-READER-10{number}" for number in (1, 2, 3)]
    assert cases("nothing") == []
    assert all(len(cases(id)) == 1 for id in PROBES.values())


def test_cases_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    others = EntryPoint("others", f"{__name__}:OTHERS", GROUP)
    monkeypatch.setattr(catalogue, "entry_points", lambda group: EntryPoints([others]).select(group=group))
    monkeypatch.setattr(catalogue, "FAMILIES", ())
    assert cases() == [*OTHERS]
