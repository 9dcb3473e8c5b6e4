"""What carries the bytes of a stream, for asyncio: files, sockets, TLS; each call waits until a deadline.

Whatever waits here may be cancelled, and nothing is lost: what was read stays for the next read, and what was to be
written has been handed over whole.
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

from framestream.endpoints import Endpoint, TcpEndpoint, TlsEndpoint
from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.files import POLL_S, READ_BYTES, FileInput, FileOutput, ObjectInput, ObjectOutput
from framestream.sockets import LINGER_S, RETRY_S, addresses, for_stream, unread
from framestream.tls import TlsSession, connecting_session

if TYPE_CHECKING:
    from framestream.sockets import Address

__all__ = ["Channel", "InputChannel", "OutputChannel", "connect", "lookup", "over_socket", "readable"]

HIGH_WATER_BYTES = 1 << 19
"""When so much has come that nobody has read, the transport is paused until all of it has been."""

BUFFER_BYTES = 1 << 18
"""How much is received from a socket at once, at most: more than a unix socket holds."""


class _Buffer(threading.local):
    """What all sockets of a thread receive into, one after the other: fresh memory would be mapped each time."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(BUFFER_BYTES))


_buffer = _Buffer()


class Channel(Protocol):
    """What carries the bytes. A deadline is a time of time.monotonic(), None for none.

    What is sent, once it is open, is on its way; `drain` waits until the system has all of it.

    Attributes:
        whole: whether every write so far has gone entirely, or not at all.
        transactional: whether what was written is given up unless it is kept.
    """

    @property
    def whole(self) -> bool: ...
    @property
    def transactional(self) -> bool: ...
    def fileno(self) -> int: ...
    async def open(self, deadline: float | None) -> None: ...
    async def read(self, deadline: float | None) -> bytes: ...
    def send(self, data: bytes) -> None: ...
    async def drain(self, deadline: float | None) -> None: ...
    def gone(self) -> bool: ...
    def end_input(self) -> None: ...
    async def close(self, *, keep: bool = True) -> None: ...


def until(deadline: float | None) -> asyncio.Timeout:
    """Ends what is awaited in it by TimeoutError when the deadline has passed."""
    return asyncio.timeout(None if deadline is None else deadline - time.monotonic())


