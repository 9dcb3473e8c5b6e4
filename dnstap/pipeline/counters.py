"""What has come by the inputs of a command or program, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from framestream.protocol import State

if TYPE_CHECKING:
    from framestream.streams import BaseReader

__all__ = ["Counts"]


class Counts(NamedTuple):
    """What has come.

    Attributes:
        connections: accepted or made.
        files: read, or being read.
        broken: streams that ended by a fault, those that were cut off among them.
        frames, bytes: payloads, and their size in all.
        left_out: frames that were over the limit.
        dropped: frames that came by sockets while the outputs were behind, and were given to none.
        ignored_control_frames: of unknown type.
        ignored_bytes: behind STOP.
        open: inputs that are read now.
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
    open: int = 0

    def __str__(self) -> str:
        """One line, for the end."""
        return (
            f"{self.frames} frames of {self.bytes} bytes from {self.files} files and {self.connections} connections;"
            f" {self.broken} streams were broken, {self.left_out} frames over the limit left out,"
            f" {self.dropped} dropped; {self.ignored_control_frames} control frames of unknown type and"
            f" {self.ignored_bytes} bytes behind STOP ignored"
        )

    def plus(self, reader: BaseReader) -> Counts:
        """These, and what came by one reader."""
        protocol = reader.protocol
        return self._replace(
            frames=self.frames + reader.frames,
            bytes=self.bytes + reader.bytes,
            left_out=self.left_out + protocol.decoder.skipped_frames,
            ignored_control_frames=self.ignored_control_frames + protocol.unknown_control_frames,
            ignored_bytes=self.ignored_bytes + (protocol.unread if protocol.state is State.FINISHED else 0),
        )
