"""Steps of cases for writers, beside those of steps.py: what they send, and how often they connect."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framestream.conformance.player import Deviation, words
from framestream.conformance.steps import FINISH, STOP, TYPE, End, accept, ready, send, start
from framestream.control import ControlFrame, ControlType
from framestream.conversations import wire_of

if TYPE_CHECKING:
    from framestream.conformance.cases import Level
    from framestream.conformance.player import Got, Line, Player
    from framestream.conformance.steps import Part, Step

__all__ = [
    "HANDSHAKE",
    "KNOWN",
    "RECONNECTION",
    "SEVERAL",
    "STOPPING",
    "UNIDIRECTIONAL",
    "AcceptLast",
    "ExpectConnection",
    "ExpectEnd",
    "ExpectFewConnections",
    "ExpectFirst",
    "ExpectNoStart",
    "ExpectReady",
    "ExpectStart",
    "Leave",
    "Listen",
    "Open",
    "Signal",
    "Take",
    "TakeSome",
    "answer",
    "whole",
]

HANDSHAKE, UNIDIRECTIONAL, RECONNECTION = "handshake", "unidirectional connections", "reconnection"
SEVERAL, STOPPING = "several content types", "STOP at its end"
"""Capabilities of writers."""

KNOWN = "known payloads"
"""Capability of a run in which the writer sends what it is given."""


@dataclass(frozen=True, slots=True)
class ExpectFirst:
    """Wait for the first frame of a stream: READY or START."""

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(0).receive()
        if not isinstance(got, ControlFrame) or got.type not in (ControlType.READY, ControlType.START):
            player.deviate("READY or START", got)


@dataclass(frozen=True, slots=True)
class ExpectReady:
    """Wait for READY with the content type of the peer, or with none.

    Attributes:
        on: number or name of the connection.
        at_most: maximum length of its payload, in bytes.
        at_least: number of content types.
    """

    on: int | str = 0
    at_most: int = 512
    at_least: int = 0

    def play(self, player: Player) -> None:
        """Wait for it."""
        self.take(player)

    def take(self, player: Player) -> ControlFrame:
        """Wait for it, and return it."""
        line = player.line(self.on)
        frame = _checked(player, line.receive())
        line.answered = True
        if len(wire_of(frame)) - 8 > self.at_most:
            player.deviate(f"READY of {self.at_most} bytes or fewer", frame)
        if len(frame.content_types) < self.at_least:
            player.deviate(f"READY of {self.at_least} content types or more", frame)
        return frame


def _checked(player: Player, got: Got) -> ControlFrame:
    """Return a READY with the content type of the peer, or with none."""
    (name,) = player.named(ready(TYPE)).content_types
    is_ready = isinstance(got, ControlFrame) and got.type is ControlType.READY
    if not isinstance(got, ControlFrame) or not is_ready or name not in (got.content_types or (name,)):
        raise Deviation(player.words(ready(TYPE)), words(got))
    return got


@dataclass(frozen=True, slots=True)
class ExpectNoStart:
    """Wait until a writer closes instead of sending START; one that stays silent is not strict.

    Nor is one that sends READY again, as libfstrm does after 5 s on the same connection.
    """

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(0).receive()
        if not isinstance(got, End):
            again = isinstance(got, ControlFrame) and got.type is ControlType.READY
            player.deviate("the connection closed, and nothing before", got, harmless=got is None or again)


@dataclass(frozen=True, slots=True)
class AcceptLast:
    """Wait for a READY of several content types, and answer with an ACCEPT that only names the last.

    START must then name it, or none.
    """

    def play(self, player: Player) -> None:
        """Do so."""
        line = player.line(0)
        got = ExpectReady(at_least=2).take(player)
        last = got.content_types[-1]
        line.send(player.wire((accept(last),)))
        if (begun := line.receive()) not in (start(last), start()):
            player.deviate(player.words(start(last)), begun)


@dataclass(frozen=True, slots=True)
class ExpectStart:
    """Wait for START, of the content type of the peer or of none.

    Attributes: on: number or name of the connection.
    """

    on: int | str = 0

    def play(self, player: Player) -> None:
        """Wait for it."""
        got = player.line(self.on).receive()
        if got not in (player.named(start(TYPE)), start()):
            player.deviate(player.words(start(TYPE)), got)


@dataclass(frozen=True, slots=True)
class Open:
    """Take the beginning of a stream: READY and START, with ACCEPT between them, or START alone.

    Attributes: on: number or name of the connection.
    """

    on: int | str = 0

    def play(self, player: Player) -> None:
        """Answer READY, if the writer sends it."""
        line = player.line(self.on)
        got = line.receive()
        if got in (player.named(start(TYPE)), start()):
            return
        _checked(player, got)
        line.answered = True
        line.send(player.wire((accept(TYPE),)))
        ExpectStart(self.on).play(player)


@dataclass(frozen=True, slots=True)
class Take:
    """Take data frames: those that the writer was given, all in order, up to STOP; or one of its own.

    Attributes:
        count: number of data frames to take; None for all.
        ends: whether a writer with payloads of its own is ended by its signal, so that STOP follows.
        finishes: whether STOP is answered with FINISH, if the writer waits for it.
        piece, pause_s: number of bytes to read at a time, and seconds between, for a slow reader.
        on: number or name of the connection.
        level: as in steps.Expect.
    """

    count: int | None = None
    ends: bool = False
    finishes: bool = False
    piece: int = 1 << 16
    pause_s: float = 0.0
    on: int | str = 0
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Take them, and compare."""
        line = player.line(self.on)
        if player.sends is None:
            self._take_own(player, line)
            return
        wanted = player.sends if self.count is None else player.sends[: self.count]
        for number, payload in enumerate(wanted, 1):
            got = self._receive(player, line)
            if got != payload:
                raise Deviation(f"payload {number} of {len(wanted)}: {words(payload)}", words(got), self.level)
        if self.count is None:
            if (got := self._receive(player, line)) != STOP:
                player.deviate(f"STOP after {len(wanted)} payloads", got, self.level)
            self._finish(player, line)

    def _receive(self, player: Player, line: Line) -> Got:
        return line.receive(player.patience_s, self.piece, self.pause_s)

    def _take_own(self, player: Player, line: Line) -> None:
        for _ in range(self.count or 1):
            if not isinstance(got := self._receive(player, line), bytes):
                player.deviate("a data frame", got, self.level)
        if self.ends:
            player.session.signal()
            while isinstance(got := self._receive(player, line), bytes):
                pass
            if got != STOP:
                player.deviate("data frames, then STOP, after the signal that ends it", got, self.level)
            self._finish(player, line)

    def _finish(self, player: Player, line: Line) -> None:
        if self.finishes and line.answered:
            line.send(player.wire((FINISH,)))


