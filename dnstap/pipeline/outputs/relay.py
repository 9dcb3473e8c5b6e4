"""Relays: outputs that pass frames on to other receivers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counter
from dnstap.pipeline.outputs.base import Output
from framestream.aio import ReconnectingWriter, open_writer
from framestream.errors import FrameStreamError, LocalProtocolError, RemoteProtocolError
from framestream.reporting import ChangeReporter, error_text
from framestream.streams import DEADLINES, Backoff, Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framestream.aio import Writer
    from framestream.endpoints import Endpoint

__all__ = ["Relay"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)
"""Short at first, because a receiver that restarts is soon back; one that stays away costs an attempt a second."""


class Relay(Output):
    """An output that connects to a receiver, and reconnects when the connection ends. A write waits for a connection.

    What a broken connection had not taken is sent by the next one. It is not known whether the receiver has read what
    the connection had taken.

    Args: report: takes one line when the connection cannot be made, breaks, or is made again.

    Attributes:
        frames: payloads given to it.
        sent: payloads sent.
        lost: payloads not sent. Once it is closed they never will be.
        reconnects: connections made after the first.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        report: Callable[[str], object],
        deadlines: Deadlines = DEADLINES,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self.name = str(endpoint)
        self.frames = 0
        self._endpoint = endpoint
        self._report = report
        self._deadlines = deadlines
        self._writer = ReconnectingWriter(self._connect, backoff)
        self._report_change = ChangeReporter(report)

    @property
    def sent(self) -> int:
        return self._writer.frames

    @property
    def lost(self) -> int:
        return self.frames - self.sent

    @property
    def reconnects(self) -> int:
        return self._writer.reconnects

    async def write_many(self, payloads: list[bytes], /) -> None:
        """Send payloads once there is a connection."""
        # Before the wait, so that payloads for which there never was a connection are part of `lost`.
        self.frames += len(payloads)
        with suppress(LocalProtocolError):  # It was closed while this waited.
            await self._writer.write_many(payloads)

    async def close(self) -> None:
        """Send what is buffered, then STOP, and report what could not be sent."""
        try:
            await self._writer.close()
        except (OSError, FrameStreamError) as error:
            self._report_change(f"{self.name}: {error_text(error)}")
        finally:
            if self.lost:
                self._report(f"{self.name}: {self.lost} of {self.frames} frames could not be sent")

    def counters(self) -> Sequence[Counter]:
        return (
            Counter("frames", "Frames given to an output.", self.frames),
            Counter("sent_frames", "Frames that a relay has sent.", self.sent),
            Counter("reconnects", "Connections that a relay has made again.", self.reconnects),
        )

    def summary(self) -> str:
        return (
            f"{self.name}: {self.frames} frames, of which {self.lost} could not be sent;"
            f" connected again {self.reconnects} times"
        )

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
