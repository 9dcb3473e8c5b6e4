"""Outputs of the pipeline: the base class of all, and that of those that write a file."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from dnstap.pipeline.counters import Counter, OutputCounts
from dnstap.pipeline.parts import Part
from dnstap.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from dnstap.pipeline.rotation import Rotation
    from framestream.frames import EncodedFrames

__all__ = ["FileOutput", "Output"]


class Output(Part, ABC):
    """A destination of payloads, with one caller at a time.

    Attributes:
        name: for reports and metrics.
        takes_encoded: whether it writes encoded frames faster than payloads.
        drops: whether it drops frames when its queue is full, unless the run is told otherwise, instead of having the
            inputs wait.
        reached: number of payloads that are this output's to write; counted by the Dispatcher.
        dropped: number of those that its queue had no room for.
        failed: whether a write has raised. It is given nothing more.
        stuck: whether a write had not returned when the run ended. Nothing may be called any more, not even `close`.
    """

    name: str = ""
    takes_encoded: ClassVar[bool] = False
    drops: ClassVar[bool] = False
    reached: int = 0
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
        # First what has happened to payloads: `left` is never negative, even if more are written meanwhile.
        written, rejected, dropped = self.written, self.rejected, self.dropped
        return OutputCounts(self.name, self.reached, written, rejected, dropped)

    @abstractmethod
    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        """Write payloads. If this returns an awaitable, they are written when that is done."""

    def write_encoded(self, frames: EncodedFrames, /) -> Awaitable[object] | None:
        """Write data frames as they were received."""
        return self.write_many(frames.payloads())

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

    Args:
        path: path of the file; "-" is standard output.
        rotation: renames the file when it reaches a limit, and any file that is already at `path`.

    Attributes:
        frames: payloads of which it has begun to write.
        problems: payloads that were left out, because they do not decode.
        incomplete: whether frames are missing because the run was interrupted; a recording then gets no STOP.
    """

    def __init__(self, path: str, rotation: Rotation | None = None) -> None:
        self.path = path
        self.name = "standard output" if path == "-" else path
        self.frames = 0
        self.problems = Problems("left out")
        self.incomplete = False
        self._written = 0
        self._reopening = False
        self._rotation = rotation
        self._frames_before = 0
        # Here, because the subclass opens the file next, which truncates it.
        with suppress(FileNotFoundError):
            if rotation and os.stat(path).st_size:
                rotation.finish(rotation.rename(path))

    @property
    def written(self) -> int:
        return self._written

    @property
    def rejected(self) -> int:
        return self.problems.count

    @property
    def blocking(self) -> bool:
        """True unless it is a regular file: a pipe or a terminal takes data only as fast as its reader."""
        return not stat.S_ISREG(os.fstat(self.fileno()).st_mode)

    @abstractmethod
    def fileno(self) -> int:
        """Return the descriptor of the open file."""

    @abstractmethod
    def _write(self, payloads: list[bytes]) -> None:
        """Write payloads, already counted in `frames`, to the open file, and count them in `_written`."""

    @abstractmethod
    def _reopen(self) -> None:
        """Open a new file at `path`, and close the old one."""

    @abstractmethod
    def close(self) -> None:
        """Complete the file and close it.

        Raises: OSError.
        """

    def write_many(self, payloads: list[bytes], /) -> None:
        """Write payloads.

        Raises: OSError.
        """
        # Before the frames are written: after HUP, those of the next write belong to the new file.
        if self._reopening:
            self.tick()
        if self._rotation is None:
            self.frames += len(payloads)
            self._write(payloads)
            return
        # In pieces, so that a limit by count is exact. Size and time are looked at after each piece.
        while payloads:
            room = self._rotation.room(self.frames - self._frames_before)
            self.frames += len(payloads[:room])
            self._write(payloads[:room])
            payloads = payloads[room:] if room else []
            self.tick()

    def reopen_soon(self) -> None:
        """Reopen the file before the next write or tick, if it was renamed or removed.

        May be called by a signal handler.
        """
        # Only a flag, because the signal handler may interrupt a write.
        self._reopening = True

    def tick(self) -> None:
        """Reopen or rotate the file if that is due.

        Raises: OSError.
        """
        if self._reopening:
            self._reopening = False
            if self.path != "-" and not self._is_current():
                self._next_file()
        rotation = self._rotation
        if rotation and rotation.due(os.fstat(self.fileno()).st_size, self.frames - self._frames_before):
            # The order matters: opening the new file before the old one is renamed would truncate it, and the old one
            # may be compressed only once _next_file has closed it, with STOP if it is a recording.
            finished = rotation.rename(self.path)
            self._next_file()
            rotation.finish(finished)

    def new_reports(self) -> Iterable[str]:
        return self.problems.new_reports(self.frames)

    def _is_current(self) -> bool:
        """Return whether `path` still refers to the open file; reopening it would truncate it."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.fileno()))
        except FileNotFoundError:
            return False

    def _next_file(self) -> None:
        self._reopen()
        self._frames_before = self.frames
        if self._rotation:
            self._rotation.begin()

    def _finish_rotation(self) -> None:
        """Wait until finished files have been dealt with. The last step of `close`."""
        if self._rotation:
            self._rotation.close()
