"""Files, pipes, standard streams and file objects to read from and write to, for both front ends.

Nothing here waits except in system calls; the caller waits between two looks at a followed file.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from framestream.arguments import refuse_type
from framestream.control import ControlFrame, ControlType
from framestream.errors import LocalProtocolError, TruncatedStreamError
from framestream.frames import encode_control_frame
from framestream.platforms import NO_FOLLOW, OPEN_FLAGS, OWNERS, set_binary

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
    "create_like",
    "may_be_regular",
    "open_input",
    "open_output",
]

READ_BYTES = 1 << 16
"""Size of a read. With 256 KiB, reading and copying a file took twice the time: from 128 KiB on, glibc maps fresh pages
for each block of memory (docs/performance.md)."""

POLL_S = 0.1
"""Seconds between two looks at a followed file."""

QUIET_POLLS = 10
"""Looks without anything new after which a replaced or removed file has ended. Its writer goes on with it until it is
told to open the new one."""

_STOP = encode_control_frame(ControlFrame(ControlType.STOP))

_WRITING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | OPEN_FLAGS

Path = str | os.PathLike[str]
FileMode = Literal["replace", "append", "atomic", "new"]
_MODES = get_args(FileMode)


class Readable(Protocol):
    """Interface of a file object to read from."""

    def read(self, size: int, /) -> bytes | None: ...


class Writable(Protocol):
    """Interface of a file object to write to."""

    def write(self, data: bytes, /) -> int | None: ...


class FileInput:
    """A file, a named pipe or standard input ("-") to read from. Standard input is left open.

    Args: follow: wait for more at the end of a regular file.
    Attributes: regular: whether it is a regular file, which has an end, and whose stream ends with STOP.
    Raises: OSError.
    """

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self._path = path
        self._owned = path != "-"
        if self._owned:
            self._fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
        else:
            self._fd = 0
            set_binary(self._fd)
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        self.regular = stat.S_ISREG(mode)
        self._follow = follow and self.regular
        self._position = 0
        self._quiet_polls = 0

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._fd

    def read(self) -> bytes:
        """Return the next bytes, at most READ_BYTES; b"" at the end."""
        data = os.read(self._fd, READ_BYTES)
        if self._follow and (held := _stop_bytes(data)):
            # A writer that appends replaces STOP, so STOP is not given before something else follows, or at the end.
            os.lseek(self._fd, -held, os.SEEK_CUR)
            data = data[:-held]
        if data:
            self._quiet_polls = 0
        self._position += len(data)
        return data

    def may_grow(self) -> bool:
        """Return whether to read again after POLL_S, at the end of the file. If not, read once more now.

        A file does not grow any more if it is not followed, or some time after it was removed or another file was given
        its name.

        Raises: TruncatedStreamError: the file has been truncated.
        """
        if not self._follow:
            return False
        here = os.fstat(self._fd)
        if here.st_size < self._position:
            raise TruncatedStreamError("a file that grows", f"one cut to {here.st_size} bytes", self._position)
        try:
            current = os.path.samestat(here, os.stat(self._path))
        except FileNotFoundError:
            # Between two names during a rotation, with its writer still writing.
            current = here.st_nlink > 0
        self._quiet_polls += not current
        self._follow = self._quiet_polls < QUIET_POLLS
        return self._follow

    def end_input(self) -> None:
        """Stop following the file."""
        self._follow = False

    def close(self) -> None:
        """Close the file, unless it is standard input."""
        if self._owned:
            # The next file opened gets the same descriptor, and a late read in another thread must not read from that.
            fd, self._fd = self._fd, -1
            self._owned = False
            os.close(fd)


class FileOutput:
    """A file, a named pipe or standard output ("-") to write to.

    Regular files are appended to in every mode, so that a file which another program cuts while it is open (logrotate's
    copytruncate) has no gap of NUL bytes at its beginning.

    Args:
        mode: "replace" truncates an existing file, "append" writes after its end, "new" refuses it. "atomic" writes to
            a temporary file in the same directory, which takes the name on `close()`, with the mode and owner of the
            file that has it.
        lock: refuse a regular file that has been opened in this way before and is still open, in any process.
    Attributes:
        whole: whether each write so far was written entirely or not at all.
        transactional: whether the file is discarded unless it is closed with `keep`.
        regular: whether it is a regular file of our own, and not standard output.
        beginning: bytes without which what follows cannot be read, to write again if another program cuts the file.
        cuts: how often another program has cut it.
        opened_bytes: length of the file when it was opened, after truncation.
        taken: number of bytes of the last write that are in the file, also if it failed.
    Raises: OSError: BlockingIOError if it is locked.
    """

    def __init__(self, path: Path, mode: FileMode = "replace", *, lock: bool = False) -> None:
        self.whole = True
        self.transactional = mode == "atomic" and path != "-"
        self.beginning = b""
        self.cuts = 0
        self.taken = 0
        self._path = path
        self._owned = path != "-"
        self._temporary: str | None = None
        if path == "-":
            self._fd = 1
            set_binary(self._fd)
        elif mode == "atomic":
            self._path = os.path.realpath(path)
            folder, name = os.path.split(self._path)
            self._temporary = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
            try:
                self._fd = create_like(self._temporary, os.stat(self._path))
            except FileNotFoundError:
                self._fd = os.open(self._temporary, _WRITING | os.O_EXCL, 0o666)
        else:
            self._fd = _open_for_writing(path, mode, lock=lock)
        status = os.fstat(self._fd)
        # Only a file of our own may be truncated after a failed write: on standard output, others may have written too.
        self.regular = self._owned and stat.S_ISREG(status.st_mode)
        self._size = self.opened_bytes = status.st_size

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._fd

    def write(self, data: bytes) -> None:
        """Write all bytes. If that fails, truncate a regular file to its length before.

        Raises: OSError.
        """
        if not data:
            return
        self.whole = False
        try:
            if self.regular and not self._size:
                data = self.beginning + data
            self._write(data)
            if self.regular:
                size = os.fstat(self._fd).st_size
                # Looked at after the write, because the file may be cut at any time before it.
                if size < self._size + len(data):
                    self.cuts += 1
                    if self.beginning and size:
                        size = self._write_again(data, size)
                self._size = size
        except BaseException:
            if self.regular:
                # The error of the write says more than one of what follows.
                with suppress(OSError):
                    self._undo()
            raise
        self.whole = True

    def _write(self, data: bytes) -> None:
        self.taken = 0
        while self.taken < len(data):
            self.taken += os.write(self._fd, memoryview(data)[self.taken :])

    def _undo(self) -> None:
        """Remove what a failed write has left."""
        # The file is not made longer: another program may have cut it meanwhile.
        size = os.fstat(self._fd).st_size
        self.truncate(self._size if self._size <= size else 0)
        self.whole = True
        self.taken = 0

    def _write_again(self, data: bytes, size: int) -> int:
        """Write bytes again that are at the beginning of a file which was cut before they were written.

        Args: size: length of the file, with them.
        Returns: its new length.
        """
        os.ftruncate(self._fd, max(0, size - len(data)))
        self._write(self.beginning + data)
        return os.fstat(self._fd).st_size

    def read(self, offset: int) -> bytes:
        """Return the bytes of a regular file in mode "append" from there on, at most READ_BYTES; b"" at its end.

        Raises: OSError.
        """
        os.lseek(self._fd, offset, os.SEEK_SET)
        return os.read(self._fd, READ_BYTES)

    def truncate(self, size: int) -> None:
        """Cut a regular file to this length; the next write follows there.

        Raises: OSError.
        """
        os.ftruncate(self._fd, size)
        self._size = size

    def close(self, *, keep: bool = True) -> None:
        """Close the file. In mode "atomic", rename it into place if `keep`, else delete it.

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
    """A file object of any kind to read from. It is left open."""

    regular = False

    def __init__(self, file: Readable) -> None:
        self._read: Callable[[int], bytes | None] = getattr(file, "read1", file.read)

    def fileno(self) -> int:
        """Raise LocalProtocolError: a file object may have no descriptor, or read ahead of it."""
        raise LocalProtocolError("a file object is read, not waited for")

    def read(self) -> bytes:
        """Return the next bytes; b"" at the end.

        Raises: BlockingIOError: it is in non-blocking mode and has no input yet.
        """
        data = self._read(READ_BYTES)
        if data is None:
            raise BlockingIOError(errno.EAGAIN, "the file object does not wait for its input")
        return data

    def may_grow(self) -> bool:
        """Return False: file objects cannot be followed."""
        return False

    def end_input(self) -> None:
        """No-op: file objects cannot be followed."""

    def close(self) -> None:
        """No-op: the caller owns the file object."""


