"""Descriptions of cases for programs that read or write files: what they are given, and how they may end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from framestream.errors import RemoteProtocolError
from framestream.frames import FrameDecoder

if TYPE_CHECKING:
    import signal

    from framestream.conformance.steps import Part
    from framestream.control import ControlFrame

__all__ = ["Check", "Exit", "Given", "Place", "Reading", "Recording", "Writing", "expected_by"]


class Given(Enum):
    """Form of the input of a program that reads files."""

    FILE = "a file"
    PIPE = "a named pipe"
    SLOW_PIPE = "a named pipe that is filled in pieces"
    STANDARD_INPUT = "/dev/stdin"
    MISSING = "the name of a file that is not there"
    FOLDER = "a folder"


class Exit(Enum):
    """End of a program that a case allows."""

    SUCCESS = "exit status 0"
    FAILURE = "another exit status than 0"
    REPORTED = "another exit status than 0, or a message"
    ANY = "any exit status"


class Place(Enum):
    """Place of the output of a program that writes files."""

    FREE = "a file"
    MISSING_FOLDER = "a file in a folder that is not there"
    FOLDER = "a folder"
    FULL = "a full disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One run of a program that reads a file.

    Attributes:
        parts: content of the file.
        given: form of the input.
        pack: function that makes the file of its content, to compress it.
        exit: allowed end.
        unless: payloads; if all of them come out, any end is allowed.
    """

    parts: tuple[Part, ...] = ()
    given: Given = Given.FILE
    pack: Callable[[bytes], bytes] = bytes
    exit: Exit = Exit.SUCCESS
    unless: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that a program has written.

    Attributes:
        frames: its frames.
        rest: number of bytes of the last frame, if that is not complete.
        fault: description of the first bytes that are not a frame; "" if all are.
    """

    frames: tuple[ControlFrame | bytes, ...] = ()
    rest: int = 0
    fault: str = ""

    @classmethod
    def of(cls, wire: bytes) -> Recording:
        """Take a file apart."""
        decoder = FrameDecoder(max_data_bytes=1 << 30)
        decoder.receive_data(wire)
        frames: list[ControlFrame | bytes] = []
        try:
            while (found := decoder.next_payloads()) is not None:
                frames += found if isinstance(found, list) else [found]
        except RemoteProtocolError as error:
            return cls(tuple(frames), 0, str(error))
        return cls(tuple(frames), decoder.unread)

    @property
    def payloads(self) -> list[bytes]:
        """Its payloads."""
        return [frame for frame in self.frames if isinstance(frame, bytes)]

    @property
    def outline(self) -> str:
        """Its frames in one line, payloads by their number."""
        names: list[str] = []
        count = 0
        for frame in (*self.frames, None):
            if isinstance(frame, bytes):
                count += 1
                continue
            names += [f"{count} payloads"] * bool(count)
            count = 0
            if frame is not None:
                names.append(" ".join([frame.name, *(repr(name)[1:] for name in frame.content_types)]))
        names += [f"{self.rest} bytes of a frame"] * bool(self.rest) + [self.fault] * bool(self.fault)
        return ", ".join(names) or "an empty file, or none"


Check: TypeAlias = Callable[[Recording, bytes], bool]
"""A condition that a recording must meet, for a content type. Its docstring begins with "Check for"."""


def expected_by(check: Check) -> str:
    """Return what a check expects, from its docstring."""
    return str(check.__doc__).removeprefix("Check for ").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """One run of a program that writes a file, from a file or from a connection.

    Attributes:
        sends: payloads of the input.
        parts: content of the input; () for a stream of the payloads.
        before: what is in the output file before; None if there is none.
        place: place of the output.
        signals: signals that end a program that takes connections; () for those of the run.
        while_open: whether the file is judged before the program is ended, as soon as all payloads are in it.
        exit: allowed end.
        checks: conditions that the file must meet.
    """

    sends: tuple[bytes, ...] = ()
    parts: tuple[Part, ...] = ()
    before: tuple[Part, ...] | None = None
    place: Place = Place.FREE
    signals: tuple[signal.Signals, ...] = ()
    while_open: bool = False
    exit: Exit = Exit.ANY
    checks: tuple[Check, ...] = ()
