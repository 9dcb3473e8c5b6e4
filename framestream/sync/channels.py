"""What carries the bytes of a stream over sockets and TLS, blocking; each call waits until a deadline."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

from framestream.endpoints import Endpoint, TlsEndpoint
from framestream.errors import RemoteProtocolError
from framestream.files import READ_BYTES
from framestream.sockets import LINGER_S, RETRY_S, addresses, for_stream, unread

if TYPE_CHECKING:
    import ssl

    from framestream.tls import TlsSession

__all__ = ["Channel", "connect", "over_socket"]

PIECE_BYTES = 1 << 14
"""As much goes over TLS at once, which is the most that a record holds: what is not there whole cannot be read."""

_timeval = struct.Struct("@ll")

_POLL_GONE = getattr(select, "POLLRDHUP", select.POLLHUP)


class Channel(Protocol):
    """What carries the bytes. A deadline is a time of time.monotonic(), None for none.

    Attributes:
        taken: how many bytes of the last write the system has taken, so that the peer can read them; all of them, if it
            has not failed.
        whole: whether every write so far has gone entirely, or not at all.
        transactional: whether what was written is given up unless it is kept.
    """

    taken: int

    @property
    def whole(self) -> bool: ...
    @property
    def transactional(self) -> bool: ...

    def fileno(self) -> int: ...
    def read(self, deadline: float | None) -> bytes: ...
    def write(self, data: bytes, deadline: float | None) -> None: ...
    def gone(self) -> bool: ...
    def end_input(self) -> None: ...
    def interrupt(self) -> None: ...
    def forget(self) -> None: ...
    def close(self, *, keep: bool = True) -> None: ...


class SocketChannel:
    """A connected socket."""

    transactional = False

    def __init__(self, sock: socket.socket) -> None:
        self.whole = True
        self.taken = 0
        self._socket = sock
        self._waits: float | None = -1.0
        self._sends_s: float | None = None
        self._left: int | None = None
        self._error: OSError | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, deadline: float | None) -> bytes:
        if self._error:
            # The system tells of it once, and then of an end as if all was well.
            raise self._error.with_traceback(None)
        left = self._left
        if left == 0:
            return b""
        self._wait_until(deadline)
        try:
            data = self._socket.recv(READ_BYTES if left is None else min(left, READ_BYTES))
        except OSError as error:
            if error.errno:  # else it is ours that has timed out
                self._error = error
            raise
        if left:
            self._left = left - len(data)
        return data

    def write(self, data: bytes, deadline: float | None) -> None:
        self.whole = False
        self.taken = 0
        while self.taken < len(data):
            self.taken += self._send(memoryview(data)[self.taken :], deadline)
        self.whole = True

    def _send(self, data: memoryview, deadline: float | None) -> int:
        """Send all, or what the system takes until the deadline; how much that was.

        The system waits, and not Python, which would be called again for each piece that fits into the socket, and must
        await the interpreter's lock each time: five milliseconds of a busy program.
        """
        waits = self._left_until(deadline)
        if self._waits is not None:
            self._socket.settimeout(None)
            self._waits = None
        if waits != self._sends_s and (waits is None or not waits <= (self._sends_s or 0) < 1.05 * waits):
            self._sends_s = waits and 1.02 * waits
            seconds, fraction = divmod(self._sends_s or 0.0, 1)
            # 0 is for ever.
            timeval = _timeval.pack(int(seconds), int(fraction * 1e6) + (waits is not None))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            raise TimeoutError("timed out") from None

    def gone(self) -> bool:
        if self.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, _POLL_GONE)
        return bool(poll.poll(0))

    def end_input(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # The peer has gone, or it is closed.
            # TCP takes what comes later all the same: what has come is counted.
            self._left = unread(self._socket)
            self._socket.shutdown(socket.SHUT_RD)

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):  # The peer has gone, or it is closed.
            self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        self._socket.close()

    def close(self, *, keep: bool = True) -> None:  # noqa: ARG002
        self._socket.close()

    def _wait_until(self, deadline: float | None) -> None:
        """Let the next call on the socket wait until then."""
        waits = self._left_until(deadline)
        if waits is not None or self._waits is not None:
            self._socket.settimeout(waits)
            self._waits = waits

    def _left_until(self, deadline: float | None) -> float | None:
        if deadline is None:
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class TlsChannel(SocketChannel):
    """A connected socket on which TLS begins with what is first read or written."""

    def __init__(self, sock: socket.socket, session: TlsSession) -> None:
        super().__init__(sock)
        self._session = session

    def read(self, deadline: float | None) -> bytes:
        self._handshake(deadline)
        while (data := self._session.read()) is None:
            received = super().read(deadline)
            if not received and self._left is not None:
                return b""  # We wanted it to end.
            self._session.receive_data(received)
        self._say(deadline)
        return data

    def write(self, data: bytes, deadline: float | None) -> None:
        self.taken = 0
        self._handshake(deadline)
        self.whole = False
        try:
            while self.taken < len(data):
                piece = data[self.taken : self.taken + PIECE_BYTES]
                self._session.write(piece)
                self._say(deadline)
                self.taken += len(piece)
        except ConnectionError as error:
            raise self._refusal() or error from None
        self.whole = True

    def close(self, *, keep: bool = True) -> None:
        if self.fileno() < 0:
            return
        try:
            if self.whole:  # Behind part of a record, anything more would be taken for the rest.
                self._session.end()
            if keep and self._session.unsettled:
                self._linger(time.monotonic() + LINGER_S)
            else:
                self._socket.settimeout(0)
                # What is said last may be why the handshake has failed. What has come and stays unread would turn the
                # end into a reset, by which that may be lost.
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
                self._say(deadline)
                self._session.receive_data(super().read(deadline))
            self._say(deadline)

    def _say(self, deadline: float | None) -> None:
        data = memoryview(self._session.data_to_send())
        whole, self.whole = self.whole, not data and self.whole
        while data:
            data = data[self._send(data, deadline) :]
        self.whole = whole

    def _refusal(self) -> ssl.SSLError | None:
        """Why the other side has broken the connection, if it has said so."""
        last = b""
        self._socket.settimeout(0)
        with contextlib.suppress(OSError):
            last = self._socket.recv(READ_BYTES)
        return self._session.refusal(last)

    def _linger(self, deadline: float) -> None:
        """Wait until the other side has closed.

        Raises: ssl.SSLError: it has refused the handshake, and with it all that was sent.
        """
        with contextlib.suppress(OSError):  # of one that has gone; what it has said is still here.
            self._say(deadline)
            self._socket.shutdown(socket.SHUT_WR)
        # Whoever closes has taken all, or will not: nothing can be done about it.
        with contextlib.suppress(TimeoutError, ConnectionError, RemoteProtocolError):
            while self._session.read() != b"":
                self._session.receive_data(super().read(deadline))


def connect(endpoint: Endpoint, connect_s: float | None) -> Channel:
    """Connect to the first of its addresses that can be had.

    Raises: OSError: of the last address; TimeoutError; LocalProtocolError.
    """
    deadline = None if connect_s is None else time.monotonic() + connect_s
    session = None
    if isinstance(endpoint, TlsEndpoint):
        from framestream.tls import connecting_session

        session = connecting_session(endpoint)
    problems: list[OSError] = []
    for family, address in addresses(endpoint):
        try:
            return over_socket(for_stream(_connected(family, address, deadline)), session)
        except OSError as error:
            late = isinstance(error, TimeoutError) and not error.errno  # by our time, not by that of the system
            problems.append(TimeoutError(f"no connection within {connect_s} s") if late else error)
    raise problems[-1]


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
                # The queue of a unix socket is full; with a timeout the system does not wait for it.
                if time.monotonic() >= cast("float", deadline):
                    raise TimeoutError("timed out") from None
                time.sleep(RETRY_S)
    except BaseException:
        sock.close()
        raise


def over_socket(sock: socket.socket, session: TlsSession | None) -> Channel:
    """The channel of a connected socket."""
    return TlsChannel(sock, session) if session else SocketChannel(sock)
