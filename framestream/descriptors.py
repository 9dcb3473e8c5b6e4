"""Descriptors of this process: how many it may open. Each connection takes one, and so does each file."""

from __future__ import annotations

import contextlib
import os

__all__ = ["raise_limit", "spare"]

MOST = 1 << 16
"""Limit that is enough: with a million, programs that are run by this one and close all descriptors take seconds."""


def raise_limit() -> None:
    """Raise the soft limit of descriptors to the hard one, but not beyond MOST. Nothing here waits by select()."""
    try:
        import resource
    except ImportError:  # Not POSIX.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # Some systems have other limits, too.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def spare() -> int | None:
    """Return how many more descriptors this process may open; None if that is not known, or has no limit."""
    try:
        import resource

        used = len(os.listdir("/dev/fd"))
    except (ImportError, OSError):  # Not POSIX, or not mounted.
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(0, soft - used)
