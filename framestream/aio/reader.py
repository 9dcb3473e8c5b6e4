"""The end that receives data, for asyncio."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from framestream.errors import RemoteProtocolError
from framestream.protocol import ReaderProtocol, State
from framestream.streams import NO_DEADLINES, BaseReader, Deadlines, EncodedFrames, after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from types import TracebackType

    from framestream.aio.channels import Channel

__all__ = ["Reader"]


class Reader(BaseReader):
    """The payloads of a stream.

    Iterate over it by `async for`; or over `batches()`, for those of each read at once. One task may do so at a time;
    whatever waits may be cancelled, and nothing is lost.

    Attributes: deadline: when START must have come, by time.monotonic(); None: whenever.
    """

    def __init__(
        self,
        channel: Channel,
        protocol: ReaderProtocol,
        deadlines: Deadlines = NO_DEADLINES,
        *,
        peer: str = "",
        file: bool = False,
    ) -> None:
        """peer: who sends, in words. file: whether it may be compressed, and further streams may follow the first."""
        super().__init__(protocol, file=file)
        self.peer = peer
        self.deadline = after(deadlines.handshake_s)
        self._channel = channel
        self._deadlines = deadlines
        self._batch: Iterator[bytes] = iter(())

    def fileno(self) -> int:
        return self._channel.fileno()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The payloads; who leaves the loop and comes back goes on where it was.

        Raises: as batches().
        """
        while True:
            for payload in self._batch:
                yield payload
            payloads = await self._receive()
            if payloads is None:
                break
            self._batch = iter(payloads)

    async def batches(self) -> AsyncGenerator[list[bytes], None]:
        """The payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault, and again at each further
            call; OSError; TimeoutError: START has not come in time.
        """
        while (payloads := await self._receive()) is not None:
            yield payloads
            del payloads  # While the next are awaited, nobody needs these.

    async def encoded(self) -> AsyncGenerator[EncodedFrames, None]:
        """The frames as they came, for who passes them on unread: Writer.write_encoded takes them.

        From then on the reader gives nothing else.

        Raises: as batches().
        """
        held, self._batch = self._batch, iter(())
        for frames in self._give_encoded(held):
            yield frames
        while (given := await self._receive()) is not None:
            yield self._encoded(given)

    async def handshake(self) -> None:
        """Wait until START has come, and `content_type` is known, without taking a payload.

        Raises: as batches().
        """
        while not self.started:
            if self._hungry:
                await self._read()
            self._batch = iter(self._next() or ())
            await self._answer()

    def end_input(self) -> None:
        """Let the other side send no more: what has come is still read, and then the input ends.

        A file that is followed is read to its end.
        """
        self._channel.end_input()

    async def close(self) -> None:
        await self._channel.close()

    async def _receive(self) -> list[bytes] | None:
        """The next payloads, at least one; None at the end."""
        if held := list(self._batch):
            # What the loop over the payloads, or the handshake, had taken and not given out.
            self._batch = iter(())
            return held
        while True:
            if (payloads := self._next()) is not None:
                return payloads
            await self._answer()
            if self.ended:
                return None
            await self._read()

    async def _read(self) -> None:
        try:
            self._feed(await self._channel.read(None if self.started else self.deadline))
        except TimeoutError:
            if self.started:
                raise
            raise TimeoutError(f"no START within {self._deadlines.handshake_s} s") from None
        except RemoteProtocolError as error:
            self.protocol.fail(error)
            raise

    async def _answer(self) -> None:
        protocol = self.protocol
        if answer := protocol.data_to_send():
            # Unbound closes as soon as it has sent STOP: nobody is there for FINISH, and nothing is lost.
            with contextlib.suppress(OSError) if protocol.state is State.FINISHED else contextlib.nullcontext():
                self._channel.send(answer)
                await self._channel.drain(after(self._deadlines.write_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
