"""Listeners: sockets that accept readers or writers, blocking."""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from framestream.connections import ROOM_S, out_of_descriptors
from framestream.endpoints import TlsEndpoint
from framestream.errors import FrameStreamError, TruncatedStreamError
from framestream.reporting import PERIOD_S, RateLimitedReporter, error_text
from framestream.sockets import RETRY_ACCEPT_S, ListeningSocket, for_stream, peer_address
from framestream.streams import DEADLINES, Deadlines, after, left_until
from framestream.sync.channels import Channel, over_socket
from framestream.sync.reader import Reader
from framestream.sync.writer import Writer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from framestream.connections import Connections
    from framestream.endpoints import Endpoint
    from framestream.tls import TlsSession

__all__ = ["Listener"]

_log = logging.getLogger("framestream")

End = TypeVar("End", bound=Reader | Writer)


class Listener(Generic[End]):
    """A listening socket. Iterate over it, or call `accept()`, to get a Reader or Writer for each connection.

    Attributes: endpoint: the endpoint it listens on, with the actual port if the given one was 0.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        make: Callable[[Channel, str], End],
        deadlines: Deadlines = DEADLINES,
        connections: Connections | None = None,
    ) -> None:
        self._session: Callable[[], TlsSession] | None = None
        if isinstance(endpoint, TlsEndpoint):
            from framestream.tls import TlsSession

            self._session = partial(TlsSession, endpoint.tls.context(listening=True))
        self._listening = ListeningSocket(endpoint)
        self._make = make
        self._keepalive_s = deadlines.keepalive_s
        self._connections = connections
        self._accepted = 0
        self._closed = threading.Event()
        self._stopped = False
        # The connections that have a handler, each with its thread.
        self._served: dict[End, threading.Thread] = {}
        # Accepted already, but there was no room for them in the time that a caller had.
        self._held: deque[tuple[socket.socket, Any]] = deque()
        self._room = threading.Event()
        self._reports = RateLimitedReporter(_log.warning)
        if connections is not None:
            connections.watch(self._room.set)
        self.endpoint = self._listening.endpoint

    def fileno(self) -> int:
        """Return the descriptor to wait for with a selector, -1 once closed."""
        return self._listening.socket.fileno()

    def accept(self, timeout_s: float | None = None) -> End:
        """Wait for the next connection.

        Nothing is sent or received on it yet, so a silent peer delays no other. The handshake, that of TLS included, is
        part of the first read or write. If the limits of `connections` leave no room for it, a silent one is ended, or
        this waits until another one is closed.

        Args: timeout_s: longest time to wait; 0 to return only a connection that is already there, None for no limit.
        Raises: TimeoutError; OSError.
        """
        deadline = after(timeout_s)
        sock, address = self._held.popleft() if self._held else self._next(timeout_s)
        self._wait_for_room(sock, address, deadline)
        self._accepted += 1
        try:
            session = self._session() if self._session else None
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

    def _next(self, timeout_s: float | None) -> tuple[socket.socket, Any]:
        listening = self._listening.socket
        listening.settimeout(timeout_s)
        try:
            return listening.accept()
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        except OSError as error:
            if out_of_descriptors(error) and self._connections is not None:
                self._connections.make_room()
            raise

    def _wait_for_room(self, sock: socket.socket, address: Any, deadline: float | None) -> None:
        # After accept(), so that no connection is ended unless another one is there.
        while self._connections is not None:
            self._room.clear()  # First, so that no place is missed that becomes free from here on.
            if self._connections.has_room():
                break
            if self._closed.is_set():
                sock.close()
                raise OSError(errno.EBADF, "the listener is closed")
            try:
                self._room.wait(min(left_until(deadline), ROOM_S))
            except TimeoutError:
                self._held.append((sock, address))
                raise

    def serve(self, handler: Callable[[End], object]) -> None:
        """Call the handler with each connection, in a thread of its own, until `stop`, or until the listener is closed.

        The connection is closed when the handler returns. An error in the handler ends only its own connection, and is
        logged to the logger "framestream", of many errors some. After `stop`, this returns when the handlers have.
        """
        reports = self._reports
        while not self._closed.is_set():
            reports.report_if_due()
            try:
                end = self.accept(PERIOD_S)
            except TimeoutError:
                continue
            except OSError as error:
                if not self._closed.is_set():
                    line = f"{self.endpoint}: cannot accept a connection: {error_text(error)}"
                    reports.report(f"{self.endpoint}: accepting", line)
                    self._closed.wait(RETRY_ACCEPT_S)
                continue
            name = f"framestream {end.peer}"
            thread = threading.Thread(target=self._handle, args=(handler, end), name=name, daemon=True)
            self._served[end] = thread
            try:
                thread.start()
            except RuntimeError as error:  # The system allows no more threads.
                self._report(f"{end.peer}: {error}")
                del self._served[end]
                end.close()
            del end  # It would be kept until the next connection.
        if self._stopped:
            # Also one that was accepted while `stop` was called.
            self._end_inputs()
            for thread in list(self._served.values()):
                thread.join()
        reports.end_period()

    def stop(self) -> None:
        """End `serve` and iteration: stop listening, and have readers that are served end at what they have received.

        Their handlers read on until then; those of writers are waited for. May be called by a handler, a signal handler
        or another thread.
        """
        self._stopped = True
        self.close()
        self._end_inputs()

    def _end_inputs(self) -> None:
        for end in list(self._served):
            if isinstance(end, Reader):
                end.end_input()

    def _handle(self, handler: Callable[[End], object], end: End) -> None:
        try:
            with end:
                handler(end)
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
            del self._served[end]

    def _report(self, line: str) -> None:
        self._reports.report(str(self.endpoint), line)

    def __iter__(self) -> Iterator[End]:
        """Yield connections until the listener is closed."""
        while not self._closed.is_set():
            try:
                end = self.accept()
            except OSError:
                if not self._closed.is_set():
                    raise
            else:
                yield end

    def close(self) -> None:
        """Stop listening, and remove the unix socket if it is still ours. Open connections stay open."""
        self._closed.set()
        self._listening.close()
        if self._connections is not None:
            self._connections.unwatch(self._room.set)
        self._room.set()
        while self._held:
            self._held.popleft()[0].close()

    def forget(self) -> None:
        """Close only the descriptor: after a fork, in the process that leaves listening to the other one."""
        self._closed.set()
        self._listening.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
