"""The fields of Message are listed once: no other module has a list of their names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dnstap.schema.fields import MessageFields, rows

ROOT = Path(__file__).parents[1]

NAMES = {row.name for row in rows(MessageFields)} - {"type"}

MOST = 5
"""Different names in one list or text; formats that show some fields have fewer."""

MODULES = sorted(path for path in ROOT.glob("dnstap/**/*.py") if path.parts[-2] not in ("schema", "strategies"))


def listed(path: Path) -> int:
    """Return the largest number of fields that one literal of a module names."""
    most = 0
    for node in ast.walk(ast.parse(path.read_text())):
        texts = []
        if isinstance(node, ast.Constant):
            texts = [node.value]
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            texts = [element.value for element in node.elts if isinstance(element, ast.Constant)]
        elif isinstance(node, ast.Dict):
            texts = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        names = {word for text in texts if isinstance(text, str) for word in text.split()}
        most = max(most, len(names & NAMES))
    return most


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_second_list(path: Path) -> None:
    assert listed(path) <= MOST


def test_lists_are_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    for text in (f"{sorted(NAMES)}", f"{dict.fromkeys(NAMES)}", f'"""{" ".join(NAMES)}"""'):
        path.write_text(text)
        assert listed(path) == len(NAMES) > MOST
