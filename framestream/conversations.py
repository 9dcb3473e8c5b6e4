"""Conversations: the bytes that a writer and a reader send each other, and a judge of what one end sends.

For tests of other programs: framestream.testing plays one end of a conversation to them. The bytes are made directly
from the specification and not by the encoders of this package, so that they can test those too.
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
    """Encode a data frame, given by its payload, or a control frame."""
    if isinstance(frame, bytes):
        return struct.pack(">I", len(frame)) + frame
    fields = b"".join(struct.pack(">II", 1, len(value)) + value for value in frame.content_types)
    return struct.pack(">III", 0, 4 + len(fields), frame.type) + fields


@dataclass(frozen=True, slots=True)
class Turn:
    """Frames that one end sends before it waits for the other.

    Attributes:
        sender: the end that sends.
        frames: its valid frames.
        chunks: its bytes, in the pieces to send them in; they include a fault after the frames, if there is one.
    """

    sender: Role
    frames: tuple[bytes | ControlFrame, ...]
    chunks: tuple[bytes, ...]

    @classmethod
    def of(cls, sender: Role, *frames: bytes | ControlFrame) -> Turn:
        """Make a turn of frames in one chunk."""
        return cls(sender, frames, (b"".join(map(wire_of, frames)),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Everything that two ends send each other. `of` makes a valid one; framestream.strategies has others.

    Attributes:
        transport: whether the reader answers.
        offered: content types configured in the writer, in order of preference.
        accepted: content types configured in the reader; any if there are none.
        content_type: content type of START; None if it names none.
        payloads: payloads that the writer sends, before the fault if there is one.
        turns: turns of both ends, in order. A fault is at the end of the last.
        fault: description of the fault; "" if there is none. The other end must not send anything after it, and close.
        hangs_up: whether the sender of the last turn closes its side after it.
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
        """Make a valid conversation, each turn in one chunk.

        Raises: LocalProtocolError: the two lists have no content type in common, and neither is empty.
        """
        payloads, offered, accepted = tuple(payloads), tuple(offered), tuple(accepted)
        common = tuple(name for name in accepted if name in offered) if offered else accepted
        if accepted and not common:
            raise LocalProtocolError(f"none of the content types {offered!r} is among {accepted!r}")
        # Rule 11 of docs/frame-streams.md: the reader names its first choice, or the writer's if it takes any. A writer
        # that is not answered begins with its own, and one that offers none with none.
        named = (common or offered)[:1]
        if transport is Transport.UNIDIRECTIONAL:
            named = tuple(name for name in offered if name in common or not accepted)[:1]
        chosen = named[0] if named and offered else None
        start = ControlFrame(ControlType.START, () if chosen is None else (chosen,))
        turns = [Turn.of(Role.WRITER, start, *payloads, ControlFrame(ControlType.STOP))]
        if transport is Transport.BIDIRECTIONAL:
            turns = [
                Turn.of(Role.WRITER, ControlFrame(ControlType.READY, offered)),
                Turn.of(Role.READER, ControlFrame(ControlType.ACCEPT, named)),
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
        """The end that must refuse the fault; None if there is no fault."""
        if not self.fault:
            return None
        return Role.READER if self.turns[-1].sender is Role.WRITER else Role.WRITER

    def closes(self, role: Role) -> bool:
        """Return whether an end must close by itself. After FINISH, a reader may leave that to the writer."""
        return bool(self.fault) or role is Role.WRITER or self.transport is Transport.UNIDIRECTIONAL

    def part(self, role: Role) -> list[bytes | ControlFrame]:
        """Return the valid frames of one end."""
        return [frame for turn in self.turns if turn.sender is role for frame in turn.frames]


class Judge:
    """Incremental comparison of the bytes that an end sends with its part of a conversation.

    Any choice that the protocol allows matches: an ACCEPT without content types, or with that of START and others that
    were offered; a START without content type, or with one that both sides have. Control frames of unknown type between
    START and STOP are ignored.

    Attributes:
        matched: number of frames that match so far.
        objection: description of the first difference; "" while there is none.
    """

    def __init__(self, conversation: Conversation, role: Role) -> None:
        self.matched = 0
        self.objection = ""
        self._conversation = conversation
        self._role = role
        self._part = conversation.part(role)
        self._decoder = FrameDecoder(max_data_bytes=max([MAX_DATA_BYTES, *map(len, conversation.payloads)]))

    def receive_data(self, data: bytes) -> None:
        """Compare the next bytes that the end has sent."""
        self._decoder.receive_data(data)
        try:
            while not self.objection and (frames := self._decoder.next_payloads()) is not None:
                for frame in frames if isinstance(frames, list) else [frames]:
                    if not self.objection:
                        self._compare(frame)
        except RemoteProtocolError as error:
            self._object(f"bytes that are not a frame: {error}")

    def receive_eof(self) -> None:
        """Check that nothing is missing when the end sends nothing more."""
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
