"""The sending end of a stream, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.naming import naming
from framestream.protocol import State, WriterProtocol
from framestream.streams import AT_ONCE, NO_DEADLINES, BaseWriter, Batching, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from framestream.aio.channels import Channel, WritableChannel
    from framestream.frames import EncodedFrames

__all__ = ["Writer", "open_with_handshake"]


class Writer(BaseWriter):
    """A stream to write payloads to. May be used from several tasks.

    A write that is cancelled has written all of its payloads or none.

    Attributes:
        peer: name of the receiver, for messages.
        deadline: time.monotonic() time by which the handshake must be complete; None for none.
    """

    def __init__(
        self,
        channel: WritableChannel,
        protocol: WriterProtocol,
        deadlines: Deadlines = NO_DEADLINES,
        batching: Batching = AT_ONCE,
        *,
        connection: Channel | None = None,
        peer: str = "",
    ) -> None:
        """Make a Writer of an open channel.

        Args: connection: the channel again, if it leads to a peer, which can answer or go away; None for a file.
        """
        super().__init__(protocol, batching)
        self.peer = peer
        self.deadline = after(deadlines.handshake_s)
        self._channel = channel
        self._connection = connection
        self._deadlines = deadlines
        self._error: OSError | RemoteProtocolError | None = None
        # Whether the error was raised in the flusher's task, where no caller has seen it.
        self._unseen = False
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flusher: asyncio.Task[None] | None = None
        # Not the protocol's state: a handshake that was cancelled has begun, and the next call continues it.
        self._started = False
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed.

        Raises: LocalProtocolError: it writes to a file object.
        """
        return self._channel.fileno()

    async def handshake(self) -> None:
        """Do the handshake, which the first write would do otherwise; afterwards `content_type` is known.

        Raises: RemoteProtocolError: the reader refuses the stream; OSError; TimeoutError.
        """
        async with self._turn:
            await self._handshake()

    async def write(self, payload: bytes) -> None:
        """Write one data frame: now, or as part of a batch.

        Raises: LocalProtocolError: the payload is empty or over the limit; OSError; TimeoutError; as handshake(), if
            that has not been done.
        """
        await self.write_many((payload,))

    async def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames: all of them, or none if one is refused.

        Raises: as write(). After an OSError, each further call raises the same one.
        """
        async with self._turn:
            await self._handshake()
            first = not self.waiting
            if self._put(payloads):
                await self._flush()
            elif first and self.batching.max_s is not None:
                self._flush_in(self.batching.max_s)

    async def write_encoded(self, frames: EncodedFrames) -> None:
        """Write data frames as Reader.encoded() yields them, after any waiting batch. They are not checked.

        Raises: as write_many().
        """
        async with self._turn:
            await self._handshake()
            # Parted from the batch before, so that each can be counted when it has been sent.
            await self._flush()
            self._put_encoded(frames)
            await self._flush()
            self._sent_encoded(frames)

    async def flush(self) -> None:
        """Send the waiting batch.

        Raises: OSError, TimeoutError: the same one again at each further call.
        """
        async with self._turn:
            self._check()
            if self._started:  # Before the handshake there is no payload, nor anything to send one with.
                await self._flush()

    def gone(self) -> bool:
        """Return whether the reader has closed its side, as far as can be told without writing."""
        return self._connection is not None and self._connection.gone()

    async def close(self) -> None:
        """Send the waiting batch, end the stream with STOP, wait for FINISH if it is bidirectional, and close.

        After a failed write, or when cancelled, only close.

        Raises: TruncatedStreamError: the reader closed without FINISH; OSError; TimeoutError.
        """
        async with self._turn:
            if self._closed:
                return
            finished = False
            try:
                if self._unseen:  # The last call that can report it.
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
        """Close without STOP. In mode "atomic", the file stays as it was."""
        if not self._closed:
            await self._close(keep=False)

    def interrupt(self, error: OSError | None = None) -> None:
        """Break the connection in both directions, so that calls that wait raise OSError. A file is left alone.

        Args: error: what a handshake that is waiting raises, instead of the error of the system.
        """
        self._interruption = error
        if self._connection:
            self._connection.interrupt()

    async def _close(self, *, keep: bool) -> None:
        self._closed = True
        self._stop_timer()
        try:
            if self._flusher:
                # It waits for its turn, or for a reader that is about to be disconnected.
                self._flusher.cancel()
                await asyncio.wait([self._flusher])
            await self._channel.close(keep=keep)
        finally:
            self._leave()

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
            with naming(self.peer):
                raise
        # This may include payloads of a write that was cancelled.
        self._sent()

    def _check(self) -> None:
        """Raise the error of an earlier write again.

        That write may have sent part of a frame. Anything sent after it, STOP included, would be taken for the rest.
        """
        if self._error is not None:
            self._unseen = False
            # Each raise adds to the traceback, and some callers retry for ever.
            raise self._error.with_traceback(None)
        if self._closed:
            raise LocalProtocolError("the writer is closed")

    async def _exchange(self, until: State, deadline: float | None, late: str) -> None:
        """Send and receive control frames until the protocol reaches a state.

        Args: late: text of the TimeoutError.
        """
        protocol = self.protocol
        try:
            if self._connection:
                await self._connection.open(deadline)
            while True:
                if data := protocol.data_to_send():
                    self._channel.send(data)
                await self._channel.drain(deadline)
                if protocol.state is until:
                    break
                if self._connection is None:
                    raise LocalProtocolError("a file cannot answer: its stream must be unidirectional")
                if data := await self._connection.read(deadline):
                    protocol.receive_data(data)
                else:
                    protocol.receive_eof()
        except (OSError, RemoteProtocolError) as error:
            self._error = self._interruption or (TimeoutError(late) if isinstance(error, TimeoutError) else error)
            with naming(self.peer):
                raise self._error from None

    def _flush_in(self, seconds: float) -> None:
        """Schedule the delayed flush, or move it if it is scheduled already."""

        def begin() -> None:
            # A flusher that still waits for its turn will send this batch too.
            if self._flusher is None or self._flusher.done():
                self._flusher = asyncio.ensure_future(self._flush_now())

        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, begin)

    async def _flush_now(self) -> None:
        async with self._turn:
            try:
                await self._flush()
            except OSError:
                # The next write raises it.
                self._unseen = True

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
        # An error in the body is more useful than one from close(), which often only follows from it.
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            await self.close()


async def open_with_handshake(writer: Writer) -> Writer:
    """Return the writer after its handshake, or abort it if that fails."""
    try:
        await writer.handshake()
    except BaseException:
        await writer.abort()
        raise
    return writer
