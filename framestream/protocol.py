"""The whole protocol, without I/O, clocks or threads: bytes in, payloads and bytes out.

The state machine is a table. One end advances by sending what the other end receives, so the same table serves both: a
key is (transport, state, sender, frame), and a missing key is an error. A front end is a loop, and each method says
which one must be called next:

    read the transport -> receive_data() or receive_eof() -> payloads() until it returns [] -> send data_to_send()

A stream is bidirectional if the reader answers (on sockets), unidirectional if only the writer sends (in files, pipes,
and on some sockets). A reader learns which from the first control frame. Numbered rules are those of
docs/frame-streams.md. Source: fstrm control.h, "Unidirectional" and "Bidirectional".
"""

from __future__ import annotations

from collections import abc
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeVar

from framestream.arguments import check_type, refuse_type
from framestream.control import (
    MAX_CONTENT_TYPE_BYTES,
    MAX_CONTROL_BYTES,
    ControlFrame,
    ControlType,
)
from framestream.errors import (
    ContentTypeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import MAX_DATA_BYTES, EncodedFrames, FrameDecoder, encode_control_frame, encode_data_frames
from framestream.recognition import FIRST_BYTES, recognise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from framestream.errors import MissingLibraryError

__all__ = ["TRANSITIONS", "ReaderProtocol", "Role", "State", "Transport", "WriterProtocol"]

T = TypeVar("T")


class State(Enum):
    """The state of a stream; both ends are in the same one when everything sent has been received."""

    IDLE = "nothing has been sent"
    OFFERED = "the writer has offered its content types"
    ACCEPTED = "the reader has accepted some"
    STREAMING = "data frames flow"
    STOPPED = "the writer has sent all"
    FINISHED = "the stream is over"


class Role(Enum):
    """The two ends of a stream: a writer sends data, a reader receives it.

    Either of them may be the one that listens (rule 9).
    """

    WRITER = "writer"
    READER = "reader"


class Transport(Enum):
    """The two kinds of stream: with answers from the reader, and without."""

    BIDIRECTIONAL = "bidirectional"
    UNIDIRECTIONAL = "unidirectional"


DATA: Final = "data frame"

# Rules 7 and 8. Control frames of unknown type are not in the table: between START and STOP they are ignored (rule 10).
TRANSITIONS: dict[tuple[Transport, State, Role, ControlType | str], State] = {
    (Transport.BIDIRECTIONAL, State.IDLE, Role.WRITER, ControlType.READY): State.OFFERED,
    (Transport.BIDIRECTIONAL, State.OFFERED, Role.READER, ControlType.ACCEPT): State.ACCEPTED,
    (Transport.BIDIRECTIONAL, State.ACCEPTED, Role.WRITER, ControlType.START): State.STREAMING,
    (Transport.BIDIRECTIONAL, State.STREAMING, Role.WRITER, DATA): State.STREAMING,
    (Transport.BIDIRECTIONAL, State.STREAMING, Role.WRITER, ControlType.STOP): State.STOPPED,
    (Transport.BIDIRECTIONAL, State.STOPPED, Role.READER, ControlType.FINISH): State.FINISHED,
    (Transport.UNIDIRECTIONAL, State.IDLE, Role.WRITER, ControlType.START): State.STREAMING,
    (Transport.UNIDIRECTIONAL, State.STREAMING, Role.WRITER, DATA): State.STREAMING,
    (Transport.UNIDIRECTIONAL, State.STREAMING, Role.WRITER, ControlType.STOP): State.FINISHED,
}
"""(transport, state, sender, frame) -> next state, for everything that the protocol allows."""


def checked_content_types(content_types: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return content types that a caller gave.

    Raises: TypeError: they are not bytes, or only one and not in a list.
    """
    given: object = content_types
    if isinstance(given, bytes | str) or not isinstance(given, abc.Iterable):
        refuse_type("content_types", "a list of bytes", given)
    types = tuple(content_types)
    for content_type in types:
        check_type("content_types", content_type, bytes, "a list of bytes")
    return types


class _Protocol:
    """Common base of both ends: the state, the bytes received, the bytes to send.

    Attributes:
        state: state of the stream.
        transport: None until it is known.
        content_type: content type of START; None before START, and if START names none.
        unknown_control_frames: number of control frames of unknown type that were ignored.
    """

    role: Role
    peer: Role

    def __init__(self, decoder: FrameDecoder, transport: Transport | None, content_types: Iterable[bytes]) -> None:
        self.state = State.IDLE
        self._data_may_come = False
        self.transport = transport
        self.content_types = checked_content_types(content_types)
        for content_type in self.content_types:
            if len(content_type) > MAX_CONTENT_TYPE_BYTES:  # Rule 4.
                raise LocalProtocolError(
                    f"a content type is at most {MAX_CONTENT_TYPE_BYTES} bytes long, not {len(content_type)}"
                )
        self.content_type: bytes | None = None
        self.unknown_control_frames = 0
        self.decoder = decoder
        self._to_send: list[bytes] = []
        self._error: RemoteProtocolError | MissingLibraryError | None = None

    def data_to_send(self) -> bytes:
        """Return the bytes to send now, and forget them.

        You must send all of them to the peer, in order, or give the connection up.
        """
        data = b"".join(self._to_send)  # join() does not copy a single item.
        self._to_send.clear()
        return data

    @property
    def offset(self) -> int:
        """Number of bytes of the stream that have been consumed."""
        return self.decoder.offset

    @property
    def failed(self) -> bool:
        """True once the peer has violated the protocol; then nothing more comes of this stream."""
        return self._error is not None

    @property
    def unread(self) -> int:
        """Number of bytes received but not consumed; once the stream has finished, bytes that follow it."""
        return self.decoder.unread

    def _next(self, sender: Role, frame: ControlType | str) -> State | None:
        """Return the state after a frame, None if it is not allowed. Sets the transport if the frame decides it."""
        # Only a reader may not know its transport yet: READY or START, its first frame, decides (rule 8).
        for transport in [self.transport] if self.transport else Transport:
            if state := TRANSITIONS.get((transport, self.state, sender, frame)):
                self.transport = transport
                return state
        return None

    def _expected(self) -> str:
        """Name the frames that the peer may send now, for an error."""
        frames = [
            frame.name if isinstance(frame, ControlType) else f"a {frame}"
            for transport, state, sender, frame in TRANSITIONS
            if state is self.state and sender is self.peer and self.transport in (transport, None)
        ]
        return " or ".join(frames) or "nothing"

    def _send(self, control_type: ControlType, content_types: tuple[bytes, ...] = ()) -> None:
        """Queue a control frame.

        Raises: LocalProtocolError: the state does not allow it.
        """
        # Encoded before the state changes, because content types that do not fit raise an error (rule 6).
        encoded = encode_control_frame(ControlFrame(control_type, content_types))
        state = self._next(self.role, control_type)
        if state is None:
            raise LocalProtocolError(f"cannot send {control_type.name} in state {self.state.name}: {self.state.value}")
        self._to_send.append(encoded)
        self._enter(state)

    def _receive(self, next_frames: Callable[[], T | ControlFrame | None]) -> T | ControlFrame | None:
        """Return the peer's next frames, None if there are none, and advance the state by them.

        An error is final: each further call raises the same one.

        Args: next_frames: `next_payloads` or `next_encoded` of the decoder.
        """
        if self._error is not None:
            # Each raise adds to the traceback, and some callers retry for ever.
            raise self._error.with_traceback(None)
        decoder = self.decoder
        try:
            while True:
                if not self._data_may_come and decoder.next_word():
                    # The first word of a data frame is enough to refuse it. Other protocols are told by it too, and
                    # would otherwise be taken for a data frame of any length, and waited for.
                    first = decoder.peek(FIRST_BYTES)
                    known = recognise(first)
                    self._unexpected(f"{known}, {first!r}" if known else f"no control frame but {first!r}", self.offset)
                frame = next_frames()
                if not isinstance(frame, ControlFrame) or self._advance_by(frame):
                    return frame
        except RemoteProtocolError as error:
            self._explain(error)
            self._error = error
            raise

    def _explain(self, error: RemoteProtocolError) -> None:
        """Add a hint to an error of the peer."""

    def _advance_by(self, frame: ControlFrame) -> bool:
        """Advance the state by a control frame of the peer; return False if it is of unknown type and ignored."""
        offset = self.decoder.control_offset
        if not isinstance(frame.type, ControlType):
            # Rule 10: ignored between START and STOP, and nowhere else.
            if not self._data_may_come:
                self._unexpected(frame.name, offset)
            self.unknown_control_frames += 1
            return False
        state = self._next(self.peer, frame.type)
        if state is None:
            self._unexpected(frame.name, offset)
        self._check(frame, offset)
        self._enter(state)
        return True

    def _enter(self, state: State) -> None:
        self.state = state
        # Looked up once a state, not once a read: a read of 20 frames took 7.5 microseconds that way, and takes 4.8.
        self._data_may_come = self._next(self.peer, DATA) is not None

    def _check(self, frame: ControlFrame, offset: int) -> None:
        """Raise ContentTypeError if the frame's content types do not match; called before the state advances."""

    def _unexpected(self, got: str, offset: int) -> NoReturn:
        raise UnexpectedFrameError(self._expected(), got, offset, self.state.name)

    def _content_type_error(self, wanted: Sequence[bytes], frame: ControlFrame, offset: int) -> NoReturn:
        expected = f"content type {_words(wanted)} in {frame.name}"
        raise ContentTypeError(expected, _words(frame.content_types), offset, self.state.name)

    def _truncated(self, expected: str) -> None:
        """Record that the input ended too early, as an error for the next call to raise."""
        if self._error is not None:
            return
        missing = self.decoder.missing()
        if missing is None:
            self._error = TruncatedStreamError(expected, "the end of input", self.offset, self.state.name)
            return
        received, needed = missing
        self._error = TruncatedStreamError(
            f"{needed - received} more bytes of a frame",
            "the end of input",
            self.offset + received,
            self.state.name,
            inside_frame=True,
        )


class ReaderProtocol(_Protocol):
    """The receiving end.

    Args:
        content_types: content types to accept, in order of preference; any if there are none. READY is answered with
            the first that the writer offers too.
        transport: required kind of stream; None to accept either.
        require_stop: whether an input that ends between two frames without STOP is truncated, as it is for a file. A
            live stream may end that way (rule 7).
        joined: whether START may follow a stream that has no STOP, as in files that were joined after a crash.
        max_data_bytes, max_control_bytes, oversize, offset: as for FrameDecoder.
    Attributes: unfinished_streams: number of streams that had no STOP and were followed by another.
    Raises: LocalProtocolError: a content type is too long.
    """

    role = Role.READER
    peer = Role.WRITER

    def __init__(
        self,
        content_types: Iterable[bytes] = (),
        *,
        transport: Transport | None = None,
        require_stop: bool = False,
        joined: bool = False,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
        oversize: Literal["error", "skip"] = "error",
        offset: int = 0,
    ) -> None:
        decoder = FrameDecoder(
            max_data_bytes=max_data_bytes, max_control_bytes=max_control_bytes, oversize=oversize, offset=offset
        )
        self._joined = joined
        super().__init__(decoder, transport, content_types)
        self.require_stop = require_stop
        self.unfinished_streams = 0
        # The last frames, for an explanation of an error; kept of files only.
        self._last: list[bytes] | EncodedFrames = []
        self.ended = False
        self._accepted = self.content_types

    def receive_data(self, data: bytes) -> None:
        """Accept bytes received from the writer.

        Afterwards you must call `payloads()` or `encoded()` until it returns nothing.
        """
        self.decoder.receive_data(data)

    def receive_eof(self) -> None:
        """Accept the end of the input.

        Afterwards you must call `payloads()` or `encoded()` until it returns nothing: if the input ended too early,
        that raises TruncatedStreamError after the last complete payload. Do not call `receive_data()` again.
        """
        self.ended = True

    def fail(self, error: RemoteProtocolError | MissingLibraryError) -> None:
        """Fail the stream because of an error below it, in decompression or TLS.

        Afterwards `payloads()` and `encoded()` raise this error, or an earlier one if there was one.
        """
        self._error = self._error or error

    def payloads(self) -> list[bytes]:
        """Return the next run of payloads, or [] if there is none.

        You must call it until it returns []. Then you must send `data_to_send()`, and only after that read more. (So
        FINISH tells the writer that all payloads have been taken.) `state` and `ended` tell whether more can come.

        Raises: RemoteProtocolError: its subclasses, after every payload before the fault has been returned; the same
            one again at each further call. You should close the connection.
        """
        while self._error is not None or self.state is not State.FINISHED:
            frame = self._receive(self.decoder.next_payloads)
            if isinstance(frame, list):
                if self._joined:
                    self._last = frame[-1:]
                return frame
            # The first half is part of `_handle`, and repeated because this ends almost every read.
            if (frame is None and not self.ended) or not self._handle(frame):
                break
        return []

    def encoded(self) -> EncodedFrames | None:
        """Return the next run of data frames as received, or None if there is none.

        It takes the place of `payloads()`, with the same obligations and errors. The two may be mixed.
        """
        while self._error is not None or self.state is not State.FINISHED:
            frame = self._receive(self.decoder.next_encoded)
            if isinstance(frame, EncodedFrames):
                if self._joined:
                    self._last = frame
                return frame
            if (frame is None and not self.ended) or not self._handle(frame):
                break
        return None

    def next_stream(self) -> None:
        """Expect another stream after one that has finished, as in concatenated files.

        Afterwards you must call `payloads()` or `encoded()` again: bytes of the next stream may have been received.

        Raises: LocalProtocolError: the stream has not finished.
        """
        if self.state is not State.FINISHED:
            raise LocalProtocolError(f"the stream has not finished, but is in state {self.state.name}")
        # The transport stays: streams after the first are of the same kind.
        self._enter(State.IDLE)
        self.content_type = None

    def _handle(self, frame: ControlFrame | None) -> bool:
        """Answer a control frame, or check that the input may end here if there is none.

        Returns: whether the caller must ask for the next frame.
        """
        if frame is None:
            if self._ends_well():
                return False
            self._truncated(self._expected())
        elif frame.type is ControlType.READY:
            # Rule 8. _check() has left in _accepted the one that was chosen, if any is named.
            self._send(ControlType.ACCEPT, self._accepted)
        elif frame.type is ControlType.START:
            # Rule 12: the content type of the stream is that of START, not of READY.
            self.content_type = frame.content_types[0] if frame.content_types else None
        elif self.state is State.STOPPED:
            # After STOP. A unidirectional stream is in state FINISHED then, and has no answer.
            self._send(ControlType.FINISH)
        return True

    def _ends_well(self) -> bool:
        # Rule 7: a live stream may end between two frames; a file without STOP is truncated.
        return self.state is State.STREAMING and not self.require_stop and self.decoder.missing() is None

    def _explain(self, error: RemoteProtocolError) -> None:
        last = self._last.payloads() if isinstance(self._last, EncodedFrames) else self._last
        if self.state is not State.STREAMING or not last:
            return
        content_types = () if self.content_type is None else (self.content_type,)
        start = encode_control_frame(ControlFrame(ControlType.START, content_types))
        # It may be cut at the end of the frame, or of what has been received.
        joined = last[-1] + self.decoder.peek(len(start))
        found = [size for size in range(len(start) - 1, 8, -1) if joined.endswith(start[:size])]
        position = joined.rfind(start) if start in joined else len(joined) - max(found, default=0)
        # Not read on from there: a sender may put any bytes into a payload, and would so forge frames.
        if position < len(last[-1]):
            offset = error.offset - len(last[-1]) + position
            error.hint = (
                f"START stands inside the frame before, at byte {offset}: a file that was cut may be joined there"
            )

    def _next(self, sender: Role, frame: ControlType | str) -> State | None:
        # Not in the table: the second stream is another input, which `cat` has joined to one that was cut.
        if self._joined and frame is ControlType.START and self.state is State.STREAMING:
            return State.STREAMING
        return super()._next(sender, frame)

    def _check(self, frame: ControlFrame, offset: int) -> None:
        if frame.type is ControlType.READY:
            # Rule 11: the first choice of this side, alone, because writers take what they like best of several. An
            # empty ACCEPT would mean "any", so a reader that shares no content type refuses.
            self._accepted = _common(self.content_types, frame.content_types)[:1]
            if not self._accepted and self.content_types:
                self._content_type_error(self.content_types, frame, offset)
        elif frame.type is ControlType.START:
            if not _matches(self._accepted, frame.content_types):
                self._content_type_error(self._accepted, frame, offset)
            self.unfinished_streams += self.state is State.STREAMING


class WriterProtocol(_Protocol):
    """The sending end.

    Args:
        content_types: content types to offer, in order of preference; the stream has none if there are none.
        transport: whether the reader answers. A file does not.
        max_data_bytes: longest payload to send.
        max_control_bytes: longest control frame payload to accept.
    Raises: LocalProtocolError: a content type is too long.
    """

    role = Role.WRITER
    peer = Role.READER

    def __init__(
        self,
        content_types: Iterable[bytes] = (),
        *,
        transport: Transport = Transport.BIDIRECTIONAL,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
    ) -> None:
        super().__init__(FrameDecoder(max_control_bytes=max_control_bytes), transport, content_types)
        self.max_data_bytes = max_data_bytes
        # The first choice, unless ACCEPT names others (rule 11). START has one content type or none (rule 5).
        self._chosen = self.content_types[:1]

    def start(self) -> None:
        """Begin the stream: READY, or START if the reader does not answer.

        Afterwards you must send `data_to_send()`. Then, unless the state is STREAMING, pass what the reader sends to
        `receive_data()` until it is.

        Raises: LocalProtocolError: the stream has begun already, or the content types do not fit in a frame.
        """
        if self.transport is Transport.BIDIRECTIONAL:
            self._send(ControlType.READY, self.content_types)
        else:
            self._start()

    def resume(self, content_type: bytes | None) -> None:
        """Continue a stream that has begun already, that of a file to append to. It takes the place of `start()`.

        Args: content_type: that of its START; None if it names none.
        Raises: LocalProtocolError: this stream has begun, or the reader answers.
        """
        state = self._next(self.role, ControlType.START)
        if state is None:
            raise LocalProtocolError(f"cannot continue a stream in state {self.state.name}: {self.state.value}")
        self._enter(state)
        self.content_type = content_type

    def send(self, payloads: Iterable[bytes]) -> None:
        """Send data frames.

        Afterwards you must send `data_to_send()`: now, or after further calls. Rule 16: at least once a second.

        Raises: LocalProtocolError: the state is not STREAMING, or a payload is empty or over the limit; then none of
            them is sent.
        """
        self._check_streaming()
        self._to_send.append(encode_data_frames(payloads, self.max_data_bytes))

    def send_encoded(self, frames: bytes) -> None:
        """Send data frames that are encoded already, without checking them.

        Afterwards you must send `data_to_send()`.

        Raises: LocalProtocolError: the state is not STREAMING.
        """
        self._check_streaming()
        self._to_send.append(frames)

    def stop(self) -> None:
        """End the stream: STOP.

        Afterwards you must send `data_to_send()`. Then, unless the state is FINISHED, pass what the reader sends to
        `receive_data()` until it is, so that you know that everything has arrived; then close the connection.

        Raises: LocalProtocolError: the state is not STREAMING.
        """
        self._send(ControlType.STOP)

    def receive_data(self, data: bytes) -> None:
        """Accept bytes received from the reader.

        Afterwards you must send `data_to_send()`: an ACCEPT is answered with START.

        Raises: RemoteProtocolError: its subclasses. You should close the connection.
        """
        self.decoder.receive_data(data)
        self._advance()

    def receive_eof(self) -> None:
        """Accept the end of the reader's side of the connection; afterwards close yours.

        Raises: TruncatedStreamError: the reader should have sent ACCEPT or FINISH first.
        """
        if self.state is not State.FINISHED:
            self._truncated("a reader that stays" if self.state is State.STREAMING else self._expected())
            self._advance()

    def _check_streaming(self) -> None:
        # Rules 7 and 8: data frames stand between START and STOP only.
        if self.state is not State.STREAMING:
            raise LocalProtocolError(f"cannot send data frames in state {self.state.name}: {self.state.value}")

    def _advance(self) -> None:
        # A reader sends control frames only; _receive() refuses data by the table.
        while self.state is not State.FINISHED and self._receive(self.decoder.next_payloads) is not None:
            if self.state is State.ACCEPTED:
                self._start()

    def _start(self) -> None:
        self._send(ControlType.START, self._chosen)
        self.content_type = self._chosen[0] if self._chosen else None

    def _check(self, frame: ControlFrame, offset: int) -> None:
        # Rule 11: an empty ACCEPT means "any", which leaves the first choice.
        if frame.type is ControlType.ACCEPT and frame.content_types and self.content_types:
            self._chosen = _common(self.content_types, frame.content_types)[:1]
            if not self._chosen:
                self._content_type_error(self.content_types, frame, offset)


def _common(ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the content types that both sides have, in our order. Rule 11: a side without any matches anything."""
    if ours and theirs:
        return tuple(content_type for content_type in ours if content_type in theirs)
    return ours or theirs


def _matches(ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> bool:
    return bool(_common(ours, theirs)) or not (ours and theirs)


def _words(content_types: Sequence[bytes]) -> str:
    return " or ".join(map(repr, content_types)) or "none"
