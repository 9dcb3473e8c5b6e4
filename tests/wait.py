"""Waiting for a condition, with a deadline that a slow machine can scale."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEADLINE_S", "least_processor_s", "listens", "wait_for"]

T = TypeVar("T")

DEADLINE_S = 20.0 * float(os.environ.get("TEST_TIMEOUT_FACTOR", "1"))
"""Time limit in seconds for anything that is immediate on a healthy machine."""


def wait_for(condition: Callable[[], T], what: str) -> T:
    """Return the first true value of a condition; raise an AssertionError that names it when time is up."""
    end = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {DEADLINE_S} s")
        time.sleep(0.01)
    return value


def listens(path: str | Path) -> bool:
    """Return whether a unix socket accepts connections at the path, without connecting, which a listener would count.

    Most programs bind their sockets to the path and listen later, so an existing path proves nothing. Ours are bound to
    the path and eight digits, and get the path once they listen.
    """
    listening = re.compile(rf"\S+: \S+ \S+ 00010000 .* {re.escape(str(path))}(\.[0-9a-f]{{8}})?")
    lines = Path("/proc/net/unix").read_text().splitlines()
    return os.path.exists(path) and any(map(listening.fullmatch, lines))


def least_processor_s(function: Callable[[], object]) -> float:
    """Return the least processor time of this thread that three calls take, in seconds.

    Other work on the machine makes any one call slower, by what it evicts from the caches.
    """
    times = []
    for _ in range(3):
        began = time.thread_time()
        function()
        times.append(time.thread_time() - began)
    return min(times)