class ObjectOutput:
    """A file object of any kind to write to, such as one that compresses. It is left open."""

    transactional = False

    def __init__(self, file: Writable) -> None:
        self.whole = True
        self.beginning = b""  # As FileOutput has it. Whoever cuts a file object's file is its owner's business.
        self._write = file.write

    def fileno(self) -> int:
        """Raise LocalProtocolError: a file object may have no descriptor."""
        raise LocalProtocolError("a file object is written to, not waited for")

    def write(self, data: bytes) -> None:
        """Write all bytes.

        Raises: BlockingIOError: it is in non-blocking mode and full.
        """
        self.whole = False
        while data:
            written = self._write(data)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, "the file object does not wait for its reader")
            data = data[written:]  # Copies only after a partial write, as unbuffered file objects make.
        self.whole = True

    def close(self, *, keep: bool = True) -> None:
        """No-op: the caller owns the file object."""


def open_input(file: Path | Readable, *, follow: bool = False) -> FileInput | ObjectInput:
    """Open a file to read from, given by its path or as a file object.

    Raises: OSError; TypeError: it is neither.
    """
    if isinstance(file, str | os.PathLike):
        return FileInput(file, follow=follow)
    _check_object(file, "read")
    return ObjectInput(file)


def open_output(file: Path | Writable, mode: FileMode = "replace", *, lock: bool = False) -> FileOutput | ObjectOutput:
    """Open a file to write to, given by its path or as a file object.

    Raises: OSError; TypeError: it is neither; ValueError: there is no such mode.
    """
    if mode not in _MODES:
        raise ValueError(f"mode: expected one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    if isinstance(file, str | os.PathLike):
        return FileOutput(file, mode, lock=lock)
    _check_object(file, "write")
    return ObjectOutput(file)


def _check_object(file: object, method: str) -> None:
    """Check that an object is a binary file.

    Raises: TypeError.
    """
    if isinstance(file, io.TextIOBase) or not callable(getattr(file, method, None)):
        refuse_type("file", "a path or a binary file object", file)


def _stop_bytes(data: bytes) -> int:
    """Return how many bytes at the end of data are STOP, or the first two of its three words and perhaps more."""
    return next((size for size in range(len(_STOP), 7, -1) if data.endswith(_STOP[:size])), 0)


def create_like(path: str, status: os.stat_result) -> int:
    """Create an empty file with the mode and the owner of another, as far as the system allows, and open it.

    At no time may anybody read it who may not read the other. Links are not followed.

    Args: status: of the other file.
    Returns: a descriptor to write to.
    Raises: OSError: FileExistsError if there is a file already.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | OPEN_FLAGS, 0o600)
    try:
        if not OWNERS:
            return fd
        # Only root may give files away, but a group of ours can be kept. Some file systems have no owners or modes.
        with suppress(OSError):
            os.fchown(fd, -1, status.st_gid)
            os.fchown(fd, status.st_uid, -1)
        # Last, because fchown may change it.
        with suppress(PermissionError):
            os.fchmod(fd, stat.S_IMODE(status.st_mode) & 0o777)
    except BaseException:
        os.close(fd)
        os.unlink(path)
        raise
    return fd


def may_be_regular(path: Path) -> bool:
    """Return whether a path is a regular file, or will be one when it is opened to write.

    Raises: OSError.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True  # It will be, once it is opened.


def _open_for_writing(path: Path, mode: FileMode, *, lock: bool) -> int:
    """Return the descriptor of a file opened for writing after its end, which is truncated in mode "replace".

    Raises: OSError: BlockingIOError if it is locked.
    """
    flags = _WRITING
    if mode == "append" and may_be_regular(path):
        # Read as well, to find the end of its stream. A pipe opened in this way would not wait for its reader.
        flags ^= os.O_WRONLY ^ os.O_RDWR
    while True:
        fd = os.open(path, flags | (os.O_EXCL if mode == "new" else 0), 0o666)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return fd
            if lock:
                _lock(fd, path)
                # Whoever held the lock until now may have renamed the file: it is not at the path any more, and holds
                # what must not be truncated.
                if not _is_at(fd, path):
                    os.close(fd)
                    continue
            if mode == "replace":
                os.ftruncate(fd, 0)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _lock(fd: int, path: Path) -> None:
    """Lock an open file until it is closed.

    Raises: BlockingIOError: it is locked.
    """
    try:
        import fcntl
    except ImportError:
        return  # Not on Windows.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another process is writing to it", os.fspath(path)) from None
    except OSError:
        # The file system has no locks, such as NFS without its lock service: two writers are not told apart there.
        pass


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
