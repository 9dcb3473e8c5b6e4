"""Counters of the pipeline: the numbers from which metrics and the lines of `--stats` are both made.

The same words mean the same everywhere:

| word | frames that |
|---|---|
| received (`frames` of inputs) | inputs have read |
| oversize (`left_out` of inputs) | exceed the limit, and are left out |
| matched, unmatchable | match the filter; do not decode, so cannot match |
| removed (filtered out, sampled out, …) | a stage does not pass on |
| held | pairing has not passed on yet; none at the end |
| reached (`frames` of outputs) | have passed all stages, and are an output's to write |
| written | an output has written, or a relay has handed to the system |
| rejected | an output leaves out, because they do not decode |
| dropped | an output had no room for while it was behind |
| left | reached an output, and are none of these: they wait, or at the end were not written |

received = removed by each stage + held + reached; and for each output reached = written + rejected + dropped + left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from framestream.protocol import State
from framestream.streams import BaseReader

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Counter", "Counts", "InputCounters", "OutputCounts"]

R = TypeVar("R", bound=BaseReader)


class Counter(NamedTuple):
    """A number that only grows.

    Attributes:
        name: name of the metric, without its prefix.
        help: one sentence for readers of the metrics.
    """

    name: str
    help: str
    value: int


class Counts(NamedTuple):
    """Counts over all inputs.

    Attributes:
        connections: accepted or made.
        files: read, or being read.
        broken: streams that ended with an error, truncated ones included.
        ended: connections that we have ended because of a limit; each is also broken.
        without_stop: connections that ended between two frames without STOP, which some servers never send.
        unfinished: streams in files that had no STOP and were followed by another.
        frames, bytes: payloads received, and their total length.
        left_out: frames over the limit.
        dropped: frames dropped by outputs that were behind, the sum over all outputs.
        ignored_control_frames: control frames of unknown type.
        ignored_bytes: bytes after STOP.
        open: inputs being read now.
    """

    connections: int = 0
    files: int = 0
    broken: int = 0
    frames: int = 0
    bytes: int = 0
    left_out: int = 0
    dropped: int = 0
    ignored_control_frames: int = 0
    ignored_bytes: int = 0
    unfinished: int = 0
    ended: int = 0
    without_stop: int = 0
    open: int = 0

    def __str__(self) -> str:
        """Return one line for the end of a run."""
        return (
            f"{self.frames} frames of {self.bytes} bytes from {self.files} files and {self.connections} connections;"
            f" {self.broken} streams were broken, {self.without_stop} ended without STOP,"
            f" {self.ended} connections ended by limits, {self.left_out} frames over the limit left out;"
            f" {self.ignored_control_frames} control frames of unknown type and"
            f" {self.ignored_bytes} bytes behind STOP ignored; {self.unfinished} streams without STOP before another"
        )

    def counters(self) -> Sequence[Counter]:
        """Return all but `open`, which is no counter: it may fall."""
        return (
            Counter("connections", "Connections accepted or made.", self.connections),
            Counter("files", "Files read, or being read.", self.files),
            Counter("broken_streams", "Streams that ended by a fault.", self.broken),
            Counter("ended_connections", "Connections ended because of a limit.", self.ended),
            Counter("connections_without_stop", "Connections that ended without STOP, by no fault.", self.without_stop),
            Counter("frames", "Data frames received.", self.frames),
            Counter("payload_bytes", "Their payloads.", self.bytes),
            Counter("oversize_frames", "Data frames over the limit, left out.", self.left_out),
            Counter("dropped_frames", "Data frames dropped by outputs that were behind.", self.dropped),
            Counter("ignored_control_frames", "Control frames of unknown type.", self.ignored_control_frames),
            Counter("ignored_bytes", "Bytes behind STOP.", self.ignored_bytes),
            Counter("unfinished_streams", "Streams without STOP before another in a file.", self.unfinished),
        )

    def plus(self, reader: BaseReader) -> Counts:
        """Return the sum of these counts and those of a reader."""
        # Before FINISHED, unread bytes are the start of a frame. Only after STOP will nobody read them.
        protocol = reader.protocol
        return self._replace(
            frames=self.frames + reader.frames,
            bytes=self.bytes + reader.bytes,
            left_out=self.left_out + protocol.decoder.skipped_frames,
            ignored_control_frames=self.ignored_control_frames + protocol.unknown_control_frames,
            ignored_bytes=self.ignored_bytes + (protocol.unread if protocol.state is State.FINISHED else 0),
            unfinished=self.unfinished + protocol.unfinished_streams,
        )


class OutputCounts(NamedTuple):
    """Counts of one output, in frames.

    Attributes:
        name: of the output.
        reached: passed all stages.
        written: written, or sent by a relay.
        rejected: left out by the output, because they do not decode.
        dropped: dropped, because the output was behind.
        left: waiting to be written, or at the end of a run never written.
    """

    name: str
    reached: int
    written: int
    rejected: int
    dropped: int
    left: int

    def __str__(self) -> str:
        """Return one line for the end of a run."""
        return (
            f"{self.name}: {self.reached} frames: {self.written} written, {self.rejected} rejected,"
            f" {self.dropped} dropped, {self.left} left"
        )


class InputCounters(Generic[R]):
    """Counts over the streams that have ended and those still being read.

    Attributes: open: name of each stream that is being read, by its reader.
    """

    def __init__(self) -> None:
        self.open: dict[R, str] = {}
        self._ended = Counts()

    def begin(self, name: str, reader: R, *, file: bool) -> None:
        """Count a stream, as a file or as a connection."""
        self.open[reader] = name
        if file:
            self._ended = self._ended._replace(files=self._ended.files + 1)
        else:
            self._ended = self._ended._replace(connections=self._ended.connections + 1)

    def end(self, reader: R) -> None:
        """Keep the counts of a reader that is about to be closed."""
        del self.open[reader]
        self._ended = self._ended.plus(reader)

    def count_broken(self) -> None:
        """Count a stream that ended with an error."""
        self._ended = self._ended._replace(broken=self._ended.broken + 1)

    def count_without_stop(self) -> None:
        """Count a connection that ended without STOP, by no fault."""
        self._ended = self._ended._replace(without_stop=self._ended.without_stop + 1)

    def total(self) -> Counts:
        """Return the counts so far. May be called from another thread."""
        # A copy of the readers, because the thread that serves metrics may ask while streams begin and end.
        total, open_now = self._ended, list(self.open)
        for reader in open_now:
            total = total.plus(reader)
        return total._replace(open=len(open_now))
