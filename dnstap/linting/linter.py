"""The linter: counts what rules find in one input, with the first place of each.

Time is linear in the input, and memory is bounded: a count for each rule, and the findings of a limited number of
shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.linting.catalogue import RULES, chosen
from dnstap.linting.frame_rules import FRAME_RULES
from dnstap.linting.message_rules import MESSAGE_RULES
from dnstap.linting.shapes import Shape, ShapeReader
from dnstap.linting.stream_rules import EVENT_RULES, ORDER_RULES, Origin
from dnstap.schema.meaning import own_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnstap.linting.rules import Rule
    from dnstap.linting.stream_rules import Event
    from dnstap.messages import Dnstap

__all__ = ["Finding", "Linter"]

MAX_SHAPES = 4096
"""Shapes whose findings are kept; then all are forgotten. Real servers have a few dozen."""


class Finding(NamedTuple):
    """The frames or events of an input that break one rule.

    Attributes:
        times: number of frames, or of events, that break the rule.
        frame: number of the first such frame, counted from 1; for a rule about streams, of the last frame before it.
        about_frame: whether it is that frame which breaks the rule.
        offset: offset of the first such frame or event in bytes, of the decompressed input.
        detail: what was found there.
    """

    rule: Rule[Any]
    times: int
    frame: int
    about_frame: bool
    offset: int
    detail: str


class _Tally:
    """The count of one rule, and its first place."""

    __slots__ = ("count", "first", "rule")

    def __init__(self, rule: Rule[Any]) -> None:
        self.rule = rule
        self.count = 0
        self.first = (0, False, 0, "")


class Linter:
    """Checks one input by rules.

    Args:
        rules: names of the rules to check.
        limit: number of data frames after which the rest is not looked at; None for no limit.

    Attributes:
        frames: number of data frames so far.
        streams: number of streams that have begun.
    """

    def __init__(self, rules: Iterable[str] | None = None, limit: int | None = None) -> None:
        names = chosen() if rules is None else chosen(rules)
        self.frames = 0
        self.streams = 0
        self._limit = limit
        self._tallies = {rule.id: _Tally(rule) for rule in RULES.values() if rule.id in names}
        self._frame_rules = [rule for rule in FRAME_RULES if rule.id in names]
        self._message_rules = [rule for rule in MESSAGE_RULES if rule.id in names]
        self._order_rules = [rule for rule in ORDER_RULES if rule.id in names]
        self._event_rules = [rule for rule in EVENT_RULES if rule.id in names]
        self._shapes = ShapeReader()
        self._known: dict[tuple[Any, ...], tuple[tuple[_Tally, str], ...]] = {}
        self._before: tuple[bytes | None, bytes | None, tuple[int, int] | None] | None = None

    @property
    def full(self) -> bool:
        """True once the limit is reached."""
        return self._limit is not None and self.frames >= self._limit

    def check_payloads(self, payloads: Sequence[bytes], offset: int = 0) -> None:
        """Check the payloads of data frames that follow one another.

        Args: offset: offset of the first frame.
        """
        if self._limit is not None:
            payloads = payloads[: self._limit - self.frames]
        read, known, rules = self._shapes.read, self._known, self._order_rules
        for payload in payloads:
            self.frames += 1
            key, dnstap = read(payload)
            found = known.get(key)
            if found is None:
                found = self._judge(key)
            for tally, detail in found:
                if not tally.count:
                    tally.first = self.frames, True, offset, detail
                tally.count += 1
            if rules and dnstap is not None:
                self._compare(dnstap, offset)
            offset += 4 + len(payload)  # 4: the length word.

    def check_event(self, event: Event, offset: int = 0) -> None:
        """Check something else than a data frame that every reader takes.

        Args: offset: offset of its first byte.
        """
        if self.full:
            return
        if event.kind == "start":
            self.streams += 1
            # Streams may come from different servers.
            self._before = None
        self.frames += event.kind == "oversize"
        for rule in self._event_rules:
            if (detail := rule.check(event)) is not None:
                self._count(rule, offset, detail, about_frame=event.kind == "oversize")

    def findings(self) -> list[Finding]:
        """Return what has been found so far, in the order of the catalogue."""
        return [Finding(tally.rule, tally.count, *tally.first) for tally in self._tallies.values() if tally.count]

    def _judge(self, key: tuple[Any, ...]) -> tuple[tuple[_Tally, str], ...]:
        """Ask the rules about a shape that has not been seen, and remember what they find."""
        shape = Shape(*key)
        rules = [*self._frame_rules, *(self._message_rules if shape.message else ())]
        found = [(self._tallies[rule.id], rule.check(shape)) for rule in rules]
        if len(self._known) >= MAX_SHAPES:
            self._known.clear()
        self._known[key] = result = tuple([(tally, detail) for tally, detail in found if detail is not None])
        return result

    def _compare(self, dnstap: Dnstap, offset: int) -> None:
        """Compare a payload with the one before it."""
        message, before = dnstap.message, self._before
        seconds, nanoseconds = (None, None) if message is None else own_time(message)
        time = None if seconds is None else (seconds, nanoseconds or 0)
        self._before = now = (dnstap.identity, dnstap.version, time)
        # Most payloads are in order, and from the same server: then no rule has anything to say, and none is asked.
        if before is None or (before[:2] == now[:2] and (time is None or before[2] is None or time >= before[2])):
            return
        for rule in self._order_rules:
            if (detail := rule.check(Origin(*before), Origin(*now))) is not None:
                self._count(rule, offset, detail, about_frame=True)

    def _count(self, rule: Rule[Any], offset: int, detail: str, *, about_frame: bool) -> None:
        tally = self._tallies[rule.id]
        if not tally.count:
            tally.first = self.frames, about_frame, offset, detail
        tally.count += 1
