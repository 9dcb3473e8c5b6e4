"""Drawing from a Hypothesis strategy until every kind of value has been drawn."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import SearchStrategy

__all__ = ["draw_until_seen"]

T = TypeVar("T")
K = TypeVar("K")


def draw_until_seen(
    strategy: SearchStrategy[T], wanted: Iterable[K], kinds_of: Callable[[T, set[K]], Iterable[K]]
) -> list[T]:
    """Draw values until each wanted kind was among them; return all that were drawn, the same in every run.

    One search for all kinds takes a fraction of the draws that one search for each would take.

    Args:
        kinds_of: returns the kinds of a value, of those that are still missing; others do no harm.

    Raises:
        AssertionError: 20,000 values lack a kind.
    """
    missing = set(wanted)
    drawn: list[T] = []

    def complete(value: T) -> bool:
        drawn.append(value)
        missing.difference_update(kinds_of(value, missing))
        return not missing

    with suppress(NoSuchExample):
        find(strategy, complete, settings=settings(max_examples=20_000, phases=[Phase.generate], derandomize=True))
    assert not missing
    return drawn
