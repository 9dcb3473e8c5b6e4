"""Length words and the escape sequence: bytes to frames, and frames to bytes.

A data frame is a length word (1 to the limit) and its payload. Length 0 is the escape sequence: a control frame length
and a control frame payload follow. The decoder walks what it is fed with an offset and hands each payload out as a
slice; only a partial tail is kept, and no length is believed before it has been compared with its limit.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

from framestream.control import MAX_CONTROL_BYTES, ControlFrame, decode_control, encode_control
from framestream.errors import ControlFrameError, FrameTooLargeError, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DATA_BYTES", "FrameDecoder", "encode_control_frame", "encode_data_frames"]

MAX_DATA_BYTES = 1 << 20
"""Longest data frame payload by default, that of libfstrm and golang-framestream."""

_word = struct.Struct(">I")
_escape = bytes(4)


class FrameDecoder:
    """Frames out of bytes that come in pieces of any size.

    Args:
        max_data_bytes: longest data frame payload.
        max_control_bytes: longest control frame payload.
        oversize: what becomes of a longer data frame: "error", or "skip", which counts it and stays in sync. It is
            never buffered.
        offset: of the first byte, where the stream is part of a longer input.

    Attributes:
        offset: bytes of the stream that lie before the next frame.
        control_offset: of the last control frame.
        skipped_frames, skipped_bytes: data frames over the limit, and their payloads.
        encoded: set it to get, instead of the payloads of a run, one bytes: its frames as they came. May be changed at
            any time.
        run_frames: how many frames the last run had that was given out so.
    """

    def __init__(
        self,
        *,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
        oversize: Literal["error", "skip"] = "error",
        offset: int = 0,
    ) -> None:
        self.max_data_bytes = max_data_bytes
        self.max_control_bytes = max_control_bytes
        self.oversize = oversize
        self.skipped_frames = 0
        self.skipped_bytes = 0
        self.encoded = False
        self.run_frames = 0
        self._chunk = b""
        self._position = 0
        self._chunk_offset = offset
        # Once the chunk is used up to a partial frame, that waits here until it is _needed bytes long; a bytearray,
        # since bytes that grow by a little at a time would be copied each time.
        self._partial = bytearray()
        self._needed = 0
        self._to_skip = 0
        self.control_offset = offset

    @property
    def offset(self) -> int:
        return self._chunk_offset + self._position

    @property
    def unread(self) -> int:
        """How many bytes have come that have not been given out as frames."""
        return len(self._partial) or len(self._chunk) - self._position

    def peek(self, size: int) -> bytes:
        """The first of the unread bytes, `size` at the most."""
        return bytes(self._partial[:size]) or self._chunk[self._position : self._position + size]

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._position < len(self._chunk):
            # Not all of the last bytes have been asked for.
            data = self._chunk[self._position :] + data
        elif self._partial:
            if len(self._partial) + len(data) < self._needed:
                self._partial += data
                return
            data = bytes(self._partial) + data
            self._partial.clear()
        self._chunk_offset += self._position
        self._chunk = bytes(data)
        self._position = 0
        if self._to_skip:
            self._skip()

    def next_word(self) -> int | None:
        """The next length word, which is 0 before a control frame; None until its 4 bytes have come."""
        if self._partial or self._position + 4 > len(self._chunk):
            return _word.unpack_from(self._partial)[0] if len(self._partial) >= 4 else None
        return int(_word.unpack_from(self._chunk, self._position)[0])

    def next(self) -> list[bytes] | ControlFrame | None:
        """The next frames: the payloads of a run of data frames, or one control frame; None when more bytes are needed.

        Raises:
            ControlFrameError: a control frame that is malformed or too long.
            FrameTooLargeError: a data frame over the limit, unless those are skipped.
        Once it has raised, it raises the same again.
        """
        if self._partial or not self._chunk:
            return None
        while True:
            payloads, size = self._walk_over() if self.encoded else self._walk()
            if size is None or 0 < size <= self.max_data_bytes:
                needed = 4 + (size or 0)
                if payloads and self._position + needed <= len(self._chunk):
                    return payloads
                self._wait(needed)
                return payloads or None
            if payloads:
                return payloads
            if size == 0:
                return self._control()
            if self.oversize == "error":
                raise FrameTooLargeError(size, self.max_data_bytes, self.offset)
            self.skipped_frames += 1
            self.skipped_bytes += size
            self._to_skip = 4 + size
            self._skip()

    def _walk(self) -> tuple[list[bytes], int | None]:
        """Take the run of whole data frames at the position: their payloads, and the length word behind them if any."""
        chunk = self._chunk
        position = self._position
        # No frame within this reach is over the limit, so there is nothing more to compare it with.
        end = min(len(chunk), position + 4 + self.max_data_bytes)
        unpack = _word.unpack_from
        payloads: list[bytes] = []
        append = payloads.append
        size = None
        start = position + 4
        while start <= end:
            (size,) = unpack(chunk, position)
            stop = start + size
            if stop > end or not size:
                break
            append(chunk[start:stop])
            position = stop
            start = stop + 4
        else:
            size = None
        self._position = position
        return payloads, size

    def _walk_over(self) -> tuple[list[bytes], int | None]:
        """As _walk, but the run is given as it came."""
        chunk = self._chunk
        begin = position = before = self._position
        # No frame within this reach is over the limit; one that leaves it is not taken.
        end = min(len(chunk), position + 4 + self.max_data_bytes)
        last = end - 4
        unpack = _word.unpack_from
        count = 0
        size = None
        while position <= last:
            (size,) = unpack(chunk, position)
            if not size:
                break
            before = position
            position += 4 + size
            count += 1
        else:
            if position > end:
                position = before
                count -= 1
            else:
                size = None
        self._position = position
        self.run_frames = count
        return ([chunk[begin:position]] if count else []), size

    def _wait(self, needed: int) -> None:
        """Keep the partial frame at the end of the chunk until it is `needed` bytes long."""
        self._partial += self._chunk[self._position :]
        self._needed = needed
        self._chunk_offset += self._position
        self._chunk = b""
        self._position = 0

    def _control(self) -> ControlFrame | None:
        chunk, position = self._chunk, self._position
        if position + 8 > len(chunk):
            self._wait(8)
            return None
        (size,) = _word.unpack_from(chunk, position + 4)
        if size > self.max_control_bytes:
            raise ControlFrameError(
                f"a control frame of at most {self.max_control_bytes} bytes", f"one of {size}", self.offset
            )
        stop = position + 8 + size
        if stop > len(chunk):
            self._wait(8 + size)
            return None
        self.control_offset = self.offset
        frame = decode_control(chunk[position + 8 : stop], self.control_offset)
        self._position = stop
        return frame

    def _skip(self) -> None:
        step = min(self._to_skip, len(self._chunk) - self._position)
        self._position += step
        self._to_skip -= step

    def missing(self) -> tuple[int, int] | None:
        """How far into a frame an input is that ends now: bytes that came, and bytes that it needs, as far as is known.

        None between frames.
        """
        if self._to_skip:
            return 0, self._to_skip
        if self._partial:
            return len(self._partial), self._needed
        return None


def encode_data_frames(payloads: Iterable[bytes], max_data_bytes: int = MAX_DATA_BYTES) -> bytes:
    """Data frames, one behind the other.

    Raises: LocalProtocolError: an empty payload, whose length word would be the escape sequence, or one over the limit.
    """
    payloads = tuple(payloads)
    sizes = [*map(len, payloads)]
    if sizes and not 0 < min(sizes) <= max(sizes) <= max_data_bytes:
        wrong = next(size for size in sizes if not 0 < size <= max_data_bytes)
        raise LocalProtocolError(f"a data frame holds 1 to {max_data_bytes} bytes, not {wrong}")
    # Without a step of the interpreter for each frame.
    parts = [b""] * (2 * len(sizes))
    parts[::2] = map(_word.pack, sizes)
    parts[1::2] = payloads
    return b"".join(parts)


def encode_control_frame(frame: ControlFrame) -> bytes:
    """A control frame with its escape sequence and length.

    Raises: LocalProtocolError: as `encode_control`.
    """
    payload = encode_control(frame)
    return _escape + _word.pack(len(payload)) + payload
