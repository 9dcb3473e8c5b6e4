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
    """Writes frames to a file as one stream, which is readable up to the last write whatever happens.

    Args: append: whether to write the stream behind what is in the file, which must end by STOP.
    Raises: OSError; RemoteProtocolError, LocalProtocolError: as of framestream.write_file.
    """

    def __init__(self, path: str, *, append: bool = False, rotation: Rotation | None = None) -> None:
        super().__init__(path, rotation)
        self._writer = write_file(path, [CONTENT_TYPE], mode="append" if append else "replace")

    def fileno(self) -> int:
        return self._writer.fileno()

    def _write(self, payloads: list[bytes]) -> None:
        self._writer.write_many(payloads)

    def write_encoded(self, frames: EncodedFrames) -> None:
        """Write data frames as they came.

        Raises: OSError.
        """
        if self._rotation:
            # They may belong to several files.
            self.write_many(frames.payloads())
            return
        if self._reopening:
            self.tend()
        self.frames += frames.number
        self._writer.write_encoded(frames)

    def close(self) -> None:
        """Write STOP and close it.

        Raises: OSError.
        """
        self._writer.close()
        self._closed()

    def _reopen(self) -> None:
        writer = write_file(self.path, [CONTENT_TYPE])
        self._writer.close()
        self._writer = writer
