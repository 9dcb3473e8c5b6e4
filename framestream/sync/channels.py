"""Blocking channels: the bytes of a stream over sockets and TLS. Each call waits until a deadline."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

from framestream.endpoints import Endpoint, TlsEndpoint
from framestream.errors import RemoteProtocolError
from framestream.files import READ_BYTES
from framestream.naming import naming
from framestream.sockets import LINGER_S, RETRY_S, addresses, for_stream, peer_address, unread

if TYPE_CHECKING:
    import ssl

    from framestream.sockets import PeerAddress
    from framestream.streams import Deadlines
    from framestream.tls import TlsSession

__all__ = ["Channel", "ReadableChannel", "WritableChannel", "connect", "over_socket"]

PIECE_BYTES = 1 << 14
"""Number of bytes given to TLS at a time: one record, which is the unit that a peer can read (RFC 8446, 5.1)."""

# struct timeval of SO_SNDTIMEO.
_timeval = struct.Struct("@ll")

_WINDOWS = sys.platform == "win32"
"""True where the kernel takes no struct timeval, and there is no poll()."""

_POLL_GONE: int = getattr(select, "POLLRDHUP", getattr(select, "POLLHUP", 0))
"""POLLRDHUP, where the system has it, also tells that the peer has only ended its sending."""


class ReadableChannel(Protocol):
    """The half of a channel that a stream is read from. A deadline is a time.monotonic() time, None for none."""

    def fileno(self) -> int: ...
    def read(self, deadline: float | None, /) -> bytes: ...
    def end_input(self) -> None: ...
    def close(self) -> None: ...


class WritableChannel(Protocol):
    """The half of a channel that a stream is written to. A deadline is a time.monotonic() time, None for none.

    Attributes:
        taken: number of bytes of the last write that the system has taken, so that the peer can read them; all of them
            unless the write failed.
        whole: whether each write so far was taken entirely or not at all.
        transactional: whether closing without `keep` discards everything written.
    """

    taken: int

    @property
    def whole(self) -> bool: ...
    @property
    def transactional(self) -> bool: ...

    def fileno(self) -> int: ...
    def write(self, data: bytes, deadline: float | None, /) -> None: ...
    def close(self, *, keep: bool = True) -> None: ...


class Channel(ReadableChannel, WritableChannel, Protocol):
    """Both halves, over a connection to a peer."""

    def gone(self) -> bool: ...
    def peer_address(self, endpoint: Endpoint, /) -> PeerAddress | None: ...
    def interrupt(self) -> None: ...
    def forget(self) -> None: ...
    def close(self, *, keep: bool = True) -> None: ...


class SocketChannel:
    """A channel over a connected socket."""

    transactional = False

    def __init__(self, sock: socket.socket) -> None:
        self.whole = True
        self.taken = 0
        self._socket = sock
        # The timeout that Python's socket has: None for none, -1 before the first is set.
        self._timeout_s: float | None = -1.0
        # The SO_SNDTIMEO that the system's socket has.
        self._send_timeout_s: float | None = None
        # Number of bytes still to be read after end_input().
        self._left: int | None = None
        self._error: OSError | None = None

    def fileno(self) -> int:
        """Return the descriptor of the socket, -1 once closed."""
        return self._socket.fileno()

    def read(self, deadline: float | None) -> bytes:
        """Return the next bytes; b"" at the end."""
        if self._error:
            # The system reports an error once, and afterwards an ordinary end of input.
            raise self._error.with_traceback(None)
        left = self._left
        if left == 0:
            return b""
        self._wait_until(deadline)
        try:
            data = self._socket.recv(READ_BYTES if left is None else min(left, READ_BYTES))
        except OSError as error:
            if error.errno:  # A timeout of Python's own has none, and is not an error of the connection.
                self._error = error
            raise
        if left:
            self._left = left - len(data)
        return data

    def write(self, data: bytes, deadline: float | None) -> None:
        """Write all bytes."""
        self.whole = False
        self.taken = 0
        while self.taken < len(data):
            self.taken += self._send(memoryview(data)[self.taken :], deadline)
        self.whole = True

    def _send(self, data: memoryview, deadline: float | None) -> int:
        """Send as much as the system takes until the deadline, and return the number of bytes.

        The kernel waits (SO_SNDTIMEO), not Python. Python would call send() again for each piece that fits into the
        socket buffer, and would have to wait for the interpreter lock each time: five milliseconds in a busy program.
        """
        if _WINDOWS:
            self._wait_until(deadline)
            return self._socket.send(data)
        left_s = self._left_until(deadline)
        if self._timeout_s is not None:
            self._socket.settimeout(None)
            self._timeout_s = None
        # Set with 2 % to spare, and left alone until it is 5 % too long, so that a deadline that is a little different
        # for each write does not cost a system call each time.
        current_s = self._send_timeout_s
        if left_s != current_s and (left_s is None or not left_s <= (current_s or 0) < 1.05 * left_s):
            self._send_timeout_s = left_s and 1.02 * left_s
            seconds, fraction = divmod(self._send_timeout_s or 0.0, 1)
            # A timeval of 0 means no timeout, so a timeout has at least a microsecond.
            timeval = _timeval.pack(int(seconds), int(fraction * 1e6) + (left_s is not None))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            raise TimeoutError("timed out") from None

    def peer_address(self, endpoint: Endpoint) -> PeerAddress | None:
        """Return the address of the peer at an endpoint; None if it has gone already."""
        try:
            return peer_address(self._socket, self._socket.getpeername(), endpoint)
        except OSError:
            return None

    def gone(self) -> bool:
        """Return whether the peer has closed its side, or this side is closed."""
        if self.fileno() < 0:
            return True
        if _WINDOWS:
            # The end of its sending is readable, as bytes are.
            try:
                return bool(select.select([self._socket], [], [], 0)[0]) and not self._socket.recv(1, socket.MSG_PEEK)
            except OSError:
                return True
        poll = select.poll()
        poll.register(self._socket, _POLL_GONE)
        return bool(poll.poll(0))

    def end_input(self) -> None:
        """Read what has been received up to now, and nothing more; may be called from another thread."""
        with contextlib.suppress(OSError, ValueError):  # The peer has gone, or it is closed.
            # TCP accepts data after shutdown() too, so the bytes that count are those here now.
            self._left = unread(self._socket)
            self._socket.shutdown(socket.SHUT_RD)

    def interrupt(self) -> None:
        """Break the connection, which ends calls that other threads wait in."""
        with contextlib.suppress(OSError):  # The peer has gone, or it is closed.
            self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close the descriptor without ending the connection, which another process goes on using."""
        self._socket.close()

    def close(self, *, keep: bool = True) -> None:  # noqa: ARG002
        """Close the connection."""
        self._socket.close()

    def _wait_until(self, deadline: float | None) -> None:
        """Set the socket's timeout for the next call."""
        left_s = self._left_until(deadline)
        # settimeout() makes a system call, which reads without a deadline can do without.
        if left_s is not None or self._timeout_s is not None:
            self._socket.settimeout(left_s)
            self._timeout_s = left_s

    def _left_until(self, deadline: float | None) -> float | None:
        """Return the seconds until the deadline.

        Raises: TimeoutError: it has passed.
        """
        if deadline is None:
            return None
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s


