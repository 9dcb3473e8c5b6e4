"""Outputs of the pipeline: the protocol, and what all those that write a file share.

An output is written to by one caller at a time. What it could not write, or left out, it counts.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from dnstap.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from dnstap.pipeline.rotation import Rotation

__all__ = ["FileOutput", "Output"]


class Output(Protocol):
    """What a Collector writes to. `write_many` may be a coroutine function, and is then awaited."""

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | object: ...


class FileOutput(ABC):
    """What recordings and text have in common.

    Args:
        path: of the file; "-" is standard output.
        rotation: gives the file another name when it has had enough, and one that was there before.
    Attributes:
        name: in words.
        frames: payloads that were given to it.
        waits: whether a write may take as long as somebody likes: into a pipe or a terminal.
        problems: payloads that were left out, because they do not decode.
    """

    def __init__(self, path: str, rotation: Rotation | None = None) -> None:
        self.path = path
        self.name = "standard output" if path == "-" else path
        self.frames = 0
        self.problems = Problems("left out")
        self._reopening = False
        self._rotation = rotation
        self._frames_before = 0
        with suppress(FileNotFoundError):
            if rotation and os.stat(path).st_size:
                rotation.finish(rotation.rename(path))

    @abstractmethod
    def fileno(self) -> int:
        """The descriptor that it writes to now."""

    def write_many(self, payloads: list[bytes]) -> None:
        """Write payloads.

        Raises: OSError.
        """
        if self._reopening:
            self.tend()
        if self._rotation is None:
            self.frames += len(payloads)
            self._write(payloads)
            return
        while payloads:
            room = self._rotation.room(self.frames - self._frames_before)
            self.frames += len(payloads[:room])
            self._write(payloads[:room])
            payloads = payloads[room:] if room else []
            self.tend()

    @abstractmethod
    def _write(self, payloads: list[bytes]) -> None:
        """Write payloads, which have been counted, to the file that is open."""

    def flush(self) -> None:  # noqa: B027 (most write at once)
        """Write what is buffered. Call it before `close()` and the last `new_reports()`.

        Raises: OSError.
        """

    @abstractmethod
    def close(self) -> None:
        """End what is written, and close the file.

        Raises: OSError.
        """

    @property
    def waits(self) -> bool:
        return not stat.S_ISREG(os.fstat(self.fileno()).st_mode)

    def reopen_soon(self) -> None:
        """Open the file again, by its name, before the next write or by `tend`. May be called by a signal handler."""
        self._reopening = True

    def tend(self) -> None:
        """Do what is due. To be called about once a second, by who writes.

        Raises: OSError.
        """
        if self._reopening:
            self._reopening = False
            if self.path != "-" and not self._is_still_there():
                self._begin()
        rotation = self._rotation
        if rotation and rotation.due(os.fstat(self.fileno()).st_size, self.frames - self._frames_before):
            finished = rotation.rename(self.path)
            self._begin()
            rotation.finish(finished)

    def _begin(self) -> None:
        """Go on with the next file."""
        self._reopen()
        self._frames_before = self.frames
        if self._rotation:
            self._rotation.begin()

    def _closed(self) -> None:
        if self._rotation:
            self._rotation.close()

    def new_reports(self) -> Iterator[str]:
        """Yield a line about payloads that have been left out since the last call."""
        return self.problems.new_reports(self.frames)

    @abstractmethod
    def _reopen(self) -> None:
        """Open the file of the name, and close the one that had it."""

    def _is_still_there(self) -> bool:
        """Whether the file has its name still: it would be emptied by who opens it again, or get a second beginning."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.fileno()))
        except FileNotFoundError:
            return False
