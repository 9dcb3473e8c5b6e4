"""Blocking readers and writers of files, pipes and file objects.

Kept apart from sockets, so that a program which only reads files does not load them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from framestream.files import POLL_S, open_input
from framestream.protocol import Transport
from framestream.streams import (
    AT_ONCE,
    LIMITS,
    NO_DEADLINES,
    Batching,
    Limits,
    open_to_write,
    reader_protocol,
    start_frame,
    writer_protocol,
)
from framestream.sync.reader import Reader
from framestream.sync.writer import Writer, open_with_handshake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framestream.endpoints import Path
    from framestream.files import FileInput, FileMode, FileOutput, ObjectInput, ObjectOutput, Readable, Writable

__all__ = ["InputChannel", "OutputChannel", "read_file", "write_file"]


class InputChannel:
    """A readable channel over a file, a pipe or a file object. It has no peer that could miss a deadline."""

    def __init__(self, file: FileInput | ObjectInput) -> None:
        self._file = file
        self._stopped = threading.Event()
        self.fileno = file.fileno

    def read(self, _deadline: float | None) -> bytes:
        """Return the next bytes; b"" at the end. Waits if a followed file may grow."""
        while not (data := self._file.read()):
            if not self._file.may_grow():
                # Once more, for bytes appended between the read and the check.
                return self._file.read()
            self._stopped.wait(POLL_S)
        return data

    def end_input(self) -> None:
        """Stop following the file; may be called from another thread."""
        self._file.end_input()
        self._stopped.set()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class OutputChannel:
    """A writable channel over a file, a pipe or a file object."""

    taken = 0  # A failed write to a file leaves nothing of it there.

    def __init__(self, file: FileOutput | ObjectOutput) -> None:
        self._file = file
        self.fileno = file.fileno

    @property
    def whole(self) -> bool:
        """True if each write so far was written entirely or not at all."""
        return self._file.whole

    @property
    def transactional(self) -> bool:
        """True if closing without `keep` discards everything written."""
        return self._file.transactional

    def write(self, data: bytes, _deadline: float | None) -> None:
        """Write all bytes."""
        self._file.write(data)

    def close(self, *, keep: bool = True) -> None:
        """Close the file, as FileOutput.close."""
        self._file.close(keep=keep)


def read_file(
    file: Path | Readable,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    follow: bool = False,
) -> Reader:
    """Open a file, a pipe, standard input ("-") or a file object, also one compressed with gzip, bzip2, xz or zstd.

    If the file holds several streams one after the other, all of them are read, also after one that has no STOP
    (`unfinished_streams` of the protocol).

    Args:
        file: path, or binary file object, which is left open.
        content_types: content types that the file may have; any if there are none.
        follow: wait for a regular file to grow, until `end_input()` is called, or it was removed or its name given to
            another file and it has not grown for a second.
    Raises: OSError. Errors in the contents are raised by reading. A regular file that ends without STOP is truncated,
        unless it is followed.
    """
    protocol = reader_protocol(content_types, limits, transport=Transport.UNIDIRECTIONAL, joined=True)
    opened = open_input(file, follow=follow)
    protocol.require_stop = opened.regular and not follow
    return Reader(InputChannel(opened), protocol, peer=str(file), file=True)


def write_file(
    file: Path | Writable,
    content_types: Iterable[bytes] = (),
    *,
    mode: FileMode = "replace",
    lock: bool = False,
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> Writer:
    """Open a file, a pipe, standard output ("-") or a file object to write a stream to.

    If a write to a regular file fails, no part of it stays in the file. If another program cuts the file meanwhile,
    as logrotate's copytruncate does, another stream is begun there.

    Args:
        file: path, or binary file object, which is left open.
        content_types: the first of them goes into START.
        mode: treatment of an existing file. "replace" overwrites it from now on. "append" continues the last
            stream in the file, whose STOP and unfinished frame (`cut_bytes` of the writer) are removed; it reads the
            whole file to find its end. "atomic" replaces the file in one step on `close()`, and leaves it unchanged if
            a write or the body of `with` fails. "new" raises FileExistsError.
        lock: lock a regular file until it is closed, so that nobody else can open it with `lock`. Not in mode "atomic".
    Raises: OSError, BlockingIOError if the file is locked; LocalProtocolError: the content types do not fit in a frame,
        or the file to append to is compressed; RemoteProtocolError: it holds no stream, one with another content type,
        or one with a fault.
    """
    protocol = writer_protocol(content_types, limits, Transport.UNIDIRECTIONAL)
    opened, cut_bytes = open_to_write(file, mode, protocol, lock=lock)
    writer = Writer(OutputChannel(opened), protocol, NO_DEADLINES, batching, peer=str(file))
    writer.cut_bytes = cut_bytes
    open_with_handshake(writer)
    opened.beginning = start_frame(protocol)
    return writer
