"""Blocking readers and writers, for files, pipes and unix sockets.

`read_file` and `write_file` open a file, or standard input and output as "-". `Listener` waits on a unix socket for
writers and gives a Reader for each; `connect` makes such a writer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import TYPE_CHECKING, Literal, Protocol, Self

from framestream.compression import Decompressor
from framestream.control import MAX_CONTROL_BYTES
from framestream.errors import RemoteProtocolError
from framestream.frames import MAX_DATA_BYTES
from framestream.protocol import ReaderProtocol, State, Transport, WriterProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

__all__ = ["Listener", "Reader", "Writer", "connect", "read_file", "write_file"]

READ_BYTES = 1 << 18
"""Asked of the system at a time."""

Path = str | os.PathLike[str]


class Channel(Protocol):
    """What carries the bytes: a file or a socket."""

    def fileno(self) -> int: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def end_input(self) -> None: ...
    def close(self) -> None: ...


class _File:
    """A file descriptor; standard input and output are left open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._owned = fd > 2

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        return os.read(self._fd, READ_BYTES)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def end_input(self) -> None:
        """A file has no peer that could be told."""

    def close(self) -> None:
        if self._owned:
            # The system gives the number to the next file that is opened: a late read must not be one of that.
            fd, self._fd = self._fd, -1
            self._owned = False
            os.close(fd)


class _Socket:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.fileno = sock.fileno
        self.write = sock.sendall
        self.close = sock.close

    def read(self) -> bytes:
        return self._socket.recv(READ_BYTES)

    def end_input(self) -> None:
        with contextlib.suppress(OSError):  # of a peer that has gone
            self._socket.shutdown(socket.SHUT_RD)


