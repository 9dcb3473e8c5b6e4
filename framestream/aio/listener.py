"""Listeners: sockets that accept readers or writers, for asyncio."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from framestream.aio.channels import Channel, lookup, over_socket
from framestream.aio.reader import Reader
from framestream.aio.writer import Writer
from framestream.endpoints import TlsEndpoint
from framestream.errors import FrameStreamError
from framestream.sockets import RETRY_ACCEPT_S, ListeningSocket, for_stream
from framestream.tls import TlsSession

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from framestream.endpoints import Endpoint

__all__ = ["Listener", "listen"]

_log = logging.getLogger("framestream")

End = TypeVar("End", bound=Reader | Writer)


class Listener(Generic[End]):
    """A listening socket. Iterate over it, or call `accept()`, to get a Reader or Writer for each connection.

    Attributes: endpoint: the endpoint it listens on, with the actual port if the given one was 0.
    """

    def __init__(
        self, listening: ListeningSocket, tls: ssl.SSLContext | None, make: Callable[[Channel, str], End]
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._make = make
        self._accepted = 0
        self._turn = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._closed = False
        self.endpoint = listening.endpoint
        listening.socket.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait for with a selector, -1 once closed."""
        return self._listening.socket.fileno()

    async def accept(self, timeout_s: float | None = None) -> End:
        """Wait for the next connection.

        Nothing is sent or received on it yet, so a silent peer delays no other. The handshake, that of TLS included, is
        part of the first read or write.

        Args: timeout_s: longest time to wait; 0 to return only a connection that is already there, None for no limit.
        Raises: TimeoutError; OSError.
        """
        listening = self._listening.socket
        # In turn, because a loop has one callback for each descriptor: a second waiter would replace the first.
        async with asyncio.timeout(timeout_s), self._turn:
            while True:
                try:
                    sock, _ = listening.accept()
                    break
                except BlockingIOError:
                    await self._arrival()
        self._accepted += 1
        try:
            sock.setblocking(False)
            session = TlsSession(self._tls) if self._tls else None
            return self._make(over_socket(for_stream(sock), session), f"{self.endpoint} connection {self._accepted}")
        except BaseException:
            sock.close()
            raise

    async def serve(self, handler: Callable[[End], Awaitable[object]]) -> None:
        """Call the handler with each connection, in a task of its own, until the listener is closed.

        The connection is closed when the handler returns. An error in the handler ends only its own connection, and is
        logged to the logger "framestream". Cancelling this cancels the handlers.
        """
        unhandled: set[End] = set()
        try:
            async with asyncio.TaskGroup() as handlers:
                while not self._closed:
                    try:
                        end = await self.accept()
                    except OSError as error:
                        if not self._closed:
                            _log.warning("%s: cannot accept a connection: %s", self.endpoint, error)
                            await asyncio.sleep(RETRY_ACCEPT_S)
                        continue
                    unhandled.add(end)
                    handlers.create_task(_handle(handler, end, unhandled))
        finally:
            # A task that is cancelled before its first step never runs, so its connection is closed here.
            for end in unhandled:
                await end.close()

    async def __aiter__(self) -> AsyncIterator[End]:
        """Yield connections until the listener is closed."""
        while not self._closed:
            try:
                end = await self.accept()
            except OSError:
                if not self._closed:
                    raise
            else:
                yield end

    async def close(self) -> None:
        """Stop listening, and remove the unix socket if it is still ours. Open connections stay open."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self.fileno())
            self._listening.close()
            self._arrived.set()

    async def _arrival(self) -> None:
        """Wait until a connection can be accepted or the listener is closed."""
        self._arrived.clear()
        loop, fd = asyncio.get_running_loop(), self.fileno()
        loop.add_reader(fd, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            if not self._closed:  # After that, the descriptor may already be another file's.
                loop.remove_reader(fd)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


async def listen(endpoint: Endpoint, make: Callable[[Channel, str], End]) -> Listener[End]:
    """Listen on an endpoint.

    Args: make: called with the channel of a connection and a name for the peer; returns its Reader or Writer.
    Raises: OSError; LocalProtocolError: not an endpoint to listen on.
    """
    tls = endpoint.tls.context(listening=True) if isinstance(endpoint, TlsEndpoint) else None
    return Listener(ListeningSocket(endpoint, await lookup(endpoint, passive=True)), tls, make)


async def _handle(handler: Callable[[End], Awaitable[object]], end: End, unhandled: set[End]) -> None:
    unhandled.discard(end)
    try:
        async with end:
            await handler(end)
    except (FrameStreamError, OSError) as error:
        _log.warning("%s: %s", end.peer, error)
    except Exception:  # noqa: BLE001 (the handler is the caller's code)
        _log.exception("%s: the handler failed", end.peer)
