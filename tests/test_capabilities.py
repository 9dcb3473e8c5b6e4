"""Capabilities are declared in a base class or Protocol: no code asks our objects by hasattr or getattr."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOREIGN = {
    ("dnstap/adapters/dnslib_logger.py", "protocol"),  # of dnslib's handlers, TCP or UDP
    ("dnstap/adapters/dnslib_logger.py", "_VALUES"),  # kept by us in dnslib's handler, if it took a query
    ("dnstap/adapters/dnspython_queries.py", "__name__"),  # of any function
    ("dnstap/adapters/dnspython_queries.py", "wire"),  # of dnspython's messages, if it keeps it there
    ("dnstap/pipeline/outputs/parallel_text.py", "memfd_create"),  # of os, on Linux
}
"""Exceptions for objects of others, which declare nothing to us: file, and attribute."""


def asked(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the attributes that are asked for by hasattr, or by getattr with a default, with their line numbers."""
    return [
        (node.lineno, str(node.args[1].value) if isinstance(node.args[1], ast.Constant) else ast.unparse(node.args[1]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3))
    ]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("hasattr(x, 'a')", ["a"]),
        ("hasattr(x, name)", ["name"]),
        ("getattr(x, 'a', None)", ["a"]),
        ("getattr(x, name, None)", ["name"]),
        ("getattr(x, name)", []),  # of what is known to be there
        ("x.hasattr('a')", []),
    ],
)
def test_questions_are_found(source: str, names: list[str]) -> None:
    assert [name for _, name in asked(ast.parse(source))] == names


def test_nothing_asks_what_an_object_has() -> None:
    found = {
        (str(path.relative_to(ROOT)), name): number
        for path in sorted(ROOT.glob("dnstap/**/*.py"))
        for number, name in asked(ast.parse(path.read_text()))
    }
    wrong = [f"{path}:{number}: {name}" for (path, name), number in found.items() if (path, name) not in FOREIGN]
    assert not wrong, "\n".join(wrong)
    assert set(found) == FOREIGN, "an exception that is not needed any more"
