"""Listeners: sockets that accept readers or writers, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from framestream.aio.channels import Channel, lookup, over_socket
from framestream.aio.reader import Reader
from framestream.aio.writer import Writer
from framestream.connections import ROOM_S, out_of_descriptors
from framestream.endpoints import TlsEndpoint
from framestream.errors import FrameStreamError, TruncatedStreamError
from framestream.reporting import PERIOD_S, RateLimitedReporter, error_text
from framestream.sockets import RETRY_ACCEPT_S, ListeningSocket, for_stream, peer_address
from framestream.streams import DEADLINES, Deadlines
from framestream.tls import TlsSession

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from framestream.connections import Connections
    from framestream.endpoints import Endpoint

__all__ = ["Listener", "listen"]

POLL_ACCEPT_S = 0.05
"""Seconds between two looks for a connection where the event loop cannot wait for one."""

_log = logging.getLogger("framestream")

End = TypeVar("End", bound=Reader | Writer)


class Listener(Generic[End]):
    """A listening socket. Iterate over it, or call `accept()`, to get a Reader or Writer for each connection.

    Attributes: endpoint: the endpoint it listens on, with the actual port if the given one was 0.
    """

    def __init__(
        self,
        listening: ListeningSocket,
        tls: ssl.SSLContext | None,
        make: Callable[[Channel, str], End],
        deadlines: Deadlines = DEADLINES,
        connections: Connections | None = None,
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._make = make
        self._keepalive_s = deadlines.keepalive_s
        self._connections = connections
        self._accepted = 0
        # Accepted already, but there was no room for them in the time that a caller had.
        self._held: deque[tuple[socket.socket, Any]] = deque()
        self._room = asyncio.Event()
        self._reports = RateLimitedReporter(_log.warning)
        if connections is not None:
            connections.watch(self._room.set)
        self._turn = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._closed = self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._served: set[End] = set()
        self.endpoint = listening.endpoint
        listening.socket.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait for with a selector, -1 once closed."""
        return self._listening.socket.fileno()

    async def accept(self, timeout_s: float | None = None) -> End:
        """Wait for the next connection.

        Nothing is sent or received on it yet, so a silent peer delays no other. The handshake, that of TLS included, is
        part of the first read or write. If the limits of `connections` leave no room for it, a silent one is ended, or
        this waits until another one is closed.

        Args: timeout_s: longest time to wait; 0 to return only a connection that is already there, None for no limit.
        Raises: TimeoutError; OSError.
        """
        # In turn, because a loop has one callback for each descriptor: a second waiter would replace the first.
        async with asyncio.timeout(timeout_s), self._turn:
            if timeout_s != 0:
                # While connections wait, nothing else below does: other tasks run between any two of them.
                await asyncio.sleep(0)
            sock, address = self._held.popleft() if self._held else await self._next()
            await self._wait_for_room(sock, address)
        self._accepted += 1
        try:
            sock.setblocking(False)
            session = TlsSession(self._tls) if self._tls else None
            peer = peer_address(sock, address, self.endpoint)
            channel = over_socket(for_stream(sock, self._keepalive_s), session)
            name = f"{self.endpoint} connection {self._accepted}"
            end = self._make(channel, f"{name} from {peer}" if str(peer) else name)
            end.address = peer
            if self._connections is not None:
                end.join(self._connections)
            return end
        except BaseException:
            sock.close()
            raise

    async def _next(self) -> tuple[socket.socket, Any]:
        while True:
            try:
                return self._listening.socket.accept()
            except BlockingIOError:
                await self._arrival()
            except OSError as error:
                if out_of_descriptors(error) and self._connections is not None:
                    self._connections.make_room()
                raise

    async def _wait_for_room(self, sock: socket.socket, address: Any) -> None:
        # After accept(), so that no connection is ended unless another one is there.
        while self._connections is not None and not self._connections.has_room():
            if self._closed:
                sock.close()
                raise OSError(errno.EBADF, "the listener is closed")
            self._room.clear()  # Nothing can set it between has_room() and this.
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._room.wait(), ROOM_S)
            except BaseException:
                self._held.append((sock, address))
                raise

    async def serve(self, handler: Callable[[End], Awaitable[object]]) -> None:
        """Call the handler with each connection, in a task of its own, until `stop`, or until the listener is closed.

        The connection is closed when the handler returns. An error in the handler ends only its own connection, and is
        logged to the logger "framestream", of many errors some. This returns when the handlers have; cancelling it
        cancels them.
        """
        reports = self._reports
        unhandled: set[End] = set()
        try:
            async with asyncio.TaskGroup() as handlers:
                while not self._closed:
                    reports.report_if_due()
                    try:
                        end = await self.accept(PERIOD_S)
                    except TimeoutError:
                        continue
                    except OSError as error:
                        if not self._closed:
                            line = f"{self.endpoint}: cannot accept a connection: {error_text(error)}"
                            reports.report(f"{self.endpoint}: accepting", line)
                            await asyncio.sleep(RETRY_ACCEPT_S)
                        continue
                    unhandled.add(end)
                    handlers.create_task(self._handle(handler, end, unhandled))
        finally:
            reports.end_period()
            # A task that is cancelled before its first step never runs, so its connection is closed here.
            for end in unhandled:
                await end.close()

    def stop(self) -> None:
        """End `serve` and iteration: stop listening, and have readers that are served end at what they have received.

        Their handlers read on until then; those of writers are waited for. May be called by a handler, a signal handler
        or another thread.
        """
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._stopped = True
        self._close()
        for end in self._served:
            if isinstance(end, Reader):
                end.end_input()

    async def _handle(self, handler: Callable[[End], Awaitable[object]], end: End, unhandled: set[End]) -> None:
        unhandled.discard(end)
        self._served.add(end)
        try:
            # It was accepted before `stop` was called.
            if self._stopped and isinstance(end, Reader):
                end.end_input()
            async with end:
                await handler(end)
        except (FrameStreamError, OSError) as error:
            # After `stop`, a missing STOP is not the sender's fault.
            if not (self._stopped and isinstance(error, TruncatedStreamError) and error.lost_nothing):
                self._report(f"{end.peer}: {error_text(error)}")
            # The stream keeps the error, and the traceback its frames, and with them the stream and what it has
            # received.
            error.__traceback__ = error.__context__ = None
        except Exception:  # noqa: BLE001 (the handler is the caller's code)
            _log.exception("%s: the handler failed", end.peer)
        finally:
            self._served.discard(end)

    def _report(self, line: str) -> None:
        self._reports.report(str(self.endpoint), line)

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
        self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(self.fileno())
            self._listening.close()
            self._arrived.set()
            if self._connections is not None:
                self._connections.unwatch(self._room.set)
            self._room.set()
            while self._held:
                self._held.popleft()[0].close()

    async def _arrival(self) -> None:
        """Wait until a connection can be accepted or the listener is closed."""
        self._arrived.clear()
        loop, fd = asyncio.get_running_loop(), self.fileno()
        try:
            loop.add_reader(fd, self._arrived.set)
        except NotImplementedError:
            # The loop of Windows can only wait for a connection that it accepts, which would be lost if the wait were
            # cancelled.
            await asyncio.sleep(POLL_ACCEPT_S)
            return
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


async def listen(
    endpoint: Endpoint,
    make: Callable[[Channel, str], End],
    deadlines: Deadlines = DEADLINES,
    connections: Connections | None = None,
) -> Listener[End]:
    """Listen on an endpoint.

    Args: make: called with the channel of a connection and a name for the peer; returns its Reader or Writer.
    Raises: OSError; LocalProtocolError: not an endpoint to listen on.
    """
    tls = endpoint.tls.context(listening=True) if isinstance(endpoint, TlsEndpoint) else None
    return Listener(ListeningSocket(endpoint, await lookup(endpoint, passive=True)), tls, make, deadlines, connections)
