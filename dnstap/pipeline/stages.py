"""What happens to payloads between inputs and outputs: functions from a list of payloads to those that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnstap.filters.selecting import Filter

__all__ = ["First", "Matching", "Sample", "Stage"]

Stage: TypeAlias = "Callable[[list[bytes]], list[bytes]]"


class Matching:
    """The payloads that match a filter."""

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        return self._wanted.select(payloads)

    def new_reports(self) -> Iterator[str]:
        """Yield a line about payloads that could not be matched since the last call."""
        return self._wanted.problems.new_reports(self._wanted.payloads)


class Sample:
    """The first of every so many payloads."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._next = 0

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        chosen = payloads[self._next :: self._of]
        self._next = (self._next - len(payloads)) % self._of
        return chosen


class First:
    """The first payloads, and then none.

    Args: done: called when there have been so many.
    """

    def __init__(self, number: int, done: Callable[[], object]) -> None:
        self._left = number
        self._done = done

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        chosen = payloads[: self._left]
        self._left -= len(chosen)
        if not self._left:
            self._done()
        return chosen
