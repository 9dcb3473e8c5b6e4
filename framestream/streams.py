"""Common parts of blocking and asyncio readers and writers: options, counters, everything that does not wait."""

from __future__ import annotations

import logging
import math
import time
from collections import abc
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple

from framestream.arguments import check_callable, check_number, check_options, check_type, refuse_type
from framestream.compression import Decompressor
from framestream.connections import Member
from framestream.control import MAX_CONTROL_BYTES, ControlFrame, ControlType
from framestream.errors import MissingLibraryError, RemoteProtocolError, TruncatedStreamError
from framestream.files import open_output
from framestream.frames import MAX_DATA_BYTES, EncodedFrames, encode_control_frame
from framestream.protocol import ReaderProtocol, State, Transport, WriterProtocol
from framestream.reporting import ChangeReporter, RateLimitedReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from framestream.endpoints import Path
    from framestream.errors import FrameStreamError
    from framestream.files import FileMode, FileOutput, ObjectOutput, Writable

__all__ = [
    "Backoff",
    "BaseReader",
    "BaseReconnectingWriter",
    "BaseWriter",
    "Batching",
    "Deadlines",
    "Limits",
]

_log = logging.getLogger("framestream")

STABLE_S = 1.0
"""Seconds after which a connection counts as stable: when it breaks, the first attempt to reconnect is made at once.

Shorter ones keep the backoff, so that a peer that accepts and closes is not called in a loop.
"""


class Limits(NamedTuple):
    """Size limits on what a peer may send.

    Attributes:
        max_data_bytes: longest data frame payload; for a writer, the longest it sends.
        max_control_bytes: longest control frame payload.
        oversize: treatment of a longer data frame: "error" ends the stream, "skip" counts it and goes on.
    """

    max_data_bytes: int = MAX_DATA_BYTES
    max_control_bytes: int = MAX_CONTROL_BYTES
    oversize: Literal["error", "skip"] = "error"


class Deadlines(NamedTuple):
    """Time limits on a peer, in seconds; None for no limit. Exceeding one raises TimeoutError.

    The protocol has no time limits of its own (rule 13 of docs/frame-streams.md), so without these a silent peer holds
    up the other end for ever. Between START and STOP a writer may be silent for any time between two frames.

    Attributes:
        connect_s: for connecting.
        handshake_s: from the connection to START, TLS included.
        write_s: for the system to take a write.
        finish_s: from STOP to FINISH.
        frame_s: for the rest of a data frame that has begun.
        keepalive_s: for the host of a TCP peer to answer at all: one that has vanished is noticed by probes.
    """

    connect_s: float | None = 5.0
    handshake_s: float | None = 5.0
    write_s: float | None = 30.0
    finish_s: float | None = 5.0
    frame_s: float | None = 30.0
    keepalive_s: float | None = 120.0


class Batching(NamedTuple):
    """Conditions on which a writer sends the payloads it has been given.

    Attributes:
        max_bytes: size of the waiting payloads at which they are sent; 0 to send each write at once.
        max_s: seconds after which they are sent in any case; None to wait for `max_bytes` or `flush()`.
    """

    max_bytes: int = 0
    max_s: float | None = 1.0


class Backoff(NamedTuple):
    """Waits between attempts to connect.

    Attributes:
        first_s: seconds before the second attempt; the first is made at once.
        factor: factor from one wait to the next.
        most_s: longest wait, in seconds.
        jitter: largest part of each wait, 0 to 1, to leave out at random, so that many writers do not return at once.
    """

    first_s: float = 0.1
    factor: float = 2.0
    most_s: float = 10.0
    jitter: float = 0.5

    def waits(self) -> Iterator[float]:
        """Yield the waits in seconds, without end, beginning with 0."""
        yield 0.0
        import random  # Imported here because it is slow to import, and few programs reconnect.

        wait = self.first_s
        while True:
            yield min(wait, self.most_s) * (1 - self.jitter * random.random())  # noqa: S311 (not for cryptography)
            wait = min(wait * self.factor, self.most_s)


