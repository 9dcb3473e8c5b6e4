"""The whole protocol, without I/O, clocks or threads: bytes in, payloads and bytes out.

The state is a table. One end advances by sending what the other receives, so the same table serves both ends: a key is
(transport, state, sender, frame), and one that is missing is an error. A front end is a loop:

    protocol.receive_data(...) or receive_eof()  ->  payloads = protocol.payloads()  ->  send protocol.data_to_send()

A stream is bidirectional where both ends talk (sockets), unidirectional where only the writer does (files, pipes, some
sockets); a reader finds out by the first control frame. Source: fstrm control.h, "Unidirectional" and "Bidirectional".
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeVar

from framestream.control import (
    MAX_CONTENT_TYPE_BYTES,
    MAX_CONTROL_BYTES,
    MAX_SENT_CONTROL_BYTES,
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
    """Where a stream stands; both ends agree once what was sent has been received."""

    IDLE = "nothing has been sent"
    OFFERED = "the writer has offered its content types"
    ACCEPTED = "the reader has accepted some"
    STREAMING = "data frames flow"
    STOPPED = "the writer has sent all"
    FINISHED = "the stream is over"


class Role(Enum):
    """Who sends data, and who receives it; which of them listens and which connects is another matter."""

    WRITER = "writer"
    READER = "reader"


class Transport(Enum):
    """Whether the reader talks too."""

    BIDIRECTIONAL = "bidirectional"
    UNIDIRECTIONAL = "unidirectional"


DATA: Final = "data frame"

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
"""(transport, state, sender, frame) -> next state. Everything that may happen is here."""


class _Protocol:
    """What both ends have: the state, the bytes that came, the bytes to send.

    Attributes:
        state: where the stream stands.
        transport: None until it is known.
        content_type: that of START; None if it named none, and before it.
        unknown_control_frames: control frames of unknown type that were ignored.
    """

    role: Role
    peer: Role

    def __init__(self, decoder: FrameDecoder, transport: Transport | None, content_types: Iterable[bytes]) -> None:
        self.state = State.IDLE
        self._data_may_come = False
        self.transport = transport
        self.content_types = tuple(content_types)
        for content_type in self.content_types:
            if len(content_type) > MAX_CONTENT_TYPE_BYTES:
                raise LocalProtocolError(
                    f"a content type is at most {MAX_CONTENT_TYPE_BYTES} bytes long, not {len(content_type)}"
                )
        self.content_type: bytes | None = None
        self.unknown_control_frames = 0
        self.decoder = decoder
        self._to_send: list[bytes] = []
        self._error: RemoteProtocolError | MissingLibraryError | None = None

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes from the peer."""
        self.decoder.receive_data(data)

    def data_to_send(self) -> bytes:
        """The bytes to send now; each is given once."""
        data = b"".join(self._to_send)  # One alone is not copied.
        self._to_send.clear()
        return data

    @property
    def offset(self) -> int:
        """Bytes of the stream that have been used up."""
        return self.decoder.offset

    @property
    def failed(self) -> bool:
        """Whether the peer has departed from the protocol; then nothing more will come of this stream."""
        return self._error is not None

    @property
    def unread(self) -> int:
        """How many bytes have come and not been used up: at the end of the stream, those behind it."""
        return self.decoder.unread

    def _next(self, sender: Role, frame: ControlType | str) -> State | None:
        """The state after a frame, None if it must not come. It may settle the transport."""
        for transport in [self.transport] if self.transport else Transport:
            if state := TRANSITIONS.get((transport, self.state, sender, frame)):
                self.transport = transport
                return state
        return None

    def _expected(self) -> str:
        """What the peer may send now, in words."""
        frames = [
            frame.name if isinstance(frame, ControlType) else f"a {frame}"
            for transport, state, sender, frame in TRANSITIONS
            if state is self.state and sender is self.peer and self.transport in (transport, None)
        ]
        return " or ".join(frames) or "nothing"

    def _send(self, control_type: ControlType, content_types: tuple[bytes, ...] = ()) -> None:
        """Queue a control frame of ours, which the state allows or the caller is told."""
        encoded = encode_control_frame(ControlFrame(control_type, content_types))
        state = self._next(self.role, control_type)
        if state is None:
            raise LocalProtocolError(f"cannot send {control_type.name} in state {self.state.name}: {self.state.value}")
        self._to_send.append(encoded)
        self._enter(state)

    def _receive(self, next_frames: Callable[[], T | ControlFrame | None]) -> T | ControlFrame | None:
        """The next frames of the peer, of which the state is then that after them; None when there are none.

        What goes wrong here goes wrong for good: the same error is raised at each further call.

        Args: next_frames: one of the decoder's methods, next_payloads or next_encoded.
        """
        if self._error is not None:
            # Without the last traceback, to which each raise would add: some callers ask for ever.
            raise self._error.with_traceback(None)
        decoder = self.decoder
        try:
            while True:
                if not self._data_may_come and decoder.next_word():
                    # Found by its first word alone: what is no stream would have a data frame's length of anything.
                    first = decoder.peek(FIRST_BYTES)
                    known = recognise(first)
                    self._unexpected(f"{known}, {first!r}" if known else f"no control frame but {first!r}", self.offset)
                frame = next_frames()
                if not isinstance(frame, ControlFrame) or self._advance_by(frame):
                    return frame
        except RemoteProtocolError as error:
            self._error = error
            raise

    def _advance_by(self, frame: ControlFrame) -> bool:
        """Take a control frame of the peer; whether it is of a known type."""
        offset = self.decoder.control_offset
        if not isinstance(frame.type, ControlType):
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
        # Asked of the table here, and not for each read.
        self._data_may_come = self._next(self.peer, DATA) is not None

    def _check(self, frame: ControlFrame, offset: int) -> None:
        """Raise ContentTypeError if the frame's content types will not do; called before the state advances."""

    def _unexpected(self, got: str, offset: int) -> NoReturn:
        raise UnexpectedFrameError(self._expected(), got, offset, self.state.name)

    def _content_type_error(self, wanted: Sequence[bytes], frame: ControlFrame, offset: int) -> NoReturn:
        expected = f"content type {_words(wanted)} in {frame.name}"
        raise ContentTypeError(expected, _words(frame.content_types), offset, self.state.name)

    def _truncated(self, expected: str) -> None:
        """Note that the input ended, for the next call to raise."""
        if self._error is not None:
            return
        missing = self.decoder.missing()
        if missing is None:
            self._error = TruncatedStreamError(expected, "the end of input", self.offset, self.state.name)
            return
        came, needed = missing
        self._error = TruncatedStreamError(
            f"{needed - came} more bytes of a frame",
            "the end of input",
            self.offset + came,
            self.state.name,
            inside_frame=True,
        )


