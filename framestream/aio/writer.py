"""The end that sends data, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.protocol import State, WriterProtocol
from framestream.streams import AT_ONCE, NO_DEADLINES, BaseWriter, Batching, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from framestream.aio.channels import Channel
    from framestream.frames import EncodedFrames

__all__ = ["Writer"]


class Writer(BaseWriter):
    """A stream to write payloads to. May be used by many tasks.

    A call that is cancelled may have written what it was given: all of it, or nothing.
    """

    def __init__(
        self,
        channel: Channel,
        protocol: WriterProtocol,
        deadlines: Deadlines = NO_DEADLINES,
        batching: Batching = AT_ONCE,
        *,
        peer: str = "",
    ) -> None:
        """peer: who receives, in words."""
        super().__init__(protocol, batching)
        self.peer = peer
        self.deadline = after(deadlines.handshake_s)
        self._channel = channel
        self._deadlines = deadlines
        self._error: OSError | RemoteProtocolError | None = None
        self._unseen = False
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._started = False
        self._closed = False

    def fileno(self) -> int:
        return self._channel.fileno()

    async def handshake(self) -> None:
        """Do the handshake, as the first write would: afterwards `content_type` is known.

        Raises: RemoteProtocolError: the reader does not want the stream; OSError; TimeoutError.
        """
        async with self._turn:
            await self._handshake()

    async def write(self, payload: bytes) -> None:
        """Write one data frame: now, or when there is enough for a batch.

        Raises: LocalProtocolError: an empty payload, or one over the limit; OSError; TimeoutError; what handshake()
            raises, if it has not been done.
        """
        await self.write_many((payload,))

    async def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames. If one of them is refused, none is written.

        Raises: as write(). Once it has raised an OSError, it raises the same again.
        """
        async with self._turn:
            await self._handshake()
            first = not self.waiting
            if self._put(payloads):
                await self._flush()
            elif first and self.batching.max_s is not None:
                self._flush_in(self.batching.max_s)

    async def write_encoded(self, frames: EncodedFrames) -> None:
        """Write data frames as a Reader's `encoded()` gives them, behind what waits. They are not looked at.

        Raises: as write_many().
        """
        async with self._turn:
            await self._handshake()
            await self._flush()
            self.protocol.send_encoded(frames.data)
            await self._flush()
            self._sent_encoded(frames)

    async def flush(self) -> None:
        """Send what waits.

        Raises: OSError, TimeoutError: the first time, and again at each further call.
        """
        async with self._turn:
            self._check()
            await self._flush()

    def gone(self) -> bool:
        """Whether the reader has closed its side, as far as can be seen without writing."""
        return self._channel.gone()

    async def close(self) -> None:
        """Send what waits, end the stream by STOP, wait for the reader's FINISH where it talks, and close.

        After a write that failed, or when this is cancelled, it only closes.

        Raises: TruncatedStreamError: the reader closed without FINISH; OSError; TimeoutError.
        """
        async with self._turn:
            if self._closed:
                return
            finished = False
            try:
                if self._unseen:
                    self._check()
                if self._error is None and self._channel.whole and self.protocol.state is State.STREAMING:
                    await self._flush()
                    self.protocol.stop()
                    finish_s = self._deadlines.finish_s
                    await self._exchange(State.FINISHED, after(finish_s), f"no FINISH within {finish_s} s")
                    finished = True
            finally:
                await self._close(keep=finished)

    async def abort(self) -> None:
        """Close without a word; a file that was to be replaced at once stays as it was."""
        if not self._closed:
            await self._close(keep=False)

    async def _close(self, *, keep: bool) -> None:
        self._closed = True
        self._stop_timer()
        if self._flusher:
            # It waits for its turn, or for a reader that is given up.
            self._flusher.cancel()
            await asyncio.wait([self._flusher])
        await self._channel.close(keep=keep)

    async def _handshake(self) -> None:
        self._check()
        if self.protocol.state is State.IDLE:
            self.protocol.start()
        if not self._started:
            await self._exchange(State.STREAMING, self.deadline, f"no ACCEPT within {self._deadlines.handshake_s} s")
            self._started = True

    async def _flush(self) -> None:
        try:
            self._channel.send(self.protocol.data_to_send())
            await self._channel.drain(after(self._deadlines.write_s))
        except OSError as error:
            self._error = error
            raise
        # Perhaps with those of a call that was cancelled.
        self._sent()

    def _check(self) -> None:
        """Raise what was raised before.

        Part of a frame may be on its way: whatever came behind it, STOP too, would be taken for the rest.
        """
        if self._error is not None:
            self._unseen = False
            # Without the last traceback, to which each raise would add: some callers try for ever.
            raise self._error.with_traceback(None)
        if self._closed:
            raise LocalProtocolError("the writer is closed")

    async def _exchange(self, until: State, deadline: float | None, late: str) -> None:
        """Send what is to be sent and take the answers, until the state is reached."""
        protocol = self.protocol
        try:
            await self._channel.open(deadline)
            while True:
                if data := protocol.data_to_send():
                    self._channel.send(data)
                await self._channel.drain(deadline)
                if protocol.state is until:
                    break
                if data := await self._channel.read(deadline):
                    protocol.receive_data(data)
                else:
                    protocol.receive_eof()
        except (OSError, RemoteProtocolError) as error:
            self._error = TimeoutError(late) if isinstance(error, TimeoutError) else error
            raise self._error from None

    def _flush_in(self, seconds: float) -> None:
        """Send what waits in so many seconds, instead of when that was to be done before."""

        def begin() -> None:
            # One that has not had its turn yet sends this too.
            if self._flusher is None or self._flusher.done():
                self._flusher = asyncio.ensure_future(self._flush_now())

        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, begin)

    async def _flush_now(self) -> None:
        async with self._turn:
            try:
                await self._flush()
            except OSError:
                self._unseen = True  # The next write raises it.

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error and self._channel.transactional:
            await self.abort()
            return
        # An error of the body is worth more than one that only follows from it.
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            await self.close()