LIMITS = Limits()
DEADLINES = Deadlines()
NO_DEADLINES = Deadlines(*[None] * 6)
AT_ONCE = Batching()


def after(seconds: float | None) -> float | None:
    """Return the time.monotonic() time that is that many seconds from now; None for None."""
    return None if seconds is None else time.monotonic() + seconds


def left_until(deadline: float | None) -> float:
    """Return the seconds until a time.monotonic() time; infinity for None.

    Raises: TimeoutError: it has passed.
    """
    if deadline is None:
        return math.inf
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("timed out")
    return left_s


class BaseReader(Member):
    """Common base of readers: from the bytes of an input to lists of payloads.

    Attributes:
        frames, bytes: number of payloads returned, and their total size.
        protocol: the ReaderProtocol, with the state and the counts of frames skipped or ignored.
    """

    def __init__(self, protocol: ReaderProtocol, deadlines: Deadlines = NO_DEADLINES, *, file: bool) -> None:
        """Make a reader.

        Args: file: whether the input may be compressed, and hold several streams one after the other.
        """
        self.protocol = protocol
        self.deadline = after(deadlines.handshake_s)
        self._deadlines = deadlines
        self._frame_deadline: float | None = None
        self._unfinished_at = -1
        self.frames = 0
        self.bytes = 0
        self._joined = file
        self._decompressor = Decompressor() if file else None
        self._pieces: Iterator[bytes] = iter(())
        self._receiving = False
        self._held: Iterator[bytes] = iter(())

    @property
    def content_type(self) -> bytes | None:
        """The content type of START; None before START, and if it names none."""
        return self.protocol.content_type

    @property
    def started(self) -> bool:
        """True once the handshake is complete: START has been received."""
        return self.protocol.state in _STARTED

    @property
    def progress(self) -> int:
        """Number of bytes received."""
        return self.protocol.offset + self.protocol.unread

    @property
    def ended(self) -> bool:
        """True once the stream is over: after STOP, or at the end of the input."""
        finished = self.protocol.ended or (self.protocol.state is State.FINISHED and not self._joined)
        return finished and not self._receiving

    @property
    def compression(self) -> str:
        """Name of the compression format; "" if the input is not compressed, or its first bytes are not known yet."""
        return self._decompressor.name if self._decompressor else ""

    @property
    def _needs_input(self) -> bool:
        """True if the reader must read more: all input so far has been consumed, and the stream has not failed."""
        return not (self._receiving or self.protocol.failed)

    def _read_deadline(self) -> float | None:
        """Return the time.monotonic() time until which to wait for more; call it before each read.

        The time for a frame begins with the first wait for the rest of it, not when it was received: what this side
        does meanwhile is not the sender's fault.
        """
        if not self.started:
            return self.deadline
        decoder = self.protocol.decoder
        if unread := decoder.unread:
            if new := decoder.offset != self._unfinished_at:
                self._unfinished_at = decoder.offset
                self._frame_deadline = after(self._deadlines.frame_s)
            if self._connections is not None:
                self._connections.set_unfinished(self, unread, new=new)
            return self._frame_deadline
        if self._unfinished_at >= 0:
            self._unfinished_at = -1
            if self._connections is not None:
                self._connections.set_unfinished(self, 0, new=True)
        return None

    def _read_error(self, error: OSError | RemoteProtocolError) -> OSError | RemoteProtocolError:
        """Return the error to raise for one of the channel, which ends the stream."""
        if isinstance(error, RemoteProtocolError):
            self.protocol.fail(error)
        if self._interruption:
            return self._interruption
        # The system has a timeout of its own, for a host that does not answer; ours has no number.
        if not isinstance(error, TimeoutError) or error.errno:
            return error
        if not self.started:
            return TimeoutError(f"no START within {self._deadlines.handshake_s} s")
        received, needed = self.protocol.decoder.missing() or (0, 0)
        seconds = self._deadlines.frame_s
        return TimeoutError(
            f"no end of a frame within {seconds} s: {received} of {needed} bytes at byte {self.protocol.offset}"
        )

    def _feed(self, data: bytes) -> None:
        """Accept input; b"" for its end. Call `_next` or `_next_encoded` next, until it returns None."""
        if not data:
            if self._decompressor and self._decompressor.unfinished:
                self._cut_in_compressed_data(self._decompressor.name)
            self.protocol.receive_eof()
        elif self._decompressor:
            self._pieces = self._decompressor.feed(data)
        else:
            self.protocol.receive_data(data)
        self._receiving = True

    def _next(self) -> list[bytes] | None:
        """Return the next payloads of the input so far, at least one; None if there are no more.

        Raises: RemoteProtocolError: as ReaderProtocol.payloads; MissingLibraryError: the library that decompresses the
            input is not installed. Each further call raises the same one.
        """
        try:
            while not (payloads := self.protocol.payloads()):
                if not self._feed_protocol():
                    return None
        except (RemoteProtocolError, MissingLibraryError) as error:
            self._fail(error)
            raise
        self.frames += len(payloads)
        self.bytes += sum(map(len, payloads))
        return payloads

    def _next_encoded(self) -> EncodedFrames | None:
        """Return the next frames as received; otherwise as `_next`."""
        try:
            while not (frames := self.protocol.encoded()):
                if not self._feed_protocol():
                    return None
        except (RemoteProtocolError, MissingLibraryError) as error:
            self._fail(error)
            raise
        self.frames += frames.number
        self.bytes += frames.payload_bytes
        return frames

    def _feed_protocol(self) -> bool:
        """Pass more of the input on to the protocol; return False if there is none."""
        protocol = self.protocol
        if self._joined and protocol.state is State.FINISHED and protocol.unread:
            # Concatenated files; the tools of fstrm and Go read only the first stream of one.
            protocol.next_stream()
        elif piece := next(self._pieces, None):
            protocol.receive_data(piece)
        else:
            self._receiving = False
        return self._receiving

    def _cut_in_compressed_data(self, name: str) -> None:
        # Also where the stream could end, and after STOP: frames that were in memory when its writer was killed are
        # missing, or another stream.
        protocol = self.protocol
        inside_frame = protocol.decoder.missing() is not None
        protocol.fail(
            TruncatedStreamError(
                f"the rest of the {name} data",
                "the end of input",
                protocol.offset,
                protocol.state.name,
                inside_frame=inside_frame,
            )
        )

    def _fail(self, error: RemoteProtocolError | MissingLibraryError) -> None:
        self._receiving = False
        self.protocol.fail(error)

    def _take_held(self) -> list[bytes]:
        """Take the payloads that the handshake, or a loop over single payloads, has received but not returned."""
        held, self._held = list(self._held), iter(())
        return held


