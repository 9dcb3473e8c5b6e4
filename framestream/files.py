"""Files, pipes and standard streams, by descriptor: opened, read, written, followed, replaced at once, appended to.

Nothing here waits but the system itself: a reader that follows a file is told to come back.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Literal, Protocol

from framestream.errors import LocalProtocolError, TruncatedStreamError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "POLL_S",
    "READ_BYTES",
    "FileInput",
    "FileMode",
    "FileOutput",
    "ObjectInput",
    "ObjectOutput",
    "Readable",
    "Writable",
    "open_input",
    "open_output",
]

READ_BYTES = 1 << 16
"""Asked of the system at a time. From 128 KiB on, glibc maps fresh pages for each read, which costs twice the time."""

POLL_S = 0.1
"""How often a file that is followed is looked at."""

Path = str | os.PathLike[str]
FileMode = Literal["replace", "append", "atomic", "new"]


class Readable(Protocol):
    """A file object to read from."""

    def read(self, size: int, /) -> bytes | None: ...


class Writable(Protocol):
    """A file object to write to."""

    def write(self, data: bytes, /) -> int | None: ...


class FileInput:
    """A file, a named pipe or standard input ("-"), read from its beginning. Standard input is left open.

    Args: follow: whether what is appended to a regular file is awaited.
    Attributes: regular: whether it is a regular file: one that has an end, and whose stream ends by STOP.
    Raises: OSError.
    """

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self._path = path
        self._fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._owned = path != "-"
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        self.regular = stat.S_ISREG(mode)
        self._follow = follow and self.regular
        self._position = 0

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        """What there is, READ_BYTES at the most; nothing at the end."""
        data = os.read(self._fd, READ_BYTES)
        self._position += len(data)
        return data

    def may_grow(self) -> bool:
        """Whether to come back after POLL_S, when there was nothing to read; else what is read now is the last of it.

        Not where the file is not followed, has been removed, or its name has been given to another.

        Raises: TruncatedStreamError: the file has been cut.
        """
        if not self._follow:
            return False
        here = os.fstat(self._fd)
        if here.st_size < self._position:
            raise TruncatedStreamError("a file that grows", f"one cut to {here.st_size} bytes", self._position)
        try:
            return os.path.samestat(here, os.stat(self._path))
        except FileNotFoundError:
            # It may be on its way to another name, with its writer still writing.
            return here.st_nlink > 0

    def end_input(self) -> None:
        """Follow it no longer."""
        self._follow = False

    def close(self) -> None:
        if self._owned:
            # The system gives the number to the next file that is opened: a late read must not be one of that.
            fd, self._fd = self._fd, -1
            self._owned = False
            os.close(fd)


class FileOutput:
    """A file, a named pipe or standard output ("-") to write to.

    Args:
        mode: "replace": from the beginning, over what is there. "append": behind what is there. "atomic": under another
            name in the same folder, to take the place of what is there when it is closed. "new": nothing must be there.
    Attributes:
        whole: whether what has been written is all of what was given to each `write`, or nothing of it.
        transactional: whether it must be closed with `keep` to take its name.
    Raises: OSError.
    """

    def __init__(self, path: Path, mode: FileMode = "replace") -> None:
        self.whole = True
        self.transactional = mode == "atomic" and path != "-"
        self._path = path
        self._owned = path != "-"
        self._temporary: str | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        if path == "-":
            self._fd = 1
        elif mode == "atomic":
            self._path = os.path.realpath(path)
            folder, name = os.path.split(self._path)
            self._temporary = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
            self._fd = os.open(self._temporary, flags | os.O_EXCL, 0o666)
        else:
            flags |= {"replace": os.O_TRUNC, "append": os.O_APPEND, "new": os.O_EXCL}[mode]
            self._fd = os.open(path, flags, 0o666)
        # Only where nobody else can have written behind us may the end be cut off again.
        self._regular = self._owned and stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._size = os.fstat(self._fd).st_size

    def fileno(self) -> int:
        return self._fd

    def write(self, data: bytes) -> None:
        """Write all of it; of a regular file, what has been written when that fails is cut off again.

        Raises: OSError.
        """
        self.whole = False
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except BaseException:
            if self._regular:
                os.ftruncate(self._fd, self._size)
                os.lseek(self._fd, self._size, os.SEEK_SET)
                self.whole = True
            raise
        self._size += len(data)
        self.whole = True

    def close(self, *, keep: bool = True) -> None:
        """Close it; it takes its name if it should do so at once, unless it is not to be kept.

        Raises: OSError.
        """
        if not self._owned:
            return
        fd, self._fd = self._fd, -1
        self._owned = False
        try:
            if self._temporary and keep:
                os.fsync(fd)
        finally:
            os.close(fd)
        if self._temporary:
            if keep:
                os.replace(self._temporary, self._path)
            else:
                os.unlink(self._temporary)


class ObjectInput:
    """A file object to read from, which may be of any kind; it is left open."""

    regular = False

    def __init__(self, file: Readable) -> None:
        self._read: Callable[[int], bytes | None] = getattr(file, "read1", file.read)

    def fileno(self) -> int:
        raise LocalProtocolError("a file object is read, not waited for")

    def read(self) -> bytes:
        data = self._read(READ_BYTES)
        if data is None:
            raise BlockingIOError(errno.EAGAIN, "the file object does not wait for its input")
        return data

    def may_grow(self) -> bool:
        return False

    def end_input(self) -> None:
        """There is nobody to tell."""

    def close(self) -> None:
        """It belongs to who made it."""


class ObjectOutput:
    """A file object to write to, which may be of any kind, one that compresses for example; it is left open."""

    transactional = False

    def __init__(self, file: Writable) -> None:
        self.whole = True
        self._write = file.write

    def fileno(self) -> int:
        raise LocalProtocolError("a file object is written to, not waited for")

    def write(self, data: bytes) -> None:
        self.whole = False
        view = memoryview(data)
        while view:
            written = self._write(view)  # type: ignore[arg-type] # every file takes one
            if written is None:
                raise BlockingIOError(errno.EAGAIN, "the file object does not wait for its reader")
            view = view[written:]
        self.whole = True

    def close(self, *, keep: bool = True) -> None:
        """It belongs to who made it."""


def open_input(file: Path | Readable, *, follow: bool = False) -> FileInput | ObjectInput:
    """What reads a file that is given by its path, or as a file object.

    Raises: OSError.
    """
    return FileInput(file, follow=follow) if isinstance(file, str | os.PathLike) else ObjectInput(file)


def open_output(file: Path | Writable, mode: FileMode = "replace") -> FileOutput | ObjectOutput:
    """What writes to a file that is given by its path, or as a file object.

    Raises: OSError.
    """
    return FileOutput(file, mode) if isinstance(file, str | os.PathLike) else ObjectOutput(file)