@dataclass(frozen=True, slots=True)
class TakeSome:
    """Take data frames of a stream that may begin anywhere: each is whole, and if it was given one, in order and once.

    Attributes:
        count: number of data frames to take; None for all up to STOP or the end of the connection.
        on: number or name of the connection.
    """

    count: int | None = None
    on: int | str = 0

    def play(self, player: Player) -> None:
        """Take them, and compare."""
        line = player.line(self.on)
        left = None if player.sends is None else list(player.sends)
        taken = 0
        while isinstance(got := line.receive(player.patience_s), bytes):
            if left is not None:
                if got not in left:
                    raise Deviation("payloads that it was given, in order and once", words(got))
                del left[: left.index(got) + 1]
            taken += 1
            if taken == self.count:
                return
        if self.count is not None or (got != STOP and not isinstance(got, End)):
            player.deviate("data frames" if self.count else "data frames, then STOP", got)


@dataclass(frozen=True, slots=True)
class Signal:
    """Send the command the signals that end it, and do not wait."""

    def play(self, player: Player) -> None:
        """Send them."""
        player.session.signal()


@dataclass(frozen=True, slots=True)
class Leave:
    """Stop listening, close all connections, and refuse new ones."""

    def play(self, player: Player) -> None:
        """Do so."""
        player.close()
        player.session.listening.leave()


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen, again or for the first time."""

    def play(self, player: Player) -> None:
        """Do so."""
        player.session.listening.listen()


@dataclass(frozen=True, slots=True)
class ExpectConnection:
    """Wait for a new connection of a writer.

    Attributes:
        on: its number or name.
        within_s: time limit, in seconds; None for the patience of the player.
        or_error: whether it may end with an exit status other than 0 instead.
    """

    on: int | str
    within_s: float | None = None
    or_error: bool = False

    def play(self, player: Player) -> None:
        """Wait for it."""
        within_s = self.within_s or player.patience_s
        sock = player.session.attempt(within_s)
        if sock:
            player.take(self.on, sock)
            return
        status = player.session.status(0)
        if not (self.or_error and status):
            got = "none" if status is None else f"its end with status {status}"
            raise Deviation(f"a connection within {within_s:g} s", got)


@dataclass(frozen=True, slots=True)
class ExpectFewConnections:
    """Close each connection of a writer at once, and count them.

    Attributes:
        for_s: seconds to do so.
        at_most: number of connections that are no flood.
    """

    for_s: float = 1.0
    at_most: int = 20

    def play(self, player: Player) -> None:
        """Count them."""
        count, deadline = 0, time.monotonic() + self.for_s
        while (left := deadline - time.monotonic()) > 0 and (sock := player.session.attempt(left)):
            with closing(sock):
                count += 1
        if count > self.at_most:
            raise Deviation(f"{self.at_most} connections in {self.for_s:g} s, or fewer", f"{count}")


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """Wait for the end of a command: by its signal if it listens, else because it has sent its payloads or was ended.

    Attributes:
        zero: whether its exit status must be 0, or must not, if it ends by itself; None for any.
        within_s: time limit, in seconds; None for the patience of the player.
        or_goes_on: whether it need not end, and may connect again.
        level: as in steps.Expect.
    """

    zero: bool | None = None
    within_s: float | None = None
    or_goes_on: bool = False
    level: Level | None = None

    def play(self, player: Player) -> None:
        """Wait for it."""
        within_s = self.within_s or player.patience_s
        if listens := player.session.settings.listens:
            player.session.signal()
        status = player.session.status(within_s)
        if status is None:
            if not self.or_goes_on:
                raise Deviation(f"its end within {within_s:g} s", "none", self.level)
        elif self.zero is not None and not listens and (status == 0) is not self.zero:
            raise Deviation(
                f"an exit status {'' if self.zero else 'other than '}0", f"its end with status {status}", self.level
            )


def answer(*parts: Part, on: int | str = 0) -> tuple[Step, ...]:
    """Return the steps that wait for READY and answer it with something."""
    return (ExpectReady(on), send(*parts, on=on))


def whole(*parts: Part) -> tuple[Step, ...]:
    """Return the steps that answer READY with something, and take a whole stream."""
    return (*answer(*parts), ExpectStart(), Take(finishes=True))
