"""Recordings: frames written to a file as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.base import FileOutput
from framestream.sync.files import write_file

if TYPE_CHECKING:
    from dnstap.pipeline.rotation import Rotation
    from framestream.frames import EncodedFrames

__all__ = ["Recording"]


class Recording(FileOutput):
    """An output that writes frames to a file as one stream, readable up to the last write whatever happens.

    Args: append: whether to add a stream to the file at `path`, whose last stream must end with STOP.
    Raises: OSError; RemoteProtocolError, LocalProtocolError: see framestream.write_file.
    """

    takes_encoded = True

    def __init__(self, path: str, *, append: bool = False, rotation: Rotation | None = None) -> None:
        super().__init__(path, rotation)
        self._writer = write_file(path, [CONTENT_TYPE], mode="append" if append else "replace")

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

    def close(self) -> None:
        """Write STOP and close the file.

        Raises: OSError.
        """
        self._writer.close()
        self._finish_rotation()

    def _write(self, payloads: list[bytes]) -> None:
        self._writer.write_many(payloads)

    def _reopen(self) -> None:
        # The new file first: if it cannot be opened, the old one is still open and is ended by STOP when the output
        # closes.
        writer = write_file(self.path, [CONTENT_TYPE])
        self._writer.close()
        self._writer = writer
