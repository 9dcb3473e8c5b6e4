"""Options that change the text of a format."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFAULT", "Style"]


class Style(NamedTuple):
    """Options of a format. The defaults give the output of the Go tool in the formats that it has.

    Attributes:
        time_zone: "utc", "local" (set by TZ), or a name such as "Europe/Prague"; None for local time in lines and UTC
            in documents.
        date: put the date before the time, in lines.
        escape: escape invisible characters in identity, version and extra, in lines.
        fields: the columns of a line (docs/formats.md); empty for the line of the Go tool.
        colour: colour lines, for a terminal.
    """

    time_zone: str | None = None
    date: bool = False
    escape: bool = True
    fields: tuple[str, ...] = ()
    colour: bool = False


DEFAULT = Style()
