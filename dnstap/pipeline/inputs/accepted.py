"""Connections from servers to a socket of ours."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from dnstap.pipeline.inputs.base import Input
from framestream.reporting import ChangeReporter, error_text
from framestream.sockets import BACKLOG, RETRY_ACCEPT_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from framestream.aio import Listener, Reader

__all__ = ["AcceptedInput"]


class AcceptedInput(Input):
    """All connections to a listening socket.

    Args:
        report: takes one line when connections cannot be accepted.
        backlog: maximum number of connections accepted at the end: those that were waiting, but none for ever.
    """

    concurrent = True

    def __init__(self, listener: Listener[Reader], report: Callable[[str], object], *, backlog: int = BACKLOG) -> None:
        self._listener = listener
        self._report = ChangeReporter(report)
        self._backlog = backlog

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        while True:
            try:
                reader = await self._listener.accept()
            except OSError as error:
                # Most likely there are no descriptors left, until a connection ends.
                self._report(f"{self._listener.endpoint}: cannot accept a connection: {error_text(error)}")
                await asyncio.sleep(RETRY_ACCEPT_S)
            else:
                # So that the same trouble is reported again if it comes back.
                self._report.reset()
                yield reader.peer, reader

    async def take_waiting(self, begin: Callable[[str, Reader], object]) -> None:
        with contextlib.suppress(OSError):  # TimeoutError when no more are waiting.
            for _ in range(self._backlog):
                reader = await self._listener.accept(0)
                begin(reader.peer, reader)
        # Only after that, because closing a listening socket resets the connections that wait in its backlog.
        await self._listener.close()

    async def close(self) -> None:
        """Close the socket, and remove it if it is a unix socket."""
        await self._listener.close()
