"""Diagnostics about a stream that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framestream.protocol import State
from framestream.reporting import error_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framestream.errors import FrameStreamError
    from framestream.streams import BaseReader

__all__ = ["stream_reports"]


def stream_reports(name: str, reader: BaseReader, error: FrameStreamError | OSError | None) -> Iterator[str]:
    """Yield lines about a stream that has ended: what was left out of it, and the error that ended it."""
    protocol = reader.protocol
    if protocol.unknown_control_frames:
        yield f"{name}: {protocol.unknown_control_frames} control frames of unknown type ignored"
    if protocol.unfinished_streams:
        yield f"{name}: {protocol.unfinished_streams} streams without STOP, each followed by another"
    if skipped := protocol.decoder.skipped_frames:
        yield f"{name}: {skipped} frames over {protocol.decoder.max_data_bytes} bytes left out"
    # In any other state the unread bytes are part of a frame that was cut off, which the error says.
    if protocol.state is State.FINISHED and protocol.unread:
        yield f"{name}: {protocol.unread} bytes behind STOP ignored"
    if error:
        yield f"{name}: {error_text(error)}"
