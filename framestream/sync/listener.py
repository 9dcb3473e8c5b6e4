"""Where the other side is awaited, blocking."""

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
    """Where the other side is awaited. Iterate over it, or call `accept()`, for a Reader or Writer of each connection.

    Attributes: endpoint: where; with the port that was chosen if it was 0.
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
        return self._listening.socket.fileno()

    def accept(self, timeout_s: float | None = None) -> End:
        """The next connection.

        What is to be said there, for TLS too, is said when it is first read or written: a silent one delays nobody.

        Args: timeout_s: how long to wait for one; 0: not at all; None: for ever.
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

        The connection is closed when the handler is done. An error of the handler costs its own connection alone, and
        is logged by the logger "framestream".
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
            except RuntimeError as error:  # There are too many.
                _log.warning("%s: %s", end.peer, error)
                end.close()

    def __iter__(self) -> Iterator[End]:
        """The connections, until the listener is closed."""
        while not self._closed.is_set():
            try:
                end = self.accept()
            except OSError:
                if not self._closed.is_set():
                    raise
            else:
                yield end

    def close(self) -> None:
        """Stop listening and remove the unix socket, unless another has taken its place. The connections stay."""
        self._closed.set()
        self._listening.close()

    def forget(self) -> None:
        """Close the descriptor alone: the process that this one was forked from goes on listening."""
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
    except Exception:  # noqa: BLE001 (of any kind)
        _log.exception("%s: the handler failed", end.peer)
