"""Files of both front ends: followed, appended to, replaced at once, full, compressed, and file objects."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gzip
import io
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from framestream import aio, sync
from framestream.errors import LocalProtocolError, RemoteProtocolError, TruncatedStreamError
from framestream.files import FileInput, FileOutput, ObjectInput, ObjectOutput, create_like
from framestream.protocol import State
from tests.framestream.fronts import FRONTS, open_reader, open_writer, read_file, using, write_file
from tests.framestream.nets import background
from tests.framestream.wire import DNSTAP, START, STOP, data
from tests.threads import start, to_thread
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framestream.files import FileMode

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(params=FRONTS, autouse=True)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def append(path: Path, wire: bytes) -> None:
    with path.open("ab") as file:
        file.write(wire)


class TestFollow:
    def test_what_is_appended_comes(self, path: Path) -> None:
        """Frames in pieces, and concatenated streams."""
        path.write_bytes(START[:20])
        with read_file(path, [DNSTAP], follow=True) as reader:
            payloads = iter(reader)
            for wire, payload in [
                (START[20:] + data(b"a"), b"a"),
                (data(b"bc")[:3], None),
                (data(b"bc")[3:], b"bc"),
                (STOP, None),
                (START + data(b"d"), b"d"),
            ]:
                append(path, wire)
                if payload:
                    assert next(payloads) == payload
            with background(list, payloads) as rest:
                append(path, data(b"e") + STOP)
                wait_for(lambda: reader.frames == 4, "the last frame")
                reader.end_input()
                assert rest() == [b"e"]
            assert reader.ended

    def test_what_comes_before_the_end_is_read(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also what comes when there was nothing to read, and before it is asked whether more may come."""
        path.write_bytes(START)
        with read_file(path, follow=True) as reader:

            def may_grow(file: FileInput) -> bool:
                if not os.path.getsize(path) > len(START):
                    append(path, data(b"a"))
                return False

            monkeypatch.setattr(FileInput, "may_grow", may_grow)
            assert list(reader) == [b"a"]

    def test_the_end_may_be_between_frames(self, path: Path) -> None:
        path.write_bytes(START + data(b"a"))
        with read_file(path, follow=True) as reader:
            assert next(iter(reader)) == b"a"
            reader.end_input()
            assert list(reader) == []

    def test_an_end_inside_a_frame_is_told(self, path: Path) -> None:
        path.write_bytes(START + data(b"abc")[:-1])
        with read_file(path, follow=True) as reader:
            reader.end_input()
            with pytest.raises(TruncatedStreamError) as caught:
                list(reader)
            assert caught.value.inside_frame

    def test_rotation(self, path: Path) -> None:
        """It is followed under its new name until there is another with the old one, and read to its end."""
        path.write_bytes(START + data(b"a"))
        with read_file(path, follow=True) as reader, background(list, reader) as got:
            wait_for(lambda: reader.frames == 1, "the first frame")
            renamed = path.rename(path.with_suffix(".1"))
            append(renamed, data(b"b"))
            wait_for(lambda: reader.frames == 2, "the frame under the new name")
            append(renamed, data(b"c") + STOP)
            path.write_bytes(START + data(b"other"))
            assert got() == [b"a", b"b", b"c"]

    def test_a_rotated_file_is_read_as_long_as_something_comes(self, path: Path) -> None:
        """There is a new file before its writer has been told of it."""
        path.write_bytes(START + data(b"a"))
        with read_file(path, follow=True) as reader, background(list, reader) as got:
            wait_for(lambda: reader.frames == 1, "the first frame")
            renamed = path.rename(path.with_suffix(".1"))
            path.write_bytes(START + data(b"other"))
            for number in range(2, 5):
                append(renamed, data(b"b"))
                wait_for(lambda number=number: reader.frames == number, "the next frame")  # type: ignore[misc]
            append(renamed, STOP)
            assert got() == [b"a", b"b", b"b", b"b"]
            assert reader.protocol.state is State.FINISHED

    def test_stop_may_be_replaced(self, path: Path) -> None:
        """By a writer that appends; a STOP that stays is read at the end."""
        path.write_bytes(START + data(b"a") + STOP[:9])
        with read_file(path, follow=True) as reader:
            payloads = iter(reader)
            assert next(payloads) == b"a"
            append(path, STOP[9:])
            for payload in (b"b", STOP, b"c"):
                with sync.write_file(path, mode="append") as writer:
                    writer.write(payload)
                assert next(payloads) == payload
            states = [reader.protocol.state]
            append(path, START + data(b"d") + STOP)
            assert next(payloads) == b"d"
            reader.end_input()
            assert list(payloads) == []
            assert [*states, reader.protocol.state] == [State.STREAMING, State.FINISHED]
            assert reader.protocol.unfinished_streams == 0

    def test_removed(self, path: Path) -> None:
        path.write_bytes(START + data(b"a"))
        with read_file(path, follow=True) as reader, background(list, reader) as got:
            wait_for(lambda: reader.frames == 1, "the frame")
            path.unlink()
            assert got() == [b"a"]

    def test_cut(self, path: Path) -> None:
        path.write_bytes(START + data(b"a"))
        with read_file(path, follow=True) as reader:
            payloads = iter(reader)
            assert next(payloads) == b"a"
            path.write_bytes(START)
            with pytest.raises(TruncatedStreamError, match="expected a file that grows, got one cut to 42 bytes"):
                next(payloads)

    def test_compressed(self, path: Path) -> None:
        path.write_bytes(gzip.compress(START + data(b"a")))
        with read_file(path, follow=True) as reader:
            payloads = iter(reader)
            assert next(payloads) == b"a"
            append(path, gzip.compress(data(b"b")))
            assert next(payloads) == b"b"
            assert reader.compression == "gzip"

    def test_a_pipe_is_not_followed(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with (
            background((tmp_path / "pipe").write_bytes, START + data(b"a")),
            read_file(tmp_path / "pipe", follow=True) as reader,
        ):
            assert list(reader) == [b"a"]


class TestModes:
    @pytest.mark.parametrize("there", [None, b"", START + data(b"a") + STOP, 2 * (START + STOP)])
    def test_append(self, path: Path, there: bytes | None) -> None:
        """In the same stream, because many programs read no further than the first STOP."""
        if there is not None:
            path.write_bytes(there)
        with write_file(path, [DNSTAP], mode="append") as writer:
            writer.write(b"b")
            assert (writer.content_type, writer.frames, writer.cut_bytes) == (DNSTAP, 1, 0)
        assert path.read_bytes() == (there or START).removesuffix(STOP) + data(b"b") + STOP
        with read_file(path) as reader:
            assert list(reader)[-1] == b"b"

    def test_append_behind_the_last_whole_frame(self, path: Path) -> None:
        path.write_bytes(START + data(b"a") + data(b"bcd")[:-2])
        with write_file(path, [DNSTAP], mode="append") as writer:
            writer.write(b"e")
            assert (writer.frames, writer.cut_bytes) == (1, 5)
        assert path.read_bytes() == START + data(b"a", b"e") + STOP

    def test_append_nothing(self, path: Path) -> None:
        path.write_bytes(START + data(b"a") + STOP)
        write_file(path, [DNSTAP], mode="append").close()
        assert path.read_bytes() == START + data(b"a") + STOP

    def test_a_failed_write_removes_only_its_own(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(START + data(b"a") + STOP)
        writer = write_file(path, [DNSTAP], mode="append")
        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", no_space)
            with pytest.raises(OSError, match="No space left"):
                writer.write(b"b")
        writer.close()
        assert path.read_bytes() == START + data(b"a")

    @pytest.mark.parametrize(
        ("there", "kind"),
        [
            pytest.param(b"text", RemoteProtocolError, id="text"),
            pytest.param(START + STOP + b"more", RemoteProtocolError, id="text after STOP"),
            pytest.param(gzip.compress(START + STOP), LocalProtocolError, id="gzip"),
        ],
    )
    def test_append_to_what_is_no_stream(self, path: Path, there: bytes, kind: type[Exception]) -> None:
        path.write_bytes(there)
        with pytest.raises(kind):
            write_file(path, [DNSTAP], mode="append")
        assert path.read_bytes() == there

    def test_append_to_a_pipe(self) -> None:
        """There is nothing in it to look at."""
        read_end, write_end = os.pipe()
        with os.fdopen(read_end, "rb") as reading:
            with write_file(f"/dev/fd/{write_end}", [DNSTAP], mode="append") as writer:
                writer.write(b"a")
            os.close(write_end)
            assert reading.read() == START + data(b"a") + STOP

    def test_atomic(self, path: Path) -> None:
        path.write_bytes(b"old")
        with write_file(path, [DNSTAP], mode="atomic") as writer:
            writer.write(b"a")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == START + data(b"a") + STOP
        assert os.listdir(path.parent) == [path.name]

    @pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
    def test_atomic_and_an_error_in_the_body(self, path: Path, kind: type[BaseException]) -> None:
        path.write_bytes(b"old")

        def body() -> None:
            with write_file(path, [DNSTAP], mode="atomic") as writer:
                writer.write(b"a")
                raise kind

        with pytest.raises(kind):
            body()
        assert path.read_bytes() == b"old"
        assert os.listdir(path.parent) == [path.name]

    def test_atomic_and_a_failed_write(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        writer = write_file(path, [DNSTAP], mode="atomic")
        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", no_space)
            with pytest.raises(OSError, match="No space left"):
                writer.write(b"a")
        writer.close()
        assert os.listdir(path.parent) == []

    def test_atomic_through_a_link(self, path: Path) -> None:
        path.write_bytes(b"old")
        link = path.with_suffix(".link")
        link.symlink_to(path)
        with write_file(link, [DNSTAP], mode="atomic"):
            pass
        assert link.is_symlink()
        assert path.read_bytes() == START + STOP

    def test_the_mode_bits_are_those_of_any_file(self, path: Path) -> None:
        modes = []
        for mode in ("replace", "atomic"):
            with write_file(path, mode=mode):
                pass
            modes.append(path.stat().st_mode)
            path.unlink()
        assert modes[0] == modes[1]

    def test_atomic_keeps_mode_and_owner(self, path: Path) -> None:
        path.write_bytes(b"old")
        path.chmod(0o640)
        owner = (4321, 5432) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        os.chown(path, *owner)
        with write_file(path, [DNSTAP], mode="atomic"):
            (temporary,) = set(path.parent.iterdir()) - {path}
            statuses = [temporary.stat()]
        statuses.append(path.stat())
        assert {(stat.S_IMODE(each.st_mode), each.st_uid, each.st_gid) for each in statuses} == {(0o640, *owner)}
        assert path.read_bytes() == START + STOP

    def test_new(self, path: Path) -> None:
        with write_file(path, [DNSTAP], mode="new"):
            pass
        with pytest.raises(FileExistsError):
            write_file(path, [DNSTAP], mode="new")
        assert path.read_bytes() == START + STOP

    @pytest.mark.parametrize("mode", ["replace", "append", "atomic", "new"])
    def test_standard_output_has_no_modes(self, path: Path, mode: FileMode) -> None:
        script = f"import framestream\nwith framestream.write_file('-', mode={mode!r}) as writer: writer.write(b'a')"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, timeout=DEADLINE_S, check=True, env=ENVIRONMENT
        )
        assert done.stdout.endswith(data(b"a") + STOP)


def no_space(fd: int, view: memoryview) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


class TestFailedWrites:
    def test_no_part_of_a_frame_stays(self, path: Path) -> None:
        """On a file that may not grow any more, as on a disk that is full."""
        script = (
            "import resource, signal, sys, framestream\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "writer = framestream.write_file(sys.argv[1], [b'protobuf:dnstap.Dnstap'])\n"
            "try:\n"
            "    while True: writer.write(bytes(100))\n"
            "except OSError as error:\n"
            "    print(error.strerror, writer.frames, writer.bytes, len(writer.waiting))\n"
            "writer.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            capture_output=True,
            timeout=DEADLINE_S,
            check=True,
            env=ENVIRONMENT,
        )
        assert done.stdout == b"File too large 9 900 1\n"
        assert path.read_bytes() == START + 9 * data(bytes(100))

    def test_not_even_of_one_that_is_interrupted(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Behind it the stream goes on as if nothing had been: STOP follows."""
        output = FileOutput(path)
        output.write(b"whole")
        system_write = os.write

        def write(fd: int, view: memoryview) -> int:
            system_write(fd, view[:3])
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", write)
            with pytest.raises(KeyboardInterrupt):
                output.write(b"broken")
        assert output.whole
        output.write(b" again")
        output.close()
        assert path.read_bytes() == b"whole again"

    def test_what_went_into_a_pipe_cannot_be_taken_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read_end, write_end = os.pipe()
        output = FileOutput(f"/dev/fd/{write_end}")
        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", no_space)
            with pytest.raises(OSError, match="No space left"):
                output.write(b"broken")
        assert not output.whole
        output.close()
        for fd in (read_end, write_end):
            os.close(fd)


class TestCreateLike:
    def test_mode_and_owner(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.write_bytes(b"x")
        old.chmod(0o4604)
        fd = create_like(str(new), old.stat())
        os.write(fd, b"new")
        os.close(fd)
        assert new.read_bytes() == b"new"
        assert stat.S_IMODE(new.stat().st_mode) == 0o604

    def test_of_another_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The owner stays ours, where the system does not let us give it away."""
        old, new = tmp_path / "old", tmp_path / "new"
        old.touch(0o600)

        def refuse(_fd: int, _user: int, _group: int) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "fchown", refuse)
        os.close(create_like(str(new), old.stat()))
        assert stat.S_IMODE(new.stat().st_mode) == 0o600

    @pytest.mark.parametrize("there", ["file", "link"])
    def test_there_is_one(self, tmp_path: Path, there: str) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.write_bytes(b"old")
        if there == "file":
            new.write_bytes(b"new")
        else:
            new.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            create_like(str(new), old.stat())
        assert not (tmp_path / "elsewhere").exists()

    def test_no_owners(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on Windows."""
        monkeypatch.setattr("framestream.files.OWNERS", False)
        new = tmp_path / "new"
        os.close(create_like(str(new), tmp_path.stat()))
        assert new.read_bytes() == b""

    def test_nothing_is_left_after_a_failure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        old = tmp_path / "old"
        old.touch()

        def fail(_fd: int, _mode: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fchmod", fail)
        with pytest.raises(OSError, match="Input/output error"):
            create_like(str(tmp_path / "new"), old.stat())
        assert list(tmp_path.iterdir()) == [old]


class TestLocks:
    @pytest.mark.parametrize("mode", ["replace", "append"])
    def test_the_second_is_refused(self, path: Path, mode: FileMode) -> None:
        """Before it changes anything; also through another name, and not any more once the first has closed."""
        path.with_suffix(".link").symlink_to(path)
        with write_file(path, [DNSTAP], lock=True) as writer:
            writer.write(b"a")
            for name in path, path.with_suffix(".link"):
                with pytest.raises(BlockingIOError, match="another process is writing to it") as caught:
                    write_file(name, [DNSTAP], mode=mode, lock=True)
                assert caught.value.filename == os.fspath(name)
            writer.write(b"b")
        assert path.read_bytes() == START + data(b"a", b"b") + STOP
        with write_file(path, [DNSTAP], mode="append", lock=True) as writer:
            writer.write(b"c")
        with read_file(path) as reader:
            assert list(reader) == [b"a", b"b", b"c"]

    def test_only_regular_files(self) -> None:
        with write_file(os.devnull, lock=True), write_file(os.devnull, lock=True):
            pass

    def test_a_file_that_is_renamed_before_it_is_locked(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As by a process that rotates it and then gives up its lock: the old file is not truncated."""
        path.write_bytes(b"old")
        flock, old = fcntl.flock, path.with_suffix(".old")

        def late(fd: int, operation: int) -> None:
            if not old.exists():
                path.rename(old)
            flock(fd, operation)

        monkeypatch.setattr(fcntl, "flock", late)
        with write_file(path, [DNSTAP], lock=True):
            pass
        assert (old.read_bytes(), path.read_bytes()) == (b"old", START + STOP)

    def test_a_system_without_locks(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "fcntl", None)
            with write_file(path, lock=True), write_file(path, lock=True):
                pass

    def test_a_file_system_without_locks(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_fd: int, _operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", refuse)
        with write_file(path, lock=True), write_file(path, lock=True):
            pass


class TestCut:
    """Files cut by another program while they are written to."""

    @pytest.mark.parametrize("mode", ["replace", "append", "new"])
    def test_between_writes(self, path: Path, mode: FileMode) -> None:
        with write_file(path, [DNSTAP], mode=mode) as writer:
            for payload in b"a" * 100, b"b", b"c":
                os.truncate(path, 0)
                writer.write(payload)
                assert path.read_bytes() == START + data(payload)
            writer.write(b"d")
        assert path.read_bytes() == START + data(b"c", b"d") + STOP

    def test_after_a_write(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before its length is looked at."""
        writer = write_file(path, [DNSTAP])
        system_write = os.write

        def write(fd: int, view: memoryview) -> int:
            written = system_write(fd, view)
            os.truncate(path, 0)
            return written

        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", write)
            writer.write(b"a")
        writer.write(b"b")
        writer.close()
        assert path.read_bytes() == START + data(b"b") + STOP

    def test_to_some_length(self, path: Path) -> None:
        """The rest of it stays."""
        with write_file(path, [DNSTAP]) as writer:
            writer.write(b"abc")
            os.truncate(path, len(START) + 4)
            writer.write(b"d")
        assert path.read_bytes() == START + data(b"abc")[:4] + START + data(b"d") + STOP

    def test_and_full(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write that fails does not make it longer."""
        writer = write_file(path, [DNSTAP])
        writer.write(b"a")
        os.truncate(path, 3)
        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", no_space)
            with pytest.raises(OSError, match="No space left"):
                writer.write(b"b")
        assert path.read_bytes() == b""

    def test_without_a_beginning(self, path: Path) -> None:
        """As of text."""
        output = FileOutput(path)
        output.write(b"one line\n")
        os.truncate(path, 0)
        output.write(b"two\n")
        output.close()
        assert path.read_bytes() == b"two\n"


class Piecewise(io.BytesIO):
    """Takes and gives a little at a time."""

    def write(self, some: bytes, /) -> int:  # type: ignore[override]
        return super().write(bytes(some)[:7])

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(min(size or 0, 5))


class TestFileObjects:
    def test_both_ways(self) -> None:
        file = Piecewise()
        with write_file(file, [DNSTAP]) as writer:
            writer.write(b"a")
        assert file.getvalue() == START + data(b"a") + STOP
        file.seek(0)
        with read_file(file, [DNSTAP]) as reader:
            assert list(reader) == [b"a"]
        assert not file.closed

    def test_compressed(self, path: Path) -> None:
        with gzip.open(path, "wb") as file, write_file(file, [DNSTAP]) as writer:
            writer.write_many([b"a", b"b"])
        assert gzip.decompress(path.read_bytes()) == START + data(b"a", b"b") + STOP
        with gzip.open(path, "rb") as file, read_file(file) as reader:
            assert (list(reader), reader.compression) == ([b"a", b"b"], "")
        with read_file(path) as reader:
            assert (list(reader), reader.compression) == ([b"a", b"b"], "gzip")

    def test_raw_files(self, path: Path) -> None:
        path.write_bytes(START + data(b"a") + STOP)
        with path.open("rb", buffering=0) as file, read_file(file) as reader:
            assert list(reader) == [b"a"]

    def test_files_that_do_not_wait(self) -> None:
        read_end, write_end = os.pipe()
        for fd in (read_end, write_end):
            os.set_blocking(fd, False)
        with os.fdopen(read_end, "rb", buffering=0) as reading, os.fdopen(write_end, "wb", buffering=0) as writing:
            with pytest.raises(BlockingIOError, match="does not wait for its input"):
                list(read_file(reading))
            with pytest.raises(BlockingIOError, match="does not wait for its reader"):
                write_file(writing).write(bytes(1 << 20))

    def test_they_have_no_descriptor(self) -> None:
        for channel in (ObjectInput(io.BytesIO()), ObjectOutput(io.BytesIO())):
            with pytest.raises(LocalProtocolError):
                channel.fileno()


@pytest.mark.parametrize("capture", sorted(DATA.glob("*.fstrm")), ids=lambda capture: capture.stem)
def test_copies_of_captures_are_the_same(path: Path, capture: Path) -> None:
    """Octet for octet, but for the STOP that a cut one lacks."""
    wire = capture.read_bytes()
    with read_file(capture) as reader, write_file(path, [DNSTAP]) as writer:
        try:
            for payloads in reader.batches():
                writer.write_many(payloads)
        except TruncatedStreamError:
            wire = wire[: reader.protocol.offset] + STOP
        assert reader.protocol.failed is capture.stem.endswith("-cut")
    assert path.read_bytes() == wire


def test_as_endpoints(path: Path) -> None:
    with open_writer(f"file:{path}", [DNSTAP]) as writer:
        writer.write(b"a")
        assert writer.fileno() > 2
    with open_reader(f"file:{path}", [DNSTAP]) as reader:
        assert list(reader) == [b"a"]
    assert path.read_bytes() == START + data(b"a") + STOP


@pytest.mark.parametrize("module", FRONTS)
@pytest.mark.parametrize("source", ["-", "pipe"])
def test_a_program_that_waits_for_a_pipe_can_be_ended(tmp_path: Path, module: str, source: str) -> None:
    """By Ctrl-C, at once."""
    os.mkfifo(tmp_path / "pipe")
    script = (
        "import asyncio, sys\n"
        f"from framestream import {module}\n"
        f"name = {source!r}\n"
        "async def main():\n"
        "    async with aio.read_file(name) as reader:\n"
        "        print('reading', flush=True)\n"
        "        async for payload in reader: pass\n"
        "def blocking():\n"
        "    with sync.read_file(name) as reader:\n"
        "        print('reading', flush=True)\n"
        "        for payload in reader: pass\n"
        f"{'asyncio.run(main())' if module == 'aio' else 'blocking()'}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    with process:
        held = start(os.open, tmp_path / "pipe", os.O_RDWR).result(DEADLINE_S)
        assert process.stdout
        assert process.stdout.readline() == b"reading\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) in (1, -signal.SIGINT, 130)
        os.close(held)


@pytest.mark.parametrize("mode", ["rb", "wb"])
def test_a_pipe_opened_after_the_call_was_cancelled_is_closed(tmp_path: Path, mode: str) -> None:
    """Once it is open, which takes its other end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def run() -> None:
        opening = aio.read_file(path) if mode == "wb" else aio.write_file(path)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await opening
        # It opens as soon as there is another end; and we have the end of that when it has been closed.
        end = await to_thread(path.open, mode, 0)
        with end:
            if mode == "rb":
                assert await to_thread(end.read) == b""
            else:
                await to_thread(wait_for, lambda: broken(end), "the end")

    def broken(end: IO[bytes]) -> bool:
        try:
            end.write(b"a")
        except BrokenPipeError:
            return True
        return False

    asyncio.run(run())


def test_devices_that_never_let_one_wait() -> None:
    with read_file("/dev/null") as reader, pytest.raises(TruncatedStreamError):
        list(reader)
    with write_file("/dev/null") as writer:
        writer.write(b"a")
