"""The end that receives data, for asyncio."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self, TypeVar

from framestream.errors import RemoteProtocolError
from framestream.frames import EncodedFrames
from framestream.protocol import ReaderProtocol, State
from framestream.streams import NO_DEADLINES, BaseReader, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from framestream.aio.channels import Channel

__all__ = ["Reader"]

T = TypeVar("T")


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

    def fileno(self) -> int:
        return self._channel.fileno()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The payloads; who leaves the loop and comes back goes on where it was.

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
        """The payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault, and again at each further
            call; OSError; TimeoutError: START has not come in time.
        """
        while (payloads := self._take_held() or await self._receive(self._next)) is not None:
            yield payloads
            del payloads  # While the next are awaited, nobody needs these.

    async def encoded(self) -> AsyncGenerator[EncodedFrames, None]:
        """Yield runs of data frames as they were received, to be passed on by Writer.write_encoded.

        Raises: as batches().
        """
        if held := self._take_held():
            yield EncodedFrames.of(held)
        while (frames := await self._receive(self._next_encoded)) is not None:
            yield frames
            del frames

    async def handshake(self) -> None:
        """Wait until START has come, and `content_type` is known, without taking a payload.

        Raises: as batches().
        """
        while not self.started:
            if self._hungry:
                await self._read()
            self._held = iter(self._next() or ())
            await self._answer()

    def end_input(self) -> None:
        """Let the other side send no more: what has come is still read, and then the input ends.

        A file that is followed is read to its end.
        """
        self._channel.end_input()

    async def close(self) -> None:
        await self._channel.close()

    async def _receive(self, next_data: Callable[[], T | None]) -> T | None:
        """What one of _next and _next_encoded gives, as soon as it gives something; None at the end."""
        while (data := next_data()) is None:
            await self._answer()
            if self.ended:
                return None
            await self._read()
        return data

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
