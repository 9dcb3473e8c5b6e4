"""Recordings: frames written to a file as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.counters import Counter
from dnstap.pipeline.outputs.base import FileOutput, OutputFile
from framestream.control import ControlFrame, ControlType
from framestream.frames import encode_control_frame, encode_data_frames
from framestream.protocol import State, Transport
from framestream.streams import LIMITS, Limits, open_to_write, start_frame, writer_protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnstap.pipeline.rotation import Rotation
    from framestream.files import FileOutput as OpenFile
    from framestream.frames import EncodedFrames
    from framestream.protocol import WriterProtocol

__all__ = ["Recording"]

_STOP = encode_control_frame(ControlFrame(ControlType.STOP))

_MAX_FRAME_BYTES = (1 << 32) - 1
"""Any length that a length word can hold: frames were held to the limit of the run when they were received."""


class Recording(FileOutput):
    """An output that writes frames to a file as one stream, readable up to the last write whatever happens.

    Args: limits: of the frames in a file to append to; part of a longer one is refused, because it may be anything.
    Raises: OSError; RemoteProtocolError, LocalProtocolError: the file cannot be appended to.

    Attributes: cut_bytes: length of unfinished frames that were cut off the ends of files to append to.
    """

    takes_encoded = True

    cut_bytes = 0

    # Whether the last write failed: a file that lacks frames gets no STOP, by which readers would take it for whole.
    _lacking = False

    def __init__(
        self,
        path: str,
        *,
        append: bool = False,
        compression: str | None = None,
        rotation: Rotation | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._limits = limits
        super().__init__(path, append=append, compression=compression, rotation=rotation)

    def write_encoded(self, frames: EncodedFrames, /) -> None:
        """Write data frames as they were received.

        Raises: OSError.
        """
        if self._rotation:
            # A limit by count may fall between two of them.
            self.write_many(frames.payloads())
            return
        if self._reopening or self._rotating:
            self.tick()
        try:
            self._write_data(frames.data)
        except OSError:
            self._rest = frames.payloads()
            raise
        self.frames += frames.number
        self._written += frames.number

    def counters(self) -> Sequence[Counter]:
        help_text = "Bytes of an unfinished frame that were cut off a file to append to."
        return (*super().counters(), Counter("cut_bytes", help_text, self.cut_bytes))

    def summary(self) -> str:
        cut = f"; {self.cut_bytes} bytes of an unfinished frame cut off before" if self.cut_bytes else ""
        return super().summary() + cut

    def _write(self, payloads: list[bytes]) -> None:
        self._write_data(encode_data_frames(payloads, _MAX_FRAME_BYTES))
        self._written += len(payloads)

    def _write_data(self, data: bytes) -> None:
        self._lacking = True
        self._write_bytes(data)
        self._lacking = False

    def _open(self, path: str, mode: Literal["replace", "append"]) -> OutputFile:
        protocol = writer_protocol([CONTENT_TYPE], self._limits, Transport.UNIDIRECTIONAL)
        file = self._open_compressed(path, mode) if self._compression else self._open_plain(path, mode, protocol)
        try:
            if protocol.state is State.IDLE:  # Otherwise the stream of the file goes on.
                protocol.start()
                file.write(protocol.data_to_send())
        except BaseException:
            file.close()
            raise
        file.beginning = start_frame(protocol)
        return file

    def _open_plain(self, path: str, mode: Literal["replace", "append"], protocol: WriterProtocol) -> OutputFile:
        file, cut_bytes = open_to_write(path, mode, protocol, lock=True)
        self.cut_bytes += cut_bytes
        return cast("OpenFile", file)

    def close(self) -> None:
        self.incomplete |= self._lacking
        super().close()

    def _complete(self, file: OutputFile) -> None:
        try:
            # Not after part of a frame, which a pipe has taken.
            if file.whole and not self.incomplete:
                file.write(_STOP)
        finally:
            file.close()