class ReaderProtocol(_Protocol):
    """The end that receives data.

    Args:
        content_types: those it takes, the most wanted first; none: any.
        transport: what the stream must be; None: the writer's first frame decides.
        require_stop: whether an input that ends between two frames without STOP is truncated, as a file is. A live
            stream may end so.
        max_data_bytes, max_control_bytes, oversize, offset: as of FrameDecoder.
    """

    role = Role.READER
    peer = Role.WRITER

    def __init__(
        self,
        content_types: Iterable[bytes] = (),
        *,
        transport: Transport | None = None,
        require_stop: bool = False,
        max_data_bytes: int = MAX_DATA_BYTES,
        max_control_bytes: int = MAX_CONTROL_BYTES,
        oversize: Literal["error", "skip"] = "error",
        offset: int = 0,
    ) -> None:
        decoder = FrameDecoder(
            max_data_bytes=max_data_bytes, max_control_bytes=max_control_bytes, oversize=oversize, offset=offset
        )
        super().__init__(decoder, transport, content_types)
        self.require_stop = require_stop
        self.ended = False
        self._accepted = self.content_types

    def fail(self, error: RemoteProtocolError | MissingLibraryError) -> None:
        """What carries the stream has failed: `payloads` raises this, unless it has raised something before."""
        self._error = self._error or error

    def receive_eof(self) -> None:
        """The input has ended. If it should not have, `payloads` raises TruncatedStreamError when all is given out."""
        self.ended = True

    def payloads(self) -> list[bytes]:
        """The next run of payloads; [] when more bytes are needed, or none will come: `state` and `ended` tell which.

        Call it until it gives [], then send `data_to_send()`. FINISH is not sent before all payloads have been taken.

        Raises: RemoteProtocolError: its subclasses; every payload before the fault has been given out.
        """
        while self._error is not None or self.state is not State.FINISHED:
            frame = self._receive(self.decoder.next_payloads)
            if isinstance(frame, list):
                return frame
            if (frame is None and not self.ended) or not self._goes_on(frame):
                break
        return []

    def encoded(self) -> EncodedFrames | None:
        """As `payloads()`, but the run as it was received; None when there is none. The two may be mixed."""
        while self._error is not None or self.state is not State.FINISHED:
            frame = self._receive(self.decoder.next_encoded)
            if isinstance(frame, EncodedFrames):
                return frame
            if (frame is None and not self.ended) or not self._goes_on(frame):
                break
        return None

    def next_stream(self) -> None:
        """Expect another stream behind one that has finished, as in files that have been joined.

        Raises: LocalProtocolError: it has not finished.
        """
        if self.state is not State.FINISHED:
            raise LocalProtocolError(f"the stream has not finished, but is in state {self.state.name}")
        self._enter(State.IDLE)
        self.content_type = None

    def _goes_on(self, frame: ControlFrame | None) -> bool:
        """Answer a control frame, or see whether the input may end here; whether to ask for the next frame."""
        if frame is None:
            if self._ends_well():
                return False
            self._truncated(self._expected())
        elif frame.type is ControlType.READY:
            self._send(ControlType.ACCEPT, self._accepted)
        elif frame.type is ControlType.START:
            self.content_type = frame.content_types[0] if frame.content_types else None
        elif self.state is State.STOPPED:
            self._send(ControlType.FINISH)
        return True

    def _ends_well(self) -> bool:
        return self.state is State.STREAMING and not self.require_stop and self.decoder.missing() is None

    def _check(self, frame: ControlFrame, offset: int) -> None:
        if frame.type is ControlType.READY:
            self._accepted = _fitting(_common(self.content_types, frame.content_types))
            if not self._accepted and self.content_types:
                self._content_type_error(self.content_types, frame, offset)
        elif frame.type is ControlType.START and not _matches(self._accepted, frame.content_types):
            self._content_type_error(self._accepted, frame, offset)


