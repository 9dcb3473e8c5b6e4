"""Outputs of the pipeline: the base class of all, and that of those that write a file."""

from __future__ import annotations

import errno
import os
import stat
import time
from abc import ABC, abstractmethod
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypeVar, cast

from dnstap.pipeline.counters import Counter, OutputCounts
from dnstap.pipeline.new_files import Stamps, exchange, place, temporary_name
from dnstap.pipeline.parts import Part
from dnstap.problems import Problems
from framestream.errors import FrameStreamError
from framestream.files import FileOutput as OpenFile
from framestream.files import create_like, may_be_regular
from framestream.reporting import error_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from dnstap.pipeline.outputs.compressed import CompressedFile
    from dnstap.pipeline.rotation import Rotation
    from framestream.frames import EncodedFrames

__all__ = ["FileOutput", "Output", "OutputFile"]

OutputFile: TypeAlias = "OpenFile | CompressedFile"

T = TypeVar("T")

RETRY_S = 1.0
"""Seconds between two attempts to begin a new file."""


class Output(Part, ABC):
    """A destination of payloads, with one caller at a time.

    Attributes:
        name: for reports and metrics.
        takes_encoded: whether it writes encoded frames faster than payloads.
        drops: whether it drops frames when its queue is full, unless the run is told otherwise, instead of having the
            inputs wait.
        reached: number of payloads that are this output's to write; counted by the Dispatcher.
        given: number of those that it was told to write.
        waiting: number of those that it was not told yet, or never will be after it has failed.
        dropped: number of those that its queue had no room for.
        failed: whether a write has raised. It is given nothing more.
        stuck: whether a write had not returned when the run ended. Nothing may be called any more, not even `close`.
    """

    name: str = ""
    takes_encoded: ClassVar[bool] = False
    drops: ClassVar[bool] = False
    reached: int = 0
    given: int = 0
    waiting: int = 0
    dropped: int = 0
    failed: bool = False
    stuck: bool = False

    @property
    def blocking(self) -> bool:
        """True if a write may wait for another program, so that an event loop must leave it to a thread."""
        return False

    @property
    @abstractmethod
    def written(self) -> int:
        """Number of payloads written."""

    @property
    def rejected(self) -> int:
        """Number of payloads left out, because they do not decode."""
        return 0

    @property
    def counts(self) -> OutputCounts:
        """Counts so far. May be called from another thread."""
        # In this order: `left` is never negative, even if more are written meanwhile.
        written, rejected = self.written, self.rejected
        left = self.given - written - rejected + self.waiting
        return OutputCounts(self.name, self.reached, written, rejected, self.dropped, left)

    @abstractmethod
    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        """Write payloads. If this returns an awaitable, they are written when that is done."""

    def write_encoded(self, frames: EncodedFrames, /) -> Awaitable[object] | None:
        """Write data frames as they were received."""
        return self.write_many(frames.payloads())

    def goes_on_after(self, _error: OSError) -> bool:
        """Return whether what a write has left after this error can be written later, by `write_rest`."""
        return False

    def write_rest(self) -> None:
        """Write what the last write has left after an error.

        Raises: as write_many.
        """

    def tick(self) -> None:
        """Do what is due. Called about once a second, never during a write of a blocking output.

        Raises: OSError.
        """

    def flush(self) -> None:
        """Write what is buffered. Called at the end of a run over files.

        Raises: OSError.
        """

    def close(self) -> Awaitable[object] | None:
        """Complete what was written. If this returns an awaitable, that is done when it is."""

    def counters(self) -> Sequence[Counter]:
        counts = self.counts
        return (
            Counter("frames", "Frames that reached an output.", counts.reached),
            Counter("written_frames", "Frames written, or sent by a relay.", counts.written),
            Counter("rejected_frames", "Frames left out by an output, because they do not decode.", counts.rejected),
            Counter("dropped_frames", "Frames dropped, because an output was behind.", counts.dropped),
        )

    def summary(self) -> str:
        return str(self.counts)


