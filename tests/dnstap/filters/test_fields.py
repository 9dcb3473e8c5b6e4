"""dnstap.filters.fields: each field by its name, with all of its operators."""

from __future__ import annotations

import pytest

from dnstap import Dnstap, DnstapType
from dnstap.filters.expressions import EXPRESSIONS
from dnstap.filters.fields import EITHER_FIELD, FIELDS, FLAG, MESSAGE_TYPES, schema_field
from dnstap.rendering.columns import FIELDS as COLUMNS
from dnstap.schema.enums import HttpProtocol
from dnstap.schema.fields import Row
from tests.dnstap.filters.examples import EMPTY, PASSED, matches


def test_every_field_is_a_column_and_has_an_expression() -> None:
    assert {*FIELDS, FLAG.name} == set(COLUMNS) == set(EXPRESSIONS)
    assert {*FIELDS, *EITHER_FIELD} == {*PASSED, "peer"}  # No message has its sender.


@pytest.mark.parametrize("name", PASSED)
def test_every_test_of_a_field(name: str) -> None:
    for test in PASSED[name]:
        assert matches(f"{name} {test}"), test
        assert not matches(f"not {name} {test}"), test
        # An absent field passes no test, not even !=.
        for absent in (EMPTY, Dnstap(type=DnstapType.MESSAGE)):
            assert matches(f"{name} {test}", absent) is (name in ("type", "qr") and absent is EMPTY), test
    assert matches(f"has {name}")
    assert not matches(f"has {name}", Dnstap(type=DnstapType.MESSAGE))


def test_message_types_have_the_letters_of_quiet() -> None:
    assert {name: number for name, number in MESSAGE_TYPES.items() if len(name) == 2} == {
        "AQ": 1, "AR": 2, "RQ": 3, "RR": 4, "CQ": 5, "CR": 6, "FQ": 7, "FR": 8, "SQ": 9, "SR": 10,
        "TQ": 11, "TR": 12, "UQ": 13, "UR": 14,
    }  # fmt: skip


def test_fields_for_rows_that_are_added_to_the_schema() -> None:
    number = schema_field(Row("size", 17, "uint32", int))
    assert (number.name, number.parse_value("77"), "<" in number.operators) == ("size", 77, True)
    enum = schema_field(Row("version", 17, "enum", HttpProtocol))
    assert (enum.parse_value("http2"), enum.parse_value("9"), "<" in enum.operators) == (2, 9, False)
    assert enum.expected == "HTTP1, HTTP2, HTTP3 or a number"
    text = schema_field(Row("note", 17, "bytes", bytes))
    assert (text.parse_value("a"), "<" in text.operators) == (b"a", False)
