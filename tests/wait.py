"""Waiting for a condition, with a deadline that a slow machine can scale."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEADLINE_S", "wait_for"]

T = TypeVar("T")

DEADLINE_S = 20.0 * float(os.environ.get("TEST_TIMEOUT_FACTOR", "1"))
"""How long anything may take that happens at once on a healthy machine."""


def wait_for(condition: Callable[[], T], what: str) -> T:
    """The first true value of the condition; an AssertionError that says what did not come, when time is up."""
    end = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {DEADLINE_S} s")
        time.sleep(0.01)
    return value
