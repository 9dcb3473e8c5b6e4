"""Files, pipes and standard streams through both front ends."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from framestream.errors import (
    ContentTypeError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.protocol import State
from framestream.streams import Batching, Limits
from tests.framestream.both.ends import LARGE, both_fronts, cut, open_descriptors, replaced
from tests.framestream.fronts import read_file, write_file
from tests.framestream.wire import DNSTAP, READY, START, STOP, TRAILING, control, data
from tests.wait import DEADLINE_S

pytestmark = both_fronts


class TestReadFile:
    @cut
    @pytest.mark.parametrize(
        ("wire", "payloads"),
        [
            pytest.param(START + STOP, [], id="empty stream"),
            pytest.param(START + data(b"a", b"bc") + STOP, [b"a", b"bc"], id="stream"),
            pytest.param(2 * (START + data(b"a") + STOP), [b"a", b"a"], id="joined streams"),
            pytest.param(
                START + STOP + control(2) + data(b"a") + STOP + START + STOP, [b"a"], id="joined streams, some empty"
            ),
            pytest.param(START + control(9) + data(b"a") + STOP, [b"a"], id="unknown control frame"),
            pytest.param(START + data(b"a") + START + data(b"b") + STOP, [b"a", b"b"], id="joined after a crash"),
        ],
    )
    def test_files(self, tmp_path: Path, wire: bytes, payloads: list[bytes]) -> None:
        path = tmp_path / "file"
        path.write_bytes(wire)
        with read_file(path, [DNSTAP]) as reader:
            assert (reader.ended, reader.content_type) == (False, None)
            assert list(reader) == payloads
            assert list(reader) == []
            assert (reader.ended, reader.content_type) == (True, DNSTAP)
            assert (reader.frames, reader.bytes) == (len(payloads), sum(map(len, payloads)))
            assert reader.protocol.state is State.FINISHED
        # The same with bytes after it, which are not the beginning of another stream.
        path.write_bytes(wire + TRAILING)
        with read_file(os.fspath(path), [DNSTAP]) as reader:
            got: list[bytes] = []
            with pytest.raises(UnexpectedFrameError) as caught:
                got.extend(reader)
            assert got == payloads
            assert caught.value.offset == len(wire)

    @cut
    @pytest.mark.parametrize(
        ("wire", "payloads", "inside_frame"),
        [
            pytest.param(b"", [], False, id="empty file"),
            pytest.param(START[:9], [], True, id="inside START"),
            pytest.param(START, [], False, id="after START"),
            pytest.param(START + data(b"a", b"bc"), [b"a", b"bc"], False, id="after data"),
            pytest.param(START + data(b"a", b"bc")[:-1], [b"a"], True, id="inside data"),
            pytest.param(START + data(b"a") + STOP + START, [b"a"], False, id="in the second stream"),
            pytest.param(START + data(b"a") + STOP + bytes(2), [b"a"], True, id="two bytes after the first"),
        ],
    )
    def test_cut_files(self, tmp_path: Path, wire: bytes, payloads: list[bytes], inside_frame: bool) -> None:
        """Payloads before the cut are returned, then the cut is reported."""
        path = tmp_path / "file"
        path.write_bytes(wire)
        got: list[bytes] = []
        with read_file(path) as reader:
            with pytest.raises(TruncatedStreamError) as caught:
                got.extend(reader)
            assert got == payloads
            assert caught.value.inside_frame is inside_frame
            assert caught.value.offset == len(wire)
            assert reader.ended

    @cut
    @pytest.mark.parametrize(
        ("wire", "kind"),
        [
            pytest.param(READY, UnexpectedFrameError, id="READY"),
            pytest.param(b"dnstap text", UnexpectedFrameError, id="text"),
            pytest.param(control(2, b"other"), ContentTypeError, id="another content type"),
            pytest.param(START + data(b"a", b"12345"), FrameTooLargeError, id="too large"),
            pytest.param(START + data(b"a") + STOP + data(b"a"), UnexpectedFrameError, id="data after STOP"),
        ],
    )
    def test_bad_files(self, tmp_path: Path, wire: bytes, kind: type[RemoteProtocolError]) -> None:
        path = tmp_path / "file"
        path.write_bytes(wire)
        with read_file(path, [DNSTAP], limits=Limits(max_data_bytes=4)) as reader:
            got: list[bytes] = []
            with pytest.raises(kind):
                got.extend(reader)
            assert got == ([b"a"] if data(b"a") in wire else [])
            assert not reader.ended
            with pytest.raises(kind):
                list(reader)

    def test_options(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(control(2, bytes(256)) + data(b"a", b"12345", b"b") + control(77, fields=bytes(600)) + STOP)
        with read_file(path, limits=Limits(max_data_bytes=4, max_control_bytes=604, oversize="skip")) as reader:
            assert list(reader) == [b"a", b"b"]
            assert reader.protocol.decoder.skipped_frames == 1
            assert reader.protocol.unknown_control_frames == 1

    def test_batches(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a", b"b") + control(9) + data(b"c") + STOP)
        with read_file(path) as reader:
            assert list(reader.batches()) == [[b"a", b"b"], [b"c"]]

    def test_large_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(LARGE, b"a", LARGE) + STOP)
        with read_file(path) as reader:
            assert list(reader) == [LARGE, b"a", LARGE]
            assert (reader.frames, reader.bytes) == (3, 2 * len(LARGE) + 1)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_file(tmp_path / "file")

    def test_directory(self, tmp_path: Path) -> None:
        before = open_descriptors()
        with pytest.raises(IsADirectoryError) as caught:
            read_file(tmp_path)
        assert caught.value.filename == os.fspath(tmp_path)
        assert open_descriptors() == before

    def test_directory_as_standard_input(self, tmp_path: Path) -> None:
        """Standard input is not closed, of whatever kind it is."""
        directory = os.open(tmp_path, os.O_RDONLY)
        with replaced(0, directory):
            os.close(directory)
            with pytest.raises(IsADirectoryError):
                read_file("-")
            assert stat.S_ISDIR(os.fstat(0).st_mode)

    def test_standard_input_is_left_open(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a") + STOP)
        with path.open("rb") as file, replaced(0, file.fileno()):
            with read_file("-") as reader:
                assert reader.fileno() == 0
                assert list(reader) == [b"a"]
            assert os.fstat(0).st_ino == path.stat().st_ino

    def test_standard_input_that_is_cut(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a"))
        with path.open("rb") as file, replaced(0, file.fileno()), read_file("-") as reader:
            with pytest.raises(TruncatedStreamError):
                list(reader)
            assert reader.frames == 1

    def test_a_path_named_dash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a Path it is a file, only as text it is standard input."""
        monkeypatch.chdir(tmp_path)
        with write_file(Path("-")) as writer:
            writer.write(b"a")
        with read_file(Path("-")) as reader:
            assert list(reader) == [b"a"]
        assert os.listdir() == ["-"]

    def test_closed_files_are_not_read(self, tmp_path: Path) -> None:
        """Another file that has been given the number of the closed one is not touched."""
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a") + STOP)
        reader = read_file(path)
        number = reader.fileno()
        reader.close()
        reader.close()
        with path.open("rb", buffering=0) as other:
            assert other.fileno() == number
            with pytest.raises(OSError, match="Bad file descriptor"):
                list(reader)
            assert other.tell() == 0
        assert reader.fileno() == -1

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a") + STOP)

        def body() -> None:
            with read_file(path) as reader:
                for _ in reader:
                    raise ZeroDivisionError

        before = open_descriptors()
        with pytest.raises(ZeroDivisionError):
            body()
        assert open_descriptors() == before

    def test_end_input_of_a_file_is_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a") + STOP)
        with read_file(path) as reader:
            reader.end_input()
            assert list(reader) == [b"a"]