class Reader:
    """The payloads of a stream.

    Iterate over it; or over `batches()`, for those of each read at once; or call `receive()` when `fileno()` is
    readable.

    Attributes:
        frames, bytes: payloads given out, and their size in all.
        protocol: the ReaderProtocol, with the state, the content type and the counts of what was skipped.
    """

    def __init__(self, channel: Channel, protocol: ReaderProtocol, *, file: bool = False) -> None:
        """file: whether it may be compressed, and further streams may follow behind the first."""
        self.protocol = protocol
        self.frames = 0
        self.bytes = 0
        self._channel = channel
        self._joined = file
        self._decompressor = Decompressor() if file else None
        self._pieces: Iterator[bytes] = iter(())
        self._receiving = False
        self._batch: Iterator[bytes] = iter(())

    @property
    def content_type(self) -> bytes | None:
        """That of START; None if it named none, and before it has come."""
        return self.protocol.content_type

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: after STOP, or the end of the input."""
        finished = self.protocol.ended or (self.protocol.state is State.FINISHED and not self._joined)
        return finished and not self._receiving

    def fileno(self) -> int:
        return self._channel.fileno()

    def __iter__(self) -> Iterator[bytes]:
        """The payloads; who leaves the loop and comes back goes on where it was."""
        while True:
            yield from self._batch
            payloads = next(self.batches(), None)
            if payloads is None:
                break
            self._batch = iter(payloads)

    def batches(self) -> Iterator[list[bytes]]:
        """The payloads in lists, none of them empty.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault; OSError.
        """
        while self.protocol.failed or not self.ended:
            yield from self.receive()

    def receive(self) -> Iterator[list[bytes]]:
        """Read once, give the payloads that are complete, in lists, none empty, and answer what is to be answered.

        If the last call was left before its end, that is gone on with, and nothing is read.

        Raises: as batches(). A RemoteProtocolError is raised again by each further call.
        """
        protocol = self.protocol
        if not (self._receiving or protocol.failed):
            if data := self._channel.read():
                self._pieces = self._decompressor.feed(data) if self._decompressor else iter((data,))
            else:
                protocol.receive_eof()
            self._receiving = True
        try:
            yield from self._complete()
            for piece in self._pieces:
                protocol.receive_data(piece)
                yield from self._complete()
        except RemoteProtocolError as error:
            self._receiving = False
            protocol.fail(error)
            raise
        self._receiving = False
        if answer := protocol.data_to_send():
            # Unbound closes as soon as it has sent STOP: nobody is there for FINISH, and nothing is lost.
            with contextlib.suppress(OSError) if protocol.state is State.FINISHED else contextlib.nullcontext():
                self._channel.write(answer)

    def _complete(self) -> Iterator[list[bytes]]:
        protocol = self.protocol
        while True:
            while payloads := protocol.payloads():
                self.frames += len(payloads)
                self.bytes += sum(map(len, payloads))
                yield payloads
            if not (self._joined and protocol.state is State.FINISHED and protocol.unread):
                break
            protocol.next_stream()

    def end_input(self) -> None:
        """Let the peer send no more: what the system has received is still read, and then the input ends."""
        self._channel.end_input()

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Writer:
    """A stream to write payloads to; each call of `write` and `write_many` is on its way when it returns.

    Attributes:
        frames, bytes: payloads written, and their size in all.
        protocol: the WriterProtocol.
    """

    def __init__(self, channel: Channel, protocol: WriterProtocol) -> None:
        """Does the handshake.

        Raises: RemoteProtocolError: the reader does not want it; OSError, TimeoutError.
        """
        self.protocol = protocol
        self.frames = 0
        self.bytes = 0
        self._channel = channel
        self._error: OSError | None = None
        try:
            protocol.start()
            self._exchange(State.STREAMING)
        except BaseException:
            channel.close()
            raise

    @property
    def content_type(self) -> bytes | None:
        """The one that both sides agreed on; None for an unnamed one."""
        return self.protocol.content_type

    def write(self, payload: bytes) -> None:
        """Write one data frame.

        Raises: LocalProtocolError: an empty payload, or one over the limit; OSError, TimeoutError.
        """
        self.write_many((payload,))

    def write_many(self, payloads: Iterable[bytes]) -> None:
        """Write data frames in one go. If one of them is refused, none is written.

        Raises: as write(). Once it has raised an OSError, it raises the same again.
        """
        if self._error is not None:
            # Without the last traceback, to which each raise would add: some callers try for ever.
            raise self._error.with_traceback(None)
        payloads = tuple(payloads)
        self.protocol.send(payloads)
        try:
            self._channel.write(self.protocol.data_to_send())
        except OSError as error:
            # Part of a frame may be on its way: whatever came behind it, STOP too, would be taken for the rest.
            self._error = error
            raise
        self.frames += len(payloads)
        self.bytes += sum(map(len, payloads))

    def close(self) -> None:
        """End the stream by STOP, wait for the reader's FINISH where it talks, and close.

        After a write that failed it only closes.

        Raises: TruncatedStreamError: the reader closed without FINISH; OSError, TimeoutError.
        """
        try:
            if self._error is None and self.protocol.state is State.STREAMING:
                self.protocol.stop()
                self._exchange(State.FINISHED)
        finally:
            self._channel.close()

    def _exchange(self, until: State) -> None:
        """Send what is to be sent and take the answers, until the state is reached."""
        protocol = self.protocol
        while True:
            if data := protocol.data_to_send():
                self._channel.write(data)
            if protocol.state is until:
                break
            if data := self._channel.read():
                protocol.receive_data(data)
            else:
                protocol.receive_eof()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # An error of the body is worth more than one that only follows from it.
        with contextlib.suppress(Exception) if error else contextlib.nullcontext():
            self.close()


def read_file(
    path: Path,
    content_types: Iterable[bytes] = (),
    *,
    max_data_bytes: int = MAX_DATA_BYTES,
    max_control_bytes: int = MAX_CONTROL_BYTES,
    oversize: Literal["error", "skip"] = "error",
) -> Reader:
    """A Reader of a file, a pipe, or standard input ("-"), also compressed by gzip, bzip2 or xz.

    Streams that follow each other are read through to the end.

    Args:
        content_types: those that it may hold; none: any.
        max_data_bytes, max_control_bytes, oversize: as of FrameDecoder.
    Raises: OSError. What is wrong in the file is raised by reading; a regular file that ends without STOP is truncated.
    """
    fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    channel = _File(fd)
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        channel.close()
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    protocol = ReaderProtocol(
        content_types,
        transport=Transport.UNIDIRECTIONAL,
        require_stop=stat.S_ISREG(mode),
        max_data_bytes=max_data_bytes,
        max_control_bytes=max_control_bytes,
        oversize=oversize,
    )
    return Reader(channel, protocol, file=True)


def write_file(path: Path, content_types: Iterable[bytes] = (), *, max_data_bytes: int = MAX_DATA_BYTES) -> Writer:
    """A Writer to a new file, which takes the place of an old one, or to standard output ("-").

    Args: content_types: the first of them is named in START.
    Raises: OSError; LocalProtocolError: content types that do not fit in a frame.
    """
    protocol = WriterProtocol(content_types, transport=Transport.UNIDIRECTIONAL, max_data_bytes=max_data_bytes)
    fd = 1 if path == "-" else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    return Writer(_File(fd), protocol)


def connect(
    path: Path,
    content_types: Iterable[bytes] = (),
    *,
    transport: Transport = Transport.BIDIRECTIONAL,
    max_data_bytes: int = MAX_DATA_BYTES,
    timeout_s: float | None = 5.0,
) -> Writer:
    """A Writer to a reader that listens on a unix socket.

    Args:
        content_types: those offered, the most wanted first.
        timeout_s: for the connection, each answer of the reader and each write; None: for ever.
    Raises: RemoteProtocolError: the reader does not want it; OSError, TimeoutError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    try:
        sock.connect(os.fspath(path))
    except BaseException:
        sock.close()
        raise
    return Writer(_Socket(sock), WriterProtocol(content_types, transport=transport, max_data_bytes=max_data_bytes))


