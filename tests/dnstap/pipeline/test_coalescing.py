"""Pauses after small reads that come soon after each other."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dnstap.pipeline.coalescing import DENSE_S, SMALL_BYTES, Coalescer

if TYPE_CHECKING:
    import pytest


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only after reads that are small and dense, and once in an iteration of the loop."""
    now, pauses = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds
        pauses.append(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)

    async def run() -> list[int]:
        coalescer = Coalescer(0.25)
        counts = []
        for wait, size, iterations in (
            (0.0, 1, 0),  # The first read is not soon after another.
            (DENSE_S / 2, SMALL_BYTES, 0),
            (DENSE_S / 2, SMALL_BYTES - 1, 0),
            (DENSE_S / 2, 1, 0),  # Another in the same iteration.
            (DENSE_S / 2, 1, 1),
            (DENSE_S * 2, 1, 1),
        ):
            for _ in range(iterations):
                await asyncio.sleep(0)
            now[0] += wait
            coalescer.pause(size)
            counts.append(len(pauses))
        return counts

    assert asyncio.run(run()) == [0, 0, 1, 1, 2, 2]
    assert pauses == [0.25, 0.25]
