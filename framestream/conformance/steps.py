"""Steps of a case: what is sent to the peer, and what it may do then. Each is a class with a method `play`.

Bytes are made here from the specification and not by the encoders of this package, so that they can be wrong, too.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, overload

from framestream.control import ControlFrame, ControlType
from framestream.conversations import wire_of

if TYPE_CHECKING:
    from framestream.conformance.cases import Level
    from framestream.conformance.player import Player

__all__ = [
    "FINISH",
    "STOP",
    "TYPE",
    "Batch",
    "Close",
    "Connect",
    "End",
    "Expect",
    "ExpectClose",
    "ExpectNothing",
    "ExpectRefusal",
    "HalfClose",
    "Part",
    "Reset",
    "Send",
    "Settle",
    "Silence",
    "Step",
    "Stop",
    "accept",
    "control",
    "data",
    "expect",
    "field",
    "handshake",
    "payload",
    "ready",
    "send",
    "start",
    "stream",
    "word",
]

TYPE = b"protobuf:dnstap.Dnstap"
"""Content type of the peer; another that is set with --content-type is sent and expected in its place."""

STOP = ControlFrame(ControlType.STOP)
FINISH = ControlFrame(ControlType.FINISH)


def ready(*content_types: bytes) -> ControlFrame:
    """Return READY."""
    return ControlFrame(ControlType.READY, content_types)


def accept(*content_types: bytes) -> ControlFrame:
    """Return ACCEPT."""
    return ControlFrame(ControlType.ACCEPT, content_types)


def start(*content_types: bytes) -> ControlFrame:
    """Return START."""
    return ControlFrame(ControlType.START, content_types)


def word(number: int) -> bytes:
    """Return a 32-bit word."""
    return struct.pack(">I", number)


def data(*payloads: bytes) -> bytes:
    """Return data frames."""
    return b"".join(map(wire_of, payloads))


def field(content: bytes, *, number: int = 1, length: int | None = None) -> bytes:
    """Return a field of a control frame: its type word, its length word, which may be wrong, and its content."""
    return word(number) + word(len(content) if length is None else length) + content


def control(number: int, content: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a control frame: the escape word, the length word, which may be wrong, the type word and fields."""
    return word(0) + word(4 + len(content) if length is None else length) + word(number) + content


def payload(number: int, size: int = 0, content: bytes = b"") -> bytes:
    """Return a payload that no other number gives, and that is a dnstap message, for readers that decode them.

    Its identity and the name that it asks for, "frame-" and the number, are found again in the text that a reader makes
    of it.

    Args:
        size: its length, in bytes; 0 for a short one. A very short one has no question.
        content: bytes that follow in its identity.
    Raises: ValueError: it cannot be so short.
    """
    identity = b"frame-%d" % number
    asking = _query(identity)
    identity += content
    if not size:
        return _dnstap(identity, asking)
    # A length word of varying size leaves some lengths out; with the field version = 2, all can be made.
    for message in (asking, b"\x08\x05"):
        for version in (b"", b"\x12\x01."):
            for length_size in range(1, 6):
                room = size - 5 - length_size - len(version) - len(message)
                made = _dnstap(identity.ljust(room, b"."), message, version)
                if len(made) == size:
                    return made
    raise ValueError(f"no payload has {size} bytes")


def _query(name: bytes) -> bytes:
    """Return a Message for the question of an address, from 192.0.2.1, port 53000, over UDP."""
    question = bytes([len(name)]) + name + b"\0\0\1\0\1"
    wire = b"\0\1\1\0\0\1\0\0\0\0\0\0" + question
    # type = 1: CLIENT_QUERY, family = 2: INET, protocol = 3: UDP, address = 4, port = 6, seconds = 8, nanoseconds = 9.
    head = bytes.fromhex("0805 1001 1801 2204c0000201 30889e03 4080a0e2b006 4d00000000")
    return head + b"\x52" + bytes([len(wire)]) + wire


def _dnstap(identity: bytes, message: bytes, version: bytes = b"") -> bytes:
    # identity = 1, message = 14, type = 15: MESSAGE.
    length, size = b"", len(identity)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return b"\x0a" + length + bytes([size]) + identity + version + b"\x72" + bytes([len(message)]) + message + b"\x78\1"


@dataclass(frozen=True, slots=True)
class Batch(Sequence[bytes]):
    """Many payloads, made only when they are used. As a part of Send it is their data frames.

    Attributes:
        first, last: numbers of the first and of the last payload.
        size: length of each, in bytes; 0 for short ones.
    """

    first: int
    last: int
    size: int = 0

    def __len__(self) -> int:
        return self.last - self.first + 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        numbers = range(self.first, self.last + 1)[index]
        if isinstance(numbers, range):
            return [payload(number, self.size) for number in numbers]
        return payload(numbers, self.size)


Part = bytes | ControlFrame | Batch
"""Something to send: a control frame, data frames, or raw bytes."""


class End(Enum):
    """End of a connection, as the peer left it."""

    CLOSED = "the connection closed"
    RESET = "the connection reset"


