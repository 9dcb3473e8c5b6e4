"""Streams watched while they are read: a decoder of frames that passes all that it finds to a linter, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.linting.stream_rules import Event
from framestream.control import ControlFrame, ControlType
from framestream.errors import RemoteProtocolError
from framestream.frames import FrameDecoder

if TYPE_CHECKING:
    from dnstap.linting.linter import Linter
    from framestream.errors import FrameStreamError
    from framestream.streams import BaseReader

__all__ = ["Watcher"]


class Watcher(FrameDecoder):
    """The decoder of a reader whose input is checked. Read the input to its end, then call `end`.

    Frames over the limit are skipped, so that what follows them is checked, too.

    Args:
        reader: which has not read anything yet, and takes this for its decoder.
        live: whether it reads a connection.
    """

    def __init__(self, reader: BaseReader, linter: Linter, *, live: bool = False) -> None:
        super().__init__(oversize="skip")
        reader.protocol.decoder = self
        self._reader = reader
        self._linter = linter
        self._live = live
        self._answered = False
        self._stream = 0
        self._frames = 0
        self._streaming = False

    def next_payloads(self) -> list[bytes] | ControlFrame | None:
        """Return the next payloads or control frame, as FrameDecoder, after they were checked."""
        begin, word, skipped = self.offset, self.next_word(), self.skipped_frames
        found = super().next_payloads()
        for _ in range(self.skipped_frames - skipped):
            self._frames += 1
            # The first of them begins here; the offsets and lengths of others are of no use.
            self._check(Event("oversize", number=word or 0), begin)
        if isinstance(found, ControlFrame):
            self._check_control(found)
        elif found:
            self._frames += len(found)
            encoded_bytes = sum(map(len, found)) + 4 * len(found)  # 4: the length word.
            self._linter.check_payloads(found, self.offset - encoded_bytes)
        return found

    def end(self, error: FrameStreamError | OSError | None = None) -> None:
        """Check the end of the input.

        Args: error: the one that ended it.
        """
        event = Event("end", frames=self._frames, stopped=not self._streaming, error=error)
        self._check(event, error.offset if isinstance(error, RemoteProtocolError) else self.offset)

    def _check_control(self, frame: ControlFrame) -> None:
        if frame.type == ControlType.START:
            self._stream += 1
            self._frames = 0
            content_type = frame.content_types[0] if frame.content_types else None
            event = Event("start", unfinished=self._streaming, content_type=content_type, answered=self._answered)
            self._check(event, self.control_offset)
            self._streaming = True
        elif frame.type == ControlType.READY:
            self._answered = True
        elif frame.type == ControlType.STOP:
            self._streaming = False
        elif not isinstance(frame.type, ControlType):
            self._check(Event("control", number=frame.type), self.control_offset)

    def _check(self, event: Event, offset: int) -> None:
        event = event._replace(live=self._live, compression=self._reader.compression, stream=self._stream)
        self._linter.check_event(event, offset)
