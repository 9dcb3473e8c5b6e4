"""framestream.unix_sockets: a path appears when connections are accepted, and is never taken from a listener."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import UnixEndpoint
from framestream.unix_sockets import listen_at, remove
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OTHER_UID, OTHER_GID = 65534, 65534

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        yield made


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory that leaves room for paths of a chosen length; pytest's have long names."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def make_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(path))


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
        return True


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def refuse(code: int) -> Callable[..., None]:
    """Return a system call that fails."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    return fail


class TestListenAt:
    def test_it_accepts_and_leaves_nothing_else(self, sock: socket.socket, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        made = listen_at(sock, UnixEndpoint(os.fspath(path)), 1)
        assert names(tmp_path) == ["socket"]
        assert connects(path)
        assert made == (path.stat().st_dev, path.stat().st_ino)
        assert re.fullmatch(re.escape(os.fspath(path)) + r"\.[0-9a-f]{8}", sock.getsockname())

    def test_it_listens_before_the_path_is_there(
        self, sock: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, accepting = tmp_path / "socket", []

        def link(source: str, target: str) -> None:
            assert not path.exists()
            accepting.append(
                (sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), os.stat(source).st_mode & 0o777)
            )
            os.rename(source, target)

        monkeypatch.setattr(os, "link", link)
        listen_at(sock, UnixEndpoint(os.fspath(path), mode=0o600), 1)
        assert accepting == [(1, 0o600)]

    def test_relative_path(self, sock: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        make_stale(Path("s"))
        listen_at(sock, UnixEndpoint("s"), 1)
        assert connects(tmp_path / "s")

    @pytest.mark.parametrize("length", [98, 99, 106, 107])
    @pytest.mark.parametrize("name", ["s", "a-longer-name"])
    def test_long_paths(self, sock: socket.socket, short_path: Path, length: int, name: str) -> None:
        folder = short_path / ("d" * (length - len(os.fspath(short_path)) - len(name) - 2))
        folder.mkdir()
        path = folder / name
        assert len(os.fspath(path)) == length
        make_stale(path)
        made = listen_at(sock, UnixEndpoint(os.fspath(path)), 1)
        assert names(folder) == [name]
        assert connects(path)
        remove(os.fspath(path), made)
        assert names(folder) == []

    def test_too_long_a_path(self, sock: socket.socket, short_path: Path) -> None:
        path = os.fspath(short_path / "s").ljust(108, "s")
        with pytest.raises(OSError, match=r"^AF_UNIX path too long$"):
            listen_at(sock, UnixEndpoint(path), 1)
        with pytest.raises(OSError, match=r"^AF_UNIX path too long$"):
            sock.bind(path)

    @pytest.mark.parametrize("path", ["", "missing/s"])
    def test_no_directory(
        self, sock: socket.socket, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(FileNotFoundError):
            listen_at(sock, UnixEndpoint(path), 1)
        assert names(tmp_path) == []

    def test_other_files_stay(self, sock: socket.socket, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("nowhere")
        for name in ("file", "link"):
            with pytest.raises(FileExistsError, match="exists and is not a socket"):
                listen_at(sock, UnixEndpoint(os.fspath(tmp_path / name)), 1)
        assert names(tmp_path) == ["file", "link"]

    @pytest.mark.parametrize("backlog", [0, 1])
    def test_a_listener_stays(self, sock: socket.socket, tmp_path: Path, backlog: int) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as first, contextlib.ExitStack() as connected:
            listen_at(first, UnixEndpoint(os.fspath(path)), backlog)
            for _ in range(1 - backlog):  # Its queue is full by that.
                connected.enter_context(socket.socket(socket.AF_UNIX)).connect(os.fspath(path))
            with pytest.raises(OSError, match="another process listens there already") as caught:
                listen_at(sock, UnixEndpoint(os.fspath(path)), 1)
            assert caught.value.errno == errno.EADDRINUSE
            assert names(tmp_path) == ["socket"]

    def test_a_socket_of_another_kind_stays(self, sock: socket.socket, tmp_path: Path) -> None:
        path = os.fspath(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(path)
            with pytest.raises(OSError, match="wrong type") as caught:
                listen_at(sock, UnixEndpoint(path), 1)
        assert (caught.value.errno, caught.value.filename) == (errno.EPROTOTYPE, path)


class TestOwnerAndMode:
    def test_the_mode_is_that_of_the_umask(self, tmp_path: Path) -> None:
        for umask in (0o077, 0o022, 0):
            with socket.socket(socket.AF_UNIX) as sock:
                before = os.umask(umask)
                try:
                    listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket")), 1)
                finally:
                    os.umask(before)
                assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o777 & ~umask

    def test_nobody_gets_in_before_the_mode_is_set(self, tmp_path: Path) -> None:
        """Through the temporary name, which the umask may have made accessible to all."""
        path = os.fspath(tmp_path / "socket")
        seen: list[tuple[int, int]] = []

        class Watched(socket.socket):
            def listen(self, backlog: int = 0, /) -> None:
                with socket.socket(socket.AF_UNIX) as intruder:
                    refused = intruder.connect_ex(self.getsockname())
                seen.append((refused, stat.S_IMODE(os.stat(self.getsockname()).st_mode)))
                super().listen(backlog)

        before = os.umask(0)
        try:
            with Watched(socket.AF_UNIX) as watched:
                listen_at(watched, UnixEndpoint(path, mode=0o600), 1)
        finally:
            os.umask(before)
        assert seen == [(errno.ECONNREFUSED, 0o600)]

    def test_mode(self, sock: socket.socket, tmp_path: Path) -> None:
        listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket"), mode=0o620), 1)
        assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o620

    @pytest.mark.parametrize("names", [(None, None), (True, None), (None, True), (True, True)])
    def test_our_own_owner(self, sock: socket.socket, tmp_path: Path, names: tuple[bool | None, bool | None]) -> None:
        user, group = os.getuid() if names[0] else None, os.getgid() if names[1] else None
        listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket"), user=user, group=group), 1)
        assert connects(tmp_path / "socket")

    @as_root
    def test_owner(self, sock: socket.socket, tmp_path: Path) -> None:
        listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket"), mode=0o600, user=OTHER_UID, group=OTHER_GID), 1)
        status = (tmp_path / "socket").stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (OTHER_UID, OTHER_GID, 0o600)
        assert names(tmp_path) == ["socket"]

    @pytest.mark.parametrize("owner", [{"user": "nobody-of-that-name"}, {"group": "nobody-of-that-name"}])
    def test_no_such_owner(self, sock: socket.socket, tmp_path: Path, owner: dict[str, Any]) -> None:
        with pytest.raises(LookupError, match="no such"):
            listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket"), **owner), 1)
        assert names(tmp_path) == []


class TestFileSystemsWithoutHardLinks:
    @pytest.fixture(autouse=True, params=[errno.EPERM, errno.EOPNOTSUPP], ids=errno.errorcode.get)
    def _no_links(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "link", refuse(request.param))

    @pytest.mark.parametrize("stale", [False, True])
    def test_it_appears(self, sock: socket.socket, tmp_path: Path, stale: bool) -> None:
        if stale:
            make_stale(tmp_path / "socket")
        listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket")), 1)
        assert names(tmp_path) == ["socket"]
        assert connects(tmp_path / "socket")

    def test_a_listener_that_came_first_stays(
        self, sock: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = os.fspath(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as first:
            first.bind(path)
            first.listen()
            monkeypatch.setattr(os, "lstat", after_nothing(os.lstat, path))
            with pytest.raises(OSError, match="another process listens there already"):
                listen_at(sock, UnixEndpoint(path), 1)
            assert names(tmp_path) == ["socket"]
            assert connects(tmp_path / "socket")


def after_nothing(lstat: Callable[[str], os.stat_result], path: str) -> Callable[[str], os.stat_result]:
    """Return os.lstat as it was a moment before something came to the path: the first call finds nothing."""
    asked: list[str] = []

    def first_nothing(asked_for: str) -> os.stat_result:
        if asked_for == path and not asked:
            asked.append(path)
            raise FileNotFoundError
        return lstat(asked_for)

    return first_nothing


class TestStartsAtOnce:
    @pytest.mark.parametrize("stale", [False, True])
    def test_the_path_is_taken_meanwhile(
        self,
        sock: socket.socket,
        tmp_path: Path,
        stale: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It was free at first; what has come since is replaced if it is stale, and kept if it listens."""
        path = os.fspath(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            monkeypatch.setattr(os, "lstat", after_nothing(os.lstat, path))
            if stale:
                other.close()
                listen_at(sock, UnixEndpoint(path), 1)
            else:
                other.listen()
                with pytest.raises(OSError, match="another process listens there already"):
                    listen_at(sock, UnixEndpoint(path), 1)
            assert connects(tmp_path / "socket")
        assert names(tmp_path) == ["socket"]

    def test_it_is_removed_while_it_is_probed(
        self, sock: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "socket"
        make_stale(path)

        def gone(_: int) -> bool:
            path.unlink()
            return True

        monkeypatch.setattr(stat, "S_ISSOCK", gone)
        listen_at(sock, UnixEndpoint(os.fspath(path)), 1)
        assert connects(path)

    def test_it_is_replaced_while_the_lock_is_awaited(self, sock: socket.socket, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        make_stale(path)
        directory = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(directory, fcntl.LOCK_EX)
        with socket.socket(socket.AF_UNIX) as other:

            def replace() -> None:
                time.sleep(0.05)
                path.unlink()
                other.bind(os.fspath(path))
                other.listen()
                os.close(directory)

            replacing = start(replace)
            with pytest.raises(OSError, match="another process listens there already"):
                listen_at(sock, UnixEndpoint(os.fspath(path)), 1)
            replacing.result(DEADLINE_S)
            assert connects(path)

    def test_the_lock_is_held_for_ever(self, sock: socket.socket, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        directory = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            listen_at(sock, UnixEndpoint(os.fspath(path)), 1, lock_s=0)  # Nothing to replace, no lock.
            make_stale(tmp_path / "stale")
            with (
                socket.socket(socket.AF_UNIX) as second,
                pytest.raises(OSError, match="locked the directory") as caught,
            ):
                listen_at(second, UnixEndpoint(os.fspath(tmp_path / "stale")), 1, lock_s=0.02)
            assert caught.value.errno == errno.EBUSY
        finally:
            os.close(directory)
        assert names(tmp_path) == ["socket", "stale"]

    def test_no_locks(self, sock: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """NFS has none for directories."""
        make_stale(tmp_path / "socket")
        monkeypatch.setattr(fcntl, "flock", refuse(errno.EBADF))
        listen_at(sock, UnixEndpoint(os.fspath(tmp_path / "socket")), 1)
        assert connects(tmp_path / "socket")

    def test_two_processes(self, tmp_path: Path) -> None:
        """One of them has each stale socket, and the other an error, however close together they start."""
        paths = [tmp_path / str(number) for number in range(50)]
        for path in paths:
            make_stale(path)
        script = (
            "import socket, sys\n"
            "from framestream.endpoints import UnixEndpoint\n"
            "from framestream.unix_sockets import listen_at\n"
            "kept = []\n"
            "print(flush=True)\n"
            "sys.stdin.readline()\n"
            "for path in sys.argv[1:]:\n"
            "    kept.append(socket.socket(socket.AF_UNIX))\n"
            "    try:\n"
            "        listen_at(kept[-1], UnixEndpoint(path), 1)\n"
            "        print(path, flush=True)\n"
            "    except OSError as error:\n"
            "        kept.pop().close()\n"
            "        assert error.strerror == 'another process listens there already', error\n"
            "print('end', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", script, *map(str, paths)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for _ in range(2)
            ]
            for process in processes:
                stack.callback(process.kill)
                assert process.stdout
                process.stdout.readline()
            for process in processes:
                assert process.stdin
                process.stdin.write("\n")
                process.stdin.flush()
            held: list[str] = []
            for process in processes:
                assert process.stdout
                held += iter(process.stdout.readline, "end\n")
            assert sorted(held) == sorted(f"{path}\n" for path in paths)
            assert all(map(connects, paths))
            assert names(tmp_path) == sorted(path.name for path in paths)


class TestRemove:
    def test_ours(self, sock: socket.socket, tmp_path: Path) -> None:
        path = os.fspath(tmp_path / "socket")
        made = listen_at(sock, UnixEndpoint(path), 1)
        remove(path, made)
        remove(path, made)
        assert names(tmp_path) == []

    def test_that_of_another(self, sock: socket.socket, tmp_path: Path) -> None:
        path = os.fspath(tmp_path / "socket")
        made = listen_at(sock, UnixEndpoint(path), 1)
        os.unlink(path)
        make_stale(tmp_path / "socket")
        remove(path, made)
        assert names(tmp_path) == ["socket"]


def test_a_long_path_elsewhere_than_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framestream.unix_sockets._LINUX", False)
    path = f"{tmp_path}/".ljust(100, "x")
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError, match="a path of at most 98 bytes expected"):
        listen_at(sock, UnixEndpoint(path), 1)
    assert not list(tmp_path.iterdir())
