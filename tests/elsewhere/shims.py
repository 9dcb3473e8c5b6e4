"""Imitations of other systems: what their Python lacks is taken away from this one, in a process made for that."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import multiprocessing.context
import os
import select
import selectors
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import types
from functools import partial
from typing import Any, NoReturn

__all__ = ["ProactorLoop", "imitate_macos", "imitate_windows"]

# Modules of the standard library that choose by the system when they are imported, and must have chosen by now.
CHOSEN = (concurrent.futures.thread, multiprocessing.context, shutil, ssl)

WINDOWS_LACKS: dict[Any, str] = {
    os: "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC O_NOATIME O_NOCTTY O_TMPFILE"
    " chown chroot fchdir fchmod fchown fork forkpty get_blocking getegid geteuid getgid getgroups getpgid getuid"
    " killpg lchown memfd_create mkfifo mknod openpty pidfd_open posix_fadvise posix_fallocate pread preadv pwrite"
    " pwritev readv register_at_fork sched_getaffinity sched_yield sendfile set_blocking setgid setsid setuid splice"
    " statvfs sync sysconf ttyname uname wait writev",
    signal: "SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU"
    " SIGUSR1 SIGUSR2 SIGWINCH ITIMER_REAL alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt"
    " sigwait",
    socket: "AF_UNIX MSG_DONTWAIT MSG_NOSIGNAL SCM_RIGHTS SO_PEERCRED SO_REUSEPORT CMSG_LEN CMSG_SPACE",
    select: "epoll poll EPOLLIN POLLIN POLLOUT POLLHUP POLLRDHUP POLLERR",
    time: "tzset",
}
"""By module: the names that Python on Windows does not have."""

WINDOWS_LACKS_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")

MACOS_LACKS: dict[Any, str] = {
    os: "O_PATH O_NOATIME O_TMPFILE memfd_create pidfd_open posix_fadvise posix_fallocate sched_getaffinity splice"
    " getrandom eventfd",
    signal: "SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo",
    socket: "SO_PEERCRED TCP_KEEPIDLE TCP_USER_TIMEOUT TCP_CORK MSG_NOSIGNAL",
    select: "epoll EPOLLIN POLLRDHUP",
}


def take_away(lacks: dict[Any, str]) -> None:
    """Remove names from modules."""
    for module, names in lacks.items():
        for name in names.split():
            if name in vars(module):
                delattr(module, name)


def not_implemented(*_: Any) -> NoReturn:
    """Take the place of a method that only loops of POSIX have."""
    raise NotImplementedError


class ProactorLoop(asyncio.SelectorEventLoop):
    """Event loop without the methods that the default one of Windows does not have.

    Except remove_writer, which this one needs itself.
    """

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())

    add_reader: Any = not_implemented
    remove_reader: Any = not_implemented
    add_writer: Any = not_implemented
    add_signal_handler: Any = not_implemented
    remove_signal_handler: Any = not_implemented
    create_unix_connection: Any = not_implemented
    create_unix_server: Any = not_implemented
    connect_read_pipe: Any = not_implemented
    connect_write_pipe: Any = not_implemented


class KqueueLoop(asyncio.SelectorEventLoop):
    """Event loop that does not use epoll."""

    def __init__(self) -> None:
        super().__init__(selectors.PollSelector())


def imitate_windows() -> None:
    """Make this process as one on Windows, as far as the names in Python's modules tell."""
    # Loops need a pair of sockets for themselves, which is TCP on Windows.
    vars(socket)["socketpair"] = partial(socket.socketpair, socket.AF_UNIX)
    vars(asyncio.events)["new_event_loop"] = ProactorLoop
    vars(subprocess)["_PopenSelector"] = selectors.SelectSelector
    refuse_text()
    take_away(WINDOWS_LACKS)
    for name in WINDOWS_LACKS_MODULES:
        vars(sys)["modules"][name] = None
    sys.platform = "win32"


def imitate_macos() -> None:
    """Make this process as one on macOS, as far as the names in Python's modules tell."""
    vars(socket)["TCP_KEEPALIVE"] = socket.TCP_KEEPIDLE
    vars(asyncio.events)["new_event_loop"] = KqueueLoop
    vars(tempfile)["_O_TMPFILE_WORKS"] = False
    take_away(MACOS_LACKS)
    for module, name in ((os, "open"), (os, "listdir"), (os, "stat"), (os, "lstat")):
        vars(module)[name] = partial(without_proc, vars(module)[name])
    sys.platform = "darwin"


def without_proc(function: Any, path: Any, *args: Any, **options: Any) -> Any:
    """Call a function of the file system that has no /proc."""
    if str(path).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", path)
    return function(path, *args, **options)


def refuse_text() -> None:
    """Have os.open() refuse to open files as text for our packages, which would change their bytes on Windows."""
    real_open = os.open
    binary = 0x8000
    vars(os)["O_BINARY"] = binary
    streams: set[tuple[int, int]] = set()

    def open_file(path: Any, flags: int, *args: Any, **options: Any) -> int:
        caller = sys._getframe(1).f_globals["__name__"]
        if caller.startswith(("framestream", "dnstap")) and not flags & binary:
            raise AssertionError(f"{caller} opens {path} as text")
        return real_open(path, flags & ~binary, *args, **options)

    vars(os)["open"] = open_file
    # Standard input and output are text until they are told otherwise.
    msvcrt = types.ModuleType("msvcrt")
    vars(msvcrt).update(setmode=lambda fd, flags: streams.add((fd, flags)), streams=streams)
    sys.modules["msvcrt"] = msvcrt
