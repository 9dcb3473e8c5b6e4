"""What blocking and asyncio readers and writers have in common: options, counters, and everything but the waiting."""

from __future__ import annotations

import contextlib
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple

from framestream.compression import Decompressor
from framestream.control import MAX_CONTROL_BYTES
from framestream.errors import LocalProtocolError, MissingLibraryError, RemoteProtocolError
from framestream.files import FileInput
from framestream.frames import MAX_DATA_BYTES
from framestream.protocol import ReaderProtocol, State, Transport, WriterProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framestream.endpoints import Path
    from framestream.errors import FrameStreamError
    from framestream.frames import EncodedFrames

__all__ = [
    "Backoff",
    "BaseReader",
    "BaseReconnectingWriter",
    "BaseWriter",
    "Batching",
    "Deadlines",
    "Limits",
]

STABLE_S = 1.0
"""A connection that stood for so long is made again at once when it breaks."""


class Limits(NamedTuple):
    """How much is taken from the other side.

    Attributes:
        max_data_bytes: longest data frame payload; of a writer, the longest it sends.
        max_control_bytes: longest control frame payload.
        oversize: what becomes of a longer data frame: "error" ends the stream, "skip" counts it and goes on.
    """

    max_data_bytes: int = MAX_DATA_BYTES
    max_control_bytes: int = MAX_CONTROL_BYTES
    oversize: Literal["error", "skip"] = "error"


class Deadlines(NamedTuple):
    """How long the other side may take, in seconds; None: for ever. What is over raises TimeoutError.

    Between START and STOP a writer may be silent for as long as it likes.

    Attributes:
        connect_s: until the connection stands.
        handshake_s: from then, that of TLS included, until START has come or has been sent.
        write_s: until a write has been taken.
        finish_s: from STOP to FINISH.
    """

    connect_s: float | None = 5.0
    handshake_s: float | None = 5.0
    write_s: float | None = 30.0
    finish_s: float | None = 5.0


class Batching(NamedTuple):
    """When a writer sends what it has been given.

    Attributes:
        max_bytes: as soon as this much waits; 0: at once.
        max_s: when the first of it has waited for so long; None: not before there is enough, or `flush()`.
    """

    max_bytes: int = 0
    max_s: float | None = 1.0


class Backoff(NamedTuple):
    """How long to wait between attempts to connect again, in seconds.

    Attributes:
        first_s: before the second attempt; the first is made at once.
        factor: how much longer the next wait is.
        most_s: the longest.
        jitter: the share of each wait that is left to chance, so that many writers do not come back at the same time.
    """

    first_s: float = 0.1
    factor: float = 2.0
    most_s: float = 10.0
    jitter: float = 0.5

    def waits(self) -> Iterator[float]:
        """The waits, without end, the first of them 0."""
        yield 0.0
        import random  # of use to few, and slow to load

        wait = self.first_s
        while True:
            yield min(wait, self.most_s) * (1 - self.jitter * random.random())  # noqa: S311 (chance, not a secret)
            wait = min(wait * self.factor, self.most_s)


LIMITS = Limits()
DEADLINES = Deadlines()
NO_DEADLINES = Deadlines(connect_s=None, handshake_s=None, write_s=None, finish_s=None)
AT_ONCE = Batching()


def after(seconds: float | None) -> float | None:
    """The time of time.monotonic() in so many seconds; None: never."""
    return None if seconds is None else time.monotonic() + seconds


