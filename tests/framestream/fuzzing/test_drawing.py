"""Streams that are drawn: the same for the same seed, good and bad."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from framestream.conformance.steps import STOP
from framestream.conversations import wire_of
from framestream.fuzzing.drawing import GROUP, drawn, find_payloads, hostile_streams
from framestream.fuzzing.samples import FIRST, LAST, wanted
from tests.framestream.fuzzing.kit import FILE_HEAD

ROOT = Path(__file__).parents[3]

NOT_A_FUNCTION = 1


def letters() -> SearchStrategy[bytes]:
    return st.just(b"letters")


def words() -> list[bytes]:
    return [b"words"]


def test_the_same_for_the_same_seed() -> None:
    strategy = hostile_streams(FILE_HEAD)
    assert drawn(strategy, 1, 20) == drawn(strategy, 1, 20) != drawn(strategy, 2, 20)
    assert len(drawn(strategy, 3, 20)) == 20
    assert drawn(st.just(b"only"), 1, 20) == [b"only"]


def test_streams_of_all_kinds() -> None:
    made = drawn(hostile_streams(FILE_HEAD), 1, 300)
    wholes = [wire for wire in made if wanted(wire, FILE_HEAD) == [FIRST, LAST] and wire.endswith(wire_of(STOP))]
    assert 50 < len(wholes) < 250
    assert any(wanted(wire, FILE_HEAD) == [FIRST] for wire in made)
    assert any(wire and not wire.startswith(FILE_HEAD) for wire in made)


def test_payloads_of_others() -> None:
    strategy = hostile_streams(FILE_HEAD, find_payloads(f"{__name__}:letters"))
    assert sum(b"letters" in wire for wire in drawn(strategy, 1, 50)) > 10


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nobody", r"expected MODULE:FUNCTION or the name of installed payloads \(.*\), got 'nobody'"),
        ("nobody:payloads", "'nobody:payloads': No module named 'nobody'"),
        (f"{__name__}:missing", "has no attribute 'missing'"),
        (f"{__name__}:NOT_A_FUNCTION", "not callable"),
        (f"{__name__}:words", r"expected a function that returns a strategy, got \[b'words'\]"),
        ("framestream.fuzzing.drawing:hostile_streams", "missing 1 required positional argument"),
    ],
)
def test_names_of_nothing(name: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        find_payloads(name)


def test_installed_payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "other-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: other\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nletters = {__name__}:letters\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert drawn(find_payloads("letters"), 0, 1) == [b"letters"]


def test_our_payloads_are_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    for name, value in declared.items():
        strategy = EntryPoint(name, value, GROUP).load()()
        assert isinstance(strategy, SearchStrategy)
        assert len(drawn(strategy, 0, 5)) == 5
