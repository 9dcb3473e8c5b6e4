"""Options that change the text of a format."""

from __future__ import annotations

from types import NoneType
from typing import NamedTuple, Self

from framestream.arguments import check_type

__all__ = ["DEFAULT", "Style"]


class _Options(NamedTuple):
    time_zone: str | None
    date: bool
    escape: bool
    fields: tuple[str, ...]
    colour: bool
    terminal: bool


class Style(_Options):
    """Options of a format. The defaults give the output of the Go tool in the formats that it has.

    Attributes:
        time_zone: "utc", "local" (set by TZ), or a name such as "Europe/Prague"; None for local time in lines and UTC
            in documents.
        date: put the date before the time, in lines.
        escape: escape invisible characters in identity, version and extra, in lines.
        fields: what lines and tables show, and JSON (docs/formats.md); empty for the line and the JSON of the Go tool,
            and for tables of all fields.
        colour: colour lines, for a terminal.
        terminal: in the documents of the Go tool, escape also what it does not, and a terminal may take for a command
            or a change of the direction of writing. The other formats always do.
    Raises: TypeError: an option of a wrong type. Names of fields and time zones are looked up by `renderer`.
    """

    __slots__ = ()

    def __new__(
        cls,
        time_zone: str | None = None,
        date: bool = False,
        escape: bool = True,
        fields: tuple[str, ...] = (),
        colour: bool = False,
        terminal: bool = False,
    ) -> Self:
        check_type("time_zone", time_zone, (str, NoneType), "text")
        for name, option in (("date", date), ("escape", escape), ("colour", colour), ("terminal", terminal)):
            check_type(name, option, bool, "True or False")
        # A list will do too, but text would be taken for the names of its letters.
        check_type("fields", fields, (tuple, list), "a tuple of names")
        for name in fields:
            check_type("fields", name, str, "a tuple of names")
        return super().__new__(cls, time_zone, date, escape, tuple(fields), colour, terminal)


DEFAULT = Style()