class Step(Protocol):
    """One step of a case."""

    def play(self, player: Player) -> None:
        """Do it.

        Raises: Deviation: the peer does something else than is allowed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Connect:
    """Open connections; the first step of any connection opens it too.

    Attributes: on: their numbers or names.
    """

    on: tuple[int | str, ...]

    def play(self, player: Player) -> None:
        """Open them."""
        for number in self.on:
            player.line(number)


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes. A peer that has closed is no failure here, as it may rightly do so; one that does not read is.

    Attributes:
        parts: control frames and raw bytes.
        chunk: size of the pieces to send them in, in bytes; 0 for one piece.
        pause_s: seconds to wait after each piece.
        on: number or name of the connection.
    """

    parts: tuple[Part, ...]
    chunk: int = 0
    pause_s: float = 0.0
    on: int | str = 0

    def play(self, player: Player) -> None:
        """Send them."""
        wire = player.wire(self.parts)
        line = player.line(self.on)
        size = self.chunk or max(1, len(wire))
        for offset in range(0, len(wire), size):
            line.send(wire[offset : offset + size])
            player.wait(self.pause_s)


@dataclass(frozen=True, slots=True)
class Expect:
    """Wait for one control frame.

    Attributes:
        allowed: the frames that keep the rule.
        tolerated: frames that are not strict, but do no harm.
        closes: whether the peer may close the connection instead.
        on: number or name of the connection.
        level: weight of this step; None for that of the case.
    """

    allowed: tuple[ControlFrame, ...]
    tolerated: tuple[ControlFrame, ...] = ()
    closes: bool = False
    on: int | str = 0
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(self.on).receive()
        if got not in [*map(player.named, self.allowed)] and not (self.closes and isinstance(got, End)):
            harmless = got in [*map(player.named, self.tolerated)]
            expected = [*map(player.words, self.allowed), *(["the connection closed"] if self.closes else [])]
            player.deviate(" or ".join(expected), got, self.level, harmless=harmless)


@dataclass(frozen=True, slots=True)
class ExpectNothing:
    """Check that the peer sends nothing and does not close.

    Attributes:
        for_s: seconds to wait.
        on, level: as in Expect.
    """

    for_s: float = 0.3
    on: int | str = 0
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Wait for the time."""
        got = player.line(self.on).receive(self.for_s)
        if got is not None:
            player.deviate("nothing, and an open connection", got, self.level)


@dataclass(frozen=True, slots=True)
class ExpectClose:
    """Wait until the peer closes the connection, and check that it sends nothing before.

    Attributes:
        reset: whether it may be reset, which loses what is on its way.
        on, level: as in Expect.
    """

    reset: bool = True
    on: int | str = 0
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(self.on).receive()
        if not isinstance(got, End) or (got is End.RESET and not self.reset):
            player.deviate("the connection closed, and nothing before", got, self.level)


@dataclass(frozen=True, slots=True)
class ExpectRefusal:
    """Wait until the peer closes, as in ExpectClose; one that only stays silent has refused too, but is not strict.

    Attributes: on, level: as in Expect.
    """

    on: int | str = 0
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(self.on).receive()
        if not isinstance(got, End):
            player.deviate("the connection closed, and nothing before", got, self.level, harmless=got is None)


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Close this side of a connection for sending."""

    on: int | str = 0

    def play(self, player: Player) -> None:
        """Close it."""
        player.line(self.on).half_close()


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection."""

    on: int | str = 0

    def play(self, player: Player) -> None:
        """Close it."""
        player.line(self.on).close()


@dataclass(frozen=True, slots=True)
class Reset:
    """Close a connection so that the peer sees a reset, as when a program is killed with unread data."""

    on: int | str = 0

    def play(self, player: Player) -> None:
        """Reset it."""
        player.line(self.on).reset()


@dataclass(frozen=True, slots=True)
class Silence:
    """Do nothing for some time."""

    for_s: float

    def play(self, player: Player) -> None:
        """Wait."""
        player.wait(self.for_s)


@dataclass(frozen=True, slots=True)
class Settle:
    """Give a reader time to take what it does not acknowledge; never a failure by itself.

    Attributes:
        payload: payload that ends the step when it is in the output.
        for_s: time limit, in seconds, for readers that keep their output in memory.
    """

    payload: bytes
    for_s: float = 1.0

    def play(self, player: Player) -> None:
        """Wait for it."""
        player.settle(self.payload, self.for_s)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the command as it documents, with its connections open, and check that it ends well.

    Only for cases that need "stop" and have `alive=False`.
    """

    def play(self, player: Player) -> None:
        """Send the signal and wait."""
        player.stop()


def send(*parts: Part, chunk: int = 0, pause_s: float = 0.0, on: int | str = 0) -> Send:
    """Return the step that sends control frames and raw bytes."""
    return Send(parts, chunk, pause_s, on)


def expect(
    *allowed: ControlFrame, tolerated: tuple[ControlFrame, ...] = (), closes: bool = False, on: int | str = 0
) -> Expect:
    """Return the step that waits for one of these control frames."""
    return Expect(allowed, tolerated, closes, on)


def handshake(*, chunk: int = 0, on: int | str = 0) -> tuple[Step, ...]:
    """Return the steps before START, to a reader."""
    return (send(ready(TYPE), chunk=chunk, on=on), expect(accept(TYPE), tolerated=(accept(),), on=on))


def stream(*payloads: bytes | Batch, chunk: int = 0, on: int | str = 0) -> tuple[Step, ...]:
    """Return the steps of a whole good stream, with handshake, to a reader."""
    parts = [one if isinstance(one, Batch) else data(one) for one in payloads]
    return (
        *handshake(chunk=chunk, on=on),
        send(start(TYPE), *parts, STOP, chunk=chunk, on=on),
        expect(FINISH, on=on),
    )
