"""Appending to a recording: the place behind its last whole frame, where its stream goes on.

A file of frames has no index, and its last bytes may be part of any payload, so its end is found by a walk over all of
its frames, in constant memory: 10 GiB take about as long as reading them from the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framestream.compression import compression_of
from framestream.control import ControlType
from framestream.errors import ControlFrameError, LocalProtocolError, TruncatedStreamError
from framestream.files import FileOutput
from framestream.protocol import ReaderProtocol, State, Transport, WriterProtocol

if TYPE_CHECKING:
    from framestream.files import ObjectOutput

__all__ = ["append_to"]


def append_to(file: FileOutput | ObjectOutput, protocol: WriterProtocol) -> int:
    """Make a file that was opened to append to, and a protocol that has not begun, ready for more frames.

    The last stream of the file goes on. Its STOP is removed, since many programs read no further than the first, and so
    is what a writer that was killed, or a machine that failed, has left behind the last whole frame: part of a frame,
    or NUL bytes. Anything else is an error, and nothing is removed.

    Returns: number of bytes removed, without STOP.
    Raises: RemoteProtocolError: it holds no stream, one of another content type, or one with a fault;
        LocalProtocolError: it is compressed; OSError.
    """
    if not isinstance(file, FileOutput) or not file.regular:
        return 0  # A pipe or device has no contents, and those of a file object are its own business.
    name = compression_of(file.read(0))
    if name:
        raise LocalProtocolError(f"expected frames to append to, got {name} data; decompress it first")
    scan = _Scan(file, protocol)
    scan.run()
    if scan.begun:
        protocol.resume(scan.content_type)
    if scan.end < scan.size:
        file.truncate(scan.end)
    return scan.cut_bytes


class _Scan:
    """A walk over all frames of a file.

    Attributes:
        size: length of the file.
        begun: whether there is a stream to go on with.
        end: where it goes on.
        content_type: that of its START.
        cut_bytes: length of what stands behind its last whole frame.
    """

    def __init__(self, file: FileOutput, protocol: WriterProtocol) -> None:
        self.size = self.end = self.cut_bytes = 0
        self.begun = False
        self.content_type: bytes | None = None
        self._file = file
        # A whole frame that is too long for this writer is skipped by its length: another one may have written it.
        self._reader = ReaderProtocol(
            protocol.content_types,
            transport=Transport.UNIDIRECTIONAL,
            joined=True,
            max_data_bytes=protocol.max_data_bytes,
            max_control_bytes=protocol.decoder.max_control_bytes,
            oversize="skip",
        )

    def run(self) -> None:
        """Walk to the end of the file.

        Raises: RemoteProtocolError, OSError.
        """
        reader = self._reader
        try:
            while data := self._next():
                reader.receive_data(data)
                self._walk()
        except ControlFrameError as error:
            # NUL bytes are what some file systems leave if a machine fails after the length of a file has been written
            # to the disk and before its contents have.
            if not (self._at_stream(reader.offset) and self._only_nul(error.offset)):
                raise
            self.cut_bytes = self.size - error.offset
            return
        self.cut_bytes = reader.unread
        if not self._at_stream(reader.offset) and not self.cut_bytes:
            return  # The file is empty.
        reader.receive_eof()
        try:
            reader.encoded()
        except TruncatedStreamError:
            if not self._is_cut():
                raise

    def _next(self) -> bytes:
        data = self._file.read(self.size)
        self.size += len(data)
        return data

    def _walk(self) -> None:
        """Take all frames received so far, and note each STOP."""
        reader = self._reader
        while True:
            while reader.encoded():
                pass
            if reader.state is not State.FINISHED:
                return
            self.begun, self.end, self.content_type = True, reader.decoder.control_offset, reader.content_type
            if not reader.unread:
                return
            reader.next_stream()

    def _at_stream(self, offset: int) -> bool:
        """Note that a stream without STOP goes on here, if there is one; return whether there is any stream."""
        reader = self._reader
        if reader.state is State.STREAMING:
            self.begun, self.end, self.content_type = True, offset, reader.content_type
        return self.begun

    def _only_nul(self, offset: int) -> bool:
        """Return whether the rest of the file is NUL bytes."""
        self.size = offset
        while data := self._next():
            if data.strip(b"\0"):
                return False
        return True

    def _is_cut(self) -> bool:
        """Return whether the bytes at the end are the beginning of a frame of this stream, or of another one's START.

        Text that was appended, for example, would look like the beginning of a frame of a gigabyte.
        """
        reader = self._reader
        if reader.state is State.STREAMING:
            return bool(self.cut_bytes)  # None of a frame over the limit is kept.
        word = ControlType.START.to_bytes(4)
        return word.startswith(reader.decoder.peek(12)[8:])
