"""Suggestions for names that were mistyped, for error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_WORD", "did_you_mean"]

MAX_WORD = 40
"""Length of the longest word that is compared: the time grows with its square."""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return "did you mean NAME?" for the name that is most like a word, in any case; "" if none is like it."""
    from difflib import get_close_matches  # Only for errors.

    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), by_lower, n=1) if len(word) <= MAX_WORD else []
    return f"did you mean {by_lower[found[0]]}?" if found else ""
