"""Messages that wait for their counterpart: found by what both have in common, given up in the order of arrival."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Outstanding", "Waiting", "same_question"]

MAX_CANDIDATES = 64
"""Messages that are looked at for one counterpart: more that are alike come from nobody who wants an answer."""

SLACK = 1024
"""Messages that have left and are still in the order of arrival, beside as many as wait."""

Key = tuple[Any, ...]


class Waiting:
    """A message that waits for its counterpart.

    Attributes:
        key: what both have in common.
        question: the question in wire format; None if there is none.
        time: its own time, in nanoseconds since 1970; None if absent.
        variant: what both usually have in common, but not always.
        number: counts the messages in the order of their arrival.
        since: time of the MessageClock when it came.
        size: length of its payload, in bytes: what it keeps is a part of that.
        payload, origin: of a query that is held, its payload and where that came from; None otherwise.
        waits: False once it has been removed.
    """

    __slots__ = ("key", "number", "origin", "payload", "question", "since", "size", "time", "variant", "waits")

    def __init__(
        self,
        key: Key,
        question: bytes | None,
        time: int | None,
        variant: int | None,
        number: int,
        since: int,
        size: int = 0,
        payload: bytes | None = None,
        origin: Any = None,
    ) -> None:
        self.key = key
        self.question = question
        self.time = time
        self.variant = variant
        self.number = number
        self.since = since
        self.size = size
        self.payload = payload
        self.origin = origin
        self.waits = True


class Outstanding:
    """The messages that wait, by their keys.

    Attributes:
        by_key: the only message with a key; or if there are several, a dict from the question in lower case to them,
            in the order of their arrival.
        count: number of messages that wait.
        size: length of their payloads.
    """

    __slots__ = ("_arrived", "by_key", "count", "size")

    def __init__(self) -> None:
        self.by_key: dict[Key, Any] = {}
        self.count = self.size = 0
        self._arrived: deque[Waiting] = deque()

    def add(self, waiting: Waiting) -> None:
        """Add a message."""
        there = self.by_key.setdefault(waiting.key, waiting)
        if there is not waiting:
            if there.__class__ is Waiting:
                self.by_key[waiting.key] = there = {lower(there.question): deque((there,))}
            there.setdefault(lower(waiting.question), deque()).append(waiting)
        self._arrived.append(waiting)
        self.count += 1
        self.size += waiting.size

    def take(
        self, key: Key, question: bytes | None, variant: int | None, first: int | None, last: int | None
    ) -> Waiting | None:
        """Remove and return the message to pair with one of this key and question; None if there is none.

        That is the oldest of the same variant, or else the oldest.

        Args: first, last: range of its time; None for any. A message without a time is in every range.
        """
        there = self.by_key.get(key)
        if there is None:
            return None
        found: Waiting | None
        if there.__class__ is Waiting:
            if not (there.question == question or same_question(there.question, question)):
                return None
            time = there.time
            if not (first is None or last is None or time is None or first <= time <= last):
                return None
            found = there
        else:
            alike: Iterable[Waiting]
            if question is None:
                alike = chain.from_iterable(there.values())
            else:
                alike = chain(there.get(lower(question), ()), there.get(None, ()))
            candidates = [
                waiting
                for waiting in islice(alike, MAX_CANDIDATES)
                if first is None or last is None or waiting.time is None or first <= waiting.time <= last
            ]
            found = min(candidates, key=lambda waiting: (waiting.variant != variant, waiting.number), default=None)
            if found is None:
                return None
        self.remove(found)
        return found

    def remove(self, waiting: Waiting) -> None:
        """Remove a message."""
        there = self.by_key[waiting.key]
        if there is waiting:
            del self.by_key[waiting.key]
        else:
            question = lower(waiting.question)
            there[question].remove(waiting)
            if not there[question]:
                del there[question]
                if not there:
                    del self.by_key[waiting.key]
        waiting.waits = False
        self.count -= 1
        self.size -= waiting.size
        # It is still in the order of arrival, because it would take long to find it there.
        if len(self._arrived) > 2 * self.count + SLACK:
            self._arrived = deque([waiting for waiting in self._arrived if waiting.waits])

    def oldest(self) -> Waiting | None:
        """Return the message that waits longest; None if none waits."""
        arrived = self._arrived
        while arrived:
            if arrived[0].waits:
                return arrived[0]
            arrived.popleft()
        return None


def lower(question: bytes | None) -> bytes | None:
    """Return a question with its name in lower case. Type and class stay: they may look like letters."""
    return None if question is None else question[:-4].lower() + question[-4:]


def same_question(one: bytes | None, other: bytes | None) -> bool:
    """Return whether two messages have the same question, or one of them has none."""
    return one is None or other is None or lower(one) == lower(other)
