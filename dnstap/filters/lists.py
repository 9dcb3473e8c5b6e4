"""Values of files: one a line, for expressions such as `qname in @names.txt`."""

from __future__ import annotations

import errno
import os
import re
import stat
from codecs import BOM_UTF8
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dnstap.filters.values import unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_LINE", "MAX_WRONG", "WrongLine", "list_values", "open_regular"]

MAX_LINE = 1 << 16
"""Bytes of a line. Names have 1000 at most, and without a limit a file of one line would be read into memory."""

MAX_WRONG = 3
"""Wrong lines after which a file is not read on: it is another file than was meant."""

CHUNK_BYTES = 1 << 16

_comment = re.compile(r"(?:^|\s)#").search
_text_and_comment = re.compile(r'("(?:[^"\\]|\\.)*")\s*(?:#.*)?').fullmatch


class WrongLine(NamedTuple):
    """A line that is no value.

    Attributes:
        number: counted from 1.
        text: what is there.
        expected: what would be right there; "" for a value of the field.
    """

    number: int
    text: str
    expected: str = ""


def list_values(path: str, parse_value: Callable[[str], Any], wrong: list[WrongLine]) -> Iterator[Any]:
    """Yield the values of a file, one a line.

    Args:
        parse_value: function from the text of a value; raises ValueError or KeyError.
        wrong: lines that are no values are appended to it; after MAX_WRONG the file is not read on.
    Raises: OSError: the file cannot be read, or is none that ends.
    """
    for number, line in _lines(path, wrong):
        try:
            # Most lines are a value and nothing else.
            value = _value(line) if "#" in line or line.startswith('"') else line
            if value is not None:
                yield parse_value(value)
        except (ValueError, KeyError):
            wrong.append(WrongLine(number, line))
            if len(wrong) == MAX_WRONG:
                return


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file. Another one, such as a pipe, might never open or never end.

    Raises: OSError.
    """
    mode = os.stat(path).st_mode
    # For a directory, open() has an error of its own.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "expected a regular file", path)
    return open(path, "rb")


def _lines(path: str, wrong: list[WrongLine]) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of the lines that are not blank."""
    with open_regular(path) as file:
        number = 0
        rest = file.read(len(BOM_UTF8)).removeprefix(BOM_UTF8)
        ended = False
        while not ended:
            chunk = file.read(CHUNK_BYTES)
            ended = not chunk
            *lines, rest = (rest + (chunk or b"\n")).split(b"\n")
            # A line that is too long need not be read to its end.
            for line in [*lines, rest] if len(rest) > MAX_LINE else lines:
                number += 1
                if len(line) > MAX_LINE or b"\0" in line:
                    expected = f"lines of at most {MAX_LINE} bytes" if len(line) > MAX_LINE else "text in UTF-8"
                    wrong.append(WrongLine(number, _text(line[:MAX_LINE]), expected))
                    return
                if text := _text(line).strip():
                    yield number, text


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _value(line: str) -> str | None:
    """Return the value of a line that may have quotes or a comment; None without a value.

    Raises: ValueError: a quote that is never closed, or text behind one.
    """
    if line.startswith('"'):
        found = _text_and_comment(line)
        if found is None:
            raise ValueError(line)
        return unquoted(found[1])
    comment = _comment(line)
    return line[: comment.start()].rstrip() or None if comment else line
