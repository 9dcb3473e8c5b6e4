"""What happens to payloads between inputs and outputs: functions from a list of payloads to those that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["First", "Sample", "Stage"]

Stage: TypeAlias = "Callable[[list[bytes]], list[bytes]]"


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