class TestReadPipe:
    @cut
    def test_fifo_is_live(self, tmp_path: Path) -> None:
        """Payloads come when they are there, not at the end; and the end needs no STOP."""
        path = tmp_path / "fifo"
        os.mkfifo(path)
        # Opened for both, so that neither open waits for the other.
        writing = os.open(path, os.O_RDWR)
        try:
            reader = read_file(path)
            os.write(writing, START + data(b"a"))
            payloads = iter(reader)
            assert next(payloads) == b"a"
            os.write(writing, data(b"b"))
            assert next(payloads) == b"b"
        finally:
            os.close(writing)
        assert list(payloads) == []
        assert reader.ended
        assert reader.protocol.state is State.STREAMING
        reader.close()

    @cut
    @pytest.mark.parametrize(
        ("wire", "got"),
        [
            pytest.param(b"", "the end of input", id="nothing"),
            pytest.param(START[:9], "the end of input", id="inside START"),
            pytest.param(START + data(b"abc")[:-1], "the end of input", id="inside data"),
        ],
    )
    def test_live_streams_are_cut_inside_frames(self, wire: bytes, got: str) -> None:
        reading, writing = os.pipe()
        os.write(writing, wire)
        os.close(writing)
        with replaced(0, reading):
            os.close(reading)
            with read_file("-") as reader, pytest.raises(TruncatedStreamError) as caught:
                list(reader)
        assert caught.value.got == got

    @cut
    def test_joined_streams(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, START + data(b"a") + STOP + START + data(b"b"))
        os.close(writing)
        with replaced(0, reading):
            os.close(reading)
            with read_file("-") as reader:
                assert list(reader) == [b"a", b"b"]


