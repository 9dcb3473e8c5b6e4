"""The expressions of --filter, from the command line and from files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.errors import FilterError
from dnstap.filters.lists import open_regular
from dnstap.filters.selecting import compile_filter
from framestream.errors import MissingLibraryError

if TYPE_CHECKING:
    from dnstap.filters.selecting import Filter

__all__ = ["MAX_BYTES", "compile_expressions"]

MAX_BYTES = 1 << 24
"""Size of a file with an expression. A larger one is another file than was meant, such as a recording."""


def compile_expressions(texts: list[str], time_zone: str) -> Filter:
    """Compile expressions that must all match. One that begins with @ is the name of a file that holds it.

    Args: time_zone: see compile_filter.
    Raises: ValueError: an expression is wrong, or a file cannot be read.
    """
    expressions: list[str] = []
    paths: dict[str, str] = {}
    try:
        for text in texts:
            if text.startswith("@"):
                expressions.append(_contents(text[1:]))
                paths[expressions[-1]] = text[1:]
            else:
                expressions.append(text)
        return compile_filter(expressions, time_zone)
    except FilterError as error:
        path = paths.get(error.text)
        raise ValueError(f"--filter: {error if path is None else _in_file(path, error)}") from None
    except OSError as error:
        raise ValueError(f"--filter: {error.filename}: {error.strerror}") from None
    except MissingLibraryError as error:
        raise ValueError(f"--filter: {error}") from None


def _in_file(path: str, error: FilterError) -> str:
    """Return the text of an error with its line alone."""
    before = error.text[: error.position].split("\n")
    line = before[-1] + error.text[error.position :].partition("\n")[0]
    return f"{path}, line {len(before)}: {FilterError(line, len(before[-1]), error.expected, error.got, error.hint)}"


def _contents(path: str) -> str:
    with open_regular(path) as file:
        contents = file.read(MAX_BYTES + 1)
    if len(contents) > MAX_BYTES:
        raise ValueError(f"--filter: {path}: expected an expression of at most {MAX_BYTES} bytes")
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"--filter: {path}: not UTF-8 at byte {error.start}") from None
