"""Unix sockets that listen at a path, and appear there only once they accept connections.

A server that is refused when it starts tries again only after seconds, and a script that waits for the path connects
the moment it is there. So the socket is bound to a temporary name beside the path, given its owner and mode, made to
listen, and only then linked to the path.

The system goes on showing the temporary name, PATH.xxxxxxxx, as the address of the socket (ss, /proc/net/unix).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framestream.endpoints import UnixEndpoint

__all__ = ["LOCK_S", "FileId", "listen_at", "remove"]

LOCK_S = 5.0
"""Seconds to wait for the lock on a directory. This module holds it for three system calls; a stranger may hold it
forever.
"""

_RETRY_LOCK_S = 0.01

_LINUX = sys.platform == "linux"

_MAX_PATH_BYTES = 107 if _LINUX else 103
"""The size of sun_path (unix(7), unix(4) of macOS and the BSDs), without the NUL that Python wants at its end."""

FileId = tuple[int, int]
"""The device and the inode of a file."""


def listen_at(sock: socket.socket, endpoint: UnixEndpoint, backlog: int, *, lock_s: float = LOCK_S) -> FileId:
    """Bind the socket and listen, then make it appear at the endpoint's path. Replace a socket without a listener.

    Args: lock_s: how long to wait while another process replaces a socket in the same directory.
    Returns: what `remove` needs to know.
    Raises: OSError: EADDRINUSE if there is a listener, EEXIST if the path is not a socket; LookupError: the endpoint
        names a user or group that does not exist.
    """
    path = endpoint.path
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise OSError("AF_UNIX path too long")  # In the words of socket.bind.
    _remove_stale(path, lock_s)
    with _bound(sock, path) as temporary:
        made = _file_id(temporary)
        _set_owner_and_mode(temporary, endpoint)
        sock.listen(backlog)
        _publish(temporary, path, lock_s)
    return made


def remove(path: str, made: FileId) -> None:
    """Remove the socket that `listen_at` made, unless it is gone or another file has taken its place.

    Call it while the socket is open: until then no other file can be given the same inode, and no other process takes
    the socket for one without a listener.
    """
    with contextlib.suppress(OSError):
        if _file_id(path) == made:
            os.unlink(path)


@contextlib.contextmanager
def _bound(sock: socket.socket, path: str) -> Iterator[str]:
    """Bind the socket to a temporary name in the directory of the path, and remove that name afterwards.

    The name stays only if the process is killed within: for the microseconds that it takes to listen.
    """
    token = os.urandom(4).hex()
    with contextlib.ExitStack() as stack:
        temporary = f"{path}.{token}"
        if len(os.fsencode(temporary)) > _MAX_PATH_BYTES:
            if not _LINUX:
                raise OSError(errno.ENAMETOOLONG, f"a path of at most {_longest(path, temporary)} bytes expected", path)
            # A way around the limit that needs no chdir, which would move all threads.
            directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY)
            stack.callback(os.close, directory)
            temporary = f"/proc/self/fd/{directory}/.{token}"
        sock.bind(temporary)
        try:
            yield temporary
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _longest(path: str, temporary: str) -> int:
    return _MAX_PATH_BYTES - len(temporary) + len(path)


def _set_owner_and_mode(path: str, endpoint: UnixEndpoint) -> None:
    if endpoint.user is not None or endpoint.group is not None:
        import shutil  # It is slow to load, and seldom needed.

        if endpoint.user is not None:
            shutil.chown(path, user=endpoint.user)
        if endpoint.group is not None:
            shutil.chown(path, group=endpoint.group)
    if endpoint.mode is not None:
        os.chmod(path, endpoint.mode)


def _publish(temporary: str, path: str, lock_s: float) -> None:
    """Give the socket its path, where there is nothing or a socket without a listener.

    Raises: OSError: EADDRINUSE if there is a listener, EEXIST if the path is not a socket.
    """
    while True:
        try:
            os.link(temporary, path)  # Unlike rename, it never replaces a socket that listens.
        except FileExistsError:
            pass
        except OSError:
            # The file system has no hard links, or the kernel refuses one to a file that belongs to another user by now
            # (fs.protected_hardlinks). The lock keeps other processes that rename away.
            with _locked(path, lock_s):
                if not os.path.lexists(path):
                    os.rename(temporary, path)
                    return
        else:
            return
        _remove_stale(path, lock_s)


def _remove_stale(path: str, lock_s: float) -> None:
    """Remove a socket without a listener; leave everything else, and raise an error that says what it is."""
    if _is_stale(path):
        with _locked(path, lock_s):
            # Another process may have replaced it meanwhile. From here on none does: only with the lock is a stale
            # socket removed, and without that no other can be linked to the path.
            if _is_stale(path):
                os.unlink(path)


def _is_stale(path: str) -> bool:
    """Return whether the path is a socket without a listener; False if there is nothing.

    Raises: OSError: EADDRINUSE if there is a listener, EEXIST if the path is not a socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "exists and is not a socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:
            return False  # Removed since lstat.
        except BlockingIOError:
            pass  # A listener with a full queue.
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
    raise OSError(errno.EADDRINUSE, "another process listens there already", path)


@contextlib.contextmanager
def _locked(path: str, lock_s: float) -> Iterator[None]:
    """Hold the lock on the directory of the path: unlike a lock file, it leaves nothing when the process dies.

    Raises: OSError: EBUSY if another process holds it all the time; the directory cannot be read.
    """
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = time.monotonic() + lock_s
        while True:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise OSError(errno.EBUSY, "another process has locked the directory", path) from None
                time.sleep(_RETRY_LOCK_S)
            except OSError:
                break  # NFS has no locks for directories; two processes that start at once are not told apart there.
            else:
                break
        yield
    finally:
        os.close(directory)


def _file_id(path: str) -> FileId:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
