"""A writer that reconnects, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from typing import TYPE_CHECKING, Self

from framestream.aio.writer import open_with_handshake
from framestream.arguments import check_callable
from framestream.errors import FrameStreamError, LocalProtocolError, RemoteProtocolError
from framestream.frames import check_payloads
from framestream.streams import Backoff, BaseReconnectingWriter, checked_payloads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from framestream.aio.writer import Writer

__all__ = ["ReconnectingWriter"]

_BACKOFF = Backoff()


class ReconnectingWriter(BaseReconnectingWriter):
    """A writer that reconnects when its reader has gone. May be used from several tasks.

    Payloads of a failed write are sent to the next reader. Some of them may have reached the old one, so frames may
    arrive twice. Frames that the system had taken but the old reader never read are lost, and cannot be counted.

    Args:
        connect: called to make the next Writer: `lambda: open_writer("unix:/run/x.sock", [b"..."])`, or
            `listener.accept`.
        backoff: waits between its attempts.
        drop: drop and count payloads written while there is no reader, instead of waiting for one.
        report: takes one line when a connection cannot be made or breaks, and when there is one again, of many lines
            some; by default, the logger "framestream" has them as warnings.
    """

    _writer: Writer | None = None

    def __init__(
        self,
        connect: Callable[[], Awaitable[Writer]],
        backoff: Backoff = _BACKOFF,
        *,
        drop: bool = False,
        report: Callable[[str], object] | None = None,
    ) -> None:
        check_callable("connect", connect, "a function that returns a Writer")
        super().__init__(backoff, drop=drop, report=report)
        self._connect = connect
        self._lock = asyncio.Lock()
        self._closed = asyncio.Event()

    async def write(self, payload: bytes) -> None:
        """Write one data frame.

        Raises: LocalProtocolError: the payload is empty or over the limit, or the writer is closed.
        """
        await self.write_many((payload,))

    async def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames: all of them, or none if one is refused.

        Raises: as write().
        """
        payloads = checked_payloads(payloads)
        async with self._lock:
            while not self._closed.is_set():
                writer = await self._live()
                if writer is None:
                    check_payloads(payloads)  # As the writer would.
                    if self._drop:
                        self.dropped += len(payloads)
                        return
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._next_attempt - time.monotonic()):
                            await self._closed.wait()
                    continue
                taken = writer.taken
                try:
                    await writer.write_many(payloads)
                    return
                except (OSError, RemoteProtocolError) as error:
                    if writer.taken > taken:
                        payloads = ()  # The failed writer holds them; they are resent from there.
                    await self._disconnect(writer, error)
            self.dropped += len(payloads)
            raise LocalProtocolError("the writer is closed")

    async def flush(self) -> None:
        """Send the waiting batch, if there is a reader."""
        async with self._lock:
            writer = await self._live()
            if writer:
                try:
                    await writer.flush()
                except OSError as error:
                    await self._disconnect(writer, error)

    async def close(self) -> None:
        """End the stream as Writer.close, and count payloads that could not be sent as dropped.

        Raises: as Writer.close.
        """
        self._closed.set()
        async with self._lock:
            try:
                if self._writer:
                    await self._writer.close()
            except (OSError, FrameStreamError) as error:
                self.error = error
                raise
            finally:
                self._give_up()

    async def _live(self) -> Writer | None:
        """Return the connected writer, connecting if it is time for an attempt; None if there is no reader."""
        if self._writer and self._writer.gone():
            await self._disconnect(self._writer, ConnectionResetError(errno.ECONNRESET, "the reader has closed"))
        if self._writer is None and time.monotonic() >= self._next_attempt:
            try:
                self._writer = await open_with_handshake(await self._connect())
            except (OSError, RemoteProtocolError) as error:
                self._not_connected(error)
                return None
            self._connected()
            unsent, self._unsent = self._unsent, []
            try:
                await self._writer.write_many(unsent)
            except (OSError, RemoteProtocolError) as error:
                await self._disconnect(self._writer, error)  # Takes its payloads back.
        return self._writer

    async def _disconnect(self, writer: Writer, error: FrameStreamError | OSError) -> None:
        self._disconnected(writer, error)
        with contextlib.suppress(OSError, FrameStreamError):
            await writer.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            await self.close()