class BaseReader:
    """From the bytes of an input to lists of payloads.

    Attributes:
        frames, bytes: payloads given out, and their size in all.
        protocol: the ReaderProtocol, with the state, the content type and the counts of what was skipped.
    """

    def __init__(self, protocol: ReaderProtocol, *, file: bool) -> None:
        """file: whether it may be compressed, and further streams may follow behind the first."""
        self.protocol = protocol
        self.frames = 0
        self.bytes = 0
        self._joined = file
        self._decompressor = Decompressor() if file else None
        self._pieces: Iterator[bytes] = iter(())
        self._receiving = False
        self._held: Iterator[bytes] = iter(())

    @property
    def content_type(self) -> bytes | None:
        """That of START; None if it named none, and before it has come."""
        return self.protocol.content_type

    @property
    def started(self) -> bool:
        """Whether the handshake is over: START has come."""
        return self.protocol.state in _STARTED

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: after STOP, or the end of the input."""
        finished = self.protocol.ended or (self.protocol.state is State.FINISHED and not self._joined)
        return finished and not self._receiving

    @property
    def compression(self) -> str:
        """The format by which the input is compressed; "" if it is not, and before its first bytes have come."""
        return self._decompressor.name if self._decompressor else ""

    @property
    def _needs_input(self) -> bool:
        """Whether more input is needed, and would be of use."""
        return not (self._receiving or self.protocol.failed)

    def _feed(self, data: bytes) -> None:
        """Take what has been read; nothing: the input has ended."""
        if not data:
            self.protocol.receive_eof()
        elif self._decompressor:
            self._pieces = self._decompressor.feed(data)
        else:
            self.protocol.receive_data(data)
        self._receiving = True

    def _next(self) -> list[bytes] | None:
        """The next payloads, at least one, of what has been fed; None when all is given out.

        Raises: RemoteProtocolError: as ReaderProtocol.payloads; MissingLibraryError: what decompresses the input is not
            installed. Either again at each further call.
        """
        try:
            while not (payloads := self.protocol.payloads()):
                if not self._goes_on():
                    return None
        except (RemoteProtocolError, MissingLibraryError) as error:
            self._fail(error)
            raise
        self.frames += len(payloads)
        self.bytes += sum(map(len, payloads))
        return payloads

    def _next_encoded(self) -> EncodedFrames | None:
        """As `_next`, but the frames as they were received."""
        try:
            while not (frames := self.protocol.encoded()):
                if not self._goes_on():
                    return None
        except (RemoteProtocolError, MissingLibraryError) as error:
            self._fail(error)
            raise
        self.frames += frames.number
        self.bytes += frames.payload_bytes
        return frames

    def _goes_on(self) -> bool:
        """Give the protocol more of what has been fed; False when there is no more."""
        protocol = self.protocol
        if self._joined and protocol.state is State.FINISHED and protocol.unread:
            protocol.next_stream()
        elif piece := next(self._pieces, None):
            protocol.receive_data(piece)
        else:
            self._receiving = False
        return self._receiving

    def _fail(self, error: RemoteProtocolError | MissingLibraryError) -> None:
        self._receiving = False
        self.protocol.fail(error)

    def _take_held(self) -> list[bytes]:
        """The payloads that the handshake, or a loop over single payloads, has taken and not given out."""
        held, self._held = list(self._held), iter(())
        return held


class BaseWriter:
    """From payloads to the bytes of batches.

    Attributes:
        frames, bytes: payloads that have been sent, and their size in all.
        flushes: how often some were sent.
        waiting: payloads that have been taken and not been sent: not yet, or never if a write has failed.
        waiting_bytes: their size in all.
        protocol: the WriterProtocol.
    """

    def __init__(self, protocol: WriterProtocol, batching: Batching) -> None:
        self.protocol = protocol
        self.batching = batching
        self.frames = 0
        self.bytes = 0
        self.flushes = 0
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0

    @property
    def content_type(self) -> bytes | None:
        """The one that both sides agreed on; None for an unnamed one."""
        return self.protocol.content_type

    @property
    def taken(self) -> int:
        """Payloads that have been taken, sent or not."""
        return self.frames + len(self.waiting)

    def _put(self, payloads: Iterable[bytes]) -> bool:
        """Take payloads, all or none; whether they should be sent now.

        Raises: LocalProtocolError: as WriterProtocol.send.
        """
        payloads = tuple(payloads)
        self.protocol.send(payloads)
        self.waiting += payloads
        self.waiting_bytes += sum(map(len, payloads))
        return self.waiting_bytes >= self.batching.max_bytes

    def _sent_encoded(self, frames: EncodedFrames) -> None:
        """Count frames that were sent as they came."""
        self.flushes += 1
        self.frames += frames.number
        self.bytes += frames.payload_bytes

    def _sent_in(self, size: int) -> None:
        """Count as sent what was waiting and is whole within the first bytes of what was to be sent."""
        ends = accumulate([4 + len(payload) for payload in self.waiting])
        whole = sum([end <= size for end in ends])
        sent = self.waiting[:whole]
        del self.waiting[:whole]
        self.frames += whole
        self.bytes += sum(map(len, sent))
        self.waiting_bytes -= sum(map(len, sent))

    def _sent(self) -> None:
        """Count what was waiting as sent."""
        if self.waiting:
            self.flushes += 1
            self.frames += len(self.waiting)
            self.bytes += self.waiting_bytes
            self.waiting.clear()
            self.waiting_bytes = 0


class BaseReconnectingWriter:
    """What a writer that connects again must remember.

    Attributes:
        connections: those made; the first is no reconnection.
        dropped: payloads that were given up.
        error: what went wrong last.
    """

    _writer: BaseWriter | None

    def __init__(self, backoff: Backoff, *, drop: bool) -> None:
        self.connections = 0
        self.dropped = 0
        self.error: FrameStreamError | OSError | None = None
        self._backoff = backoff
        self._drop = drop
        self._waits = backoff.waits()
        self._next_attempt = time.monotonic() + next(self._waits)
        self._connected_at = 0.0
        self._unsent: list[bytes] = []
        self._past_frames = self._past_bytes = self._past_flushes = 0

    @property
    def reconnects(self) -> int:
        """Connections made, but for the first."""
        return max(0, self.connections - 1)

    @property
    def frames(self) -> int:
        """Payloads that have been sent, by all connections."""
        return self._past_frames + (self._writer.frames if self._writer else 0)

    @property
    def bytes(self) -> int:
        """Their size in all."""
        return self._past_bytes + (self._writer.bytes if self._writer else 0)

    @property
    def flushes(self) -> int:
        """How often some were sent."""
        return self._past_flushes + (self._writer.flushes if self._writer else 0)

    @property
    def waiting(self) -> int:
        """Payloads that have been taken and not been sent yet."""
        return len(self._unsent) + (len(self._writer.waiting) if self._writer else 0)

    def _not_connected(self, error: FrameStreamError | OSError) -> None:
        """An attempt has failed: see when to make the next."""
        self.error = error
        self._next_attempt = time.monotonic() + next(self._waits)

    def _connected(self) -> None:
        self.connections += 1
        self._connected_at = time.monotonic()

    def _disconnected(self, writer: BaseWriter, error: FrameStreamError | OSError) -> None:
        """The connection has ended: keep what it has not sent."""
        if time.monotonic() - self._connected_at >= STABLE_S:
            self._waits = self._backoff.waits()
        self._not_connected(error)
        self._unsent += writer.waiting
        self._past_frames += writer.frames
        self._past_bytes += writer.bytes
        self._past_flushes += writer.flushes
        self._writer = None

    def _give_up(self) -> None:
        """Count what has not been sent as dropped."""
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
    require_stop: bool = False,
) -> ReaderProtocol:
    """A ReaderProtocol with these limits."""
    return ReaderProtocol(
        content_types,
        transport=transport,
        require_stop=require_stop,
        max_data_bytes=limits.max_data_bytes,
        max_control_bytes=limits.max_control_bytes,
        oversize=limits.oversize,
    )


def writer_protocol(content_types: Iterable[bytes], limits: Limits, transport: Transport) -> WriterProtocol:
    """A WriterProtocol with these limits."""
    return WriterProtocol(
        content_types,
        transport=transport,
        max_data_bytes=limits.max_data_bytes,
        max_control_bytes=limits.max_control_bytes,
    )


class _Scan(BaseReader):
    """Reads a file through."""

    def run(self, file: FileInput) -> None:
        data = file.read()
        while data or self.protocol.offset:
            self._feed(data)
            while self._next():
                pass
            if not data:
                break
            data = file.read()


def check_appendable(path: Path) -> None:
    """See whether another stream may follow in a file: it is not there, is empty, or ends by STOP.

    Raises: RemoteProtocolError: what reading it through raises; LocalProtocolError: it is compressed; OSError.
    """
    try:
        file = FileInput(path)
    except FileNotFoundError:
        return
    with contextlib.closing(file):
        if not file.regular:
            return
        protocol = reader_protocol((), Limits(oversize="skip"), transport=Transport.UNIDIRECTIONAL, require_stop=True)
        scan = _Scan(protocol, file=True)
        scan.run(file)
        if scan.compression:
            raise LocalProtocolError(f"{path} is {scan.compression} data: a stream cannot be appended to it")
