"""The receiving end of a stream, for asyncio."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self, TypeVar

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.frames import EncodedFrames
from framestream.naming import naming
from framestream.protocol import ReaderProtocol, State
from framestream.streams import NO_DEADLINES, BaseReader, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from framestream.aio.channels import Channel, ReadableChannel

__all__ = ["Reader"]

T = TypeVar("T")


class Reader(BaseReader):
    """A stream to read payloads from.

    Iterate over it with `async for` for single payloads, or over `batches()` for lists of them, one or more a read.
    Only one task may read at a time. Every call may be cancelled without losing data.

    Attributes:
        peer: name of the sender, for messages.
        deadline: time.monotonic() time by which START must have been received; None for none.
    """

    def __init__(
        self,
        channel: ReadableChannel,
        protocol: ReaderProtocol,
        deadlines: Deadlines = NO_DEADLINES,
        *,
        connection: Channel | None = None,
        peer: str = "",
        file: bool = False,
    ) -> None:
        """Make a Reader of an open channel.

        Args:
            connection: the channel again, if it leads to a peer, which takes answers; None for a file.
            file: whether the input may be compressed, and hold several streams one after the other.
        """
        super().__init__(protocol, deadlines, file=file)
        self.peer = peer
        self._channel = channel
        self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor to wait for with a selector, -1 once closed.

        Raises: LocalProtocolError: it reads a file object.
        """
        return self._channel.fileno()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the payloads. A loop that was left can be continued by another one.

        Raises: as batches().
        """
        while True:
            for payload in self._held:
                yield payload
            payloads = await self._receive(self._next)
            if payloads is None:
                break
            self._held = iter(payloads)

    async def batches(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault, and again at each further
            call; OSError; TimeoutError: START was not received in time.
        """
        while (payloads := self._take_held() or await self._receive(self._next)) is not None:
            yield payloads
            del payloads  # Frees the memory while the caller waits for the next ones.

    async def encoded(self) -> AsyncGenerator[EncodedFrames, None]:
        """Yield runs of data frames as they were received, to be passed on with Writer.write_encoded.

        Raises: as batches().
        """
        if held := self._take_held():
            yield EncodedFrames.of(held)
        while (frames := await self._receive(self._next_encoded)) is not None:
            yield frames
            del frames  # Frees the memory while the caller waits for the next ones.

    async def handshake(self) -> None:
        """Wait until START has been received and `content_type` is known, without taking a payload.

        Raises: as batches().
        """
        while not self.started:
            if self._needs_input:
                await self._read()
            self._held = iter(self._next() or ())
            await self._answer()

    def end_input(self) -> None:
        """Stop the sender: what has been received up to now is still read, then the input ends.

        A followed file is read to its current end.
        """
        self._channel.end_input()

    def interrupt(self, error: OSError | None = None) -> None:
        """Break the connection, so that a read raises `error`, or finds the end. A file is left alone."""
        self._interruption = error
        if self._connection:
            self._connection.interrupt()

    async def close(self) -> None:
        """Close the connection or file."""
        try:
            await self._channel.close()
        finally:
            self._leave()

    async def _receive(self, next_data: Callable[[], T | None]) -> T | None:
        """Read until there are complete frames, and return them; None at the end.

        Args: next_data: `self._next` or `self._next_encoded`.
        """
        while (data := next_data()) is None:
            await self._answer()
            if self.ended:
                return None
            await self._read()
        return data

    async def _read(self) -> None:
        try:
            data = await self._channel.read(self._read_deadline())
        except (OSError, RemoteProtocolError) as error:
            with naming(self.peer):
                raise self._read_error(error) from None
        if self._interruption:
            raise self._interruption
        self._feed(data)

    async def _answer(self) -> None:
        protocol = self.protocol
        if answer := protocol.data_to_send():
            if self._connection is None:
                raise LocalProtocolError("a file takes no answers: its stream must be unidirectional")
            # Unbound closes as soon as it has sent STOP. Nothing is lost if FINISH cannot be sent.
            with contextlib.suppress(OSError) if protocol.state is State.FINISHED else naming(self.peer):
                self._connection.send(answer)
                await self._connection.drain(after(self._deadlines.write_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
