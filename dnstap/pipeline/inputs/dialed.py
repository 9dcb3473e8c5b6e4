"""Connections that we make to a server that listens."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.base import Input
from framestream.aio import open_reader
from framestream.reporting import ChangeReporter, error_text
from framestream.streams import STABLE_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from framestream.aio import Reader
    from framestream.endpoints import Endpoint
    from framestream.streams import Backoff, Deadlines, Limits

__all__ = ["FEW_FRAMES", "MAX_PER_S", "DialedInput"]

FEW_FRAMES = 10
"""After a stream with fewer frames the next connection waits: a server whose streams break each time would otherwise
keep both ends busy.

A server that broke after each frame was connected to a thousand times a second, which took 80 % of a core; with the
first wait of the backoff it is 45 times. CoreDNS's streams, which break under concurrent queries, bring more frames
than this before they do, and are made again at once.
"""


MAX_PER_S = 50
"""Connections in a second, whatever the streams bring: a server that broke after 10 frames was connected to 794 times a
second. These take 5 % of a core, and a server whose streams last 10 ms is still read for half of the time."""


class DialedInput(Input):
    """The connections to one server, each made after the one before has ended.

    Args:
        report: takes one line when the connection cannot be made.
        backoff: between attempts.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        report: Callable[[str], object],
        *,
        limits: Limits,
        deadlines: Deadlines,
        backoff: Backoff,
    ) -> None:
        self._endpoint = endpoint
        self._report = ChangeReporter(report)
        self._limits = limits
        self._deadlines = deadlines
        self._backoff = backoff

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        waits = self._backoff.waits()
        attempts: deque[float] = deque([-math.inf] * MAX_PER_S, MAX_PER_S)
        while True:
            # The first wait is 0. Each failure takes the next one, up to one attempt a second.
            await asyncio.sleep(max(next(waits), attempts[0] + 1 - time.monotonic()))
            attempts.append(time.monotonic())
            try:
                reader = await open_reader(
                    self._endpoint, [CONTENT_TYPE], limits=self._limits, deadlines=self._deadlines
                )
            except OSError as error:
                self._report(f"{self._endpoint}: no connection: {error_text(error)}")
                continue
            self._report.reset()
            began = time.monotonic()
            yield str(self._endpoint), reader
            # The generator goes on here when the stream has ended. A server that has sent nothing and does not stay
            # keeps the backoff; one that has sent frames is back at its start.
            if reader.frames or time.monotonic() - began >= STABLE_S:
                waits = self._backoff.waits()
                if reader.frames < FEW_FRAMES:
                    next(waits)  # The first is 0: at once.
