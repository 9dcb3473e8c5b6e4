"""Receiving from many: files, and any number of writers on unix sockets, in one thread.

Every input is read when it has something, and what is complete goes to the output before the next read. A broken stream
is reported and ends; the others go on.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from framestream import FrameStreamError, Reader, State, TruncatedStreamError, read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream import Listener

__all__ = ["Collector"]

BACKLOG = 128
"""How many writers may wait to be accepted when the run ends."""


class Collector:
    """Passes the payloads of all its inputs to one output.

    Args: report: takes one line about an input: what was wrong with it, or what was left out of it.

    Attributes:
        failed_files: files that could not be read to their end.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        self.failed_files = 0
        self._output: Callable[[list[bytes]], object] = len
        self._report = report
        self._files: deque[tuple[str, Reader]] = deque()
        self._listeners: list[Listener[Reader]] = []
        self._names: dict[Reader, str] = {}
        self._starting: set[Reader] = set()
        self._stopping = False
        self._wakeup, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._selector = selectors.PollSelector()  # epoll takes no files
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def read(self, path: str) -> None:
        """Add a file, or standard input as "-". Files are read one after the other.

        Raises: OSError.
        """
        self._files.append((path, read_file(path, [CONTENT_TYPE])))
        if len(self._files) == 1:
            self._add_reader(*self._files[0])

    def listen(self, path: str) -> None:
        """Add a unix socket.

        Raises: OSError: somebody listens there, or it is no socket.
        """
        # What sockets need is loaded when there are any.
        from framestream import UnixEndpoint, listen_reader

        listener = listen_reader(UnixEndpoint(path), [CONTENT_TYPE])
        self._listeners.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def stop(self) -> None:
        """End the run once what has been received is passed on. May be called by a signal handler or another thread."""
        self._stopping = True
        with contextlib.suppress(BlockingIOError):  # of a waker that was called very often
            os.write(self._waker, b"\0")

    def run(self, output: Callable[[list[bytes]], object]) -> None:
        """Receive until all files have been read and there is no socket to listen on, or until stop().

        Args: output: takes a list of payloads; what it raises ends the run.
        """
        self._output = output
        while (self._files or self._listeners) and not self._stopping:
            for key, _ in self._selector.select(self._patience()):
                if key.data:
                    key.data(key.fileobj)
            self._end_the_silent()
        self._drain()

    def close(self) -> None:
        """Close all inputs and remove the sockets."""
        for listener in self._listeners:
            listener.close()
        for reader in {*self._names, *(reader for _, reader in self._files)}:
            reader.close()
        self._selector.close()
        os.close(self._wakeup)
        os.close(self._waker)

    def _add_reader(self, name: str, reader: Reader) -> None:
        self._names[reader] = name
        self._selector.register(reader, selectors.EVENT_READ, self._receive)

    def _accept(self, listener: Listener[Reader]) -> bool:
        """Take the next waiting writer; whether there was one."""
        try:
            reader = listener.accept(timeout_s=0)
        except TimeoutError:
            return False
        except OSError as error:
            # Out of descriptors, most likely: no more until a connection ends.
            self._report(f"{listener.endpoint}: cannot accept a connection: {error.strerror}")
            self._selector.unregister(listener)
            return False
        self._add_reader(reader.peer, reader)
        self._starting.add(reader)
        return True

    def _receive(self, reader: Reader) -> None:
        """Read once, and pass on what is complete."""
        error = None
        batches = reader.receive()
        while True:
            try:
                payloads = next(batches, None)
            except (FrameStreamError, OSError) as caught:
                error = caught
                break
            if payloads is None:
                break
            self._output(payloads)
        if error or reader.ended:
            self._end(reader, error)

    def _end(self, reader: Reader, error: FrameStreamError | OSError | None) -> None:
        name = self._names.pop(reader)
        self._selector.unregister(reader)
        reader.close()
        if ignored := reader.protocol.unknown_control_frames:
            self._report(f"{name}: {ignored} control frames of unknown type ignored")
        if not error and reader.protocol.unread:
            self._report(f"{name}: {reader.protocol.unread} bytes behind STOP ignored")
        if error and not (self._stopping and _lost_nothing(error)):
            self._report(f"{name}: {error.strerror or error if isinstance(error, OSError) else error}")
        if self._files and self._files[0][1] is reader:
            self.failed_files += error is not None
            self._files.popleft()
            if self._files:
                self._add_reader(*self._files[0])
        for listener in self._listeners:
            if listener not in self._selector.get_map() and not self._stopping:
                self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def _patience(self) -> float | None:
        """How long to wait until a writer is too late with its START."""
        self._starting = {reader for reader in self._starting if reader in self._names and not reader.started}
        deadlines = [reader.deadline for reader in self._starting if reader.deadline]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_the_silent(self) -> None:
        now = time.monotonic()
        for reader in self._starting:
            if reader in self._names and not reader.started and reader.deadline and reader.deadline <= now:
                self._receive(reader)  # which finds that it is too late

    def _drain(self) -> None:
        """Pass on what the system has received by now, also from writers that have not been accepted yet."""
        for path, reader in self._files:
            self._report(f"{path}: stopped at byte {reader.protocol.offset}")
            self._names.pop(reader, None)
        for listener in self._listeners:
            all(self._accept(listener) for _ in range(BACKLOG))  # until one is not there
            listener.close()
        for reader in self._names:
            reader.end_input()
        while self._names:
            self._receive(next(iter(self._names)))


def _lost_nothing(error: FrameStreamError | OSError) -> bool:
    """Whether a connection that we ended was not inside a data frame."""
    if not isinstance(error, TruncatedStreamError):
        return False
    return not error.inside_frame or error.state != State.STREAMING.name
