"""What a tap counts."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TapCounts"]


class TapCounts(NamedTuple):
    """What became of the frames that a tap was given. At any time

        submitted + copies == sent + waiting + dropped

    Attributes:
        submitted: frames that the server gave to the tap.
        copies: further ones of them, for the second and more sinks of a tap that listens.
        sent: taken by the system, for the receiver to read.
        waiting: not sent yet.
        queue_full: dropped, the oldest first, because so many waited for a receiver that did not read fast enough.
        not_connected: dropped while there was no receiver.
        too_large: over the limit of Frame Streams peers, 1 MiB.
        not_encodable: what was given is no message: a wrong address, a text for a number, an `extra` that failed.
        closed: given to a closed tap, or still waiting when its time to close was over.
    """

    submitted: int = 0
    copies: int = 0
    sent: int = 0
    waiting: int = 0
    queue_full: int = 0
    not_connected: int = 0
    too_large: int = 0
    not_encodable: int = 0
    closed: int = 0

    @property
    def dropped(self) -> int:
        """Frames dropped, for any cause."""
        return self.queue_full + self.not_connected + self.too_large + self.not_encodable + self.closed

    def causes(self) -> str:
        """The causes that there are, in words; "" for none."""
        found = [(name, getattr(self, name)) for name in self._fields[4:]]
        return ", ".join([f"{number} {name.replace('_', ' ')}" for name, number in found if number])

    def plus(self, other: TapCounts) -> TapCounts:
        """The sums."""
        return TapCounts(*map(int.__add__, self, other))

    def minus(self, other: TapCounts) -> TapCounts:
        """The differences."""
        return TapCounts(*map(int.__sub__, self, other))
