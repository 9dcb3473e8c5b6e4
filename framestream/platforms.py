"""Parts of the operating system that not every one has, with what takes their place."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FORK",
    "NO_FOLLOW",
    "OPEN_FLAGS",
    "OWNERS",
    "PREAD",
    "TIMER",
    "UNIX_SOCKETS",
    "register_at_fork",
    "set_binary",
]

OPEN_FLAGS: int = getattr(os, "O_BINARY", 0)
"""Flags for every os.open(): without them, Windows would change the ends of lines."""

NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""Flag to refuse links, where the system has it."""

OWNERS = hasattr(os, "fchown")
"""True where files have owners and modes. On Windows they inherit the rights of their folder."""

PREAD = hasattr(os, "pread")
"""True where a file can be read without moving its position."""

UNIX_SOCKETS = sys.platform != "win32"
"""True where Python has unix sockets."""

FORK = hasattr(os, "fork")
"""True where a process can fork."""

TIMER = hasattr(signal, "setitimer")
"""True where a timer can interrupt a system call."""

# Where there is no fork, dict() takes the argument and does nothing.
register_at_fork: Callable[..., object] = getattr(os, "register_at_fork", dict)
"""os.register_at_fork()."""


def set_binary(fd: int) -> None:
    """Have a descriptor that this process was started with pass bytes on as they are, which only Windows does not."""
    try:
        import msvcrt
    except ImportError:
        return
    msvcrt.setmode(fd, os.O_BINARY)  # type: ignore[attr-defined, unused-ignore]
