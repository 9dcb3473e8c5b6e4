"""dnstap.dns.registry: names of types and classes."""

from typing import Any

import pytest

from dnstap.dns.registry import CLASSES, TYPE_NUMBERS, TYPES, class_text, type_text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "None"), (1, "A"), (11, "TYPE11"), (23, "NSAP-PTR"), (255, "ANY"), (261, "TYPE261"), (65535, "Reserved")],
)
def test_types(number: int, text: str) -> None:
    assert type_text(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "CLASS0"), (1, "IN"), (2, "CS"), (3, "CH"), (4, "HS"), (5, "CLASS5"), (254, "NONE"), (255, "CLASS255")],
)
def test_classes(number: int, text: str) -> None:
    assert class_text(number) == text


def test_mnemonics_are_unique() -> None:
    assert {TYPES[number]: number for number in TYPES} == TYPE_NUMBERS
    assert len(TYPE_NUMBERS) == len(TYPES)


def test_no_class_has_the_name_of_a_type() -> None:
    assert not set(CLASSES.values()) & TYPE_NUMBERS.keys()


@pytest.mark.parametrize("number", [None, "A", 1.5])
def test_what_is_no_number(number: Any) -> None:
    for text in (type_text, class_text):
        with pytest.raises(TypeError, match=r"^number: expected a whole number"):
            text(number)