class BaseWriter(Member):
    """Common base of writers: from payloads to the bytes of batches.

    Attributes:
        frames, bytes: number of payloads sent, and their total size.
        flushes: number of times that any were sent.
        waiting: payloads accepted but not sent; after a failed write they never will be.
        waiting_bytes: their total size.
        cut_bytes: length of an unfinished frame that mode "append" has cut off the end of the file.
        protocol: the WriterProtocol.
    """

    def __init__(self, protocol: WriterProtocol, batching: Batching) -> None:
        check_type("batching", batching, Batching, "Batching")
        check_number("batching.max_bytes", batching.max_bytes, 0)
        if batching.max_s is not None:
            check_number("batching.max_s", batching.max_s, 0, whole=False)
        self.protocol = protocol
        self.batching = batching
        self.frames = 0
        self.bytes = 0
        self.flushes = 0
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        self.cut_bytes = 0

    @property
    def content_type(self) -> bytes | None:
        """The content type that both sides agreed on; None if the stream has none."""
        return self.protocol.content_type

    @property
    def started(self) -> bool:
        """True once the handshake is complete: START has been sent."""
        return self.protocol.state in _STARTED

    @property
    def progress(self) -> int:
        """Number of payloads sent."""
        return self.frames

    @property
    def taken(self) -> int:
        """Number of payloads accepted, sent or not."""
        return self.frames + len(self.waiting)

    def _put(self, payloads: Iterable[bytes]) -> bool:
        """Accept all of the payloads, or none; return whether to send now.

        Raises: LocalProtocolError: as WriterProtocol.send.
        """
        payloads = checked_payloads(payloads)
        self.protocol.send(payloads)
        self.waiting += payloads
        self.waiting_bytes += sum(map(len, payloads))
        return self.waiting_bytes >= self.batching.max_bytes

    def _put_encoded(self, frames: EncodedFrames) -> None:
        """Accept frames of `write_encoded`.

        Raises: TypeError; LocalProtocolError: as WriterProtocol.send_encoded.
        """
        check_type("frames", frames, EncodedFrames, "EncodedFrames of Reader.encoded()")
        self.protocol.send_encoded(frames.data)

    def _sent_encoded(self, frames: EncodedFrames) -> None:
        """Count frames of `write_encoded` as sent."""
        self.flushes += 1
        self.frames += frames.number
        self.bytes += frames.payload_bytes

    def _sent_in(self, size: int) -> None:
        """Count as sent the waiting payloads whose frames are complete within the first `size` bytes of the batch."""
        # A reader that gets the rest of a frame over another connection could not use it, so only whole frames count.
        ends = accumulate([4 + len(payload) for payload in self.waiting])  # 4: the length word.
        whole = sum([end <= size for end in ends])
        sent = self.waiting[:whole]
        del self.waiting[:whole]
        self.frames += whole
        self.bytes += sum(map(len, sent))
        self.waiting_bytes -= sum(map(len, sent))

    def _sent(self) -> None:
        """Count all waiting payloads as sent."""
        if self.waiting:  # A flush without payloads, such as that of START, does not count.
            self.flushes += 1
            self.frames += len(self.waiting)
            self.bytes += self.waiting_bytes
            self.waiting.clear()
            self.waiting_bytes = 0


