"""New files beside old ones: in their place, and never over another file."""

from __future__ import annotations

import errno
import os
import time

from framestream.compression import COMPRESSIONS

__all__ = ["Stamps", "exchange", "place", "split_suffix", "temporary_name"]


class Stamps:
    """Times for names, in UTC. Each is later than the one before, whatever the clock does."""

    def __init__(self) -> None:
        self._last_us = 0

    def next(self) -> str:
        """Return the next one, such as 20261124T161226.012345Z."""
        self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
        seconds, fraction = divmod(self._last_us, 1_000_000)
        return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{fraction:06d}Z"


def split_suffix(path: str) -> tuple[str, str]:
    """Split the suffix off a path: ".fstrm", ".fstrm.gz", or "" if there is none."""
    stem, suffix = os.path.splitext(path)
    if suffix in COMPRESSIONS.values():
        stem, inner = os.path.splitext(stem)
        suffix = inner + suffix
    return stem, suffix


def temporary_name(path: str) -> str:
    """Return a name in the directory of a path that nobody can foresee, hidden from those who read `log*` there."""
    return os.path.join(os.path.dirname(path), f".dnstap.{os.urandom(8).hex()}")


def place(new: str, path: str) -> None:
    """Give a new file a path that no file has.

    Raises: FileExistsError: there is one; OSError.
    """
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:
        # There are no hard links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(new, path)
    else:
        os.unlink(new)


def exchange(new: str, path: str, stamps: Stamps) -> str:
    """Give the file at a path a name with the time before its suffix, and its place to a new file.

    The path is always that of one of the two, as far as the file system has hard links.

    Returns: the new name of the old file. Names sort in the order of time.
    Raises: OSError: nothing has changed.
    """
    stem, suffix = split_suffix(path)
    while True:
        name = f"{stem}-{stamps.next()}{suffix}"
        # Also not one that this file would be compressed to, or that another run has compressed.
        if any(map(os.path.lexists, [name, *[name + added for added in COMPRESSIONS.values()]])):
            continue
        linked = True
        try:
            os.link(path, name)
        except FileExistsError:
            continue
        except OSError:
            # There are no hard links, or not to a file of somebody else (fs.protected_hardlinks).
            os.rename(path, name)
            linked = False
        try:
            os.replace(new, path)
        except OSError:
            if linked:
                os.unlink(name)
            else:
                os.rename(name, path)
            raise
        return name
