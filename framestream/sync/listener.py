"""Listeners: sockets that accept readers or writers, blocking."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from framestream.endpoints import TlsEndpoint
from framestream.errors import FrameStreamError
from framestream.sockets import RETRY_ACCEPT_S, ListeningSocket, for_stream
from framestream.sync.channels import Channel, over_socket
from framestream.sync.reader import Reader
from framestream.sync.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from framestream.endpoints import Endpoint
    from framestream.tls import TlsSession

__all__ = ["Listener"]

_log = logging.getLogger("framestream")

End = TypeVar("End", bound=Reader | Writer)


class Listener(Generic[End]):
    """A listening socket. Iterate over it, or call `accept()`, to get a Reader or Writer for each connection.

    Attributes: endpoint: the endpoint it listens on, with the actual port if the given one was 0.
    """

    def __init__(self, endpoint: Endpoint, make: Callable[[Channel, str], End]) -> None:
        self._session: Callable[[], TlsSession] | None = None
        if isinstance(endpoint, TlsEndpoint):
            from framestream.tls import TlsSession

            self._session = partial(TlsSession, endpoint.tls.context(listening=True))
        self._listening = ListeningSocket(endpoint)
        self._make = make
        self._accepted = 0
        self._closed = threading.Event()
        self.endpoint = self._listening.endpoint

    def fileno(self) -> int:
        """Return the descriptor to wait for with a selector, -1 once closed."""
        return self._listening.socket.fileno()

    def accept(self, timeout_s: float | None = None) -> End:
        """Wait for the next connection.

        Nothing is sent or received on it yet, so a silent peer delays no other. The handshake, that of TLS included, is
        part of the first read or write.

        Args: timeout_s: longest time to wait; 0 to return only a connection that is already there, None for no limit.
        Raises: TimeoutError; OSError.
        """
        listening = self._listening.socket
        listening.settimeout(timeout_s)
        try:
            sock, _ = listening.accept()
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        self._accepted += 1
        try:
            session = self._session() if self._session else None
            return self._make(over_socket(for_stream(sock), session), f"{self.endpoint} connection {self._accepted}")
        except BaseException:
            sock.close()
            raise

    def serve(self, handler: Callable[[End], object]) -> None:
        """Call the handler with each connection, in a thread of its own, until the listener is closed.

        The connection is closed when the handler returns. An error in the handler ends only its own connection, and is
        logged to the logger "framestream".
        """
        while not self._closed.is_set():
            try:
                end = self.accept()
            except OSError as error:
                if not self._closed.is_set():
                    _log.warning("%s: cannot accept a connection: %s", self.endpoint, error)
                    self._closed.wait(RETRY_ACCEPT_S)
                continue
            thread = threading.Thread(target=_handle, args=(handler, end), name=f"framestream {end.peer}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # The system allows no more threads.
                _log.warning("%s: %s", end.peer, error)
                end.close()

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


def _handle(handler: Callable[[End], object], end: End) -> None:
    try:
        with end:
            handler(end)
    except (FrameStreamError, OSError) as error:
        _log.warning("%s: %s", end.peer, error)
    except Exception:  # noqa: BLE001 (the handler is the caller's code)
        _log.exception("%s: the handler failed", end.peer)