class TlsChannel(SocketChannel):
    """A channel over TLS on a connected socket; the handshake is part of the first read or write."""

    def __init__(self, sock: socket.socket, session: TlsSession) -> None:
        super().__init__(sock)
        self._session = session

    def read(self, deadline: float | None) -> bytes:
        """Return the next decrypted bytes; b"" at the end."""
        self._handshake(deadline)
        while (data := self._session.read()) is None:
            received = super().read(deadline)
            if not received and self._left is not None:
                return b""  # The end that end_input() asked for, not a truncation.
            self._session.receive_data(received)
        self._send_records(deadline)
        return data

    def write(self, data: bytes, deadline: float | None) -> None:
        """Encrypt and write all bytes."""
        self.taken = 0
        self._handshake(deadline)
        self.whole = False
        try:
            # Record by record, so that `taken` counts plaintext of which the system has the whole record.
            while self.taken < len(data):
                piece = data[self.taken : self.taken + PIECE_BYTES]
                self._session.write(piece)
                self._send_records(deadline)
                self.taken += len(piece)
        except ConnectionError as error:
            raise self._refusal() or error from None
        self.whole = True

    def close(self, *, keep: bool = True) -> None:
        """Close the connection, after close_notify if the peer can still understand it."""
        if self.fileno() < 0:
            return
        try:
            if self.whole:  # After part of a record, anything more would be taken for the rest of it.
                self._session.end()
            if keep and self._session.unsettled:
                self._linger(time.monotonic() + LINGER_S)
            else:
                self._socket.settimeout(0)
                # The last records may say why the handshake failed. Received bytes that are left unread would turn the
                # end of the connection into a reset, which may destroy them.
                for last in (
                    lambda: self._socket.send(self._session.data_to_send()),
                    lambda: self._socket.recv(READ_BYTES),
                ):
                    with contextlib.suppress(OSError):
                        last()
        finally:
            self._socket.close()

    def _handshake(self, deadline: float | None) -> None:
        if not self._session.established:
            while not self._session.handshake():
                self._send_records(deadline)
                self._session.receive_data(super().read(deadline))
            self._send_records(deadline)

    def _send_records(self, deadline: float | None) -> None:
        """Send the records that the session has made."""
        data = memoryview(self._session.data_to_send())
        whole, self.whole = self.whole, not data and self.whole
        while data:
            data = data[self._send(data, deadline) :]
        self.whole = whole

    def _refusal(self) -> ssl.SSLError | None:
        """Return the TLS error that the peer reported before it broke the connection, if it did."""
        last = b""
        self._socket.settimeout(0)
        with contextlib.suppress(OSError):
            last = self._socket.recv(READ_BYTES)
        return self._session.refusal(last)

    def _linger(self, deadline: float) -> None:
        """Wait until the peer has closed.

        Raises: ssl.SSLError: it has refused the handshake, and with it everything sent.
        """
        with contextlib.suppress(OSError):  # The peer has gone; its last bytes are still here to read.
            self._send_records(deadline)
            self._socket.shutdown(socket.SHUT_WR)
        # A peer that closes has received everything, or will not; nothing can be done about it here.
        with contextlib.suppress(TimeoutError, ConnectionError, RemoteProtocolError):
            while self._session.read() != b"":
                self._session.receive_data(super().read(deadline))


