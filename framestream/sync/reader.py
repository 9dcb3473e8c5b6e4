"""The receiving end of a stream, blocking."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.frames import EncodedFrames
from framestream.naming import naming
from framestream.protocol import ReaderProtocol, State
from framestream.streams import NO_DEADLINES, BaseReader, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from framestream.sync.channels import Channel, ReadableChannel

__all__ = ["Reader"]


class Reader(BaseReader):
    """A stream to read payloads from.

    Iterate over it for single payloads, or over `batches()` for lists of them, one or more a read. With a selector,
    call `receive()` when `fileno()` is readable.

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

    def __iter__(self) -> Iterator[bytes]:
        """Yield the payloads. A loop that was left can be continued by another one.

        Raises: as batches().
        """
        while True:
            yield from self._held
            # One batch at a time, kept in _held: what a loop leaves is there for the next one.
            payloads = next(self.batches(), None)
            if payloads is None:
                break
            self._held = iter(payloads)

    def batches(self) -> Iterator[list[bytes]]:
        """Yield the payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault; OSError; TimeoutError: START
            was not received in time.
        """
        while self.protocol.failed or not self.ended:
            yield from self.receive()

    def encoded(self) -> Iterator[EncodedFrames]:
        """Yield runs of data frames as they were received, to be passed on with Writer.write_encoded.

        Raises: as batches().
        """
        if held := self._take_held():
            yield EncodedFrames.of(held)
        while self.protocol.failed or not self.ended:
            if self._needs_input:
                self._read()
            while (frames := self._next_encoded()) is not None:
                yield frames
                del frames  # Frees the memory while the caller waits for the next ones.
            self._answer()

    def receive(self) -> Iterator[list[bytes]]:
        """Read once, yield the payloads that are complete, in lists, none of them empty, and send any answer due.

        If the previous call was left before its end, continue it instead of reading.

        Raises: as batches(). A RemoteProtocolError is raised again by each further call.
        """
        if held := self._take_held():
            yield held
        elif self._needs_input:
            self._read()
        while (payloads := self._next()) is not None:
            yield payloads
            del payloads  # Frees the memory while the caller waits for the next ones.
        self._answer()

    def handshake(self) -> None:
        """Wait until START has been received and `content_type` is known, without taking a payload.

        Raises: as batches().
        """
        while not self.started:
            if self._needs_input:
                self._read()
            self._held = iter(self._next() or ())
            self._answer()

    def end_input(self) -> None:
        """Stop the sender: what has been received up to now is still read, then the input ends.

        A followed file is read to its current end. May be called from another thread.
        """
        self._channel.end_input()

    def interrupt(self, error: OSError | None = None) -> None:
        """Break the connection, so that a read raises `error`, or finds the end. A file is left alone.

        May be called from another thread.
        """
        self._interruption = error
        if self._connection:
            self._connection.interrupt()

    def close(self) -> None:
        """Close the connection or file."""
        try:
            self._channel.close()
        finally:
            self._leave()

    def _read(self) -> None:
        try:
            data = self._channel.read(self._read_deadline())
        except (OSError, RemoteProtocolError) as error:
            with naming(self.peer):
                raise self._read_error(error) from None
        if self._interruption:
            raise self._interruption
        self._feed(data)

    def _answer(self) -> None:
        protocol = self.protocol
        if answer := protocol.data_to_send():
            if self._connection is None:
                raise LocalProtocolError("a file takes no answers: its stream must be unidirectional")
            # Rule 8. Unbound closes as soon as it has sent STOP. Nothing is lost if FINISH cannot be sent.
            with contextlib.suppress(OSError) if protocol.state is State.FINISHED else naming(self.peer):
                self._connection.write(answer, after(self._deadlines.write_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
