"""dnstap.filters.expressions: every expression reads what an ordinary function reads."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, HttpProtocol, Message, MessageType, Policy, PolicyAction
from dnstap.filters.compiling import compile_tree
from dnstap.filters.expressions import EXPRESSIONS
from dnstap.filters.fields import FIELDS, FLAG
from dnstap.filters.grammar import Test as FieldTest
from dnstap.filters.values import parse_name, parse_network
from dnstap.schema.fields import DnstapFields, MessageFields, rows
from tests.plain_filters import ADDRESSES, NAMES, captured, made, name_of, value

MAX_VALUES = 30
"""Values of a field for each of which all messages are compared."""


@cache
def messages() -> list[Dnstap]:
    found = [Dnstap.parse(payload) for payload in captured()] + made()
    for action, http in (PolicyAction.DROP, HttpProtocol.HTTP2), (PolicyAction.PASS, None), (None, HttpProtocol.HTTP3):
        message = Message(MessageType(99), policy=Policy(action=action), http_protocol=http, query_time_sec=1)
        found.append(Dnstap(b"", extra=b"x", type=DnstapType.MESSAGE, message=message))
    return [*found, Dnstap(type=DnstapType.MESSAGE), Dnstap(version=b"1", message=Message())]


def compared(name: str, found: Any) -> Any:
    """Return a value as the tree of an expression has it."""
    if name in NAMES:
        return parse_name(name_of(found))
    return parse_network(str(found)) if name in ADDRESSES else found


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "peer"])  # No message has its sender.
def test_reads_what_an_ordinary_function_reads(name: str) -> None:
    field = FLAG if name == "flags" else FIELDS[name]
    expected = [value(name, dnstap) for dnstap in messages()]
    present, _ = compile_tree(FieldTest(field, "has"))
    assert [present(dnstap) for dnstap in messages()] == [found is not None for found in expected]
    values = sorted({found for found in expected if found is not None}, key=repr)
    assert values, "no message has the field"
    for wanted in values[:: len(values) // MAX_VALUES + 1]:
        equal, _ = compile_tree(FieldTest(field, "=", (compared(name, wanted),)))
        assert [equal(dnstap) for dnstap in messages()] == [found == wanted for found in expected], wanted


def test_attributes_that_are_decoded_are_in_the_schema() -> None:
    names = {row.name for row in (*rows(MessageFields), *rows(DnstapFields))}
    for expression in EXPRESSIONS.values():
        assert names.issuperset(expression.reads.split())
