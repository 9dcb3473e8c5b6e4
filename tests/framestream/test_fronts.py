"""framestream.sync: blocking readers and writers."""

import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framestream.errors import (
    ContentTypeError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import EncodedFrames
from framestream.protocol import State, Transport
from framestream.streams import Batching, Deadlines, Limits
from tests.framestream.fronts import FRONTS, listen_reader, listen_writer, open_writer, read_file, using, write_file
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, TRAILING, control, data, word
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

SHORT_S = 0.05
"""For the time limits that are meant to pass."""

LARGE = bytes(range(256)) * 4096
"""The largest payload, 1 MiB: more than a socket or a pipe holds."""


@pytest.fixture(params=[1 << 18, 1], ids=["whole", "byte by byte"])
def _cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much each read gives: what the peer has sent, or a byte of it."""
    for name in (
        "framestream.files.READ_BYTES",
        "framestream.sync.channels.READ_BYTES",
        "asyncio.selector_events._SelectorTransport.max_size",
    ):
        monkeypatch.setattr(name, request.param)


cut = pytest.mark.usefixtures("_cut")


@pytest.fixture(params=FRONTS, autouse=True)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


@contextlib.contextmanager
def replaced(fd: int, by: int) -> Iterator[None]:
    """Another file in the place of standard input or output."""
    kept = os.dup(fd)
    os.dup2(by, fd)
    try:
        yield
    finally:
        os.dup2(kept, fd)
        os.close(kept)


@contextlib.contextmanager
def peer(path: Path, script: Callable[[socket.socket], None]) -> Iterator[None]:
    """A reader that does with its one connection what the script says, and closes it."""

    def run() -> None:
        sock, _ = listening.accept()
        with sock:
            sock.settimeout(DEADLINE_S)
            script(sock)

    with socket.socket(socket.AF_UNIX) as listening, Threads() as pool:
        listening.settimeout(DEADLINE_S)
        listening.bind(os.fspath(path))
        listening.listen()
        running = pool.submit(run)
        yield
        running.result(DEADLINE_S)


def dial(path: Path) -> socket.socket:
    """The other end of a Listener, for bytes of any kind."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    sock.connect(os.fspath(path))
    return sock


def receive(sock: socket.socket, size: int) -> bytes:
    """That many bytes, less at the end of the input."""
    received = bytearray()
    while len(received) < size and (some := sock.recv(size - len(received))):
        received += some
    return bytes(received)


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


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
        # The same with bytes behind it: they are the beginning of a stream that is none.
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
            pytest.param(START, [], False, id="behind START"),
            pytest.param(START + data(b"a", b"bc"), [b"a", b"bc"], False, id="behind data"),
            pytest.param(START + data(b"a", b"bc")[:-1], [b"a"], True, id="inside data"),
            pytest.param(START + data(b"a") + STOP + START, [b"a"], False, id="in the second stream"),
            pytest.param(START + data(b"a") + STOP + bytes(2), [b"a"], True, id="two bytes behind the first"),
        ],
    )
    def test_cut_files(self, tmp_path: Path, wire: bytes, payloads: list[bytes], inside_frame: bool) -> None:
        """What came before the cut is given, and then the cut is reported."""
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
            pytest.param(START + data(b"a") + STOP + data(b"a"), UnexpectedFrameError, id="data behind STOP"),
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
        """Standard input is not closed, whatever it is."""
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