async def readable(fd: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


class InputChannel:
    whole = True
    transactional = False

    def __init__(self, file: FileInput | ObjectInput) -> None:
        self._file = file
        self._stopped = asyncio.Event()
        self._reading: asyncio.Future[bytes] | None = None
        self._selectable = isinstance(file, FileInput) and not file.regular
        self.fileno = file.fileno

    async def open(self, deadline: float | None) -> None:
        """It is."""

    async def read(self, deadline: float | None) -> bytes:  # noqa: ARG002 (a file has no peer that could be late)
        while not (data := await self._read()):
            if not self._file.may_grow():
                return await self._read()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._stopped.wait()
        return data

    async def _read(self) -> bytes:
        if self._selectable:
            try:
                await readable(self.fileno())
                return self._file.read()
            except PermissionError:  # of epoll, about devices that never let one wait
                self._selectable = False
        if self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(None, self._file.read)
        # Whoever is cancelled here leaves what is read to the next.
        await asyncio.wait([self._reading])
        reading, self._reading = self._reading, None
        return reading.result()

    def send(self, data: bytes) -> None:  # noqa: ARG002
        raise LocalProtocolError("an input is not written to")

    async def drain(self, deadline: float | None) -> None:
        """There is nothing to wait for."""

    def gone(self) -> bool:
        return False

    def end_input(self) -> None:
        self._file.end_input()
        self._stopped.set()

    async def close(self, *, keep: bool = True) -> None:  # noqa: ARG002
        await asyncio.shield(self._close())  # Whoever is cancelled here has closed all the same.

    async def _close(self) -> None:
        if reading := self._reading:
            await asyncio.wait([reading])
            reading.exception()  # Or asyncio complains that nobody has looked at it.
        self._file.close()


class OutputChannel:
    def __init__(self, file: FileOutput | ObjectOutput) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._writing: asyncio.Future[None] | None = None
        self.fileno = file.fileno

    @property
    def whole(self) -> bool:
        return self._file.whole or self._writing is not None

    @property
    def transactional(self) -> bool:
        return self._file.transactional

    async def open(self, deadline: float | None) -> None:
        """It is."""

    async def read(self, deadline: float | None) -> bytes:  # noqa: ARG002
        raise LocalProtocolError("an output is not read from")

    def send(self, data: bytes) -> None:
        self._waiting.append(data)

    async def drain(self, deadline: float | None) -> None:  # noqa: ARG002
        while self._writing or self._waiting:
            if self._writing is None:
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._writing = asyncio.get_running_loop().run_in_executor(None, self._file.write, data)
            await asyncio.wait([self._writing])
            writing, self._writing = self._writing, None
            writing.result()

    def gone(self) -> bool:
        return False

    def end_input(self) -> None:
        """It has none."""

    async def close(self, *, keep: bool = True) -> None:
        await asyncio.shield(self._close(keep=keep))

    async def _close(self, *, keep: bool) -> None:
        if self._writing:
            await asyncio.wait([self._writing])
            self._writing.exception()
        await asyncio.get_running_loop().run_in_executor(None, lambda: self._file.close(keep=keep))


class SocketChannel(asyncio.BufferedProtocol):
    """A connected socket. Its transport, and with it TLS, begins with what is first read or written."""

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

    # What the caller has.

    def fileno(self) -> int:
        return self._socket.fileno()

    async def open(self, deadline: float | None) -> None:
        if self._transport is None:
            if self._opening is None:
                loop = asyncio.get_running_loop()
                # It awaits nobody but the loop, and would close the socket if it were cancelled.
                self._opening = loop.create_task(loop.connect_accepted_socket(lambda: self, self._socket))
            await asyncio.shield(self._opening)
        session = self._session
        if session and not session.established:
            while not session.handshake():
                self._say(session)
                session.receive_data(await self._receive(deadline))
            self._say(session)

    async def read(self, deadline: float | None) -> bytes:
        await self.open(deadline)
        session = self._session
        if session is None:
            return await self._receive(deadline)
        while (data := session.read()) is None:
            received = await self._receive(deadline)
            if not received and self._left is not None:
                return b""  # We wanted it to end.
            session.receive_data(received)
        self._say(session)
        return data

    def send(self, data: bytes) -> None:
        if self._session:
            self._session.write(data)
            self._say(self._session)
        else:
            self._write(data)

    async def drain(self, deadline: float | None) -> None:
        transport = self._opened()
        if not self._writable.is_set():
            try:
                async with until(deadline):
                    await self._writable.wait()
            except TimeoutError:
                transport.abort()  # Part of a frame may be on its way.
                raise
        if transport.is_closing():
            await self._lost.wait()
            error = self._error or ConnectionResetError(errno.ECONNRESET, "the connection is closed")
            raise (self._session and self._session.refusal(self._unread())) or error from None

    def gone(self) -> bool:
        return self._ended or self.fileno() < 0

    def end_input(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # The peer has gone, or it is closed.
            # TCP takes what comes later all the same: what has come is counted.
            self._left = unread(self._socket)
            self._socket.shutdown(socket.SHUT_RD)

    async def close(self, *, keep: bool = True) -> None:
        self._closing = True
        try:
            if self._opening and not self._opening.done():
                await asyncio.wait([self._opening])
            if self._session and self._transport:
                self._session.end()
                # What is said last may be why the handshake has failed.
                self._say(self._session)
                if keep and self._session.unsettled:
                    await self._linger(self._session)
        finally:
            if self._transport:
                # What was sent and awaited is with the system, which goes on with it.
                self._transport.abort()
                await self._lost.wait()
            elif not self._opening:
                self._socket.close()

    async def _receive(self, deadline: float | None) -> bytes:
        """What has come on the socket; nothing at the end."""
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError
        while not self._chunks:
            if self._error:
                raise self._error.with_traceback(None)
            if self._ended:
                return b""
            self._arrival = asyncio.get_running_loop().create_future()
            if deadline is None:
                await self._arrival
            else:
                async with until(deadline):
                    await self._arrival
        data = self._chunks.popleft()
        self._size -= len(data)
        if self._paused and not self._chunks and not self._ended:
            self._paused = False
            self._opened().resume_reading()
        return data

    def _unread(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def _say(self, session: TlsSession) -> None:
        if data := session.data_to_send():
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._lost.is_set():
            self._opened().write(data)

    async def _linger(self, session: TlsSession) -> None:
        """Wait until the other side has closed.

        Raises: ssl.SSLError: it has refused the handshake, and with it all that was sent.
        """
        deadline = time.monotonic() + LINGER_S
        # Whoever closes has taken all, or will not: nothing can be done about it.
        with contextlib.suppress(TimeoutError, ConnectionError, RemoteProtocolError):
            self._opened().write_eof()
            while session.read() != b"":
                session.receive_data(await self._receive(deadline))

    def _opened(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self._transport)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # Writing is over when the system has it all, as it is when a blocking call returns.
        self._transport.set_write_buffer_limits(high=0)
        self._writable.set()
        if self._closing:  # Whoever closed may have been cancelled.
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return _buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        # Called as soon as the buffer has been filled, before anybody else can be given it.
        if self._left is not None:
            nbytes = min(nbytes, self._left)
            self._left -= nbytes
            self._ended = not self._left
        self._chunks.append(bytes(_buffer.view[:nbytes]))
        self._size += nbytes
        if (self._ended or self._size >= HIGH_WATER_BYTES) and not self._paused:
            self._paused = True
            self._opened().pause_reading()
        self._arrived()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrived()
        return True  # The other direction stays open.

    def connection_lost(self, error: Exception | None) -> None:
        if error and self._session:
            # A write has failed; why, may have come and not been read.
            with contextlib.suppress(OSError):
                self._chunks.append(self._socket.recv(READ_BYTES))
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


async def connect(endpoint: Endpoint, connect_s: float | None) -> Channel:
    """Connect to the first of its addresses that can be had.

    Raises: OSError: of the last address; TimeoutError; LocalProtocolError.
    """
    session = connecting_session(endpoint)
    problems: list[OSError] = []
    try:
        async with asyncio.timeout(connect_s):
            for family, address in await lookup(endpoint):
                try:
                    return over_socket(for_stream(await _connected(family, address)), session)
                except OSError as error:
                    problems.append(error)
    except TimeoutError:
        raise TimeoutError(f"no connection within {connect_s} s") from None
    raise problems[-1]


async def lookup(endpoint: Endpoint, *, passive: bool = False) -> list[Address]:
    """As framestream.sockets.addresses."""
    if not isinstance(endpoint, TcpEndpoint | TlsEndpoint):
        return addresses(endpoint)
    # Looking up a name waits for others.
    return await asyncio.get_running_loop().run_in_executor(None, partial(addresses, endpoint, passive=passive))


async def _connected(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        while True:
            try:
                if family == socket.AF_UNIX:
                    sock.connect(address)
                else:
                    await asyncio.get_running_loop().sock_connect(sock, address)
                return sock
            except BlockingIOError:  # The queue of a unix socket is full.
                await asyncio.sleep(RETRY_S)
    except BaseException:
        sock.close()
        raise


def over_socket(sock: socket.socket, session: TlsSession | None) -> Channel:
    """The channel of a connected socket."""
    return SocketChannel(sock, session)
