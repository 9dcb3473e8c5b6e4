"""The end that sends data, blocking."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Self

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.protocol import State, WriterProtocol
from framestream.streams import AT_ONCE, NO_DEADLINES, BaseWriter, Batching, Deadlines, after

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from framestream.frames import EncodedFrames
    from framestream.sync.channels import Channel

__all__ = ["Writer"]


class Writer(BaseWriter):
    """A stream to write payloads to. May be used by many threads."""

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
        self._changed = threading.Condition(threading.RLock())
        self._flusher: threading.Thread | None = None
        self._closed = False

    def fileno(self) -> int:
        return self._channel.fileno()

    def handshake(self) -> None:
        """Do the handshake, as the first write would: afterwards `content_type` is known.

        Raises: RemoteProtocolError: the reader does not want the stream; OSError; TimeoutError.
        """
        with self._changed:
            self._check()
            if self.protocol.state is State.IDLE:
                self.protocol.start()
                self._exchange(State.STREAMING, self.deadline, f"no ACCEPT within {self._deadlines.handshake_s} s")

    def write(self, payload: bytes) -> None:
        """Write one data frame: now, or when there is enough for a batch.

        Raises: LocalProtocolError: an empty payload, or one over the limit; OSError; TimeoutError; what handshake()
            raises, if it has not been done.
        """
        self.write_many((payload,))

    def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames. If one of them is refused, none is written.

        Raises: as write(). Once it has raised an OSError, it raises the same again.
        """
        with self._changed:
            self.handshake()
            first = not self.waiting
            if self._put(payloads):
                self.flush()
            elif first and self.batching.max_s is not None:
                self._flush_later(self.batching.max_s)

    def write_encoded(self, frames: EncodedFrames) -> None:
        """Write data frames as a Reader's `encoded()` gives them, behind what waits. They are not looked at.

        Raises: as write_many().
        """
        with self._changed:
            self.handshake()
            self.flush()
            self.protocol.send_encoded(frames.data)
            self.flush()
            self._sent_encoded(frames)

    def flush(self) -> None:
        """Send what waits.

        Raises: OSError, TimeoutError: the first time, and again at each further call.
        """
        with self._changed:
            self._check()
            try:
                self._channel.write(self.protocol.data_to_send(), after(self._deadlines.write_s))
            except OSError as error:
                self._error = error
                self._sent_in(self._channel.taken)
                raise
            self._sent()

    def gone(self) -> bool:
        """Whether the reader has closed its side, as far as can be seen without writing."""
        return self._channel.gone()

    def close(self) -> None:
        """Send what waits, end the stream by STOP, wait for the reader's FINISH where it talks, and close.

        After a write that failed it only closes.

        Raises: TruncatedStreamError: the reader closed without FINISH; OSError; TimeoutError.
        """
        with self._changed:
            if self._closed:
                return
            finished = False
            try:
                if self._unseen:
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
        """Close without a word; a file that was to be replaced at once stays as it was."""
        with self._changed:
            if not self._closed:
                self._close(keep=False)

    def interrupt(self) -> None:
        """Break the connection for both sides; whoever waits in a call, in another thread, gets an OSError."""
        self._channel.interrupt()

    def forget(self) -> None:
        """Close the descriptor of a socket, and leave the stream as it is: to the process that this was forked from."""
        self._channel.forget()

    def _close(self, *, keep: bool) -> None:
        self._closed = True
        self._changed.notify_all()
        self._channel.close(keep=keep)

    def _check(self) -> None:
        """Raise what was raised before.

        Part of a frame may be on its way: whatever came behind it, STOP too, would be taken for the rest.
        """
        if self._error is not None:
            self._unseen = False
            # Without the last traceback, to which each raise would add: some callers try for ever.
            raise self._error.with_traceback(None)
        if not self._channel.whole:
            raise LocalProtocolError("a write was interrupted, perhaps inside a frame")

    def _exchange(self, until: State, deadline: float | None, late: str) -> None:
        """Send what is to be sent and take the answers, until the state is reached."""
        protocol = self.protocol
        try:
            while True:
                if data := protocol.data_to_send():
                    self._channel.write(data, deadline)
                if protocol.state is until:
                    break
                if data := self._channel.read(deadline):
                    protocol.receive_data(data)
                else:
                    protocol.receive_eof()
        except (OSError, RemoteProtocolError) as error:
            self._error = TimeoutError(late) if isinstance(error, TimeoutError) else error
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
                        self._unseen = True  # The next write raises it.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error and self._channel.transactional:
            self.abort()
            return
        # An error of the body is worth more than one that only follows from it.
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            self.close()