class BaseReconnectingWriter:
    """Common base of reconnecting writers: what they keep from one connection to the next.

    Attributes:
        connections: number of connections made, the first included.
        dropped: number of payloads given up.
        error: the last error.
    """

    _writer: BaseWriter | None

    def __init__(self, backoff: Backoff, *, drop: bool, report: Callable[[str], object] | None) -> None:
        self.connections = 0
        self.dropped = 0
        self.error: FrameStreamError | OSError | None = None
        self._backoff = backoff
        self._drop = drop
        self._waits = backoff.waits()
        self._next_attempt = time.monotonic() + next(self._waits)
        self._connected_at = 0.0
        self._unsent: list[bytes] = []
        if report is not None:
            check_callable("report", report, "a function that takes a line")
        # A reader that accepts and closes again and again makes two lines each time, and these differ.
        self._reports = RateLimitedReporter(_log.warning if report is None else report)
        self._report_change = ChangeReporter(partial(self._reports.report, "connecting"))
        self._past_frames = self._past_bytes = self._past_flushes = 0

    @property
    def reconnects(self) -> int:
        """Number of connections made after the first."""
        return max(0, self.connections - 1)

    @property
    def frames(self) -> int:
        """Number of payloads sent over all connections."""
        return self._past_frames + (self._writer.frames if self._writer else 0)

    @property
    def bytes(self) -> int:
        """Total size of the payloads sent."""
        return self._past_bytes + (self._writer.bytes if self._writer else 0)

    @property
    def flushes(self) -> int:
        """Number of times that any were sent."""
        return self._past_flushes + (self._writer.flushes if self._writer else 0)

    @property
    def waiting(self) -> int:
        """Number of payloads accepted but not sent yet."""
        return len(self._unsent) + (len(self._writer.waiting) if self._writer else 0)

    def _not_connected(self, error: FrameStreamError | OSError) -> None:
        """Record and report a failed attempt, and schedule the next one."""
        self.error = error
        self._reports.report_if_due()
        self._report_change(f"no reader: {error}")
        self._next_attempt = time.monotonic() + next(self._waits)

    def _connected(self) -> None:
        self.connections += 1
        self._connected_at = time.monotonic()
        # Only after a report of trouble: a writer that connects at once has nothing to say.
        if self._report_change.last:
            self._reports.report("connecting", "connected to a reader")
            self._report_change.reset()

    def _disconnected(self, writer: BaseWriter, error: FrameStreamError | OSError) -> None:
        """Record the end of a connection, and keep the payloads it has not sent."""
        if time.monotonic() - self._connected_at >= STABLE_S:
            self._waits = self._backoff.waits()
        self._not_connected(error)
        self._unsent += writer.waiting
        self._past_frames += writer.frames
        self._past_bytes += writer.bytes
        self._past_flushes += writer.flushes
        self._writer = None

    def _give_up(self) -> None:
        """Count all payloads not sent as dropped, and report what was not yet."""
        self._reports.end_period()
        self.dropped += self.waiting
        self._unsent.clear()
        if self._writer:
            self._writer.waiting.clear()


