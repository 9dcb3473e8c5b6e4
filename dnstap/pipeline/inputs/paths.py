"""Paths that stand for several files: directories and patterns."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_pattern", "paths_of"]


def is_pattern(path: str) -> bool:
    """Return whether a path is a directory, or a pattern and not the name of a file."""
    return os.path.isdir(path) or (glob.has_magic(path) and not os.path.lexists(path))


def paths_of(path: str) -> Iterator[str]:
    """Yield what is in a directory, or matches a pattern as the shell has it: files of all kinds, in no order.

    Hidden names are left out: they are those of files that are being made, such as by mode "atomic".

    Raises: OSError: the directory cannot be read.
    """
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            yield from [entry.path for entry in entries if not entry.name.startswith(".")]
    else:
        yield from glob.iglob(path)
