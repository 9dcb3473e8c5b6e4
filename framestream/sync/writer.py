"""The sending end of a stream, blocking."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Self

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.naming import naming
from framestream.protocol import State, WriterProtocol
from framestream.streams import AT_ONCE, NO_DEADLINES, BaseWriter, Batching, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from framestream.frames import EncodedFrames
    from framestream.sync.channels import Channel, WritableChannel

__all__ = ["Writer", "open_with_handshake"]


class Writer(BaseWriter):
    """A stream to write payloads to. May be used from several threads.

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
        # Whether the error was raised in the flusher's thread, where no caller has seen it.
        self._unseen = False
        # Reentrant, because methods call each other: write_many() does the handshake and may flush.
        self._changed = threading.Condition(threading.RLock())
        self._flusher: threading.Thread | None = None
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed.

        Raises: LocalProtocolError: it writes to a file object.
        """
        return self._channel.fileno()

    def handshake(self) -> None:
        """Do the handshake, which the first write would do otherwise; afterwards `content_type` is known.

        Raises: RemoteProtocolError: the reader refuses the stream; OSError; TimeoutError.
        """
        with self._changed:
            self._check()
            if self.protocol.state is State.IDLE:
                self.protocol.start()
                self._exchange(State.STREAMING, self.deadline, f"no ACCEPT within {self._deadlines.handshake_s} s")

    def write(self, payload: bytes) -> None:
        """Write one data frame: now, or as part of a batch.

        Raises: LocalProtocolError: the payload is empty or over the limit; OSError; TimeoutError; as handshake(), if
            that has not been done.
        """
        self.write_many((payload,))

    def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames: all of them, or none if one is refused.

        Raises: as write(). After an OSError, each further call raises the same one.
        """
        with self._changed:
            self.handshake()
            first = not self.waiting
            if self._put(payloads):
                self.flush()
            elif first and self.batching.max_s is not None:
                self._flush_later(self.batching.max_s)

    def write_encoded(self, frames: EncodedFrames) -> None:
        """Write data frames as Reader.encoded() yields them, after any waiting batch. They are not checked.

        Raises: as write_many().
        """
        with self._changed:
            self.handshake()
            # Parted from the batch before, so that each can be counted when it has been sent.
            self.flush()
            self._put_encoded(frames)
            self.flush()
            self._sent_encoded(frames)

    def flush(self) -> None:
        """Send the waiting batch.

        Raises: OSError, TimeoutError: the same one again at each further call.
        """
        with self._changed:
            self._check()
            try:
                self._channel.write(self.protocol.data_to_send(), after(self._deadlines.write_s))
            except OSError as error:
                self._error = error
                # The rest stays in `waiting`, for a ReconnectingWriter to send again.
                self._sent_in(self._channel.taken)
                with naming(self.peer):
                    raise
            self._sent()

    def gone(self) -> bool:
        """Return whether the reader has closed its side, as far as can be told without writing."""
        return self._connection is not None and self._connection.gone()

    def close(self) -> None:
        """Send the waiting batch, end the stream with STOP, wait for FINISH if it is bidirectional, and close.

        After a failed write, only close.

        Raises: TruncatedStreamError: the reader closed without FINISH; OSError; TimeoutError.
        """
        with self._changed:
            if self._closed:
                return
            finished = False
            try:
                if self._unseen:  # The last call that can report it.
                    self._check()
                if self._error is None and self._channel.whole and self.protocol.state is State.STREAMING:
                    self.flush()
                    self.protocol.stop()
                    finish_s = self._deadlines.finish_s
                    self._exchange(State.FINISHED, after(finish_s), f"no FINISH within {finish_s} s")
                    finished = True
            finally:
                self._close(keep=finished)

    def abort(self) -> None:
        """Close without STOP. In mode "atomic", the file stays as it was."""
        with self._changed:
            if not self._closed:
                self._close(keep=False)

    def interrupt(self, error: OSError | None = None) -> None:
        """Break the connection in both directions, so that calls waiting in other threads raise OSError.

        A file is left alone.

        Args: error: what a handshake that is waiting raises, instead of the error of the system.
        """
        self._interruption = error
        if self._connection:
            self._connection.interrupt()

    def forget(self) -> None:
        """Close only the descriptor: after a fork, in the process that leaves the stream to the other one."""
        if self._connection:
            self._connection.forget()
        else:
            self._channel.close(keep=False)
        self._leave()

    def _close(self, *, keep: bool) -> None:
        self._closed = True
        self._changed.notify_all()
        try:
            self._channel.close(keep=keep)
        finally:
            self._leave()

    def _check(self) -> None:
        """Raise the error of an earlier write again.

        That write may have sent part of a frame. Anything sent after it, STOP included, would be taken for the rest.
        """
        if self._error is not None:
            self._unseen = False
            # Each raise adds to the traceback, and some callers retry for ever.
            raise self._error.with_traceback(None)
        if not self._channel.whole:
            raise LocalProtocolError("a write was interrupted, perhaps inside a frame")

    def _exchange(self, until: State, deadline: float | None, late: str) -> None:
        """Send and receive control frames until the protocol reaches a state.

        Args: late: text of the TimeoutError.
        """
        protocol = self.protocol
        try:
            while True:
                if data := protocol.data_to_send():
                    self._channel.write(data, deadline)
                if protocol.state is until:
                    break
                if self._connection is None:
                    raise LocalProtocolError("a file cannot answer: its stream must be unidirectional")
                if data := self._connection.read(deadline):
                    protocol.receive_data(data)
                else:
                    protocol.receive_eof()
        except (OSError, RemoteProtocolError) as error:
            self._error = self._interruption or (TimeoutError(late) if isinstance(error, TimeoutError) else error)
            with naming(self.peer):
                raise self._error from None

    def _flush_later(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_when_due, name="framestream-flush", daemon=True)
            self._flusher.start()
        self._changed.notify_all()

    def _flush_when_due(self) -> None:
        with self._changed:
            while not self._closed:
                if not self.waiting or self._error:
                    self._changed.wait()
                elif (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    try:
                        self.flush()
                    except OSError:
                        # The next write raises it.
                        self._unseen = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error and self._channel.transactional:
            self.abort()
            return
        # An error in the body is more useful than one from close(), which often only follows from it.
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            self.close()


def open_with_handshake(writer: Writer) -> Writer:
    """Return the writer after its handshake, or abort it if that fails."""
    try:
        writer.handshake()
    except BaseException:
        writer.abort()
        raise
    return writer
