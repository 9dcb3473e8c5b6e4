"""A socket that programs under test connect to: bound as long as the run lasts, and listening while a case wants it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from framestream.endpoints import TcpEndpoint, UnixEndpoint
from framestream.peers import RETRY_S

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint

__all__ = ["ListeningSocket", "free_port"]


def free_port() -> int:
    """Return a port that is free for TCP and UDP now."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            port: int = tcp.getsockname()[1]
            with suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


class ListeningSocket:
    """A socket at an endpoint, bound but not listening at first. Close it at the end.

    Attributes: where: the endpoint, with its port.
    """

    def __init__(self, where: Endpoint) -> None:
        """Bind it.

        Raises: ValueError: nothing can listen there; OSError.
        """
        if not isinstance(where, UnixEndpoint | TcpEndpoint):
            raise ValueError(f"expected unix:PATH or tcp:HOST:PORT to listen at, got {where}")
        self.where = where
        self._sock = self._bound()
        if isinstance(where, TcpEndpoint):
            self.where = TcpEndpoint(where.host, self._sock.getsockname()[1])

    def _bound(self) -> socket.socket:
        if isinstance(self.where, UnixEndpoint):
            sock = socket.socket(socket.AF_UNIX)
            address: str | tuple[object, ...] = self.where.path
        else:
            family, _, _, _, address = socket.getaddrinfo(self.where.host, self.where.port, type=socket.SOCK_STREAM)[0]
            sock = socket.socket(family)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError:
            sock.close()
            raise
        sock.settimeout(RETRY_S)
        return sock

    def listen(self) -> None:
        """Listen."""
        self._sock.listen()

    def accept(self) -> socket.socket:
        """Accept a connection.

        Raises: OSError: there is none, or the socket does not listen.
        """
        return self._sock.accept()[0]

    def leave(self) -> None:
        """Reset connections that were not accepted, and let connecting be refused."""
        self.close()
        self._sock = self._bound()

    def close(self) -> None:
        """Close it; a unix socket is removed."""
        self._sock.close()
        if isinstance(self.where, UnixEndpoint):
            with suppress(FileNotFoundError):
                os.unlink(self.where.path)
