"""Plain English, by the rules of docs/design.md: first words of docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOLDERS = ["benchmarks", "dnstap", "examples", "framestream", "tests"]
"""Folders that the rule applies to, with the folders in them."""

BANNED = {"what", "who", "whose", "whoever", "whatever", "how", "whether", "where", "which", "when"}
"""First words that make a reader wait for the noun."""


def first_lines(path: Path) -> list[tuple[int, str]]:
    """Return the first line of each docstring in a file, those of constants included, with its line number."""
    return [
        (node.lineno, node.value.value.strip().partition("\n")[0])
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_how_docstrings_begin(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for path in sorted(ROOT.glob(f"{folder}/**/*.py"))
        for number, line in first_lines(path)
        if line.lower().split()[0].strip(",:;") in BANNED
    ]
    assert not wrong, "\n".join(wrong)


def test_the_first_lines_are_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""What it is."""\n\nLIMIT = 1\n"""How much."""\n\ndef f():\n    """\n    Which.\n\n    More.\n    """\n'
    )
    assert sorted(first_lines(path)) == [(1, "What it is."), (4, "How much."), (7, "Which.")]