class TestWriteFile:
    @pytest.mark.parametrize(
        ("content_types", "start"), [([], control(2)), ([DNSTAP], START), ([b"a", b"b"], control(2, b"a"))]
    )
    def test_file(self, tmp_path: Path, content_types: list[bytes], start: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(bytes(1000))
        with write_file(path, content_types) as writer:
            assert writer.content_type == (content_types[0] if content_types else None)
            assert path.read_bytes() == start
            writer.write(b"a")
            assert path.read_bytes() == start + data(b"a")
            writer.write_many(iter([b"b", b"cd"]))
            writer.write_many([])
            assert (writer.frames, writer.bytes) == (3, 4)
        assert path.read_bytes() == start + data(b"a", b"b", b"cd") + STOP
        writer.close()
        assert path.read_bytes() == start + data(b"a", b"b", b"cd") + STOP

    def test_refused_payloads(self, tmp_path: Path) -> None:
        """They are not counted, and the stream goes on without them."""
        path = tmp_path / "file"
        with write_file(path, limits=Limits(max_data_bytes=4)) as writer:
            for payload in (b"", b"12345"):
                with pytest.raises(LocalProtocolError):
                    writer.write_many([b"good", payload])
            assert (writer.frames, writer.bytes) == (0, 0)
            writer.write(b"1234")
        assert path.read_bytes() == control(2) + data(b"1234") + STOP

    def test_written_to_after_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        writer = write_file(path)
        writer.close()
        with pytest.raises(LocalProtocolError):
            writer.write(b"a")

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        """Payloads written before it make a complete stream."""
        path = tmp_path / "file"

        def body() -> None:
            with write_file(path) as writer:
                writer.write(b"a")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            body()
        with read_file(path) as reader:
            assert list(reader) == [b"a"]

    def test_content_types_that_do_not_fit(self, tmp_path: Path) -> None:
        before = open_descriptors()
        with pytest.raises(LocalProtocolError):
            write_file(tmp_path / "file", [bytes(257)])
        assert open_descriptors() == before

    @pytest.mark.parametrize("name", ["", "missing/file"], ids=["directory", "missing directory"])
    def test_where_no_file_can_be(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(OSError, match=os.fspath(tmp_path)):
            write_file(tmp_path / name)

    def test_partial_writes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system may take less than it is given."""
        path = tmp_path / "file"
        system_write = os.write
        calls = []

        def write(fd: int, view: memoryview) -> int:
            calls.append(len(view))
            return system_write(fd, view[:7])

        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", write)
            with write_file(path, [DNSTAP]) as writer:
                writer.write(bytes(100))
        assert path.read_bytes() == START + data(bytes(100)) + STOP
        assert calls[:7] == [42, 35, 28, 21, 14, 7, 104]

    def test_failed_write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The half of a frame that was written is cut off again; and STOP does not say that all is there."""
        path = tmp_path / "file"
        system_write = os.write

        def write(fd: int, view: memoryview) -> int:
            if len(view) < 100:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return system_write(fd, view[:60])

        writer = write_file(path, [DNSTAP])
        writer.write(b"a")
        with monkeypatch.context() as patch:
            patch.setattr("framestream.files.os.write", write)
            with pytest.raises(OSError, match="No space left") as caught:
                writer.write(bytes(100))
        for _ in range(30):
            with pytest.raises(OSError, match="No space left") as repeated:
                writer.write(b"b")
            assert repeated.value is caught.value
        # A server that tries for ever takes no more memory for it.
        assert len(list(traceback.walk_tb(caught.value.__traceback__))) < 20
        writer.close()
        assert (writer.frames, writer.bytes) == (1, 1)
        assert path.read_bytes() == START + data(b"a")
        with read_file(path) as reader, pytest.raises(TruncatedStreamError):
            assert list(reader) == [b"a"]

    def test_standard_output_is_left_open(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with path.open("wb") as file, replaced(1, file.fileno()):
            with write_file("-", [DNSTAP]) as writer:
                writer.write(b"a")
            assert os.fstat(1).st_ino == path.stat().st_ino
        assert path.read_bytes() == START + data(b"a") + STOP

    def test_reader_of_a_pipe_has_gone(self) -> None:
        reading, writing = os.pipe()
        with replaced(1, writing):
            os.close(writing)
            with write_file("-") as writer:
                os.close(reading)
                with pytest.raises(BrokenPipeError):
                    writer.write(b"a")

    def test_between_two_processes(self, tmp_path: Path) -> None:
        """`-` at both ends of a real pipe, with more than it holds."""
        script = (
            "import sys, framestream\n"
            "with framestream.read_file('-') as reader, framestream.write_file('-', [b'copy']) as writer:\n"
            "    for payloads in reader.batches():\n"
            "        writer.write_many(payloads)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=START + data(LARGE, b"a") + STOP,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            timeout=DEADLINE_S,
            check=True,
        )
        assert done.stderr == b""
        assert done.stdout == control(2, b"copy") + data(LARGE, b"a") + STOP

    def test_a_content_type_that_is_too_long_costs_no_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"precious")
        with pytest.raises(LocalProtocolError):
            write_file(path, [bytes(257)])
        assert path.read_bytes() == b"precious"


class TestArguments:
    """A wrong one is one clear error, and leaves no file open or changed."""

    @pytest.mark.parametrize(
        ("arguments", "options", "error"),
        [
            ((DNSTAP,), {}, "content_types: expected a list of bytes, got b'protobuf:dnstap.Dnstap' of type bytes"),
            (("text",), {}, "content_types: expected a list of bytes, got 'text' of type str"),
            ((["text"],), {}, "content_types: expected a list of bytes, got 'text' of type str"),
            ((5,), {}, "content_types: expected a list of bytes, got 5 of type int"),
            ((), {"limits": 5}, "limits: expected Limits, got 5 of type int"),
            ((), {"limits": Limits(0)}, "limits.max_data_bytes: expected a whole number of at least 1, got 0"),
            ((), {"limits": Limits(5, -9)}, "limits.max_control_bytes: expected a whole number of at least 1, got -9"),
        ],
    )
    def test_of_both(self, tmp_path: Path, arguments: tuple[Any], options: dict[str, Any], error: str) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + STOP)
        before = open_descriptors()
        for open_file in (read_file, write_file):
            with pytest.raises((TypeError, ValueError)) as caught:
                open_file(path, *arguments, **options)
            assert str(caught.value).startswith(error)
        assert open_descriptors() == before
        assert path.read_bytes() == START + STOP

    @pytest.mark.parametrize("file", [5, None, b"path", io.StringIO("text")])
    def test_what_is_no_file(self, file: Any) -> None:
        for open_file in (read_file, write_file):
            with pytest.raises(TypeError, match=r"^file: expected a path or a binary file object, got .* of type "):
                open_file(file)

    def test_modes(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        for file in (path, io.BytesIO()):
            with pytest.raises(ValueError, match=r"^mode: expected one of 'replace', 'append', .* got 'w'$"):
                write_file(file, mode="w")  # type: ignore[arg-type]
        assert path.read_bytes() == b"old"

    def test_oversize(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + STOP)
        with pytest.raises(ValueError, match=r"^oversize: expected 'error' or 'skip', got 'drop'$"):
            read_file(path, limits=Limits(oversize="drop"))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("batching", "error"),
        [
            (5, "batching: expected Batching, got 5 of type int"),
            (Batching("5"), "batching.max_bytes: expected a whole number of at least 0, got '5' of type str"),  # type: ignore[arg-type]
            (Batching(5, -1), "batching.max_s: expected a number of at least 0, got -1"),
        ],
    )
    def test_batching(self, tmp_path: Path, batching: Any, error: str) -> None:
        with pytest.raises((TypeError, ValueError)) as caught:
            write_file(tmp_path / "file", batching=batching)
        assert str(caught.value) == error

    @pytest.mark.parametrize(
        ("method", "argument", "error"),
        [
            ("write", "text", "payload: expected bytes, got 'text' of type str"),
            ("write", 5, "payload: expected bytes, got 5 of type int"),
            ("write_many", b"abc", "payloads: expected a list of bytes, got b'abc' of type bytes"),
            ("write_many", "text", "payloads: expected a list of bytes, got 'text' of type str"),
            ("write_many", 5, "payloads: expected a list of bytes, got 5 of type int"),
            ("write_many", [b"a", None], "payload: expected bytes, got None of type NoneType"),
            ("write_encoded", b"abc", "frames: expected EncodedFrames of Reader.encoded(), got b'abc' of type bytes"),
        ],
    )
    def test_payloads(self, tmp_path: Path, method: str, argument: Any, error: str) -> None:
        """The stream goes on without them."""
        path = tmp_path / "file"
        with write_file(path) as writer:
            with pytest.raises(TypeError) as caught:
                getattr(writer, method)(argument)
            assert str(caught.value) == error
            views: list[Any] = [bytearray(b"a"), memoryview(b"b")]
            writer.write_many(views)
            assert writer.frames == 2
        with read_file(path) as reader:
            assert list(reader) == [b"a", b"b"]
