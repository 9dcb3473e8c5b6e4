"""Sizes and intervals of a tap."""

from __future__ import annotations

from typing import NamedTuple

from framestream.sockets import RETRY_ACCEPT_S
from framestream.streams import Backoff, Deadlines

__all__ = ["DEFAULT_LIMITS", "TapLimits"]


class TapLimits(NamedTuple):
    """Sizes and intervals of a tap. The defaults suit a server; tests shorten them.

    Attributes:
        gather_s: time that the first waiting frame leaves to others to be sent with it.
        gather_frames: number of waiting frames that are sent at once.
        queue_bytes: most memory of the frames that wait for one receiver, at which the oldest are dropped as they are
            at their number. As many queries as wait by default take 8 MB.
        batch_frames: most frames in one write. Smaller writes, of 1,000 or 2,000, were faster in some runs and slower
            in others; and as each write costs the sender a wait for the interpreter's lock, a server with eight busy
            threads made it drop frames.
        tick_s: interval at which an idle sender checks whether the receiver is still there, and drops are reported.
        deadlines: time that a receiver may take to connect, to answer and to read.
        backoff: waits between attempts to connect. The longest is shorter than framestream's 10 s, since frames are
            dropped meanwhile.
        away_s: time in which `close` makes one more attempt to connect to a receiver that could not be reached before.
        max_sinks: most receivers that a listening tap serves at a time, each with a queue and a thread.
        retry_accept_s: pause after a connection could not be accepted, such as for lack of descriptors.
        report_s: interval at which dropped frames are logged.
    """

    gather_s: float = 0.1
    gather_frames: int = 2000
    queue_bytes: int = 64 << 20
    batch_frames: int = 5000
    tick_s: float = 1.0
    # Shorter than framestream's 30 s: frames are dropped while a receiver that does not read is waited for.
    deadlines: Deadlines = Deadlines(write_s=5.0)
    backoff: Backoff = Backoff(first_s=0.1, most_s=5.0)
    away_s: float = 1.0
    max_sinks: int = 64
    retry_accept_s: float = RETRY_ACCEPT_S
    report_s: float = 10.0


DEFAULT_LIMITS = TapLimits()
