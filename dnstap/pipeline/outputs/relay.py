"""Relays: outputs that pass frames on to other receivers."""

from __future__ import annotations

import asyncio
import errno
import time
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


REFUSED_S = 5.0
"""Seconds for which a receiver must refuse every stream before it is given up: one that restarts may do so, too."""


class _RefusedError(Exception):
    """The receiver is there, and refuses every stream."""


class Relay(Output):
    """An output that connects to a receiver, and reconnects when the connection ends. A write waits for a connection.

    What a broken connection had not taken is sent by the next one. It is not known whether the receiver has read what
    the connection had taken: that counts as written.

    Args:
        report: takes one line when the connection cannot be made, breaks, or is made again.
        gives_up: whether a write raises OSError when the receiver has refused every stream for REFUSED_S, because it
            wants another content type, for example. Otherwise it waits for another receiver. One that is away is waited
            for in any case.
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
        gives_up: bool = False,
        period_s: float = PERIOD_S,
    ) -> None:
        self.name = str(endpoint)
        self._endpoint = endpoint
        self._deadlines = deadlines
        # `_connect` reports, with the name of this output.
        self._writer = ReconnectingWriter(self._connect, backoff, report=str)
        self._gives_up = gives_up
        self._refused_since: float | None = None
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
        """Send payloads once there is a connection.

        Raises: OSError: see `gives_up`.
        """
        try:
            with suppress(LocalProtocolError):  # It was closed while this waited.
                await self._writer.write_many(payloads)
        except _RefusedError as error:
            raise OSError(errno.EPROTO, f"the receiver refuses every stream: {error}", self.name) from None

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
            self._note_refusal(error)
            raise
        self._refused_since = None
        # Only after a report of trouble: a relay that connects at once has nothing to say.
        if self._report_change.last:
            self._report_change(f"{self.name}: connected")
            self._report_change.reset()
        return writer

    def _note_refusal(self, error: OSError | RemoteProtocolError) -> None:
        """Give the receiver up if it has refused everything for too long.

        Raises: _RefusedError.
        """
        # An ssl.SSLError is a refusal by either side. Any other OSError says that nobody is there.
        if isinstance(error, OSError) and type(error).__module__ != "ssl":
            self._refused_since = None
            return
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        if self._gives_up and now - self._refused_since >= REFUSED_S:
            raise _RefusedError(error_text(error))
