"""What a writer and a reader say to each other, byte for byte, and how to tell whether an end says its part.

For tests of other programs: framestream.testing plays one end of a conversation to them. The bytes are made by the
words of the specification, and not by the encoders, so that these can be tested by them too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framestream.control import ControlFrame, ControlType
from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.frames import MAX_DATA_BYTES, FrameDecoder
from framestream.protocol import Role, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Conversation", "Judge", "Turn", "wire_of"]


def wire_of(frame: bytes | ControlFrame) -> bytes:
    """The bytes of a data frame, given by its payload, or of a control frame."""
    if isinstance(frame, bytes):
        return struct.pack(">I", len(frame)) + frame
    fields = b"".join(struct.pack(">II", 1, len(value)) + value for value in frame.content_types)
    return struct.pack(">III", 0, 4 + len(fields), frame.type) + fields


@dataclass(frozen=True, slots=True)
class Turn:
    """What one end sends before it waits for the other.

    Attributes:
        sender: which end.
        frames: the good ones of it.
        chunks: its bytes, in the pieces in which they are sent; more than the frames if there is a fault behind them.
    """

    sender: Role
    frames: tuple[bytes | ControlFrame, ...]
    chunks: tuple[bytes, ...]

    @classmethod
    def of(cls, sender: Role, *frames: bytes | ControlFrame) -> Turn:
        """The frames in one chunk."""
        return cls(sender, frames, (b"".join(map(wire_of, frames)),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """All that two ends say to each other. `of` makes one that goes well; framestream.strategies has others.

    Attributes:
        transport: whether the reader talks too.
        offered: content types that the writer is set to, the most wanted first; none: unnamed.
        accepted: those that the reader is set to; none: any.
        content_type: that of START.
        payloads: what the writer sends; in front of the fault, if there is one.
        turns: who says what, in order. A fault is at the end of the last.
        fault: what is wrong in the last turn, in words, "" if nothing is: the other end must then say nothing more,
            and close.
        hangs_up: whether the sender of the last turn closes its side behind it.
    """

    transport: Transport = Transport.BIDIRECTIONAL
    offered: tuple[bytes, ...] = ()
    accepted: tuple[bytes, ...] = ()
    content_type: bytes | None = None
    payloads: tuple[bytes, ...] = ()
    turns: tuple[Turn, ...] = ()
    fault: str = ""
    hangs_up: bool = True

    @classmethod
    def of(
        cls,
        payloads: Iterable[bytes] = (),
        *,
        offered: Iterable[bytes] = (),
        accepted: Iterable[bytes] = (),
        transport: Transport = Transport.BIDIRECTIONAL,
    ) -> Conversation:
        """One that goes well, each turn in one chunk.

        Raises: LocalProtocolError: no content type is in both lists, and neither is empty.
        """
        payloads, offered, accepted = tuple(payloads), tuple(offered), tuple(accepted)
        common = tuple(name for name in accepted if name in offered) if offered else accepted
        if accepted and not common:
            raise LocalProtocolError(f"none of the content types {offered!r} is among {accepted!r}")
        chosen = next((name for name in offered if name in common or not accepted), None)
        start = ControlFrame(ControlType.START, () if chosen is None else (chosen,))
        turns = [Turn.of(Role.WRITER, start, *payloads, ControlFrame(ControlType.STOP))]
        if transport is Transport.BIDIRECTIONAL:
            turns = [
                Turn.of(Role.WRITER, ControlFrame(ControlType.READY, offered)),
                Turn.of(Role.READER, ControlFrame(ControlType.ACCEPT, common or offered)),
                *turns,
                Turn.of(Role.READER, ControlFrame(ControlType.FINISH)),
            ]
        return cls(
            transport=transport,
            offered=offered,
            accepted=accepted,
            content_type=chosen,
            payloads=payloads,
            turns=tuple(turns),
        )

    @property
    def refused_by(self) -> Role | None:
        """The end that must refuse the fault; None if there is none."""
        if not self.fault:
            return None
        return Role.READER if self.turns[-1].sender is Role.WRITER else Role.WRITER

    def closes(self, role: Role) -> bool:
        """Whether an end must close by itself. FINISH is a reader's last word, and the writer closes then."""
        return bool(self.fault) or role is Role.WRITER or self.transport is Transport.UNIDIRECTIONAL

    def part(self, role: Role) -> list[bytes | ControlFrame]:
        """The good frames of one end."""
        return [frame for turn in self.turns if turn.sender is role for frame in turn.frames]


class Judge:
    """Compares what an end sends with its part of a conversation, as it comes.

    Where peers may choose, any choice will do: an ACCEPT names nothing, or the content type of START and others that
    were offered; a START names nothing, or one of those in common; between START and STOP, control frames of unknown
    type count for nothing.

    Attributes:
        matched: how many frames have come as they should.
        objection: what was expected and what came where they first differ, in words; "" as long as they do not.
    """

    def __init__(self, conversation: Conversation, role: Role) -> None:
        self.matched = 0
        self.objection = ""
        self._conversation = conversation
        self._role = role
        self._part = conversation.part(role)
        self._decoder = FrameDecoder(max_data_bytes=max([MAX_DATA_BYTES, *map(len, conversation.payloads)]))

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes that the end has sent."""
        self._decoder.receive_data(data)
        try:
            while not self.objection and (frames := self._decoder.next_payloads()) is not None:
                for frame in frames if isinstance(frames, list) else [frames]:
                    if not self.objection:
                        self._compare(frame)
        except RemoteProtocolError as error:
            self._object(f"bytes that are no frame: {error}")

    def receive_eof(self) -> None:
        """The end sends nothing more."""
        if not self.objection and (self.matched < len(self._part) or self._decoder.missing()):
            self._object(f"the end, {self._decoder.unread} bytes into a frame" if self._decoder.unread else "the end")

    def _compare(self, frame: bytes | ControlFrame) -> None:
        expected = self._expected()
        if expected is not None and self._fits(expected, frame):
            self.matched += 1
        elif not (self._streaming() and isinstance(frame, ControlFrame) and not isinstance(frame.type, ControlType)):
            self._object(_words(frame))

    def _expected(self) -> bytes | ControlFrame | None:
        return self._part[self.matched] if self.matched < len(self._part) else None

    def _streaming(self) -> bool:
        before = self._part[self.matched - 1] if self.matched else None
        return isinstance(before, bytes) or (isinstance(before, ControlFrame) and before.type is ControlType.START)

    def _fits(self, expected: bytes | ControlFrame, frame: bytes | ControlFrame) -> bool:
        if isinstance(frame, bytes) or isinstance(expected, bytes) or frame.type != expected.type:
            return frame == expected
        offered, accepted = self._conversation.offered, self._conversation.accepted
        names = set(frame.content_types)
        if frame.type is ControlType.ACCEPT:
            chosen = self._conversation.content_type
            return not names or ((chosen is None or chosen in names) and (not offered or names <= set(offered)))
        if frame.type is ControlType.START:
            return all(names <= set(known) for known in (offered, accepted) if known)
        return frame == expected

    def _object(self, got: str) -> None:
        number = self.matched + 1
        self.objection = f"expected {_words(self._expected())} as frame {number} of the {self._role.value}, got {got}"


def _words(frame: bytes | ControlFrame | None) -> str:
    if frame is None:
        return "nothing"
    if isinstance(frame, bytes):
        return f"a data frame of {len(frame)} bytes, {frame[:16]!r}" + ("..." if len(frame) > 16 else "")
    return " ".join([frame.name, *map(repr, frame.content_types)])
