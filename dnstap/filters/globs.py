"""Globs, as in a shell: `*` for any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set."""

from __future__ import annotations

import re

from dnstap.fields.kinds import name_text
from dnstap.filters.patterns import Pattern

__all__ = ["MAX_GLOB", "glob_pattern", "name_glob_pattern", "name_glob_text"]

MAX_GLOB = 2000
"""Characters of a glob. Its pattern has a limit of its own, for which a set is one."""

_pieces = re.compile(
    r"(?P<any>\*+)|(?P<one>\?)|\[(?P<negated>!?+)(?P<set>\][^\]]*|[^\]]+)\]|\\(?P<escaped>[*?\[\]\\])|(?P<plain>.)",
    re.DOTALL,
).finditer


def glob_pattern(glob: str, *, any_case: bool = False) -> Pattern:
    """Return the pattern that matches a text if a glob matches all of it.

    Raises: ValueError: the glob is empty or too large, or has a range such as [z-a].
    """
    if not 0 < len(glob) <= MAX_GLOB:
        raise ValueError(f"1 to {MAX_GLOB} characters")
    try:
        return Pattern(f"(?s)\\A{''.join(map(_regular, _pieces(glob)))}\\Z", any_case=any_case)
    except ValueError as error:
        # The position is that in the regular expression.
        raise ValueError(str(error).partition(" at position")[0]) from None


def name_glob_pattern(glob: str) -> Pattern:
    """Return the pattern of a glob for names, whose final dot is optional as that of any name.

    Raises: ValueError: as glob_pattern.
    """
    final_dot = len(glob) > 1 and glob[-1] == "." and glob[-2] != "\\"
    return glob_pattern(glob[:-1] if final_dot else glob, any_case=True)


def name_glob_text(name: bytes) -> str:
    """Return the text of a name in wire format that globs are compared with: only the root has the final dot."""
    return name_text(name)[:-1] or "."


def _regular(piece: re.Match[str]) -> str:
    """Return the regular expression of a part of a glob."""
    found = piece.groupdict("")
    if found["any"]:
        return ".*"
    if found["one"]:
        return "."
    if found["set"]:
        # A hyphen is a range, or stands for itself, in both notations.
        members = "".join([member if member == "-" else _quoted(member) for member in found["set"]])
        return f"[{'^' if found['negated'] else ''}{members}]"
    return _quoted(found["escaped"] or found["plain"])


def _quoted(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"