class TestLeftLoops:
    """Who leaves a loop over a Reader and comes back goes on where it was."""

    def test_over_payloads(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes((START + data(b"1", b"2", b"3") + STOP) * 2)
        with read_file(path) as reader:
            got = []
            for payload in reader:
                got.append(payload)
                if len(got) in (1, 3, 5):
                    break
            got += reader
            assert got == [b"1", b"2", b"3"] * 2
            assert list(reader) == []

    def test_over_batches_with_an_answer_to_come(self, tmp_path: Path) -> None:
        """All is here in one read, and FINISH is awaited: nothing more may be read before it is sent."""
        path = tmp_path / "s"
        with listen_reader(path) as listener, dial(path) as sock:
            sock.sendall(READY + START + data(b"1") + control(9) + data(b"2") + STOP)
            with listener.accept(DEADLINE_S) as reader:
                assert next(reader.batches()) == [b"1"]
                assert not reader.ended
                assert list(reader.batches()) == [[b"2"]]
            assert receive(sock, len(ACCEPT + FINISH)) == ACCEPT + FINISH

    def test_an_error_is_raised_again(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"1") + START + data(b"2") * 100)
        with read_file(path) as reader:
            assert next(reader.batches()) == [b"1"]
            for _ in range(3):
                with pytest.raises(UnexpectedFrameError):
                    next(reader.batches())


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
        """What was written before it is a whole stream."""
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
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
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


