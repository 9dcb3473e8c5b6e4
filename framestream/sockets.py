"""Sockets for endpoints: addresses, options, listening. Nothing here waits, except to look up host names."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from framestream.endpoints import TcpEndpoint, TlsEndpoint, UnixEndpoint
from framestream.errors import LocalProtocolError
from framestream.naming import naming

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint
    from framestream.unix_sockets import FileId

__all__ = [
    "AF_UNIX",
    "BACKLOG",
    "LINGER_S",
    "RETRY_ACCEPT_S",
    "RETRY_S",
    "Address",
    "ListeningSocket",
    "PeerAddress",
    "addresses",
    "for_stream",
    "peer_address",
    "unread",
]

BACKLOG = 128
"""Number of connections that may wait to be accepted; more are refused, or wait on the other side."""

RETRY_S = 0.02
"""Seconds between attempts to connect to a unix socket whose backlog is full."""

RETRY_ACCEPT_S = 0.1
"""Seconds between attempts to accept when that fails, most likely because too many files are open."""

LINGER_S = 5.0
"""Time limit, in seconds, for a writer that closes to wait for its TLS peer to close too: see TlsSession.unsettled."""

KEEPALIVE_PROBES = 6
"""Number of probes that a host must leave unanswered: one lost packet is no sign that it has vanished."""

MAX_KEEPALIVE_S = 32767
"""Longest time before a probe, in seconds (MAX_TCP_KEEPIDLE of Linux)."""

_KEEPALIVE_OPTIONS: list[int | None] = [
    # macOS has another name for the first.
    getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None)),
    *[getattr(socket, name, None) for name in ("TCP_KEEPINTVL", "TCP_KEEPCNT")],
]
"""Options for the time before the first probe, the interval, and the number; None if the system has none."""

AF_UNIX: int = getattr(socket, "AF_UNIX", -1)
"""Address family of unix sockets; -1, which no socket has, if Python has none on this system."""

_REUSE: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
"""Option to listen while old connections are in TIME_WAIT. On Windows, SO_REUSEADDR would let any program take over a
port that is in use."""

_PEER_CREDENTIALS: int | None = getattr(socket, "SO_PEERCRED", None)
"""Option that tells the process and user at the other end of a unix socket; None if the system has none."""

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Errors of addresses that a name has and this host does not: those of IPv6, if it is turned off."""

Address = tuple[int, Any]
"""An address family, and an address for its sockets to connect or bind to."""


def addresses(endpoint: Endpoint, *, passive: bool = False) -> list[Address]:
    """Return the addresses of an endpoint to connect to, or to bind.

    Args: passive: return addresses to bind.
    Raises: OSError: the host is unknown (socket.gaierror); LocalProtocolError: a file, or an invalid host name.
    """
    match endpoint:
        case UnixEndpoint(path):
            return [(AF_UNIX, path)]
        case TcpEndpoint(host, port) | TlsEndpoint(host, port):
            flags = socket.AI_PASSIVE if passive else 0
            try:
                with naming(str(endpoint)):
                    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
            except ValueError as error:  # A label of the name is too long.
                raise LocalProtocolError(f"{host!r} is not a host name: {error}") from None
            if not host:
                # First "::", which includes IPv4; the system returns "0.0.0.0" first, which excludes IPv6.
                found.sort(key=lambda info: info[0] != socket.AF_INET6)
            return [(family, address) for family, _, _, _, address in found]
        case _:
            raise LocalProtocolError(f"{endpoint} is not a socket")


class PeerAddress(NamedTuple):
    """Address of the other end of a connection, as far as the system tells.

    Attributes:
        host: IP address; "" for a unix socket.
        port: TCP port; 0 for a unix socket.
        pid, uid: process and user at the other end of a unix socket; None if they are not known.
        path: path of the unix socket; "" for TCP.
    """

    host: str = ""
    port: int = 0
    pid: int | None = None
    uid: int | None = None
    path: str = ""

    def __str__(self) -> str:
        """Return "192.0.2.1:4711", "[2001:db8::1]:4711", "pid 123 uid 53", or "" if nothing is known of the peer."""
        if self.host:
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        known = [("pid", self.pid), ("uid", self.uid)]
        return " ".join(f"{name} {value}" for name, value in known if value is not None)

    @property
    def text(self) -> str | None:
        """Text for output, which names a unix socket: "192.0.2.1:4711" or "/run/s[123]"; None if nothing is known."""
        if self.path:
            return self.path if self.pid is None else f"{self.path}[{self.pid}]"
        return str(self) or None

    @property
    def packed(self) -> bytes | None:
        """The 4 or 16 bytes of the IP address; None for a unix socket."""
        return _packed(self.host) if self.host else None

    def replaced(self, packed: bytes, port: int) -> PeerAddress:
        """Return the same with another IP address and port."""
        family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
        return self._replace(host=socket.inet_ntop(family, packed), port=port)

    @property
    def origin(self) -> str:
        """Text that is the same for all connections of one peer: its host, its network of IPv6, or its user."""
        if ":" in self.host:
            # A host has all addresses of a /64 at its disposal.
            return socket.inet_ntop(socket.AF_INET6, _packed(self.host)[:8] + bytes(8)) + "/64"
        return self.host or f"uid {self.uid}"


