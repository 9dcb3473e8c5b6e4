"""Channels for asyncio: the bytes of a stream over sockets and TLS. Each call waits until a deadline.

Every call may be cancelled without losing data: bytes already received stay for the next read, and bytes to be sent
have been handed to the transport whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from framestream.aio.daemon import call_in_daemon_thread
from framestream.endpoints import Endpoint, TcpEndpoint, TlsEndpoint
from framestream.errors import RemoteProtocolError
from framestream.files import READ_BYTES
from framestream.naming import naming
from framestream.sockets import AF_UNIX, LINGER_S, RETRY_S, addresses, for_stream, peer_address, unread
from framestream.tls import TlsSession, connecting_session

if TYPE_CHECKING:
    from framestream.sockets import Address, PeerAddress
    from framestream.streams import Deadlines

__all__ = ["Channel", "ReadableChannel", "WritableChannel", "connect", "lookup", "over_socket"]

HIGH_WATER_BYTES = 1 << 19
"""Number of unread bytes at which the transport is paused, until all of them have been read.

So a connection holds at most this and one more read, and back-pressure reaches the writer.
"""

MAX_HELD_BYTES = 1 << 26
"""Number of unread bytes over all connections of a thread at which each is paused after any read.

While outputs stand still, a thousand busy connections would hold 768 MiB otherwise.
"""

PAUSED_BYTES = 1 << 14
"""Most bytes received at once beyond that."""

BUFFER_BYTES = 1 << 18
"""Most bytes received from a socket at once: more than the buffer of a unix socket holds."""


class _Buffer(threading.local):
    """The buffer that all sockets of a thread receive into, one after the other.

    A fresh buffer for each read would be mapped, and its pages faulted in, each time: 75,000 page faults against 3,500
    for a million frames (docs/performance.md).

    Attributes: held: number of bytes received and not read, over all sockets of the thread.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(BUFFER_BYTES))
        self.held = 0


_buffer = _Buffer()


class ReadableChannel(Protocol):
    """The half of a channel that a stream is read from. A deadline is a time.monotonic() time, None for none."""

    def fileno(self) -> int: ...
    async def read(self, deadline: float | None, /) -> bytes: ...
    def end_input(self) -> None: ...
    async def close(self) -> None: ...


class WritableChannel(Protocol):
    """The half of a channel that a stream is written to. A deadline is a time.monotonic() time, None for none.

    `send` never waits; `drain` waits until the system has taken everything.

    Attributes:
        whole: whether each write so far was taken entirely or not at all.
        transactional: whether closing without `keep` discards everything written.
    """

    @property
    def whole(self) -> bool: ...
    @property
    def transactional(self) -> bool: ...
    def fileno(self) -> int: ...
    def send(self, data: bytes) -> None: ...
    async def drain(self, deadline: float | None, /) -> None: ...
    async def close(self, *, keep: bool = True) -> None: ...


class Channel(ReadableChannel, WritableChannel, Protocol):
    """Both halves, over a connection to a peer. Call `open` before `send`."""

    async def open(self, deadline: float | None) -> None: ...
    def gone(self) -> bool: ...
    def peer_address(self, endpoint: Endpoint, /) -> PeerAddress | None: ...
    def interrupt(self) -> None: ...
    async def close(self, *, keep: bool = True) -> None: ...


def until(deadline: float | None) -> asyncio.Timeout:
    """Return a context manager that raises TimeoutError in its body when the deadline has passed."""
    return asyncio.timeout(None if deadline is None else deadline - time.monotonic())