class TestListener:
    @cut
    def test_bidirectional_writer(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(READY)
            with listener.accept() as reader, Threads() as pool:
                reading = pool.submit(list, reader)
                assert receive(sock, 42) == ACCEPT
                sock.sendall(START + data(b"a", b"bc") + STOP + TRAILING)
                assert reading.result(DEADLINE_S) == [b"a", b"bc"]
                assert (reader.frames, reader.bytes, reader.content_type) == (2, 3, DNSTAP)
                assert reader.ended
                assert list(reader) == []
                assert receive(sock, 12) == FINISH

    @cut
    def test_unidirectional_writer(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"bc") + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a", b"bc"]
            assert receive(sock, 1) == b""

    @cut
    @pytest.mark.parametrize(
        "wire", [READY + START + data(b"a"), START + data(b"a")], ids=["bidirectional", "unidirectional"]
    )
    def test_writer_that_ends_without_stop(self, tmp_path: Path, wire: bytes) -> None:
        """dnsdist and the PowerDNS recursor never send STOP."""
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(wire)
            sock.shutdown(socket.SHUT_WR)
            with listener.accept() as reader:
                assert list(reader) == [b"a"]
                assert reader.ended
                assert reader.protocol.state is State.STREAMING

    @cut
    def test_writer_that_is_gone_before_finish(self, tmp_path: Path) -> None:
        """Unbound sends STOP and closes: nobody is there for FINISH, and nothing is wrong."""
        with listen_reader(tmp_path / "socket") as listener:
            sock = dial(tmp_path / "socket")
            sock.sendall(READY)
            with listener.accept() as reader, Threads() as pool:
                reading = pool.submit(list, reader)
                assert receive(sock, 42) == ACCEPT
                sock.sendall(START + data(b"a") + STOP)
                sock.close()
                assert reading.result(DEADLINE_S) == [b"a"]
                assert reader.protocol.state is State.FINISHED

    def test_writer_that_says_all_at_once_and_goes(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(READY + START + data(b"a") + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a"]

    def test_writer_that_is_gone_before_accept(self, tmp_path: Path) -> None:
        """The error of the system passes unchanged."""
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(READY)
            with listener.accept() as reader, pytest.raises(BrokenPipeError):
                list(reader)

    @cut
    def test_truncated(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"bc")[:-1])
            sock.shutdown(socket.SHUT_WR)
            with listener.accept() as reader:
                with pytest.raises(TruncatedStreamError) as caught:
                    list(reader)
                assert reader.frames == 1
                assert caught.value.inside_frame

    @cut
    @pytest.mark.parametrize(
        ("wire", "kind"),
        [
            pytest.param(control(4, b"other"), ContentTypeError, id="another content type"),
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", UnexpectedFrameError, id="another protocol"),
            pytest.param(word(0xFFFFFFFF), UnexpectedFrameError, id="ffffffff"),
        ],
    )
    def test_refused_writer(self, tmp_path: Path, wire: bytes, kind: type[RemoteProtocolError]) -> None:
        """It gets no answer but the end, and the next one is served."""
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(wire)
                with listener.accept() as reader, pytest.raises(kind):
                    list(reader)
                # The bytes that were not read turn the end into a reset.
                with contextlib.suppress(ConnectionResetError):
                    assert receive(sock, 1) == b""
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + STOP)
                with listener.accept() as reader:
                    assert list(reader) == []

    def test_options(self, tmp_path: Path) -> None:
        options = listen_reader(
            tmp_path / "socket", limits=Limits(max_data_bytes=4, max_control_bytes=604, oversize="skip")
        )
        with options as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"12345", b"b") + control(77, fields=bytes(600)) + STOP)
            with listener.accept() as reader:
                assert list(reader) == [b"a", b"b"]
                assert reader.protocol.decoder.skipped_frames == 1

    def test_iteration(self, tmp_path: Path) -> None:
        """A Reader of each writer that connects, in their order."""
        with listen_reader(tmp_path / "socket") as listener:
            readers = iter(listener)
            for payload in (b"a", b"b"):
                with dial(tmp_path / "socket") as sock:
                    sock.sendall(START + data(payload) + STOP)
                    with next(readers) as reader:
                        assert list(reader) == [payload]

    def test_accept_with_a_time_limit(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            for timeout_s in (0, SHORT_S):
                with pytest.raises(TimeoutError):
                    listener.accept(timeout_s)
            for patience_s in (0, DEADLINE_S, None):
                with dial(tmp_path / "socket") as sock, listener.accept(patience_s) as reader:
                    sock.sendall(START + data(b"a") + STOP)
                    assert list(reader) == [b"a"]

    @cut
    def test_end_input(self, tmp_path: Path) -> None:
        """What has been received is still read, what the writer sends later is not."""
        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a", b"b"))
            with listener.accept() as reader:
                reader.end_input()
                with pytest.raises(BrokenPipeError):
                    sock.sendall(data(b"c"))
                assert list(reader) == [b"a", b"b"]
                assert reader.ended
            reader.end_input()

    def test_end_input_of_a_writer_that_has_gone(self, tmp_path: Path) -> None:
        with listen_reader(tmp_path / "socket") as listener:
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + data(b"a"))
            with listener.accept() as reader:
                reader.end_input()
                assert list(reader) == [b"a"]

    def test_path_and_descriptor(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        listener = listen_reader(path)
        assert str(listener.endpoint) == f"unix:{path}"
        assert listener.fileno() > 2
        assert stat.S_ISSOCK(path.stat().st_mode)
        listener.close()
        assert not path.exists()
        assert listener.fileno() == -1
        listener.close()

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), listen_reader(tmp_path / "socket"):
            raise ZeroDivisionError
        assert not (tmp_path / "socket").exists()

    def test_stale_socket_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(os.fspath(path))
        with listen_reader(path) as listener, dial(path) as sock:
            sock.sendall(START + STOP)
            with listener.accept() as reader:
                assert list(reader) == []

    def test_live_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path) as listener:
            with pytest.raises(OSError, match="listens there already") as caught:
                listen_reader(path)
            assert (caught.value.errno, caught.value.filename) == (errno.EADDRINUSE, os.fspath(path))
            # The attempt was a connection, which ends at once.
            with listener.accept() as reader, pytest.raises(TruncatedStreamError):
                list(reader)
            with dial(path) as sock, listener.accept() as reader:
                sock.sendall(START + STOP)
                assert list(reader) == []

    def test_live_socket_with_a_full_queue_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(os.fspath(path))
            listening.listen(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect(os.fspath(path))
            with pytest.raises(OSError, match="listens there already") as caught:
                listen_reader(path)
            assert caught.value.errno == errno.EADDRINUSE
            assert path.exists()

    @pytest.mark.parametrize("kind", ["file", "directory", "fifo", "dangling link"])
    def test_what_is_no_socket_is_left_alone(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "socket"
        match kind:
            case "file":
                path.write_bytes(b"precious")
            case "directory":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
            case _:
                path.symlink_to(tmp_path / "nowhere")
        before = path.lstat()
        with pytest.raises(FileExistsError) as caught:
            listen_reader(path)
        assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, os.fspath(path))
        assert path.lstat() == before

    def test_socket_of_another_kind_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(os.fspath(path))
            with pytest.raises(OSError, match="Protocol wrong type") as caught:
                listen_reader(path)
            assert (caught.value.errno, caught.value.filename) == (errno.EPROTOTYPE, os.fspath(path))
        assert path.exists()

    def test_where_no_socket_can_be(self, tmp_path: Path) -> None:
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            listen_reader(tmp_path / "missing" / "socket")
        with pytest.raises(OSError, match="too long"):
            listen_reader(tmp_path / ("x" * 200))
        assert open_descriptors() == before

    def test_the_socket_of_a_successor_is_not_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path):
            path.unlink()
            successor = listen_reader(path)
        with successor:
            assert path.exists()
        assert not path.exists()

    def test_a_socket_that_is_gone_is_not_missed(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        with listen_reader(path):
            path.unlink()


class TestConnect:
    def test_bidirectional(self, tmp_path: Path) -> None:
        """To a reader that answers byte by byte."""
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 42))
            for byte in ACCEPT:
                sock.sendall(bytes([byte]))
            received.append(receive(sock, 42 + 5 + 6 + 12))
            for byte in FINISH + TRAILING:
                with contextlib.suppress(BrokenPipeError):  # Behind FINISH, the writer does not wait for more.
                    sock.sendall(bytes([byte]))

        with peer(tmp_path / "socket", script), open_writer(tmp_path / "socket", [DNSTAP]) as writer:
            assert writer.content_type == DNSTAP
            writer.write(b"a")
            writer.write(b"bc")
            assert (writer.frames, writer.bytes) == (2, 3)
        assert received == [READY, START + data(b"a", b"bc") + STOP]
        assert writer.protocol.state is State.FINISHED

    def test_unidirectional(self, tmp_path: Path) -> None:
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 1 << 16))

        with (
            peer(tmp_path / "socket", script),
            open_writer(tmp_path / "socket", [DNSTAP], transport=Transport.UNIDIRECTIONAL) as writer,
        ):
            writer.write(b"a")
        assert received == [START + data(b"a") + STOP]

    def test_refused_payloads(self, tmp_path: Path) -> None:
        received = []

        def script(sock: socket.socket) -> None:
            received.append(receive(sock, 1 << 16))

        with (
            peer(tmp_path / "socket", script),
            open_writer(
                tmp_path / "socket", transport=Transport.UNIDIRECTIONAL, limits=Limits(max_data_bytes=4)
            ) as writer,
        ):
            for payload in (b"", b"12345"):
                with pytest.raises(LocalProtocolError):
                    writer.write(payload)
            writer.write(b"1234")
        assert received == [control(2) + data(b"1234") + STOP]

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            pytest.param(b"", TruncatedStreamError, id="the end"),
            pytest.param(ACCEPT[:9], TruncatedStreamError, id="half an ACCEPT"),
            pytest.param(control(1, b"other"), ContentTypeError, id="ACCEPT of another type"),
            pytest.param(READY, UnexpectedFrameError, id="READY"),
            pytest.param(b"HTTP/1.1 400 Bad Request\r\n", UnexpectedFrameError, id="another protocol"),
        ],
    )
    def test_refused(self, tmp_path: Path, answer: bytes, kind: type[RemoteProtocolError]) -> None:
        ended = []

        def script(sock: socket.socket) -> None:
            assert receive(sock, 42) == READY
            sock.sendall(answer)
            sock.shutdown(socket.SHUT_WR)
            ended.append(receive(sock, 1))

        with peer(tmp_path / "socket", script), pytest.raises(kind):
            open_writer(tmp_path / "socket", [DNSTAP])
        assert ended == [b""]

    def test_handshake_takes_too_long(self, tmp_path: Path) -> None:
        """And the connection is closed."""
        ended = []

        def script(sock: socket.socket) -> None:
            assert receive(sock, 42) == READY
            ended.append(receive(sock, 1))

        with peer(tmp_path / "socket", script), pytest.raises(TimeoutError):
            open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(handshake_s=SHORT_S))
        assert ended == [b""]

    def test_no_finish(self, tmp_path: Path) -> None:
        """A collector that is stuck does not keep its servers from shutting down (fstrm#69)."""
        received = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            received.append(receive(sock, 1 << 16))

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(finish_s=SHORT_S))
            with pytest.raises(TimeoutError):
                writer.close()
            writer.close()
        assert received == [READY + START + STOP]

    def test_end_instead_of_finish(self, tmp_path: Path) -> None:
        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            assert receive(sock, 42 + 42 + 12) == READY + START + STOP

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP])
            with pytest.raises(TruncatedStreamError):
                writer.close()

    def test_reader_that_goes(self, tmp_path: Path) -> None:
        """The first error is what the body sees, and closing adds none."""

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            assert receive(sock, 42 + 42) == READY + START

        def fails() -> bool:
            try:
                writer.write(b"a")
            except ConnectionError:
                return True
            return False

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP])
            wait_for(fails, "the end of the connection")
            with pytest.raises(ConnectionError):
                writer.write(b"a")
            writer.close()

    def test_exception_in_the_body(self, tmp_path: Path) -> None:
        """It is worth more than the error that closing ends with."""
        received = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            received.append(receive(sock, 42 + 42 + 5 + 12))

        def body() -> None:
            with open_writer(tmp_path / "socket", [DNSTAP]) as writer:
                writer.write(b"a")
                raise ZeroDivisionError

        with peer(tmp_path / "socket", script), pytest.raises(ZeroDivisionError):
            body()
        assert received == [READY + START + data(b"a") + STOP]

    def test_write_takes_too_long(self, tmp_path: Path) -> None:
        """The reader gets a stream that is cut inside a frame, and never STOP in the place of data."""
        received = []
        timed_out: list[bool] = []

        def script(sock: socket.socket) -> None:
            sock.sendall(ACCEPT)
            wait_for(lambda: timed_out, "the end of the writer's patience")
            received.append(receive(sock, 1 << 22))

        with peer(tmp_path / "socket", script):
            writer = open_writer(tmp_path / "socket", [DNSTAP], deadlines=Deadlines(write_s=SHORT_S))
            with pytest.raises(TimeoutError) as caught:
                writer.write_many(4 * [LARGE])
            timed_out.append(True)
            with pytest.raises(TimeoutError) as again:
                writer.write(b"a")
            assert str(again.value) == str(caught.value)
            writer.close()
        whole = READY + START + data(LARGE, LARGE, LARGE, LARGE)
        assert 84 < len(received[0]) < len(whole)
        assert whole.startswith(received[0])

    def test_nobody_there(self, tmp_path: Path) -> None:
        path = tmp_path / "socket"
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            open_writer(path)
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(os.fspath(path))
        with pytest.raises(ConnectionRefusedError):
            open_writer(path)
        assert open_descriptors() == before