def connect(endpoint: Endpoint, deadlines: Deadlines) -> Channel:
    """Connect to the first address of the endpoint that accepts.

    Raises: OSError: the error of the last address, with the name of the endpoint; TimeoutError; LocalProtocolError.
    """
    connect_s = deadlines.connect_s
    deadline = None if connect_s is None else time.monotonic() + connect_s
    session = None
    if isinstance(endpoint, TlsEndpoint):
        from framestream.tls import connecting_session

        session = connecting_session(endpoint)
    errors: list[OSError] = []
    with naming(str(endpoint)):
        # One deadline for all addresses: a host name with many must not multiply it.
        for family, address in addresses(endpoint):
            try:
                return over_socket(for_stream(_connected(family, address, deadline), deadlines.keepalive_s), session)
            except OSError as error:
                # The system's own timeout has an errno; ours has none.
                late = isinstance(error, TimeoutError) and not error.errno
                errors.append(TimeoutError(f"no connection within {connect_s} s") if late else error)
        raise errors[-1]


def _connected(family: int, address: Any, deadline: float | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        while True:
            if deadline is not None:
                sock.settimeout(max(deadline - time.monotonic(), 1e-3))
            try:
                sock.connect(address)
                return sock
            except BlockingIOError:
                # The backlog of a unix socket is full. A socket with a timeout is not blocking, so the system does not
                # wait for room.
                if time.monotonic() >= cast("float", deadline):
                    raise TimeoutError("timed out") from None
                time.sleep(RETRY_S)
    except BaseException:
        sock.close()
        raise


def over_socket(sock: socket.socket, session: TlsSession | None) -> Channel:
    """Return a channel over a connected socket."""
    return TlsChannel(sock, session) if session else SocketChannel(sock)
