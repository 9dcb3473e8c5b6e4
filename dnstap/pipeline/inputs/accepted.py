"""Connections from servers to a socket of ours."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from dnstap.pipeline.inputs.base import Input
from framestream.reporting import ChangeReporter, error_text
from framestream.sockets import RETRY_ACCEPT_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from framestream.aio import Listener, Reader
    from framestream.reporting import RateLimitedReporter

__all__ = ["AcceptedInput"]

LAST_S = 1.0
"""A thousand times what a full backlog of connections takes."""


class AcceptedInput(Input):
    """All connections to a listening socket.

    Args:
        reports: reporter of connections that cannot be accepted.
        last_s: how long connections are accepted at the end, in seconds: all that waited, but none for ever.
    """

    concurrent = True

    def __init__(self, listener: Listener[Reader], reports: RateLimitedReporter, *, last_s: float = LAST_S) -> None:
        self._listener = listener
        # What comes and goes a hundred times a second is limited, too.
        self._report = ChangeReporter(partial(reports.report, f"{listener.endpoint}: accepting"))
        self._last_s = last_s

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        while True:
            try:
                reader = await self._listener.accept()
            except OSError as error:
                # Most likely there are no descriptors left, until a connection ends.
                self._report_error(error)
                await asyncio.sleep(RETRY_ACCEPT_S)
            else:
                # So that the same trouble is reported again if it comes back.
                self._report.reset()
                yield reader.peer, reader

    async def take_waiting(self, begin: Callable[[str, Reader], object]) -> None:
        try:
            end = time.monotonic() + self._last_s
            # Those that wait came first. Others may connect meanwhile, as fast as they are accepted.
            while time.monotonic() < end:
                reader = await self._listener.accept(0)
                begin(reader.peer, reader)
        except TimeoutError:  # No more are waiting.
            pass
        except OSError as error:
            self._report_error(error)
        # Only after that, because closing a listening socket resets the connections that wait in its backlog.
        await self._listener.close()

    def _report_error(self, error: OSError) -> None:
        self._report(f"{self._listener.endpoint}: cannot accept a connection: {error_text(error)}")

    async def close(self) -> None:
        """Close the socket, and remove it if it is a unix socket."""
        await self._listener.close()
