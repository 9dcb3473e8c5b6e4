"""Counts of a tap's frames."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TapCounts"]


class TapCounts(NamedTuple):
    """Numbers of frames, by what became of them. At any time

        submitted + copies == sent + waiting + dropped

    Attributes:
        submitted: given to the tap by the server.
        copies: further frames made of them, for the second and more receivers of a tap that listens.
        sent: taken by the kernel, for the receiver to read.
        waiting: not sent yet.
        queue_full: dropped, the oldest first, because the receiver did not read fast enough.
        not_connected: dropped while there was no receiver, at the end too.
        too_large: dropped because they exceed the limit of Frame Streams peers, 1 MiB.
        not_encodable: not a message: a bad address, text for a number, a function for `extra` that failed.
        closed: submitted to a closed tap, or not taken by the receiver when the time to close was over.
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
        """Return the causes of dropped frames as text, such as "3 queue full, 1 too large"; "" if there are none."""
        # The causes are the fields from queue_full on.
        found = zip(self._fields[4:], self[4:], strict=True)
        return ", ".join([f"{number} {name.replace('_', ' ')}" for name, number in found if number])

    def plus(self, other: TapCounts) -> TapCounts:
        """Return the sums of both counts."""
        return TapCounts(*map(int.__add__, self, other))

    def minus(self, other: TapCounts) -> TapCounts:
        """Return the differences of both counts."""
        return TapCounts(*map(int.__sub__, self, other))