class SocketChannel(asyncio.BufferedProtocol):
    """A channel over a connected socket; the asyncio transport and the TLS handshake begin with the first use."""

    whole = True
    transactional = False

    def __init__(self, sock: socket.socket, session: TlsSession | None) -> None:
        self._socket = sock
        self._session = session
        self._opening: asyncio.Task[Any] | None = None
        self._transport: asyncio.Transport | None = None
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._left: int | None = None
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._closing = False
        self._writable = asyncio.Event()
        self._lost = asyncio.Event()

    # Called by readers and writers.

    def fileno(self) -> int:
        """Return the descriptor of the socket, -1 once closed."""
        return self._socket.fileno()

    async def open(self, deadline: float | None) -> None:
        """Make the transport and do the TLS handshake, unless done already."""
        if self._transport is None:
            if self._opening is None:
                loop = asyncio.get_running_loop()
                # A task of its own, because it would close the socket if it were cancelled. It waits only for the loop.
                self._opening = loop.create_task(loop.connect_accepted_socket(lambda: self, self._socket))
            await asyncio.shield(self._opening)
        session = self._session
        if session and not session.established:
            while not session.handshake():
                self._send_records(session)
                session.receive_data(await self._receive(deadline))
            self._send_records(session)

    async def read(self, deadline: float | None) -> bytes:
        """Return the next bytes; b"" at the end."""
        await self.open(deadline)
        session = self._session
        if session is None:
            return await self._receive(deadline)
        while (data := session.read()) is None:
            received = await self._receive(deadline)
            if not received and self._left is not None:
                return b""  # The end that end_input() asked for, not a truncation.
            session.receive_data(received)
        self._send_records(session)
        return data

    def send(self, data: bytes) -> None:
        """Hand bytes to the transport; call `drain()` next."""
        if self._session:
            self._session.write(data)
            self._send_records(self._session)
        else:
            self._write(data)

    async def drain(self, deadline: float | None) -> None:
        """Wait until the system has taken everything sent."""
        transport = self._opened()
        if not self._writable.is_set():
            try:
                async with until(deadline):
                    await self._writable.wait()
            except TimeoutError:
                transport.abort()  # Part of a frame may have been sent, so nothing else can be.
                raise
        if transport.is_closing():
            await self._lost.wait()
            error = self._error or ConnectionResetError(errno.ECONNRESET, "the connection is closed")
            raise (self._session and self._session.refusal(self._unread())) or error from None

    def peer_address(self, endpoint: Endpoint) -> PeerAddress | None:
        """Return the address of the peer at an endpoint; None if it has gone already."""
        try:
            return peer_address(self._socket, self._socket.getpeername(), endpoint)
        except OSError:
            return None

    def gone(self) -> bool:
        """Return whether the peer has closed its side, or this side is closed."""
        return self._ended or self.fileno() < 0

    def end_input(self) -> None:
        """Read what has been received up to now, and nothing more."""
        with contextlib.suppress(OSError, ValueError):  # The peer has gone, or it is closed.
            # TCP accepts data after shutdown() too, so the bytes that count are those here now.
            self._left = unread(self._socket)
            self._socket.shutdown(socket.SHUT_RD)

    def interrupt(self) -> None:
        """Break the connection, which ends calls that other tasks wait in."""
        with contextlib.suppress(OSError):  # The peer has gone, or it is closed.
            self._socket.shutdown(socket.SHUT_RDWR)

    async def close(self, *, keep: bool = True) -> None:
        """Close the connection, after close_notify with TLS."""
        self._closing = True
        try:
            if self._opening and not self._opening.done():
                await asyncio.wait([self._opening])
            if self._session and self._transport:
                self._session.end()
                # The last records may say why the handshake failed.
                self._send_records(self._session)
                if keep and self._session.unsettled:
                    await self._linger(self._session)
        finally:
            if self._transport:
                # Everything drained is with the system, which goes on sending it.
                self._transport.abort()
                await self._lost.wait()
            elif not self._opening:
                self._socket.close()
            self._unread()

    async def _receive(self, deadline: float | None) -> bytes:
        """Return the next bytes of the socket; b"" at the end."""
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError
        while not self._chunks:
            if self._error:
                raise self._error.with_traceback(None)
            if self._ended:
                return b""
            loop = asyncio.get_running_loop()
            self._arrival = loop.create_future()
            if deadline is None:
                await self._arrival
            else:
                # A third of the time of asyncio.timeout(). TCP often delivers a part of a frame, and the rest of it has
                # a deadline. Bytes that arrive at the same time as the deadline passes are not late.
                expiry = loop.call_later(deadline - time.monotonic(), _expire, self._arrival)
                try:
                    await self._arrival
                finally:
                    expiry.cancel()
        data = self._chunks.popleft()
        self._size -= len(data)
        _buffer.held -= len(data)
        if self._paused and not self._chunks and not self._ended:
            self._paused = False
            self._opened().resume_reading()
        return data

    def _unread(self) -> bytes:
        """Take all bytes received and not read."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        _buffer.held -= self._size
        self._size = 0
        return data

    def _send_records(self, session: TlsSession) -> None:
        """Send the records that the session has made."""
        if data := session.data_to_send():
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._lost.is_set():  # drain() raises the error; the transport would only log it.
            self._opened().write(data)

    async def _linger(self, session: TlsSession) -> None:
        """Wait until the peer has closed.

        Raises: ssl.SSLError: it has refused the handshake, and with it everything sent.
        """
        deadline = time.monotonic() + LINGER_S
        # A peer that closes has received everything, or will not; nothing can be done about it here.
        with contextlib.suppress(TimeoutError, ConnectionError, RemoteProtocolError):
            self._opened().write_eof()
            while session.read() != b"":
                session.receive_data(await self._receive(deadline))

    def _opened(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self._transport)

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # A write is complete when the system has all of it, as it is when a blocking call returns.
        self._transport.set_write_buffer_limits(high=0)
        self._writable.set()
        if self._closing:  # close() may have been cancelled while it waited for this.
            self._transport.abort()

    def get_buffer(self, _sizehint: int) -> memoryview:
        buffer = _buffer
        return buffer.view if buffer.held < MAX_HELD_BYTES else buffer.view[:PAUSED_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        # Called right after the socket filled the buffer, before another socket of the thread can get it.
        if self._left is not None:
            nbytes = min(nbytes, self._left)
            self._left -= nbytes
            self._ended = not self._left
        buffer = _buffer
        self._chunks.append(bytes(buffer.view[:nbytes]))
        self._size += nbytes
        buffer.held += nbytes
        full = self._size >= HIGH_WATER_BYTES or buffer.held >= MAX_HELD_BYTES
        if (self._ended or full) and not self._paused:
            self._paused = True
            self._opened().pause_reading()
        self._arrived()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrived()
        return True  # The other direction stays open.

    def connection_lost(self, error: Exception | None) -> None:
        if error and self._session:
            # A write failed. The peer may have sent the reason, which the transport has not read.
            with contextlib.suppress(OSError):
                self._chunks.append(last := self._socket.recv(READ_BYTES))
                self._size += len(last)
                _buffer.held += len(last)
        self._ended = True
        self._error = error
        self._lost.set()
        self._writable.set()
        self._arrived()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _arrived(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)


def _expire(arrival: asyncio.Future[None]) -> None:
    if not arrival.done():
        arrival.set_exception(TimeoutError())


async def connect(endpoint: Endpoint, deadlines: Deadlines) -> Channel:
    """Connect to the first address of the endpoint that accepts.

    Raises: OSError: the error of the last address, with the name of the endpoint; TimeoutError; LocalProtocolError.
    """
    session = connecting_session(endpoint)
    connect_s = deadlines.connect_s
    errors: list[OSError] = []
    with naming(str(endpoint)):
        try:
            async with asyncio.timeout(connect_s):
                for family, address in await lookup(endpoint):
                    try:
                        return over_socket(
                            for_stream(await _connected(family, address), deadlines.keepalive_s), session
                        )
                    except OSError as error:
                        errors.append(error)
        except TimeoutError:
            raise TimeoutError(f"no connection within {connect_s} s") from None
        raise errors[-1]


async def lookup(endpoint: Endpoint, *, passive: bool = False) -> list[Address]:
    """Return the addresses of an endpoint, as framestream.sockets.addresses, without blocking the loop."""
    if not isinstance(endpoint, TcpEndpoint | TlsEndpoint):
        return addresses(endpoint)
    # Some systems ask their name servers for half a minute.
    return await call_in_daemon_thread(partial(addresses, endpoint, passive=passive))


async def _connected(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        while True:
            try:
                if family == AF_UNIX:
                    sock.connect(address)
                else:
                    await asyncio.get_running_loop().sock_connect(sock, address)
                return sock
            except BlockingIOError:  # The backlog of a unix socket is full.
                await asyncio.sleep(RETRY_S)
    except BaseException:
        sock.close()
        raise


def over_socket(sock: socket.socket, session: TlsSession | None) -> Channel:
    """Return a channel over a connected socket."""
    return SocketChannel(sock, session)
