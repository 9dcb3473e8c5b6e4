"""Passing payloads on to another receiver of dnstap, which may come and go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.diagnostics import Changes, words
from framestream.aio import ReconnectingWriter, open_writer
from framestream.errors import FrameStreamError, LocalProtocolError, RemoteProtocolError
from framestream.streams import DEADLINES, Backoff, Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.aio import Writer
    from framestream.endpoints import Endpoint

__all__ = ["Relay"]

BACKOFF = Backoff(first_s=0.02, most_s=1.0)


class Relay:
    """An output that connects to a receiver, and again when that has gone. A write waits until there is one.

    What a broken connection had not taken is sent by the next one. Of what it had taken nobody can say whether it was
    read.

    Args: report: takes one line when the connection cannot be made, breaks, or stands again.
    Attributes:
        name: in words.
        frames: payloads that were given to it.
        sent: payloads that have been sent.
        reconnects: connections made, but for the first.
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
        self._say = Changes(report)

    @property
    def sent(self) -> int:
        return self._writer.frames

    @property
    def lost(self) -> int:
        """Payloads that were given to it and not sent: once it is closed, they never will be."""
        return self.frames - self.sent

    @property
    def reconnects(self) -> int:
        return self._writer.reconnects

    async def write_many(self, payloads: list[bytes]) -> None:
        """Send payloads, as soon as there is somebody to send them to."""
        self.frames += len(payloads)
        with suppress(LocalProtocolError):  # It has been closed meanwhile.
            await self._writer.write_many(payloads)

    async def close(self) -> None:
        """Send what waits, and STOP; say what could not be sent."""
        try:
            await self._writer.close()
        except (OSError, FrameStreamError) as error:
            self._say(f"{self.name}: {words(error)}")
        finally:
            if self.lost:
                self._report(f"{self.name}: {self.lost} of {self.frames} frames could not be sent")

    async def _connect(self) -> Writer:
        if self._writer.connections and self._writer.error:
            self._say(f"{self.name}: the connection broke: {words(self._writer.error)}")
        try:
            writer = await open_writer(self._endpoint, [CONTENT_TYPE], deadlines=self._deadlines)
        except (OSError, RemoteProtocolError) as error:
            self._say(f"{self.name}: no connection: {words(error)}")
            raise
        if self._say.last:
            self._say(f"{self.name}: connected")
            self._say.last = ""
        return writer