class WriterProtocol(_Protocol):
    """The end that sends data.

    Args:
        content_types: those it offers, the most wanted first; none: unnamed.
        transport: whether the reader talks too; a file does not.
        max_data_bytes: longest payload it sends.
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
        self._chosen = self.content_types[:1]

    def start(self) -> None:
        """Begin: READY, or START where the reader does not talk.

        Raises: LocalProtocolError: it has begun already, or the content types do not fit in a frame.
        """
        if self.transport is Transport.BIDIRECTIONAL:
            self._send(ControlType.READY, self.content_types)
        else:
            self._start()

    def send(self, payloads: Iterable[bytes]) -> None:
        """Send data frames.

        Raises: LocalProtocolError: not streaming, or a payload that is empty or over the limit; then none is sent.
        """
        self._check_streaming()
        self._to_send.append(encode_data_frames(payloads, self.max_data_bytes))

    def send_encoded(self, frames: bytes) -> None:
        """Send data frames that have been encoded already, as FrameDecoder gives them; they are not looked at.

        Raises: LocalProtocolError: not streaming.
        """
        self._check_streaming()
        self._to_send.append(frames)

    def stop(self) -> None:
        """End: STOP, which a reader that talks answers by FINISH.

        Raises: LocalProtocolError: not streaming.
        """
        self._send(ControlType.STOP)

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes from the reader; an ACCEPT is answered by START.

        Raises: RemoteProtocolError: its subclasses.
        """
        super().receive_data(data)
        self._advance()

    def receive_eof(self) -> None:
        """The reader has closed its side.

        Raises: TruncatedStreamError: it should have sent ACCEPT or FINISH first.
        """
        if self.state is not State.FINISHED:
            self._truncated("a reader that stays" if self.state is State.STREAMING else self._expected())
            self._advance()

    def _check_streaming(self) -> None:
        if self.state is not State.STREAMING:
            raise LocalProtocolError(f"cannot send data frames in state {self.state.name}: {self.state.value}")

    def _advance(self) -> None:
        while self.state is not State.FINISHED and self._receive(self.decoder.next_payloads) is not None:
            if self.state is State.ACCEPTED:
                self._start()

    def _start(self) -> None:
        self._send(ControlType.START, self._chosen)
        self.content_type = self._chosen[0] if self._chosen else None

    def _check(self, frame: ControlFrame, offset: int) -> None:
        if frame.type is ControlType.ACCEPT and frame.content_types and self.content_types:
            self._chosen = _common(self.content_types, frame.content_types)[:1]
            if not self._chosen:
                self._content_type_error(self.content_types, frame, offset)


def _common(ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What both sides have, in our order; a side that names none takes any."""
    if ours and theirs:
        return tuple(content_type for content_type in ours if content_type in theirs)
    return ours or theirs


def _fitting(content_types: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """As many of them as one control frame holds: a peer may offer more than it is wise to send."""
    left = MAX_SENT_CONTROL_BYTES - 4
    for count, content_type in enumerate(content_types):
        left -= 8 + len(content_type)
        if left < 0:
            return content_types[:count]
    return content_types


def _matches(ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> bool:
    return bool(_common(ours, theirs)) or not (ours and theirs)


def _words(content_types: Sequence[bytes]) -> str:
    return " or ".join(map(repr, content_types)) or "none"
