"""A clock driven by the times in messages, which single wrong times do not move."""

from __future__ import annotations

__all__ = ["AHEAD", "BEHIND", "MessageClock"]

AHEAD = 16
"""Messages that must be ahead before a jump is believed: more than a few garbled ones, less than most batches."""

BEHIND = 16384
"""Messages that must be behind before the clock follows them.

So of two senders with different clocks the one that is ahead drives it, as long as it sends at all.
"""

TICKS = 64
"""Steps in which the clock covers its limit: most messages are within one, and need no call."""


class MessageClock:
    """A clock that goes on with the times of messages, and never back.

    It counts steps: a time up to `limit` after the latest moves it on by the difference. A later one does only if there
    are more of these, and then by little more than the limit, however large the jump is. So a time of the year 584
    costs nothing, and after an hour of silence whatever is older than the limit expires.

    Args: limit: nanoseconds.
    Attributes:
        now: nanoseconds that it has counted.
        low, high: range of the times that do not move it, in nanoseconds since 1970; empty at first.
    """

    __slots__ = ("_ahead", "_behind", "_latest", "_limit", "high", "low", "now")

    def __init__(self, limit: int) -> None:
        self.now = 0
        self.low, self.high = 1, 0
        self._latest: int | None = None
        self._limit = limit
        self._ahead = self._behind = 0

    def advance(self, time: int) -> int:
        """Take note of the time of a message.

        Returns: the time by this clock at which the message came: `now`, or for one that is ahead what that will be if
            its time is right, so that it does not expire by the jump.
        """
        limit = self._limit
        step = 0 if self._latest is None else time - self._latest
        if step > limit:
            self._ahead += 1
            if self._ahead < AHEAD:
                return self.now + limit + 1
            step = limit + 1
        elif step < -limit:
            self._behind += 1
            if self._behind < BEHIND:
                return self.now
            step = 0
        elif self._latest is not None and time <= self.high:
            return self.now
        self.now += step
        self._latest = time
        self.low, self.high = time - limit, time + limit // TICKS
        self._ahead = self._behind = 0
        return self.now