_STARTED = (State.STREAMING, State.STOPPED, State.FINISHED)


def reader_protocol(
    content_types: Iterable[bytes],
    limits: Limits,
    *,
    transport: Transport | None = None,
    joined: bool = False,
) -> ReaderProtocol:
    """Return a ReaderProtocol with these limits.

    Raises: LocalProtocolError, TypeError, ValueError: content types or limits are not valid.
    """
    check_options("limits", limits, Limits)
    return ReaderProtocol(
        content_types,
        transport=transport,
        joined=joined,
        max_data_bytes=limits.max_data_bytes,
        max_control_bytes=limits.max_control_bytes,
        oversize=limits.oversize,
    )


def writer_protocol(content_types: Iterable[bytes], limits: Limits, transport: Transport) -> WriterProtocol:
    """Return a WriterProtocol with these limits.

    Raises: LocalProtocolError, TypeError, ValueError: content types or limits are not valid.
    """
    check_options("limits", limits, Limits)
    return WriterProtocol(
        content_types,
        transport=transport,
        max_data_bytes=limits.max_data_bytes,
        max_control_bytes=limits.max_control_bytes,
    )


def start_frame(protocol: WriterProtocol) -> bytes:
    """Return the START frame of a unidirectional stream that has begun."""
    content_type = protocol.content_type
    return encode_control_frame(ControlFrame(ControlType.START, () if content_type is None else (content_type,)))


def checked_payloads(payloads: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return payloads that a caller gave, of which an iterator could be used only once.

    Raises: TypeError: it is not a list, or only one payload.
    """
    given: object = payloads
    if isinstance(given, bytes | str) or not isinstance(given, abc.Iterable):
        refuse_type("payloads", "a list of bytes", given)
    return tuple(payloads)


def open_to_write(
    file: Path | Writable, mode: FileMode, protocol: WriterProtocol, *, lock: bool = False
) -> tuple[FileOutput | ObjectOutput, int]:
    """Open a file for the stream of a protocol, which goes on with that of the file in mode "append".

    Returns: the file, and how many bytes were cut off its end.
    Raises: OSError; RemoteProtocolError, LocalProtocolError: the file cannot be appended to.
    """
    opened = open_output(file, mode, lock=lock)
    if mode != "append":
        return opened, 0
    from framestream.appending import append_to

    try:
        return opened, append_to(opened, protocol)
    except BaseException:
        opened.close()
        raise
