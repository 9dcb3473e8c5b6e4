"""Checks of arguments, and what they say."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from framestream.arguments import check_callable, check_names, check_number, check_options, check_type
from framestream.streams import Deadlines, Limits

if TYPE_CHECKING:
    from collections.abc import Callable


class Options(NamedTuple):
    """Options of every kind."""

    number: int = 5
    seconds: float = 0.5
    limits: Limits = Limits()


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (partial(check_type, "x", kinds=(int, str), expected="y"), [1, "a", True]),
        (partial(check_callable, "x", expected="y"), [print, int, lambda: 0]),
        (partial(check_number, "x", least=1), [1, 2**70]),
        (partial(check_number, "x", least=0, whole=False), [0, 0.0, 1.5, math.inf]),
        (partial(check_options, "x", kind=Options), [Options(), Options(1, 0, Limits(1, 2))]),
        (partial(check_options, "x", kind=Deadlines, optional=True), [Deadlines(), Deadlines(None, 1)]),
    ],
)
def test_good_arguments(check: Callable[..., None], good: list[Any]) -> None:
    for value in good:
        check(value=value)


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        (partial(check_type, kinds=int, expected="a day"), "Monday", "x: expected a day, got 'Monday' of type str"),
        (partial(check_type, kinds=int, expected="a day"), None, "x: expected a day, got None of type NoneType"),
        (partial(check_callable, expected="a function"), 5, "x: expected a function, got 5 of type int"),
        (partial(check_number, least=1), "5", "x: expected a whole number of at least 1, got '5' of type str"),
        (partial(check_number, least=1), 1.0, "x: expected a whole number of at least 1, got 1.0 of type float"),
        (partial(check_number, least=1), True, "x: expected a whole number of at least 1, got True of type bool"),
        (partial(check_number, least=1), 0, "x: expected a whole number of at least 1, got 0"),
        (partial(check_number, least=0, whole=False), -0.1, "x: expected a number of at least 0, got -0.1"),
        (partial(check_number, least=0, whole=False), math.nan, "x: expected a number of at least 0, got nan"),
        (partial(check_options, kind=Options), (1, 2), "x: expected Options, got (1, 2) of type tuple"),
        (
            partial(check_options, kind=Options),
            Options("5"),  # type: ignore[arg-type]
            "x.number: expected a whole number of at least 1, got '5' of type str",
        ),
        (
            partial(check_options, kind=Options),
            Options(seconds=-1),
            "x.seconds: expected a number of at least 0, got -1",
        ),
        (
            partial(check_options, kind=Options),
            Options(limits=5),  # type: ignore[arg-type]
            "x.limits: expected Limits, got 5 of type int",
        ),
        (
            partial(check_options, kind=Options),
            Options(seconds=None),  # type: ignore[arg-type]
            "x.seconds: expected a number of at least 0, got None of type NoneType",
        ),
        (check_names, "time", "x: expected a list of names, got 'time' of type str"),
        (check_names, ["time", 5], "x: expected a list of names, got 5 of type int"),
        (
            partial(check_type, kinds=int, expected="a day"),
            "a" * 200,
            f"x: expected a day, got '{'a' * 59} of type str",
        ),
    ],
)
def test_wrong_arguments(check: Callable[..., None], value: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        check("x", value=value)
    assert str(caught.value) == text
    assert isinstance(caught.value, TypeError) == (" of type " in text)