class TestBoth:
    @pytest.mark.parametrize("transport", Transport)
    def test_a_writer_and_a_reader(self, tmp_path: Path, transport: Transport) -> None:
        """Payloads larger than the socket's buffers, and more of them."""
        payloads = [LARGE, b"a", LARGE, *(bytes([number % 256]) * 100 for number in range(5000))]

        def run() -> tuple[int, int]:
            with open_writer(tmp_path / "socket", [b"x", DNSTAP], transport=transport) as writer:
                writer.write(payloads[0])
                writer.write_many(payloads[1:])
            return writer.frames, writer.bytes

        taken = [b"y", DNSTAP] if transport is Transport.BIDIRECTIONAL else []
        with listen_reader(tmp_path / "socket", taken) as listener, Threads() as pool:
            running = pool.submit(run)
            with listener.accept(DEADLINE_S) as reader:
                assert list(reader) == payloads
                assert reader.content_type == (DNSTAP if taken else b"x")
            assert running.result(DEADLINE_S) == (reader.frames, reader.bytes)

    def test_a_writer_that_is_refused(self, tmp_path: Path) -> None:
        """It learns from the end of the connection that nothing it offers is wanted."""
        with listen_reader(tmp_path / "socket", [DNSTAP]) as listener, Threads() as pool:
            running = pool.submit(open_writer, tmp_path / "socket", [b"other"])
            with listener.accept(DEADLINE_S) as reader, pytest.raises(ContentTypeError):
                list(reader)
            error = running.exception(DEADLINE_S)
        assert isinstance(error, TruncatedStreamError)
        assert error.expected == "ACCEPT"

    @pytest.mark.parametrize("listen", [listen_reader, listen_writer])
    def test_content_types_that_cannot_be(self, tmp_path: Path, listen: Callable[..., object]) -> None:
        """That is said at once, and not to who connects."""
        with pytest.raises(LocalProtocolError):
            listen(tmp_path / "socket", [bytes(257)])
        assert os.listdir(tmp_path) == []

    def test_a_connection_that_cannot_be_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is closed, and the next one is served."""

        def fail(sock: socket.socket) -> socket.socket:
            raise OSError("no such option")

        with listen_reader(tmp_path / "socket") as listener:
            with monkeypatch.context() as patch, dial(tmp_path / "socket") as sock:
                for front in FRONTS:
                    patch.setattr(f"framestream.{front}.listener.for_stream", fail)
                with pytest.raises(OSError, match="no such option"):
                    listener.accept()
                assert receive(sock, 1) == b""
            with dial(tmp_path / "socket") as sock:
                sock.sendall(START + STOP)
                with listener.accept() as reader:
                    assert list(reader) == []

    def test_a_host_that_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system's own time limit is no matter of the handshake."""

        def late(*arguments: object) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

        with listen_reader(tmp_path / "socket") as listener, dial(tmp_path / "socket") as sock:
            sock.sendall(START + data(b"a"))
            with listener.accept() as reader:
                assert next(iter(reader)) == b"a"
                for front in FRONTS:
                    monkeypatch.setattr(f"framestream.{front}.channels.SocketChannel.read", late)
                with pytest.raises(TimeoutError, match="Connection timed out"):
                    list(reader)


