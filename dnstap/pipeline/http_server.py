"""An HTTP server for a few clients, none of which can hold its threads and descriptors."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from framestream.connections import Connections, out_of_descriptors
from framestream.endpoints import TcpEndpoint
from framestream.sockets import RETRY_ACCEPT_S, ListeningSocket, peer_address

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

__all__ = ["LimitedServer"]

MAX_CLIENTS = 8
"""Clients at the same time: two Prometheus servers, and an operator, who each take milliseconds."""

CLIENT_S = 10.0
"""Seconds that a client has for its request and for taking the answer: Prometheus itself waits for 10 s."""

LEAVING_S = 1.0
"""Seconds to wait for a client that was told to end."""


class _Client:
    """A connected client. It counts as silent until it is gone, so that the oldest makes room for the next."""

    started = False
    progress = 0

    def __init__(self, sock: socket.socket, address: Any) -> None:
        self.origin = peer_address(sock, address).origin
        self.end_at = time.monotonic() + CLIENT_S
        self._socket = sock

    def interrupt(self, _error: OSError | None = None) -> None:
        """Break the connection, which ends the thread that serves it."""
        with contextlib.suppress(OSError):  # It has gone.
            self._socket.shutdown(socket.SHUT_RDWR)


class LimitedServer(ThreadingHTTPServer):
    """A server that listens on an address, and runs a handler in a thread for each request.

    Args: host: an address or a name; "" for all addresses.
    Raises: OSError.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._listening = ListeningSocket(TcpEndpoint(host, port))
        super().__init__((host, port), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = self._listening.socket
        self.server_port = self.socket.getsockname()[1]
        self.connections = Connections(MAX_CLIENTS, idle_s=None)
        self._clients: dict[socket.socket, _Client] = {}
        self._left = threading.Event()
        self.connections.watch(self._left.set)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a client, and wait for room if there are too many.

        Raises: OSError: there is none, or no room for it.
        """
        try:
            sock, address = self.socket.accept()
        except OSError as error:
            if out_of_descriptors(error):
                self.connections.make_room()
                # The socket stays readable, so this would be called again at once.
                time.sleep(RETRY_ACCEPT_S)
            raise
        deadline = time.monotonic() + LEAVING_S
        self._left.clear()
        while not self.connections.has_room():
            if not self._left.wait(max(0.0, deadline - time.monotonic())):
                sock.close()
                raise TimeoutError("no client leaves")
            self._left.clear()
        client = _Client(sock, address)
        self._clients[sock] = client
        self.connections.add(client)
        return sock, address

    def service_actions(self) -> None:
        """End clients whose time is over. Called twice a second."""
        now = time.monotonic()
        for client in list(self._clients.values()):
            if now >= client.end_at:
                client.interrupt()

    def shutdown_request(self, request: Any) -> None:
        """Close the connection of a client."""
        super().shutdown_request(request)
        self.connections.remove(self._clients.pop(request))

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Report nothing: a client that has gone is no fault, and others could fill the log."""
