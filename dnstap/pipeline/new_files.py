"""New files beside old ones: with their mode and owner, in their place, and never over another file."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from framestream.compression import COMPRESSIONS
from framestream.platforms import NO_FOLLOW, OPEN_FLAGS, OWNERS

__all__ = ["Stamps", "create_like", "exchange", "split_suffix", "temporary_name"]


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


def create_like(path: str, status: os.stat_result) -> int:
    """Create an empty file with the mode and the owner of another, as far as the system allows, and open it.

    At no time may anybody read it who may not read the other. Links are not followed.

    Args: status: of the other file.
    Returns: a descriptor to write to.
    Raises: OSError: FileExistsError if there is a file already.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | OPEN_FLAGS, 0o600)
    try:
        if not OWNERS:
            return fd
        # Only root may give files away, but a group of ours can be kept. The mode last: fchown may change it.
        with suppress(PermissionError):
            os.fchown(fd, -1, status.st_gid)
            os.fchown(fd, status.st_uid, -1)
        os.fchmod(fd, stat.S_IMODE(status.st_mode) & 0o777)
    except BaseException:
        os.close(fd)
        os.unlink(path)
        raise
    return fd


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