@cut
def test_frames_are_passed_on_as_they_came(tmp_path: Path) -> None:
    """Behind what the handshake has taken and what waits; counted as frames."""
    path, copy = tmp_path / "a", tmp_path / "b"
    sent = [b"1", b"22", b"", LARGE[:7_000], b"333"]
    path.write_bytes(START + data(*sent[:2]) + control(9) + data(*sent[3:]) + STOP)
    sent.remove(b"")
    with read_file(path, [DNSTAP]) as reader, write_file(copy, [DNSTAP], batching=Batching(1000)) as writer:
        reader.handshake()
        writer.write(b"first")
        for frames in reader.encoded():
            assert isinstance(frames, EncodedFrames)
            writer.write_encoded(frames)
        assert (reader.frames, reader.bytes) == (len(sent), sum(map(len, sent)))
        assert (writer.frames, writer.bytes) == (len(sent) + 1, sum(map(len, sent)) + 5)
        assert writer.waiting == []
    with read_file(copy, [DNSTAP]) as reader:
        assert list(reader) == [b"first", *sent]


def test_frames_as_they_came_are_not_written_to_what_has_failed(tmp_path: Path) -> None:
    with write_file(tmp_path / "a") as writer:
        pass
    with pytest.raises(LocalProtocolError):
        writer.write_encoded(EncodedFrames(data(b"1"), 1))
