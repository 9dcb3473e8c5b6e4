"""Sockets for endpoints: addresses, options, listening on them. Nothing here waits, but for names to be looked up."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING, Any

from framestream.endpoints import TcpEndpoint, TlsEndpoint, UnixEndpoint
from framestream.errors import LocalProtocolError
from framestream.unix_sockets import listen_at, remove

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint
    from framestream.unix_sockets import FileId

__all__ = ["LINGER_S", "RETRY_ACCEPT_S", "RETRY_S", "Address", "ListeningSocket", "addresses", "for_stream", "unread"]

BACKLOG = 128

RETRY_S = 0.02
"""How long to wait for room in the queue of a unix socket, before the next attempt."""

RETRY_ACCEPT_S = 0.1
"""How long to wait when no connection can be accepted, most likely because there are too many."""

LINGER_S = 5.0
"""How long a writer that only sends waits for the other side of TLS to close: see TlsSession.unsettled."""

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A name may have addresses that this host does not: of IPv6, where that is turned off."""

Address = tuple[int, Any]
"""A family, and the address that its sockets connect or bind to."""


def addresses(endpoint: Endpoint, *, passive: bool = False) -> list[Address]:
    """What to connect to, or to bind.

    Args: passive: to bind.
    Raises: OSError: the host is not known (socket.gaierror); LocalProtocolError: a file, or no host name.
    """
    match endpoint:
        case UnixEndpoint(path):
            return [(socket.AF_UNIX, path)]
        case TcpEndpoint(host, port) | TlsEndpoint(host, port):
            flags = socket.AI_PASSIVE if passive else 0
            try:
                found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
            except ValueError as error:  # Part of it is too long for one.
                raise LocalProtocolError(f"{host!r} is no host name: {error}") from None
            if not host:
                # "::" is every address, "0.0.0.0" is not; the system has it first.
                found.sort(key=lambda info: info[0] != socket.AF_INET6)
            return [(family, address) for family, _, _, _, address in found]
        case _:
            raise LocalProtocolError(f"{endpoint} is no socket")


def for_stream(sock: socket.socket) -> socket.socket:
    """The socket, made fit for a stream: small batches leave at once, and a host that is gone is noticed some day."""
    if sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # Where the other side has gone, some systems refuse; reading will tell.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def unread(sock: socket.socket) -> int:
    """How many bytes have come that have not been read."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0])


class ListeningSocket:
    """A socket that listens. A unix socket without a listener is replaced, and ours is removed by `close`.

    The path of a unix socket is there only while it accepts connections.

    Args: found: the addresses of the endpoint, if they have been looked up; it listens on the first that this host has.
    Attributes:
        socket: bound and listening.
        endpoint: where; with the port that was chosen if it was 0.
    Raises: OSError: EADDRINUSE if somebody listens there, EEXIST if it is no socket; LocalProtocolError: a file;
        LookupError: the endpoint names a user or group that does not exist.
    """

    def __init__(self, endpoint: Endpoint, found: list[Address] | None = None) -> None:
        self._file: FileId | None = None
        problems: list[OSError] = []
        for family, address in found or addresses(endpoint, passive=True):
            try:
                self._listen(endpoint, family, address)
                break
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                problems.append(error)
        else:
            raise problems[-1]
        match endpoint:
            case TcpEndpoint(host):
                endpoint = TcpEndpoint(host, self.socket.getsockname()[1])
            case TlsEndpoint(host, _, tls):
                endpoint = TlsEndpoint(host, self.socket.getsockname()[1], tls)
        self.endpoint = endpoint

    def _listen(self, endpoint: Endpoint, family: int, address: Any) -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            if isinstance(endpoint, UnixEndpoint):
                self._file = listen_at(self.socket, endpoint, BACKLOG)
                return
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # "::" is every address, as in Go.
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self.socket.bind(address)
            self.socket.listen(BACKLOG)
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Stop listening, which wakes who waits for a connection, and remove the unix socket if it is still ours."""
        if self.socket.fileno() < 0:
            return
        if self._file is not None and isinstance(self.endpoint, UnixEndpoint):
            remove(self.endpoint.path, self._file)
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
