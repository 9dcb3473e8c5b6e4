"""Frames in wire format: a decoder from bytes to frames, and encoders back.

A data frame is a length word (1 to the limit) and its payload (rule 1 of docs/frame-streams.md). Length 0 is the escape
sequence, which a control frame follows (rule 2). The decoder walks over each chunk with an offset and returns payloads
as slices of it. It keeps only a partial frame at the end of a chunk, and checks each length before it buffers anything
of that length (rule 14).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from framestream.arguments import check_type
from framestream.control import MAX_CONTROL_BYTES, ControlFrame, decode_control, encode_control
from framestream.errors import ControlFrameError, FrameTooLargeError, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MAX_DATA_BYTES", "EncodedFrames", "FrameDecoder", "encode_control_frame", "encode_data_frames"]

MAX_DATA_BYTES = 1 << 20
"""Default for the longest data frame payload, the same as in libfstrm and golang-framestream (rule 14)."""

_word = struct.Struct(">I")
_escape = bytes(4)
"""A length word of 0: the next frame is a control frame (rule 1)."""

T = TypeVar("T")


class EncodedFrames(NamedTuple):
    """A run of data frames in their wire format, to be passed on without taking them apart.

    Attributes:
        data: the frames one after the other, each with its length word.
        number: number of frames.
    """

    data: bytes
    number: int

    @classmethod
    def of(cls, payloads: Sequence[bytes]) -> EncodedFrames:
        """Encode payloads of any length but 0."""
        return cls(encode_data_frames(payloads, max(map(len, payloads), default=0)), len(payloads))

    @property
    def payload_bytes(self) -> int:
        """Length of all payloads together, in bytes."""
        return len(self.data) - 4 * self.number

    def payloads(self) -> list[bytes]:
        """Return the payloads of the frames."""
        decoder = FrameDecoder(max_data_bytes=len(self.data))
        decoder.receive_data(self.data)
        payloads: list[bytes] = []
        while isinstance(run := decoder.next_payloads(), list):
            payloads += run
        return payloads


class FrameDecoder:
    """Splits a byte stream, received in chunks of any size, into frames.

    Call `receive_data()`, then `next_payloads()` or `next_encoded()` until it returns None. The two may be mixed.

    Args:
        max_data_bytes: longest data frame payload.
        max_control_bytes: longest control frame payload.
        oversize: "error" raises FrameTooLargeError for a longer data frame; "skip" counts it and stays in sync. It is
            never buffered.
        offset: offset of the first byte, if the stream is part of a longer input.

    Attributes:
        control_offset: offset of the last control frame.
        skipped_frames, skipped_bytes: data frames over the limit, and the length of their payloads.
    """

    def __init__(
        self,
        *,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
        oversize: Literal["error", "skip"] = "error",
        offset: int = 0,
    ) -> None:
        if oversize not in ("error", "skip"):
            raise ValueError(f"oversize: expected 'error' or 'skip', got {oversize!r}")
        self.max_data_bytes = max_data_bytes
        self.max_control_bytes = max_control_bytes
        self.oversize = oversize
        self.skipped_frames = 0
        self.skipped_bytes = 0
        self._chunk = b""
        self._position = 0
        self._chunk_offset = offset
        # A partial frame at the end of a chunk waits here until it is _needed bytes long. A bytearray, because bytes
        # that grow a little at a time are copied each time.
        self._partial = bytearray()
        self._needed = 0
        self._to_skip = 0
        self.control_offset = offset

    @property
    def offset(self) -> int:
        """Offset of the next frame in the stream."""
        return self._chunk_offset + self._position

    @property
    def unread(self) -> int:
        """Number of bytes received but not yet returned as frames."""
        return len(self._partial) or len(self._chunk) - self._position

    def peek(self, size: int) -> bytes:
        """Return the first `size` unread bytes, or all of them if they are fewer."""
        return bytes(self._partial[:size]) or self._chunk[self._position : self._position + size]

    def receive_data(self, data: bytes) -> None:
        """Accept the next bytes of the stream.

        Afterwards you must call `next_payloads()` or `next_encoded()`: bytes that wait for that are copied at each
        further call.
        """
        if self._position < len(self._chunk):
            # The caller has not taken all frames of the last chunk.
            data = self._chunk[self._position :] + data
        elif self._partial:
            if len(self._partial) + len(data) < self._needed:
                self._partial += data
                return
            data = bytes(self._partial) + data
            self._partial.clear()
        self._chunk_offset += self._position
        self._chunk = bytes(data)  # No copy, except of a bytearray or memoryview, which the caller may reuse.
        self._position = 0
        if self._to_skip:
            self._skip()

    def next_word(self) -> int | None:
        """Return the next length word, which is 0 before a control frame; None until its 4 bytes have been received."""
        if self._partial or self._position + 4 > len(self._chunk):
            return _word.unpack_from(self._partial)[0] if len(self._partial) >= 4 else None
        return int(_word.unpack_from(self._chunk, self._position)[0])

    def next_payloads(self) -> list[bytes] | ControlFrame | None:
        """Return the payloads of the next run of data frames, or one control frame; None if more bytes are needed.

        Raises:
            ControlFrameError: a control frame is malformed or too long.
            FrameTooLargeError: a data frame is over the limit and `oversize` is "error".
        Once it has raised, each further call raises the same again.
        """
        if self._partial or not self._chunk:
            return None
        unpack = _word.unpack_from
        while True:
            chunk = self._chunk
            position = self._position
            # No frame that ends here is over the limit, so one comparison a frame checks both the chunk and the limit.
            end = min(len(chunk), position + 4 + self.max_data_bytes)
            payloads: list[bytes] = []
            append = payloads.append
            size = None
            start = position + 4
            # A Struct for each length, which gives a payload and the next length word in one call, was 17 % faster in
            # large reads, but 30 % slower in reads of one frame, as Unbound's are (docs/performance.md).
            while start <= end:
                (size,) = unpack(chunk, position)
                stop = start + size
                if stop > end or not size:  # A frame beyond the end, or a control frame (rule 1).
                    break
                append(chunk[start:stop])
                position = stop
                start = stop + 4
            else:
                size = None
            if payloads and position == len(chunk):
                # Most reads end with a frame. This saves two calls: a tenth of the time of a read that is one frame.
                self._chunk_offset += position
                self._chunk = b""
                self._position = 0
                return payloads
            self._position = position
            if payloads or not self._skips(size):
                return self._run_or_control(payloads, size)

    def next_encoded(self) -> EncodedFrames | ControlFrame | None:
        """Return the next run of data frames as received, or one control frame; None if more bytes are needed.

        Raises: as `next_payloads()`.
        """
        if self._partial or not self._chunk:
            return None
        unpack = _word.unpack_from
        while True:
            chunk = self._chunk
            begin = position = before = self._position
            # As above; a frame that ends beyond this is given back below.
            end = min(len(chunk), position + 4 + self.max_data_bytes)
            last = end - 4
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
                    # The last frame is incomplete or over the limit: it is not part of the run.
                    position = before
                    count -= 1
                else:
                    size = None
            self._position = position
            if count or not self._skips(size):
                return self._run_or_control(EncodedFrames(chunk[begin:position], count) if count else None, size)

    def _skips(self, size: int | None) -> bool:
        """Skip the data frame at the position, if it is one that is too long and such frames are to be skipped."""
        if size is None or size <= self.max_data_bytes or self.oversize == "error":
            return False
        # Rule 14: the stream stays in sync, and nothing of the frame is buffered.
        self.skipped_frames += 1
        self.skipped_bytes += size
        self._to_skip = 4 + size
        self._skip()
        return True

    def _run_or_control(self, run: T, size: int | None) -> T | ControlFrame | None:
        """Return the run that ends at the position, or, if it is empty, the control frame there.

        Args: size: the length word at the position; None if it is not there yet.
        """
        if size is None or 0 < size <= self.max_data_bytes:
            needed = 4 + (size or 0)
            # A frame that is all there is left for the next call: one walk reaches no further than the limit.
            if not run or self._position + needed > len(self._chunk):
                self._wait(needed)
            return run or None
        if run:
            # Good frames come before the control frame or the error after them.
            return run
        if size == 0:
            return self._control()
        raise FrameTooLargeError(size, self.max_data_bytes, self.offset)

    def _wait(self, needed: int) -> None:
        """Keep the partial frame at the end of the chunk until it has `needed` bytes."""
        self._partial += self._chunk[self._position :]
        self._needed = needed
        self._chunk_offset += self._position
        self._chunk = b""
        self._position = 0

    def _control(self) -> ControlFrame | None:
        """Return the control frame at the position; None if more bytes are needed."""
        chunk, position = self._chunk, self._position
        if position + 8 > len(chunk):  # Rule 2: the escape word and the length word.
            self._wait(8)
            return None
        (size,) = _word.unpack_from(chunk, position + 4)
        # Rules 2 and 6; decode_control() refuses those that are too short.
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
        """Skip as much of an oversize frame as the chunk has."""
        step = min(self._to_skip, len(self._chunk) - self._position)
        self._position += step
        self._to_skip -= step

    def missing(self) -> tuple[int, int] | None:
        """Return how much of a partial frame there is, in case the input ends here; None between frames.

        Returns: number of bytes received of it, and number of bytes that it needs as far as is known.
        """
        if self._to_skip:
            return 0, self._to_skip
        if self._partial:
            return len(self._partial), self._needed
        return None


def encode_data_frames(payloads: Iterable[bytes], max_data_bytes: int = MAX_DATA_BYTES) -> bytes:
    """Encode data frames, one after the other.

    Raises: LocalProtocolError: a payload is over the limit, or empty: its length word would be the escape sequence;
        TypeError: a payload is not bytes.
    """
    payloads = tuple(payloads)
    try:
        sizes = [*map(len, payloads)]
        # Rule 1: an empty data frame cannot be expressed.
        if sizes and not 0 < min(sizes) <= max(sizes) <= max_data_bytes:
            wrong = next(size for size in sizes if not 0 < size <= max_data_bytes)
            raise LocalProtocolError(f"a data frame holds 1 to {max_data_bytes} bytes, not {wrong}")
        # One block for one send(): sendmsg() of the parts, without a copy, takes 1.7 times as long for frames of 200
        # bytes (docs/performance.md). Slice assignment from map() runs in C, without a step of the interpreter for each
        # frame.
        parts = [b""] * (2 * len(sizes))
        parts[::2] = map(_word.pack, sizes)
        parts[1::2] = payloads
        return b"".join(parts)
    except TypeError:
        # Not looked at before, because this is done for each write.
        check_payloads(payloads)
        raise


def check_payloads(payloads: Iterable[bytes]) -> None:
    """Check that payloads are bytes.

    Raises: TypeError.
    """
    for payload in payloads:
        check_type("payload", payload, (bytes, bytearray, memoryview), "bytes")


def encode_control_frame(frame: ControlFrame) -> bytes:
    """Encode a control frame, with its escape sequence and length.

    Raises: LocalProtocolError: as `encode_control`.
    """
    payload = encode_control(frame)
    return _escape + _word.pack(len(payload)) + payload
