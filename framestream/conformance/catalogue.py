"""The catalogue: all cases, in order of their ids, those of other packages included.

Other packages add theirs by an entry point in the group `framestream.conformance`: an iterable of cases.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from framestream.conformance import (
    files_readers,
    files_recorders,
    files_streams,
    files_writers,
    readers_connections,
    readers_control,
    readers_handshake,
    readers_lengths,
    readers_streams,
    writers_connections,
    writers_handshake,
    writers_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framestream.conformance.cases import Case

__all__ = ["FAMILIES", "GROUP", "PROBES", "cases"]

GROUP = "framestream.conformance"
"""Group of entry points for cases of other packages."""

FAMILIES: tuple[tuple[Case, ...], ...] = (
    readers_handshake.CASES,
    readers_control.CASES,
    readers_lengths.CASES,
    readers_streams.CASES,
    readers_connections.CASES,
    writers_handshake.CASES,
    writers_stream.CASES,
    writers_connections.CASES,
    files_readers.CASES,
    files_streams.CASES,
    files_streams.FORMS,
    files_writers.CASES,
    files_recorders.CASES,
)
"""The families of this package; within each, ids are dense."""

PROBES = {
    "output": "FS-READER-001",
    "unidirectional": "FS-READER-002",
    "handshake": "FS-WRITER-002",
    "unidirectional connections": "FS-WRITER-003",
    "several content types": "FS-WRITER-045",
    "STOP at its end": "FS-WRITER-103",
    "reconnection": "FS-WRITER-201",
    "named pipe": "FS-FILE-READER-025",
    "gzip": "FS-FILE-READER-201",
    "xz": "FS-FILE-READER-202",
    "zstd": "FS-FILE-READER-203",
    "standard input": "FS-FILE-READER-204",
}
"""The case that shows whether a peer has a capability. "stop" is had by a command that is started for each case."""


def cases(pattern: str = "*") -> list[Case]:
    """Return the cases whose ids match a pattern such as "FS-READER-*", in order of ids."""
    return sorted((case for case in _all() if fnmatchcase(case.id, pattern)), key=_order)


def _all() -> Iterator[Case]:
    for family in FAMILIES:
        yield from family
    for entry_point in entry_points(group=GROUP):
        yield from entry_point.load()


def _order(case: Case) -> tuple[str, int]:
    prefix, _, number = case.id.rpartition("-")
    return prefix, int(re.sub(r"\D", "", number))
