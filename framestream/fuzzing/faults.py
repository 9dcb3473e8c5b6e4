"""Faults of a program under test: kinds, and the signs by which they are recognised."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from dataclasses import dataclass
from enum import Enum

from framestream.conformance.targets import ending

__all__ = ["CRASH_TEXT", "Fault", "Kind", "Signs", "peak_memory_bytes"]

CRASH_TEXT = (
    rb"ERROR: \w+Sanitizer|runtime error: |^panic: |^fatal error: |panicked at|"
    rb"^Traceback \(most recent call last\)|Exception in thread|Segmentation fault|"
    rb"Assertion .*failed|\b(?:REQUIRE|INSIST|ENSURE|INVARIANT)\(.*failed"
)
"""Messages of sanitizers, assertions and the runtimes of Go, Rust, Python and Java when a program has a fault."""

_SITE = re.compile(rb'([\w./+-]+\.(?:go|rs|c|cc|cpp|h|java|zig):\d+)|File "([^"]+", line \d+)')
"""A place in the source, as the same runtimes print it."""

_OURS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Signals that are sent by people and by us."""

_SHOWN_BYTES = 4000


class Kind(Enum):
    """Kind of a fault."""

    CRASH = "crash"
    HANG = "hang"
    LOST = "lost"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that a stream has led to.

    Attributes:
        kind: its kind.
        what: description of what happened.
        where: what the program said about it; "" if nothing.
        printed: the end of what it printed.
        lost: the payload that is missing; b"" if none is.
    """

    kind: Kind
    what: str
    where: str = ""
    printed: bytes = b""
    lost: bytes = b""

    @property
    def name(self) -> str:
        """Name that is the same for all streams with this fault, fit for a file."""
        told = f"{self.what} {_alike(self.where)}"
        return f"{self.kind.value}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.what}" + (f": {self.where}" if self.where else "")


def _alike(text: str) -> str:
    """Return text without the numbers that differ from run to run; those of lines in source are kept."""
    return re.sub(r"0x[0-9a-fA-F]+|(?<![:\w])(?<!line )\d+", "N", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Signs of a crash beyond a signal, and the limit for memory.

    Attributes:
        statuses: exit statuses that are crashes.
        text: pattern of messages that are.
        max_memory_bytes: largest resident size that is allowed; 0 for any.
    """

    statuses: frozenset[int] = frozenset()
    text: re.Pattern[bytes] = re.compile(CRASH_TEXT, re.MULTILINE)
    max_memory_bytes: int = 0

    def crash(self, status: int | None, printed: bytes, *, signalled: bool = False) -> Fault | None:
        """Return the crash that an exit status or messages tell of, if any.

        Args:
            status: exit status, negative for a signal; None if the program runs.
            printed: its messages.
            signalled: whether it was ended by us, so that only messages count, and no abort that we may have caused.
        """
        message = self.text.search(printed)
        # A shell reports a signal as 128 and its number.
        number = -status if status is not None and status < 0 else (status or 0) - 128
        dead = 0 < number < signal.NSIG and number not in _OURS
        if status is None or not (message or dead or status in self.statuses):
            return None
        if signalled and (dead or message is None):
            return None
        return Fault(
            kind=Kind.CRASH, what=ending(status), where=_where(printed, message), printed=printed[-_SHOWN_BYTES:]
        )

    def memory(self, process: int) -> Fault | None:
        """Return the fault if a process has taken more memory than it may."""
        if self.max_memory_bytes and peak_memory_bytes(process) > self.max_memory_bytes:
            return Fault(kind=Kind.MEMORY, what=f"more than {self.max_memory_bytes >> 20} MiB of memory")
        return None


def _where(printed: bytes, message: re.Match[bytes] | None) -> str:
    """Return the line of a message and the place in the source that follows, or the last line."""
    if message is None:
        return _line(printed.strip().rpartition(b"\n")[2])
    start = printed.rfind(b"\n", 0, message.start()) + 1
    sites = [b"".join(found) for found in _SITE.findall(printed, start)]
    if message[0].startswith(b"Traceback"):
        # Python has the message and the innermost place last.
        return " at ".join(map(_line, [printed.strip().rpartition(b"\n")[2], *sites[-1:]]))
    return " at ".join(map(_line, [printed[start:].partition(b"\n")[0], *sites[:1]]))


def _line(text: bytes) -> str:
    return text[:200].decode("utf-8", "backslashreplace").strip().translate(dict.fromkeys(range(32), "?"))


def peak_memory_bytes(process: int) -> int:
    """Return the largest resident size of a process so far; 0 if the system does not tell, or it has ended."""
    try:
        with open(os.path.join("/proc", str(process), "status"), "rb") as file:
            found = re.search(rb"VmHWM:\s*(\d+) kB", file.read())
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0
