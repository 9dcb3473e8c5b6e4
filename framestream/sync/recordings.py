"""Readers and writers of files, pipes and file objects, blocking. They need nothing of sockets, so it is not loaded."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from framestream.errors import LocalProtocolError
from framestream.files import POLL_S, open_input, open_output
from framestream.protocol import Transport
from framestream.streams import (
    AT_ONCE,
    LIMITS,
    NO_DEADLINES,
    Batching,
    Limits,
    check_appendable,
    reader_protocol,
    writer_protocol,
)
from framestream.sync.reader import Reader
from framestream.sync.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framestream.endpoints import Path
    from framestream.files import FileInput, FileMode, FileOutput, ObjectInput, ObjectOutput, Readable, Writable

__all__ = ["InputChannel", "OutputChannel", "opened", "read_file", "write_file"]


class InputChannel:
    taken = 0
    whole = True
    transactional = False

    def __init__(self, file: FileInput | ObjectInput) -> None:
        self._file = file
        self._stopped = threading.Event()
        self.fileno = file.fileno

    def read(self, deadline: float | None) -> bytes:  # noqa: ARG002 (a file has no peer that could be late)
        while not (data := self._file.read()):
            if not self._file.may_grow():
                return self._file.read()
            self._stopped.wait(POLL_S)
        return data

    def write(self, data: bytes, deadline: float | None) -> None:  # noqa: ARG002
        raise LocalProtocolError("an input is not written to")

    def gone(self) -> bool:
        return False

    def end_input(self) -> None:
        self._file.end_input()
        self._stopped.set()

    def interrupt(self) -> None:
        """Nobody else is at its other end."""

    def forget(self) -> None:
        self._file.close()

    def close(self, *, keep: bool = True) -> None:  # noqa: ARG002
        self._file.close()


class OutputChannel:
    taken = 0  # A write to a file that fails leaves nothing of it there.

    def __init__(self, file: FileOutput | ObjectOutput) -> None:
        self._file = file
        self.fileno = file.fileno

    @property
    def whole(self) -> bool:
        return self._file.whole

    @property
    def transactional(self) -> bool:
        return self._file.transactional

    def read(self, deadline: float | None) -> bytes:  # noqa: ARG002
        raise LocalProtocolError("an output is not read from")

    def write(self, data: bytes, deadline: float | None) -> None:  # noqa: ARG002
        self._file.write(data)

    def gone(self) -> bool:
        return False

    def end_input(self) -> None:
        """It has none."""

    def interrupt(self) -> None:
        """Nobody else is at its other end."""

    def forget(self) -> None:
        self._file.close(keep=False)

    def close(self, *, keep: bool = True) -> None:
        self._file.close(keep=keep)


def read_file(
    file: Path | Readable,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    follow: bool = False,
) -> Reader:
    """A Reader of a file, a pipe, standard input ("-") or a file object, also compressed by gzip, bzip2, xz or zstd.

    Streams that follow each other are read through to the end.

    Args:
        file: its path, or a binary file object, which is left open.
        content_types: those that it may hold; none: any.
        follow: whether to wait for a regular file to grow, until end_input(), or until its name has been given to
            another file.
    Raises: OSError. What is wrong in the file is raised by reading; a regular file that ends without STOP is truncated,
        unless it is followed.
    """
    opened = open_input(file, follow=follow)
    protocol = reader_protocol(
        content_types, limits, transport=Transport.UNIDIRECTIONAL, require_stop=opened.regular and not follow
    )
    return Reader(InputChannel(opened), protocol, peer=str(file), file=True)


def write_file(
    file: Path | Writable,
    content_types: Iterable[bytes] = (),
    *,
    mode: FileMode = "replace",
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> Writer:
    """A Writer to a file, a pipe, standard output ("-") or a file object.

    If a write to a regular file fails, no part of it stays there.

    Args:
        file: its path, or a binary file object, which is left open.
        content_types: the first of them is named in START.
        mode: what becomes of a file that is there. "replace": it is overwritten from now on. "append": a further stream
            is written behind those in it, which must end by STOP. "atomic": it is replaced by close(), at once, and
            left as it is if the body of `with` or a write fails. "new": FileExistsError.
    Raises: OSError; LocalProtocolError: content types that do not fit in a frame; RemoteProtocolError: the stream to
        append to is not whole.
    """
    protocol = writer_protocol(content_types, limits, Transport.UNIDIRECTIONAL)
    if mode == "append" and isinstance(file, str | os.PathLike):
        check_appendable(file)
    return opened(Writer(OutputChannel(open_output(file, mode)), protocol, NO_DEADLINES, batching, peer=str(file)))


def opened(writer: Writer) -> Writer:
    """The writer, with the handshake done; or none."""
    try:
        writer.handshake()
    except BaseException:
        writer.abort()
        raise
    return writer
