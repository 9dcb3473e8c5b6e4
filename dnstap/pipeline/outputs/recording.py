"""Recordings: frames written to a file as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counter
from dnstap.pipeline.outputs.base import FileOutput
from framestream.sync.files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnstap.pipeline.rotation import Rotation
    from framestream.frames import EncodedFrames

__all__ = ["Recording"]


class Recording(FileOutput):
    """An output that writes frames to a file as one stream, readable up to the last write whatever happens.

    Args: append: whether to continue the stream of the file at `path`.
    Raises: OSError; RemoteProtocolError, LocalProtocolError: see framestream.write_file.

    Attributes: cut_bytes: length of an unfinished frame that was cut off the end of the file.
    """

    takes_encoded = True

    def __init__(self, path: str, *, append: bool = False, rotation: Rotation | None = None) -> None:
        super().__init__(path, rotation)
        self._writer = write_file(path, [CONTENT_TYPE], mode="append" if append else "replace")
        self.cut_bytes = self._writer.cut_bytes

    def fileno(self) -> int:
        return self._writer.fileno()

    def write_encoded(self, frames: EncodedFrames, /) -> None:
        """Write data frames as they were received.

        Raises: OSError.
        """
        if self._rotation:
            # A limit by count may fall between two of them.
            self.write_many(frames.payloads())
            return
        if self._reopening:
            self.tick()
        self.frames += frames.number
        self._writer.write_encoded(frames)
        self._written += frames.number

    def close(self) -> None:
        """Write STOP, unless the recording is incomplete, and close the file.

        Raises: OSError.
        """
        if self.incomplete:
            self._writer.abort()
        else:
            self._writer.close()
        self._finish_rotation()

    def counters(self) -> Sequence[Counter]:
        help_text = "Bytes of an unfinished frame that were cut off a file to append to."
        return (*super().counters(), Counter("cut_bytes", help_text, self.cut_bytes))

    def summary(self) -> str:
        cut = f"; {self.cut_bytes} bytes of an unfinished frame cut off before" if self.cut_bytes else ""
        return super().summary() + cut

    def _write(self, payloads: list[bytes]) -> None:
        self._writer.write_many(payloads)
        self._written += len(payloads)

    def _reopen(self) -> None:
        # The new file first: if it cannot be opened, the old one is still open and is ended by STOP when the output
        # closes.
        writer = write_file(self.path, [CONTENT_TYPE])
        self._writer.close()
        self._writer = writer
