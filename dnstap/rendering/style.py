"""What may be chosen of a format's text."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFAULT", "Style"]


class Style(NamedTuple):
    """How a format writes what it writes. The defaults are what the Go tool does, where it has the format.

    Attributes:
        time_zone: "utc", "local" (by TZ), or a name such as "Europe/Prague"; None: local in lines, UTC in documents.
        date: put the date before the time, in lines.
        escape: escape what cannot be seen in the sender's own texts (identity, version, extra), in lines.
        fields: what a line consists of (docs/formats.md); none: the Go tool's line.
        colour: colour lines, for a terminal.
    """

    time_zone: str | None = None
    date: bool = False
    escape: bool = True
    fields: tuple[str, ...] = ()
    colour: bool = False


DEFAULT = Style()
