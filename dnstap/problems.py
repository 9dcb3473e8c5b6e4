"""Payloads that could not be handled: counted, with the first of them, so that a report can name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnstap.errors import DnstapError

__all__ = ["Problems"]


class Problems:
    """A count of problems of one kind, and of those that have not been reported yet.

    A faulty sender may cause one for each payload, so a report gives their number and only the first error.

    Args: effect: what happens to such payloads, for the report, such as "left out".

    Attributes:
        count: number of problems.
        first: number of the first payload, counted from 1, and its error; None while there is none.
    """

    def __init__(self, effect: str = "") -> None:
        self.count = 0
        self.first: tuple[int, DnstapError] | None = None
        self._effect = effect
        self._reported = 0

    def add(self, number: int, error: DnstapError, count: int = 1) -> None:
        """Count a payload that caused an error, or several payloads of which it is the first.

        Args: number: position of the payload among all of them, counted from 1.
        """
        self.count += count
        self.first = self.first or (number, error)

    def new(self) -> int:
        """Return the number of problems since the last call."""
        new, self._reported = self.count - self._reported, self.count
        return new

    def new_reports(self, payloads: int) -> Iterator[str]:
        """Yield one line if there have been problems since the last call.

        Args: payloads: number of payloads so far, good and bad.
        """
        if self.new() and self.first:
            number, error = self.first
            yield f"{self.count} of {payloads} payloads {self._effect}; the first was payload {number}: {error}"