class FileOutput(Output):
    """Base of the outputs that write to a file.

    A new file that cannot be begun, at a rotation or after HUP, costs nothing: the old one goes on, and it is tried
    again. Only the first file must be opened.

    Args:
        path: path of the file; "-" is standard output.
        append: whether to keep what is in the file.
        compression: one of COMPRESSIONS, to compress what is written; None for none.
        rotation: renames a regular file when it reaches a limit, and without `append` one that is already at `path`.
    Raises: OSError: BlockingIOError if another process writes to the file.

    Attributes:
        frames: payloads of which it has begun to write. After a write that failed, those of it that are not counted may
            be written again.
        problems: payloads that were left out, because they do not decode.
        incomplete: whether frames are missing because the run was interrupted; a recording then gets no STOP.
    """

    _file: OutputFile

    def __init__(
        self, path: str, *, append: bool = False, compression: str | None = None, rotation: Rotation | None = None
    ) -> None:
        self.path = path
        self.name = "standard output" if path == "-" else path
        # Payloads given to it; more than `frames` if the last write failed.
        self._seen = self.frames = 0
        self.problems = Problems("left out")
        self.incomplete = False
        self._written = 0
        # Those in the file when a compressor was last empty.
        self._flushed = 0
        self._compression = compression
        # What a write has left after an error, and the bytes of it that are in the file.
        self._rest: list[bytes] = []
        self._taken = 0
        # Pipes and devices have no old files.
        self._rotation = rotation if path != "-" and may_be_regular(path) else None
        self._stamps = Stamps()
        self._frames_before = 0
        # Set by signal handlers.
        self._reopening = self._rotating = False
        self._failing = False
        self._failure = ""
        self._retry_at = 0.0
        self._news: list[str] = []
        self._broken = False
        self._file = self._open_first(append)
        # Asked once, because signal handlers ask, also when the file is closed.
        self._regular = _is_regular(self._file)

    @property
    def written(self) -> int:
        return self._written

    @property
    def rejected(self) -> int:
        return self.problems.count

    @property
    def blocking(self) -> bool:
        """True unless it is a regular file: a pipe or a terminal takes data only as fast as its reader."""
        return not self._regular

    @property
    def rotation_failed(self) -> bool:
        """True if an old file was not completed, renamed, compressed or handed to the command."""
        return self._failing or self._broken or bool(self._rotation and self._rotation.failed)

    def fileno(self) -> int:
        """Return the descriptor of the open file."""
        return self._file.fileno()

    @abstractmethod
    def _open(self, path: str, mode: Literal["replace", "append"]) -> OutputFile:
        """Open a file, and write to it what it must begin with.

        Raises: OSError, FrameStreamError.
        """

    def _open_compressed(self, path: str, mode: Literal["replace", "append"], header: bytes = b"") -> CompressedFile:
        from dnstap.pipeline.outputs.compressed import open_compressed

        return open_compressed(path, mode, self._compression or "", header=header)

    @abstractmethod
    def _write(self, payloads: list[bytes]) -> None:
        """Write payloads, already counted in `frames`, to the open file, and count them in `_written`.

        If it is a regular file, all of them or none.

        Raises: OSError.
        """

    def _complete(self, file: OutputFile) -> None:
        """Close a file, after writing to it what it must end with.

        Raises: OSError.
        """
        file.close()

    def close(self) -> None:
        """Complete the file and close it, and wait until old files have been dealt with.

        Raises: OSError.
        """
        try:
            self._end(self._file)
        finally:
            if self._rotation:
                self._rotation.close()

    def _end(self, file: OutputFile) -> None:
        """Complete a file. If that fails, frames that only its compressor has do not count as written.

        Raises: OSError.
        """
        self._note_flushed(file)
        try:
            self._complete(file)
        except OSError:
            if self._compression:
                self._written = self._flushed
            raise
        self._flushed = self._written

    def _note_flushed(self, file: OutputFile) -> None:
        if self._compression and not cast("CompressedFile", file).pending:
            self._flushed = self._written

    def goes_on_after(self, error: OSError) -> bool:
        # A pipe or a device has no space that could become free.
        return self._regular and error.errno in (errno.ENOSPC, errno.EDQUOT)

    def write_many(self, payloads: list[bytes], /) -> None:
        """Write payloads.

        Raises: OSError.
        """
        self._rest = payloads
        self.write_rest()

    def write_rest(self) -> None:
        # Before the frames are written: after HUP, those of the next write belong to the new file.
        if self._reopening or self._rotating:
            self.tick()
        if self._rotation is None:
            self._write_counted(self._rest)
            self._rest = []
            return
        # In pieces, so that a limit by count is exact. Size and time are looked at after each piece.
        while self._rest:
            room = self._rotation.room(self.frames - self._frames_before)
            self._write_counted(self._rest[:room])
            self._rest = self._rest[room:] if room else []
            self.tick()

    def _write_bytes(self, data: bytes) -> None:
        """Write to the open file. If the same is written again after an error, only what is missing.

        Raises: OSError.
        """
        self._note_flushed(self._file)
        try:
            self._file.write(data[self._taken :] if self._taken else data)
        except OSError:
            # Standard output may lead to a file, of which nothing is removed: it may be another program's as well.
            self._taken += self._file.taken
            raise
        self._taken = 0

    def _write_counted(self, payloads: list[bytes]) -> None:
        before = self.frames
        self.frames = self._seen = before + len(payloads)
        try:
            self._write(payloads)
        except OSError:
            self.frames = before
            raise

    def reopen_soon(self) -> None:
        """Reopen the file before the next write or tick, if it was renamed or removed.

        May be called by a signal handler.
        """
        # Only a flag, because the signal handler may interrupt a write.
        self._reopening = True

    def rotate_soon(self) -> None:
        """Rename the file and begin a new one before the next write or tick, unless it is empty.

        May be called by a signal handler.
        """
        self._rotating = True

    def tick(self) -> None:
        """Reopen or rotate the file if that is due.

        Raises: OSError: buffered text cannot be written to the old file.
        """
        if self._compression:
            self._flush_compressed()
        rotation = self._rotation
        if rotation and rotation.due(os.fstat(self.fileno()).st_size, self.frames - self._frames_before):
            self._rotating = True
        if not (self._reopening or self._rotating) or time.monotonic() < self._retry_at:
            return
        rotating, self._reopening, self._rotating = self._rotating, False, False
        if self.path == "-":
            return
        self.flush()
        try:
            self._change_file(rotating)
            self._failing = False
        except (OSError, FrameStreamError) as error:
            self._failing = True
            self._failure = error_text(error)
            self._retry_at = time.monotonic() + RETRY_S
            self._reopening, self._rotating = True, rotating

    def _flush_compressed(self) -> None:
        file = cast("CompressedFile", self._file)
        # It is kept, and the next write raises the error.
        with suppress(OSError):
            file.flush_if_due()

    def new_reports(self) -> Iterable[str]:
        yield from self.problems.new_reports(self._seen)
        if self._failure:
            yield f"{self.name}: cannot begin a new file, so the old one is continued: {self._failure}"
            self._failure = ""
        yield from self._news
        self._news.clear()

    def _open_first(self, append: bool) -> OutputFile:
        if self._rotation:
            # The lock first: another process may be writing to the file, which must not be renamed then.
            with closing(OpenFile(self.path, "append", lock=True)) as there:
                if there.opened_bytes and not append:
                    file, finished = self._replaced(there)
                    self._rotation.finish(finished)
                    return file
        if self._compression and append:
            return self._open_to_append()
        return self._open(self.path, "append" if append else "replace")

    def _open_to_append(self) -> OutputFile:
        """Open a compressed file to append to, or rename it if its end is missing and begin another."""
        from dnstap.pipeline.outputs.compressed import NotAppendableError

        try:
            return self._open(self.path, "append")
        except NotAppendableError as error:
            with closing(OpenFile(self.path, "append", lock=True)) as there:
                file, old = self._replaced(there)
            self._news.append(f"{self.name}: cannot be appended to, and is {old} now: {error}")
            return file

    def _is_current(self) -> bool:
        """Return whether `path` still refers to the open file."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.fileno()))
        except FileNotFoundError:
            return False

    def _change_file(self, rotating: bool) -> None:
        """Begin a new file if the old one is not at its path any more, or is to be renamed.

        Raises: OSError, FrameStreamError: the old file is still in use, and has its name.
        """
        finished = None
        if not self._is_current():
            file = self._opened_again()
        elif rotating and self._regular and (self.frames > self._frames_before or self._file.opened_bytes):
            file, finished = self._replaced(self._file)
        else:
            return
        old, self._file, self._regular = self._file, file, _is_regular(file)
        self._frames_before = self.frames
        if self._rotation:
            self._rotation.begin()
        try:
            self._end(old)
        except OSError as error:
            # The new file is open, and takes what comes next.
            self._news.append(f"{self.name}: the old file cannot be completed: {error_text(error)}")
            self._broken = True
        if finished and self._rotation:
            self._rotation.finish(finished)

    def _opened_again(self) -> OutputFile:
        """Open a new file at the path, from which the old one has gone.

        Raises: OSError, FrameStreamError.
        """
        if self._regular:
            path = os.path.realpath(self.path)
            with suppress(FileExistsError):
                return self._new_file(path, self._file, lambda new: place(new, path))[0]
        # A file that somebody has put there is appended to: HUP destroys nothing, and logrotate makes the new file
        # itself (`create`).
        with _opened_pipe(self.path):
            return self._open(self.path, "append")

    def _replaced(self, old: OutputFile) -> tuple[OutputFile, str]:
        """Rename a file, and put a new one in its place.

        Returns: the new file, and the new name of the old one.
        Raises: OSError, FrameStreamError: nothing has changed.
        """
        # Through links: what the path leads to is renamed, in the directory where it is.
        path = os.path.realpath(self.path)
        return self._new_file(path, old, lambda new: exchange(new, path, self._stamps))

    def _new_file(self, path: str, old: OutputFile, publish: Callable[[str], T]) -> tuple[OutputFile, T]:
        """Make a new file that has the mode and owner of an old one, and give it its name.

        Args: publish: gives it its name, after it has been opened under another one in the directory of the path.
        Returns: the new file, and what `publish` returned.
        Raises: OSError, FrameStreamError: nothing has changed.
        """
        # It gets its name when it is complete, with START. So any failure leaves everything as it was, and a
        # file that is renamed again at once is not empty.
        temporary = temporary_name(path)
        os.close(create_like(temporary, os.fstat(old.fileno())))
        try:
            file = self._open(temporary, "append")
            try:
                return file, publish(temporary)
            except BaseException:
                file.close()
                raise
        except BaseException:
            os.unlink(temporary)
            raise


def _is_regular(file: OutputFile) -> bool:
    # Other than its attribute, also of standard output.
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


@contextmanager
def _opened_pipe(path: str) -> Iterator[None]:
    """Hold a named pipe open, if there is one at the path: opening it again does not wait then.

    Raises: OSError: it has no reader.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISFIFO(os.stat(path).st_mode):
            held = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                yield
            finally:
                os.close(held)
            return
    yield
