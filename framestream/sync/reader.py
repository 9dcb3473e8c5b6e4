"""The end that receives data, blocking."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from framestream.errors import RemoteProtocolError
from framestream.frames import EncodedFrames
from framestream.protocol import ReaderProtocol, State
from framestream.streams import NO_DEADLINES, BaseReader, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from framestream.sync.channels import Channel

__all__ = ["Reader"]


class Reader(BaseReader):
    """The payloads of a stream.

    Iterate over it; or over `batches()`, for those of each read at once; or call `receive()` when `fileno()` is
    readable.

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

    def __iter__(self) -> Iterator[bytes]:
        """The payloads; who leaves the loop and comes back goes on where it was.

        Raises: as batches().
        """
        while True:
            yield from self._held
            payloads = next(self.batches(), None)
            if payloads is None:
                break
            self._held = iter(payloads)

    def batches(self) -> Iterator[list[bytes]]:
        """The payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault; OSError; TimeoutError: START
            has not come in time.
        """
        while self.protocol.failed or not self.ended:
            yield from self.receive()

    def encoded(self) -> Iterator[EncodedFrames]:
        """Yield runs of data frames as they were received, to be passed on by Writer.write_encoded.

        Raises: as batches().
        """
        if held := self._take_held():
            yield EncodedFrames.of(held)
        while self.protocol.failed or not self.ended:
            if self._hungry:
                self._read()
            while (frames := self._next_encoded()) is not None:
                yield frames
                del frames  # While the next are awaited, nobody needs these.
            self._answer()

    def receive(self) -> Iterator[list[bytes]]:
        """Read once, give the payloads that are complete, in lists, none empty, and answer what is to be answered.

        If the last call was left before its end, that is gone on with, and nothing is read.

        Raises: as batches(). A RemoteProtocolError is raised again by each further call.
        """
        if held := self._take_held():
            yield held
        elif self._hungry:
            self._read()
        while (payloads := self._next()) is not None:
            yield payloads
            del payloads  # While the next are awaited, nobody needs these.
        self._answer()

    def handshake(self) -> None:
        """Wait until START has come, and `content_type` is known, without taking a payload.

        Raises: as batches().
        """
        while not self.started:
            if self._hungry:
                self._read()
            self._held = iter(self._next() or ())
            self._answer()

    def end_input(self) -> None:
        """Let the other side send no more: what has come is still read, and then the input ends.

        A file that is followed is read to its end. May be called from another thread.
        """
        self._channel.end_input()

    def close(self) -> None:
        self._channel.close()

    def _read(self) -> None:
        try:
            self._feed(self._channel.read(None if self.started else self.deadline))
        except TimeoutError:
            if self.started:
                raise
            raise TimeoutError(f"no START within {self._deadlines.handshake_s} s") from None
        except RemoteProtocolError as error:
            self.protocol.fail(error)
            raise

    def _answer(self) -> None:
        protocol = self.protocol
        if answer := protocol.data_to_send():
            # Unbound closes as soon as it has sent STOP: nobody is there for FINISH, and nothing is lost.
            with contextlib.suppress(OSError) if protocol.state is State.FINISHED else contextlib.nullcontext():
                self._channel.write(answer, after(self._deadlines.write_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
