"""Streams and the faulty reader for the tests of fuzzing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framestream.conformance.steps import STOP, TYPE, data
from framestream.conformance.targets import Settings
from framestream.conversations import wire_of
from framestream.fuzzing.faults import Signs
from framestream.fuzzing.samples import FIRST, LAST, head_of
from framestream.fuzzing.trials import FileTrial, SocketTrial
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from typing import Any

__all__ = ["FILE_HEAD", "SOCKET_HEAD", "around", "faulty", "file_trial", "socket_trial"]

FILE_HEAD = head_of(TYPE, bidirectional=False)
SOCKET_HEAD = head_of(TYPE, bidirectional=True)


def faulty(fault: str, mode: str = "file", place: str = "{input}") -> tuple[str, ...]:
    """Return the command of the faulty reader."""
    return (sys.executable, "-E", "-S", str(Path(__file__).with_name("faulty.py")), fault, mode, place, "{output}")


def file_trial(fault: str, *, place: str = "{input}", timeout_s: float = DEADLINE_S, **signs: Any) -> FileTrial:
    """Return trials of the faulty reader with files."""
    return FileTrial(Settings(command=faulty(fault, place=place), timeout_s=timeout_s), Signs(**signs))


def socket_trial(
    fault: str, *, keep: bool = False, timeout_s: float = DEADLINE_S, signs: Signs | None = None
) -> SocketTrial:
    """Return trials of the faulty reader with connections."""
    command = faulty(fault, "socket", "{socket}")
    return SocketTrial(Settings(command=command, keep=keep, timeout_s=timeout_s), signs or Signs())


def around(*payloads: bytes, head: bytes = FILE_HEAD) -> bytes:
    """Return a good stream with payloads between the first and the last marker."""
    return head + data(FIRST, *payloads, LAST) + wire_of(STOP)