def _packed(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host.partition("%")[0])  # Without the zone of a link-local address.


def peer_address(sock: socket.socket, address: Any, endpoint: Endpoint | None = None) -> PeerAddress:
    """Return the address of the peer of a connected socket.

    Args:
        address: as accept() or getpeername() return it.
        endpoint: the endpoint that one side listens on; its path becomes part of the address.
    """
    path = endpoint.path if isinstance(endpoint, UnixEndpoint) else ""
    if sock.family != AF_UNIX:
        # An IPv4 client of a socket that listens on "::".
        host = address[0].removeprefix("::ffff:") if "." in address[0] else address[0]
        return PeerAddress(host, address[1])
    if _PEER_CREDENTIALS is None:
        return PeerAddress(path=path)
    credentials = struct.Struct("3i")  # struct ucred
    pid, uid, _ = credentials.unpack(sock.getsockopt(socket.SOL_SOCKET, _PEER_CREDENTIALS, credentials.size))
    return PeerAddress(pid=pid or None, uid=uid, path=path)  # 0: a process that our PID namespace does not show.


def for_stream(sock: socket.socket, keepalive_s: float | None) -> socket.socket:
    """Set the options of a connected socket, and return it.

    TCP sends small batches without delay, and probes whether the peer's host is still there.

    Args: keepalive_s: seconds after which a host that does not answer is given up; None for no probes.
    """
    if sock.family != AF_UNIX:
        with contextlib.suppress(OSError):  # Some systems refuse after the peer has gone; the next read will raise.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if keepalive_s is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                # The first probe after half of the time, then the others in the second half.
                idle_s = max(1, int(min(keepalive_s / 2, MAX_KEEPALIVE_S)))
                interval_s = max(1, int(min(keepalive_s / 2 / KEEPALIVE_PROBES, MAX_KEEPALIVE_S)))
                for option, value in zip(_KEEPALIVE_OPTIONS, (idle_s, interval_s, KEEPALIVE_PROBES), strict=True):
                    if option is not None:
                        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def unread(sock: socket.socket) -> int:
    """Return the number of bytes received but not read.

    Raises: OSError, ValueError: the socket is closed.
    """
    try:
        import fcntl
        import termios
    except ImportError:  # On Windows. A socket that waits is not asked, unless it has something.
        if not select.select([sock], [], [], 0)[0]:
            return 0
        return len(sock.recv(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), socket.MSG_PEEK))
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0])


class ListeningSocket:
    """A socket that listens. A unix socket without a listener is replaced, and ours is removed by `close`.

    The path of a unix socket is there only while it accepts connections.

    Args: found: the addresses of the endpoint, if they have been looked up; it listens on the first that this host has.
    Attributes:
        socket: the listening socket.
        endpoint: the endpoint, with the actual port if the given one was 0.
    Raises: OSError: EADDRINUSE if there is a listener, EEXIST if the path is not a socket; LocalProtocolError: a file;
        LookupError: the endpoint names a user or group that does not exist.
    """

    def __init__(self, endpoint: Endpoint, found: list[Address] | None = None) -> None:
        self._file: FileId | None = None
        with naming(str(endpoint)):
            self._listen_on_first(endpoint, found or addresses(endpoint, passive=True))
        match endpoint:  # With port 0, the system has chosen one.
            case TcpEndpoint(host):
                endpoint = TcpEndpoint(host, self.socket.getsockname()[1])
            case TlsEndpoint(host, _, tls):
                endpoint = TlsEndpoint(host, self.socket.getsockname()[1], tls)
        self.endpoint = endpoint

    def _listen_on_first(self, endpoint: Endpoint, found: list[Address]) -> None:
        errors: list[OSError] = []
        for family, address in found:
            try:
                self._listen(endpoint, family, address)
                return
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                errors.append(error)
        raise errors[-1]

    def _listen(self, endpoint: Endpoint, family: int, address: Any) -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            if isinstance(endpoint, UnixEndpoint):
                from framestream.unix_sockets import listen_at  # Of POSIX alone.

                self._file = listen_at(self.socket, endpoint, BACKLOG)
                return
            # A program that restarts can listen at once, while its old connections are in TIME_WAIT.
            self.socket.setsockopt(socket.SOL_SOCKET, _REUSE, 1)
            if family == socket.AF_INET6:
                # "::" accepts IPv4 too, as in Go.
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self.socket.bind(address)
            self.socket.listen(BACKLOG)
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Stop listening, which ends accept() in other threads, and remove the unix socket if it is still ours."""
        if self.socket.fileno() < 0:
            return
        if self._file is not None and isinstance(self.endpoint, UnixEndpoint):
            from framestream.unix_sockets import remove

            remove(self.endpoint.path, self._file)
        # close() alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
