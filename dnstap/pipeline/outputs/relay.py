"""Relays: outputs that pass frames on to other receivers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counter
from dnstap.pipeline.outputs.base import Output
from framestream.aio import ReconnectingWriter, open_writer
from framestream.errors import FrameStreamError, LocalProtocolError, RemoteProtocolError
from framestream.reporting import PERIOD_S, ChangeReporter, RateLimitedReporter, error_text
from framestream.streams import DEADLINES, Backoff, Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from framestream.aio import Writer
    from framestream.endpoints import Endpoint

__all__ = ["Relay"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)
"""Short at first, because a receiver that restarts is soon back; one that stays away costs an attempt a second."""


class Relay(Output):
    """An output that connects to a receiver, and reconnects when the connection ends. A write waits for a connection.

    What a broken connection had not taken is sent by the next one. It is not known whether the receiver has read what
    the connection had taken: that counts as written.

    Args:
        report: takes one line when the connection cannot be made, breaks, or is made again.
        period_s: interval in which only a few such lines are reported, and the others counted.

    Attributes: reconnects: connections made after the first.
    """

    drops = True

    def __init__(
        self,
        endpoint: Endpoint,
        report: Callable[[str], object],
        deadlines: Deadlines = DEADLINES,
        backoff: Backoff = BACKOFF,
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        self.name = str(endpoint)
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._writer = ReconnectingWriter(self._connect, backoff)
        # A receiver that accepts and closes again and again makes two lines each time, and these differ.
        self._reports = RateLimitedReporter(report, period_s)
        self._report_change = ChangeReporter(partial(self._reports.report, self.name))

    @property
    def written(self) -> int:
        return self._writer.frames

    @property
    def reconnects(self) -> int:
        return self._writer.reconnects

    async def write_many(self, payloads: list[bytes], /) -> None:
        """Send payloads once there is a connection."""
        with suppress(LocalProtocolError):  # It was closed while this waited.
            await self._writer.write_many(payloads)

    async def close(self) -> None:
        """Send STOP and wait for FINISH, if everything was sent; otherwise only close the connection."""
        try:
            # A receiver that has not taken everything in time would not take STOP either.
            async with asyncio.timeout(0 if self.counts.left > 0 else None):
                await self._writer.close()
        except (OSError, FrameStreamError) as error:
            if self.counts.left <= 0:
                self._report_change(f"{self.name}: {error_text(error)}")
        self._reports.end_period()

    def counters(self) -> Sequence[Counter]:
        return (*super().counters(), Counter("reconnects", "Connections that a relay has made again.", self.reconnects))

    def new_reports(self) -> Iterable[str]:
        self._reports.report_if_due()
        return ()

    def summary(self) -> str:
        return f"{self.counts}; connected again {self.reconnects} times"

    async def _connect(self) -> Writer:
        # At the first attempt there was no connection that could have broken.
        if self._writer.connections and self._writer.error:
            self._report_change(f"{self.name}: the connection broke: {error_text(self._writer.error)}")
        try:
            writer = await open_writer(self._endpoint, [CONTENT_TYPE], deadlines=self._deadlines)
        except (OSError, RemoteProtocolError) as error:
            self._report_change(f"{self.name}: no connection: {error_text(error)}")
            raise
        # Only after a report of trouble: a relay that connects at once has nothing to say.
        if self._report_change.last:
            self._report_change(f"{self.name}: connected")
            self._report_change.reset()
        return writer