class Listener:
    """A unix socket on which writers are awaited. Iterate over it, or call `accept()`, for a Reader of each.

    A socket that nobody listens on any more is replaced; the socket is removed by `close()`.

    Args:
        content_types: those taken, the most wanted first; none: any.
        max_data_bytes, max_control_bytes, oversize: as of FrameDecoder.
    Raises: OSError: EADDRINUSE if somebody listens there, EEXIST if it is no socket.
    """

    def __init__(
        self,
        path: Path,
        content_types: Iterable[bytes] = (),
        *,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
        oversize: Literal["error", "skip"] = "error",
    ) -> None:
        self.path = os.fspath(path)
        self._content_types = tuple(content_types)
        self._max_data_bytes = max_data_bytes
        self._max_control_bytes = max_control_bytes
        self._oversize: Literal["error", "skip"] = oversize
        _remove_stale(self.path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(self.path)
            self._inode = os.stat(self.path).st_ino
            self._socket.listen(128)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self, timeout_s: float | None = None) -> Reader:
        """The Reader of the next writer that connects; its handshake is done as it is read.

        Args: timeout_s: how long to wait for one; 0: not at all; None: for ever.
        Raises: TimeoutError; BlockingIOError: none waits, and neither shall we; OSError.
        """
        self._socket.settimeout(timeout_s)
        sock, _ = self._socket.accept()
        sock.setblocking(True)
        protocol = ReaderProtocol(
            self._content_types,
            max_data_bytes=self._max_data_bytes,
            max_control_bytes=self._max_control_bytes,
            oversize=self._oversize,
        )
        return Reader(_Socket(sock), protocol)

    def __iter__(self) -> Iterator[Reader]:
        while True:
            yield self.accept()

    def close(self) -> None:
        """Stop listening and remove the socket, unless another has taken its place."""
        if self._socket.fileno() < 0:
            return
        self._socket.close()
        with contextlib.suppress(OSError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _remove_stale(path: str) -> None:
    """Remove a socket that a listener left behind; leave everything else, and say what it is."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "exists and is no socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # A listener with a full queue.
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
    raise OSError(errno.EADDRINUSE, "somebody listens there already", path)
