"""The collector: many inputs and outputs, broken streams, and the end of a run."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import socket
import threading
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import Anonymizer, Dnstap, DnstapType, Message, MessageType, compile_filter, truncate
from dnstap.content_type import CONTENT_TYPE
from dnstap.pairing import Pairs
from dnstap.pipeline.collector import LAST_S, Collector
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.places import MAX_CONNECTIONS
from dnstap.pipeline.stages import Head, Sample
from framestream import (
    Backoff,
    ControlFrame,
    ControlType,
    Deadlines,
    FrameStreamError,
    Limits,
    LocalProtocolError,
    ReaderProtocol,
    Tls,
    Writer,
    encode_control_frame,
    encode_data_frames,
    open_writer,
    read_file,
    write_file,
)
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.streams import START, STOP, Payloads, Server, file_of, raw_connection
from tests.framestream.nets import own
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from dnstap import DnstapMessage, Filter, Source
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.stages import AnyStage
    from framestream import Endpoint


class Running:
    """A collector in a thread, with the payloads and reports that it gave."""

    def __init__(self, prepare: Callable[[Collector], Awaitable[object]], *outputs: Writable, **options: Any) -> None:
        self.payloads = Payloads()
        self.reports: list[str] = []
        self.error: Exception | None = None
        self._ready = threading.Event()
        self.thread = start(lambda: asyncio.run(self._run(prepare, outputs, options)))
        assert self._ready.wait(DEADLINE_S)

    async def _run(
        self, prepare: Callable[[Collector], Awaitable[object]], outputs: tuple[Writable, ...], options: dict[str, Any]
    ) -> None:
        self.collector = Collector(self.reports.append, **options)
        try:
            await prepare(self.collector)
            self._ready.set()
            await self.collector.run(*(outputs or [self.payloads]))
        except OSError as error:
            self.error = error
        finally:
            await self.collector.close()

    def stop(self) -> None:
        """Stop it and wait for the end."""
        self.collector.stop()
        self.thread.result(DEADLINE_S)


@contextmanager
def collecting(
    prepare: Callable[[Collector], Awaitable[object]], *outputs: Writable, **options: Any
) -> Iterator[Running]:
    """Run a collector."""
    running = Running(prepare, *outputs, **options)
    try:
        yield running
    finally:
        running.stop()


def listening(path: Path, **options: Any) -> AbstractContextManager[Running]:
    """Run a collector that listens."""
    return collecting(lambda collector: collector.listen(path), **options)


def listening_to(path: Path, output: Writable, **options: Any) -> AbstractContextManager[Running]:
    """Run a collector that listens, with an output."""
    return collecting(lambda collector: collector.listen(path), output, **options)


def collect(*paths: str) -> tuple[Collector, list[bytes], list[str]]:
    """Read files to their end."""
    payloads = Payloads()
    reports: list[str] = []

    async def run() -> Collector:
        collector = Collector(reports.append)
        for path in paths:
            await collector.read(path)
        await collector.run(payloads)
        await collector.close()
        return collector

    return asyncio.run(run()), payloads, reports


def test_files_one_after_the_other(tmp_path: Path) -> None:
    paths = [file_of(tmp_path / "a", b"1", b"2"), file_of(tmp_path / "b"), file_of(tmp_path / "c", b"3")]
    collector, payloads, reports = collect(*paths)
    assert (payloads, reports, collector.failed_files) == ([b"1", b"2", b"3"], [], 0)


def test_a_broken_file_costs_only_its_rest(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(START + encode_data_frames([b"1"]) + b"\xff\xff\xff\xff")
    collector, payloads, reports = collect(str(broken), file_of(tmp_path / "b", b"2"))
    assert payloads == [b"1", b"2"]
    assert collector.failed_files == 1
    assert reports == [f"{broken}: expected a data frame of at most 1048576 bytes, got one of 4294967295, at byte 47"]


def test_unknown_control_frames_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(START + encode_control_frame(ControlFrame(9)) * 2 + encode_data_frames([b"1"]) + STOP)
    _, payloads, reports = collect(str(path))
    assert (payloads, reports) == ([b"1"], [f"{path}: 2 control frames of unknown type ignored"])


def test_many_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as running:
        silent = raw_connection(path)
        writers = [open_writer(path, [CONTENT_TYPE]) for _ in range(20)]
        for number, writer in enumerate(writers):
            writer.write_many([b"%d" % number] * 3)
        for writer in writers:
            writer.close()  # FINISH comes when all is passed on
        assert sorted(running.payloads) == sorted(b"%d" % number for number in range(20) for _ in range(3))
        silent.close()
        wait_for(lambda: running.reports, "the report")
    assert running.reports == [
        f"unix:{path} connection 1 {own()}: expected READY or START, got the end of input in state IDLE, at byte 0"
    ]
    assert not path.exists()


def test_a_broken_connection_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as running, open_writer(path, [CONTENT_TYPE]) as good:
        with raw_connection(path) as bad:
            bad.sendall(b"GET / HTTP/1.1\r\n")
            assert bad.recv(100) == b""
        with raw_connection(path) as other:
            other.sendall(encode_control_frame(ControlFrame(ControlType.READY, (b"protobuf:other",))))
            assert other.recv(100) == b""
        good.write(b"1")
        wait_for(lambda: running.payloads, "the payload")
    http = "expected READY or START, got an HTTP request, b'GET / HTTP/1.1\\r\\n'"
    other_type = f"expected content type {CONTENT_TYPE!r} in READY, got b'protobuf:other'"
    assert running.reports == [
        f"unix:{path} connection 2 {own()}: {http} in state IDLE, at byte 0",
        f"unix:{path} connection 3 {own()}: {other_type} in state IDLE, at byte 0",
    ]


def test_bytes_behind_stop_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as running, raw_connection(path) as peer:
        peer.sendall(START + encode_data_frames([b"1"]) + STOP + b"more")
        wait_for(lambda: running.reports, "the report")
    assert (running.payloads, running.reports) == (
        [b"1"],
        [f"unix:{path} connection 1 {own()}: 4 bytes behind STOP ignored"],
    )


def test_stop_passes_on_all_that_has_been_received(tmp_path: Path) -> None:
    """Also from connections that have not been accepted yet."""
    path = tmp_path / "s"
    payloads = Payloads()
    reports: list[str] = []

    async def run(stack: ExitStack) -> None:
        collector = Collector(reports.append)
        await collector.listen(path)
        whole, several, cut, greeting, bad = (stack.enter_context(raw_connection(path)) for _ in range(5))
        whole.sendall(START + encode_data_frames([b"1"]))
        several.sendall(START + encode_data_frames([b"2", b"3"]))
        cut.sendall(START + encode_data_frames([b"4"]) + b"\0\0\0\5ab")
        greeting.sendall(b"\0\0")
        bad.sendall(STOP)
        collector.stop()
        await collector.run(payloads)
        with pytest.raises(BrokenPipeError):
            whole.sendall(b"more")
        await collector.close()

    with ExitStack() as stack:
        asyncio.run(run(stack))
    assert sorted(payloads) == [b"1", b"2", b"3", b"4"]
    peer = f"unix:{path} connection"
    assert sorted(reports) == [
        f"{peer} 3 {own()}: expected 3 more bytes of a frame, got the end of input in state STREAMING, at byte 53",
        f"{peer} 5 {own()}: expected READY or START, got STOP in state IDLE, at byte 0",
    ]


def test_stop_between_frames_needs_no_report(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as running:
        idle = raw_connection(path)
        writer = open_writer(path, [CONTENT_TYPE])
        writer.write(b"1")
        wait_for(lambda: running.payloads, "the payload")
    assert (running.payloads, running.reports) == ([b"1"], [])
    idle.close()
    with pytest.raises(ConnectionError):
        writer.close()


def test_stop_says_where_the_files_stand(tmp_path: Path) -> None:
    paths = [file_of(tmp_path / "a", b"1" * 300_000), file_of(tmp_path / "b", b"2")]
    reports: list[str] = []

    async def run() -> None:
        collector = Collector(reports.append)
        for path in paths:
            await collector.read(path)
        collector.stop()
        await collector.run()
        collector.stop(complete=True)  # It does no harm any more.
        await collector.close()
        assert collector.interrupted

    asyncio.run(run())
    assert reports == [f"{paths[0]}: stopped at byte 0", f"{paths[1]}: stopped at byte 0"]


def test_stop_says_nothing_when_all_that_was_asked_for_was_read(tmp_path: Path) -> None:
    reports: list[str] = []

    async def run() -> None:
        collector = Collector(reports.append)
        await collector.read(file_of(tmp_path / "a", b"1" * 300_000))
        collector.stop(complete=True)
        collector.stop()
        await collector.run()
        await collector.close()
        assert not collector.interrupted

    asyncio.run(run())
    assert not reports


class Full:
    """An output that fails."""

    def write_many(self, payloads: list[bytes]) -> None:
        raise OSError("disk full")


def test_what_the_output_raises_ends_the_run(tmp_path: Path) -> None:
    running = Running(lambda collector: collector.read(file_of(tmp_path / "a", b"1")), Full())
    running.thread.result(DEADLINE_S)
    assert str(running.error) == "disk full"


def test_silent_peers_are_disconnected(tmp_path: Path) -> None:
    """Those that send nothing and those that stop in the handshake; a peer that has sent START may be idle."""
    path = tmp_path / "s"
    options = {"deadlines": Deadlines(handshake_s=1.0)}
    with listening(path, **options) as running, raw_connection(path) as idle:
        idle.sendall(START + encode_data_frames([b"1"]))
        with raw_connection(path) as silent, raw_connection(path) as slow:
            slow.sendall(START[:-1])
            assert silent.recv(1) == slow.recv(1) == b""
        idle.sendall(encode_data_frames([b"2"]))
        wait_for(lambda: running.payloads == [b"1", b"2"], "the payloads of the idle peer")
    assert sorted(running.reports) == [
        f"unix:{path} connection {number} {own()}: no START within 1.0 s" for number in (2, 3)
    ]


def test_out_of_descriptors(tmp_path: Path) -> None:
    """A peer that cannot be accepted waits until a connection ends; open connections go on."""
    path = tmp_path / "s"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with listening(path) as running:
        first = open_writer(path, [CONTENT_TYPE])
        waiting = raw_connection(path)
        spare = raw_connection(path)
        wait_for(lambda: running.collector.counts.open == 3, "all connections")
        waiting.close()
        spare.close()
        wait_for(lambda: running.collector.counts.open == 1, "the end of two")
        running.reports.clear()
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(DEADLINE_S)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, limit[1]))
            client.connect(str(path))
            wait_for(lambda: running.reports, "the report")
            first.write(b"1")
            wait_for(lambda: running.payloads, "the payload")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        first.close()
        client.sendall(START + encode_data_frames([b"2"]) + STOP)
        wait_for(lambda: len(running.payloads) == 2, "the payload of who waited")
        client.close()
    assert running.reports == [f"unix:{path}: cannot accept a connection: Too many open files"]


def test_silent_peers_make_room(tmp_path: Path) -> None:
    """A peer that only connects, as often as it likes, keeps no other from its place."""
    path = tmp_path / "s"
    with (
        listening(path, max_connections=5, max_handshakes=3) as running,
        open_writer(path, [CONTENT_TYPE]) as good,
        ExitStack() as stack,
    ):
        good.write(b"1")
        wait_for(lambda: running.payloads == [b"1"], "the payload")
        silent = [stack.enter_context(raw_connection(path)) for _ in range(20)]
        for sock in silent[:-3]:
            assert sock.recv(1) == b""
        assert running.collector.counts.open == 4
        with open_writer(path, [CONTENT_TYPE]) as other:
            other.write(b"2")
        good.write(b"3")
        wait_for(lambda: len(running.payloads) == 3, "the payloads")
        assert running.collector.counts.ended >= 17
    reason = "ended by a limit: the oldest silent one makes room, because there are 3 connections without a stream"
    assert running.reports[0] == f"unix:{path} connection 2 {own()}: {reason}"
    # Ten such lines, the number of the others, and nothing else.
    assert len(running.reports) == 11
    assert re.fullmatch(rf"unix:{path}: without a stream: \d+ more such lines", running.reports[-1])


def test_a_stream_that_has_ended_leaves_nothing_in_memory(tmp_path: Path) -> None:
    """However it ended, and without a look for reference cycles, which the command makes rarely."""
    path = tmp_path / "s"
    unfinished = START + encode_data_frames([bytes(5000)])[:-1]
    options: dict[str, Any] = {"max_connections": 3, "deadlines": Deadlines(handshake_s=0.2, frame_s=0.2)}

    def protocols() -> int:
        return sum(isinstance(found, ReaderProtocol) for found in gc.get_objects())

    gc.collect()
    before = protocols()
    gc.disable()
    try:
        with listening(path, **options) as running, ExitStack() as stack:
            for wire in (unfinished, START + STOP, b"GET / HTTP/1.1", START[:-1], encode_data_frames([b"1"])):
                with raw_connection(path) as sock:
                    sock.sendall(wire)
            # These are too late, or make room. The input keeps the last one until the next.
            for wire in (b"", unfinished, unfinished, b"", b"", unfinished):
                stack.enter_context(raw_connection(path)).sendall(wire)
            wait_for(lambda: running.collector.counts.connections == 11, "all connections")
            wait_for(lambda: running.collector.counts.open == 0, "the end of all")
            assert running.collector.counts.ended > 0
            wait_for(lambda: protocols() <= before + 1, "the end of all that belongs to them")
    finally:
        gc.enable()


class TestLimits:
    """Descriptors that connections do not get, because outputs need them."""

    @pytest.mark.parametrize(
        ("spare", "wanted", "most", "handshakes", "reports"),
        [
            (None, None, MAX_CONNECTIONS, MAX_CONNECTIONS // 4, []),
            (None, 5000, 5000, 1250, []),
            (100_000, 5000, 5000, 1250, []),
            (137, None, 100, 25, []),
            (137, 500, 100, 25, ["at most 100 connections, not 500: the system allows no more open files"]),
            (0, None, 1, 1, []),
        ],
    )
    def test_numbers(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        spare: int | None,
        wanted: int | None,
        most: int,
        handshakes: int,
        reports: list[str],
    ) -> None:
        monkeypatch.setattr("framestream.descriptors.spare", lambda: spare)
        with listening(tmp_path / "s", max_connections=wanted) as running:
            connections = running.collector._connections
            wait_for(lambda: connections.max_connections == most, "the limit")
            assert connections.max_handshakes == handshakes
        assert running.reports == reports

    def test_files_that_are_followed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory may have many open."""
        monkeypatch.setattr("framestream.descriptors.spare", lambda: 137)

        async def prepare(collector: Collector) -> None:
            await collector.listen(tmp_path / "s")
            await collector.read(str(tmp_path), follow=True)

        with collecting(prepare) as running:
            wait_for(lambda: running.collector._connections.max_connections == 67, "the limit")

    def test_given(self, tmp_path: Path) -> None:
        with listening(tmp_path / "s", max_handshakes=7) as running:
            wait_for(lambda: running.collector._connections.max_handshakes == 7, "the limit")


def test_streams_without_stop_are_counted(tmp_path: Path) -> None:
    """By a count of their own: pdns_recursor and dnsdist never send it. At the end of the run it is ours."""
    path = tmp_path / "s"
    with listening(path) as running, raw_connection(path) as left:
        left.sendall(START + encode_data_frames([b"1"]))
        for wire in (START + encode_data_frames([b"2"]), START + STOP, START + encode_data_frames([b"3"])[:-1]):
            with raw_connection(path) as sock:
                sock.sendall(wire)
        wait_for(lambda: running.collector.counts.connections == 4, "all connections")
        wait_for(lambda: running.collector.counts.open == 1, "the end of three")
    counts = running.collector.counts
    assert (counts.without_stop, counts.broken, counts.frames) == (1, 1, 2)


def test_who_connects_and_leaves(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path, verbose=True) as running:
        for number, wire in enumerate((START + encode_data_frames([b"2"]), START + STOP, START[:-1])):
            with raw_connection(path) as sock:
                sock.sendall(wire)
            wait_for(lambda number=number: len(running.reports) >= 2 * number + 2, "its lines")  # type: ignore[misc]
    name = f"unix:{path} connection"
    assert running.reports[:-1] == [
        f"{name} 1 {own()}: connected",
        f"{name} 1 {own()}: ended without STOP after 1 frames",
        f"{name} 2 {own()}: connected",
        f"{name} 2 {own()}: ended by STOP after 0 frames",
        f"{name} 3 {own()}: connected",
        f"{name} 3 {own()}: ended by an error after 0 frames",
    ]


def test_stop_while_a_pipe_is_opened(tmp_path: Path) -> None:
    """Nobody opens it to write. The program can end, though a thread still waits in the system call."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def run() -> None:
        collector = Collector(print)
        asyncio.get_running_loop().call_later(0.01, collector.stop)
        await collector.read(str(fifo))
        await collector.run(Payloads())
        await collector.close()

    asyncio.run(run())
    os.close(os.open(fifo, os.O_WRONLY))  # Ends the thread.


def test_closed_with_inputs_left(tmp_path: Path) -> None:
    async def run() -> None:
        collector = Collector(print)
        await collector.read(file_of(tmp_path / "a", b"1"))
        await collector.read(file_of(tmp_path / "b", b"1"))
        await collector.listen(tmp_path / "s")
        await collector.close()

    asyncio.run(run())
    assert not (tmp_path / "s").exists()


def test_any_number_of_inputs_and_outputs(tmp_path: Path) -> None:
    """A file, a named pipe, unix sockets and TCP; to a function, a coroutine and a recording."""
    fifo, recording = tmp_path / "fifo", tmp_path / "recording"
    os.mkfifo(fifo)
    endpoints: list[Endpoint] = []
    later: list[bytes] = []

    class Later:
        async def write_many(self, payloads: list[bytes]) -> None:
            await asyncio.sleep(0.01)
            later.extend(payloads)

    async def prepare(collector: Collector) -> None:
        await collector.read(file_of(tmp_path / "a", b"1", b"2"))
        await collector.read(str(fifo))
        endpoints.append(await collector.listen(tmp_path / "s"))
        endpoints.append(await collector.listen("tcp:127.0.0.1:0"))

    output = Recording(str(recording))
    payloads = Payloads()
    feeding = start(file_of, fifo, b"3")
    with collecting(prepare, payloads, Later(), output) as running:
        for number, endpoint in enumerate(endpoints):
            with open_writer(endpoint, [CONTENT_TYPE]) as writer:
                writer.write(b"%d" % (number + 4))
        wait_for(lambda: len(later) == 5, "the payloads")
        counts = running.collector.counts
        assert (counts.frames, counts.bytes, counts.connections, counts.broken) == (5, 5, 2, 0)
    feeding.result(DEADLINE_S)
    output.close()
    assert sorted(later) == sorted(payloads) == [b"1", b"2", b"3", b"4", b"5"]
    with read_file(recording) as reader:
        assert sorted(reader) == sorted(payloads)
    assert running.reports == []


def test_only_passed_on(tmp_path: Path) -> None:
    """Frames are recorded as they were received."""
    recordings = [Recording(str(tmp_path / name)) for name in ("b", "c")]
    sizes = [1, 300_000, 5, 70_000]
    with collecting(lambda collector: collector.listen(tmp_path / "s"), *recordings) as running:
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
            for size in sizes:
                writer.write(b"x" * size)
        wait_for(lambda: running.collector.counts.frames == len(sizes), "the frames")
        assert running.collector.counts.bytes == sum(sizes)
    for output in recordings:
        output.close()
        assert output.frames == len(sizes)
        with read_file(output.path, [CONTENT_TYPE]) as reader:
            assert [len(payload) for payload in reader] == sizes


def test_a_blocking_output(tmp_path: Path) -> None:
    """A pipe that is not read delays neither the loop nor the handshakes of other connections."""
    reading, writing = os.pipe()
    output = TextOutput(f"/dev/fd/{writing}", "json")
    os.close(writing)
    payload = bytes(Dnstap(identity=b"x" * 50_000, type=DnstapType.MESSAGE))
    with listening_to(tmp_path / "s", output), open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
        writer.write_many([payload] * 10)
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as other:
            other.write(payload)
            text = b""
            while text.count(b"\n") < 11:
                text += os.read(reading, 1 << 16)
    output.close()
    os.close(reading)


class Slow(Payloads):
    """An output that takes nothing until `may` is set."""

    may = False

    async def write_many(self, payloads: list[bytes]) -> None:  # type: ignore[override]
        while not self.may:
            await asyncio.sleep(0.001)
        self.extend(payloads)


def test_overload_drops_frames(tmp_path: Path) -> None:
    """While the output is behind, sockets are still read, and frames that do not fit are counted. Files wait."""
    options: dict[str, Any] = {"overload": "drop", "queue_bytes": 100, "report_period_s": 0.0, "tick_s": 0.01}
    path, file = tmp_path / "s", tmp_path / "file"
    with write_file(file, [CONTENT_TYPE]) as writer:
        writer.write_many([b"f" * 500] * 1000)
    slow, other = Slow(), Payloads()

    async def prepare(collector: Collector) -> None:
        await collector.listen(path)
        await collector.read(str(file))

    sent = 0
    with collecting(prepare, slow, other, **options) as running, open_writer(path, [CONTENT_TYPE]) as tap:
        while not running.collector.counts.dropped:
            tap.write(b"%030d" % sent)
            sent += 1
        wait_for(lambda: running.collector.counts.frames >= sent, "the frames")
        wait_for(lambda: any("dropped" in line for line in running.reports), "the report")
        assert running.collector.counts.frames < sent + 1000  # the file waits
        slow.may = True
    counts = running.collector.counts
    of_slow, of_other = running.collector.output_counts
    assert counts.dropped == of_slow.dropped > 0
    assert of_slow == ("Slow", counts.frames, len(slow), 0, of_slow.dropped, 0)
    assert (of_slow.left, of_other.left) == (0, 0)
    assert len(other) == counts.frames
    taps = [payload for payload in slow if payload[:1] != b"f"]
    assert len(taps) == sent - counts.dropped
    assert taps[-1] == b"%030d" % (sent - 1)  # The oldest were dropped.
    assert taps == sorted(set(taps))
    dropped = next(line for line in running.reports if "dropped" in line)
    assert re.fullmatch(r"Slow: (\d+) frames dropped, because it was behind; \1 in all", dropped)


def test_what_waits_is_counted_at_the_end(tmp_path: Path) -> None:
    """Also what is being written; the other output has everything."""
    path = tmp_path / "s"
    slow, other = Slow(), Payloads()
    with (
        collecting(lambda collector: collector.listen(path), slow, other, drain_s=0.2) as running,
        open_writer(path, [CONTENT_TYPE]) as tap,
    ):
        for number in range(1, 4):
            tap.write(b"x")
            wait_for(lambda number=number: running.collector.counts.frames == number, "the frame")  # type: ignore[misc]
    assert slow == []
    assert other == [b"x"] * 3
    assert running.collector.time_left == LAST_S
    assert [counts.left for counts in running.collector.output_counts] == [3, 0]
    assert running.reports == ["Slow: 3 of 3 frames were not written"]


def test_outputs_that_go_on_are_not_given_up(tmp_path: Path) -> None:
    """They have the time of `drain_s` for each step, but no more than `drain_most_s` for all."""

    class Steps(Payloads):
        async def write_many(self, payloads: list[bytes]) -> None:  # type: ignore[override]
            await asyncio.sleep(0.1)
            self.extend(payloads)

    def left(number: int, **options: Any) -> int:
        path = tmp_path / "s"
        payloads = [b"x" * 200_000] * number
        with collecting(lambda collector: collector.listen(path), Steps(), **options) as running:
            with open_writer(path, [CONTENT_TYPE]) as tap:
                tap.write_many(payloads)
            running.stop()
        (counts,) = running.collector.output_counts
        assert counts.written + counts.left == number
        return counts.left

    assert left(10, drain_s=0.5, drain_most_s=DEADLINE_S) == 0
    assert left(10, drain_s=DEADLINE_S, drain_most_s=0.3) > 0


def test_a_complete_run_waits_for_its_outputs(tmp_path: Path) -> None:
    """They have time as if the inputs had ended, until the run is stopped for another reason."""
    path = tmp_path / "s"
    slow = Slow()

    class Count:
        def write_many(self, payloads: list[bytes]) -> None:
            if payloads == [b"last"]:
                running.collector.stop(complete=True)

    with collecting(lambda collector: collector.listen(path), slow, Count(), drain_s=0.0, drain_most_s=0.0) as running:
        # The collector may close the connection before it has read STOP.
        with suppress(FrameStreamError, OSError), open_writer(path, [CONTENT_TYPE]) as tap:
            tap.write(b"x")
            wait_for(lambda: running.collector.counts.frames == 1, "the frame")
            tap.write(b"last")
        wait_for(lambda: not path.exists(), "the end of the inputs")
        with pytest.raises(TimeoutError):
            running.thread.result(0.3)
        slow.may = True
        running.thread.result(DEADLINE_S)
        assert slow == [b"x", b"last"]
    slow = Slow()
    with collecting(lambda collector: collector.listen(path), slow, Count(), drain_s=0.0) as running:
        with suppress(FrameStreamError, OSError), open_writer(path, [CONTENT_TYPE]) as tap:
            tap.write(b"last")
        wait_for(lambda: not path.exists(), "the end of the inputs")
    assert running.collector.output_counts[0].left == 1


def test_an_output_that_fails_costs_no_other(tmp_path: Path) -> None:
    """The others are given all that was received before the error ends the run."""
    path = tmp_path / "s"
    slow = Slow()
    running = Running(lambda collector: collector.listen(path), slow, Full(), drain_s=DEADLINE_S)
    with raw_connection(path) as tap:
        tap.sendall(START + encode_data_frames([b"1", b"2"]))
        wait_for(lambda: running.collector.output_counts[0].reached, "the frames")
        slow.may = True
        running.thread.result(DEADLINE_S)
    assert str(running.error) == "disk full"
    assert slow == [b"1", b"2"]
    assert running.reports == ["Full: 2 of 2 frames were not written"]


def test_a_followed_file_waits_for_room(tmp_path: Path) -> None:
    """Also at the end: a file may hold more than fits in memory. What was not read of it has reached no output."""
    file = tmp_path / "file"
    with write_file(file, [CONTENT_TYPE]) as writer:
        writer.write_many([b"f" * 500] * 10_000)
    options: dict[str, Any] = {"drain_s": 0.2, "queue_bytes": 1000}
    with collecting(lambda collector: collector.read(str(file), follow=True), Slow(), **options) as running:
        wait_for(lambda: running.collector.counts.frames > 1, "the frames")
    (counts,) = running.collector.output_counts
    assert 0 < counts.left == counts.reached == running.collector.counts.frames < 10_000
    assert f"{file}: the outputs did not take all that was received within 0.2 s" in running.reports


def test_small_batches_are_let_gather(tmp_path: Path) -> None:
    """Frames that arrive together are passed on together; none is lost or reordered."""
    batches: list[list[bytes]] = []

    class Batches:
        def write_many(self, payloads: list[bytes]) -> None:
            batches.append(payloads)

    payloads = [b"%d" % number for number in range(2000)]
    with collecting(lambda collector: collector.listen(tmp_path / "s"), Batches(), gather_s=0.002) as running:
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
            for payload in payloads:
                writer.write(payload)
        wait_for(lambda: running.collector.counts.frames == len(payloads), "the frames")
    assert [payload for batch in batches for payload in batch] == payloads
    assert len(batches) < len(payloads) / 2


def test_connect_to_writers_that_listen(tmp_path: Path) -> None:
    """The connection is made again each time a stream ends; the good frames of a broken one are kept."""
    path = tmp_path / "server"

    def serve(writer: Writer, number: int) -> None:
        writer.write(b"%d" % number)
        if number % 2:
            os.write(writer.fileno(), b"\xff\xff\xff\xff")
            writer.abort()
        else:
            writer.close()

    async def prepare(collector: Collector) -> None:
        collector.connect(path)

    with collecting(prepare, backoff=Backoff(first_s=0.01)) as running:
        # Nobody listens yet.
        wait_for(lambda: running.reports, "the report")
        with closing(Server(path, serve)):
            wait_for(lambda: len(running.payloads) >= 6, "the payloads")
            counts = running.collector.counts
    assert running.payloads[:6] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert counts.connections >= 6
    assert counts.broken >= 3
    missing, broken, *_ = running.reports
    assert missing == f"unix:{path}: no connection: No such file or directory"
    assert broken.startswith(f"unix:{path}: expected a data frame of at most 1048576 bytes, got one of 4294967295")


def test_a_file_that_grows_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    writer = write_file(path, [CONTENT_TYPE])
    with collecting(lambda collector: collector.read(str(path), follow=True)) as running:
        for number in range(3):
            writer.write(b"%d" % number)
            wait_for(lambda number=number: len(running.payloads) == number + 1, "the payload")  # type: ignore[misc]
        writer.close()
        path.rename(tmp_path / "old")
        file_of(path, b"3")
        wait_for(lambda: len(running.payloads) == 4, "the payload of the next file")
    assert (running.payloads, running.reports) == ([b"0", b"1", b"2", b"3"], [])
    with collecting(lambda collector: collector.read(str(path), follow=True)) as running:
        wait_for(lambda: running.payloads, "the payload")
        path.unlink()
        wait_for(lambda: running.reports, "the report")
        file_of(path, b"4")
        wait_for(lambda: len(running.payloads) == 2, "the payload of the file made anew")
    assert running.reports == [f"{path}: no file there; waiting for one"]


def test_stop_while_waiting_for_a_pipe(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    opening = start(os.open, fifo, os.O_WRONLY)
    with collecting(lambda collector: collector.read(str(fifo))) as running:
        descriptor = opening.result(DEADLINE_S)
        os.write(descriptor, START + encode_data_frames([b"1"]))
        wait_for(lambda: running.payloads, "the payload")
    os.close(descriptor)
    assert running.reports == [f"{fifo}: stopped at byte {len(START) + 5}"]
    assert not running.collector.interrupted  # A pipe has no end that should have been reached.


def test_stages(tmp_path: Path) -> None:
    """Stages are Stage objects, functions, or an Anonymizer, which reports what it left out."""
    payloads = Payloads()
    reports: list[str] = []
    good = bytes.fromhex("7801")

    async def run() -> None:
        collector = Collector(reports.append)
        await collector.read(file_of(tmp_path / "a", good, b"skipped", b"junk", good, good, good))
        await collector.run(
            payloads,
            stages=[
                lambda payloads: [payload for payload in payloads if payload != b"skipped"],
                Anonymizer(truncate()),
                Sample(2),
                Head(2, collector.stop),
            ],
        )
        await collector.close()

    asyncio.run(run())
    assert payloads == [good] * 2
    stopped, line = reports
    assert stopped.startswith(f"{tmp_path / 'a'}: stopped at byte ")
    assert line.startswith("1 of 5 payloads cannot be anonymized and are left out; the first was payload 2: ")


def test_what_is_due_is_done(tmp_path: Path) -> None:
    """Files are reopened while nothing is received; reports are summed up; an error of `tick` ends the run."""

    def fail() -> None:
        raise FileNotFoundError

    path = tmp_path / "out"
    output = TextOutput(str(path), "yaml")
    with listening_to(tmp_path / "s", output, tick_s=0.01, report_period_s=0.02) as running:
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
            writer.write(b"junk")
            wait_for(lambda: running.reports, "the report")
        path.rename(tmp_path / "old")
        output.reopen_soon()
        wait_for(path.exists, "the new file")
        path.unlink()
        output.path = str(tmp_path / "missing" / "out")
        output.reopen_soon()
        wait_for(lambda: len(running.reports) > 1, "the report of a file that cannot be opened")
        output.tick = fail  # type: ignore[method-assign]
        running.thread.result(DEADLINE_S)
    assert isinstance(running.error, FileNotFoundError)
    assert "cannot begin a new file" in running.reports[1]
    assert running.reports[0].startswith("1 of 1 payloads left out; the first was payload 1: ")


def test_frames_over_the_limit_may_be_left_out(tmp_path: Path) -> None:
    limits = Limits(max_data_bytes=4, oversize="skip")
    with listening(tmp_path / "s", limits=limits) as running, open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
        writer.write_many([b"1234", b"12345", b"1"])
        wait_for(lambda: running.collector.counts.frames == 2, "the frames")
        assert running.collector.counts.left_out == 1
    assert running.payloads == [b"1234", b"1"]
    assert running.reports == [f"unix:{tmp_path / 's'} connection 1 {own()}: 1 frames over 4 bytes left out"]


class Refusing(Payloads):
    """An output that fails, but not by the system."""

    def write_many(self, payloads: list[bytes]) -> None:
        raise ValueError("refused")


async def run_over(path: str, output: Writable, *stages: AnyStage, **options: Any) -> None:
    """Run a collector from a file to an output."""
    collector = Collector(print, **options)
    await collector.read(path)
    try:
        await collector.run(output, stages=stages)
    finally:
        await collector.close()


def test_queries_that_were_held_are_written_at_the_end(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", query(0), query(1, query_port=1), response(2, query_port=1))
    payloads = Payloads()
    asyncio.run(run_over(path, payloads, Pairs(), compile_filter("has answered")))
    assert payloads == [query(1, query_port=1), query(0)]


def test_an_output_that_fails_at_the_end(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", query(0))
    with pytest.raises(ValueError, match="refused"):
        asyncio.run(run_over(path, Refusing(), Pairs(hold_queries=True)))


async def receive_held_query(path: Path, output: Payloads) -> None:
    """Receive a query that is held for a short time, from a connection that stays open until it has been written."""
    collector = Collector(print, tick_s=0.01)
    await collector.listen(path)
    with raw_connection(path) as sock:
        sock.sendall(START + encode_data_frames([query(0)]))
        running = asyncio.create_task(collector.run(output, stages=[Pairs(0.05, hold_queries=True)]))
        while not (running.done() or output):
            await asyncio.sleep(0.001)
        collector.stop()
        try:
            await running
        finally:
            await collector.close()


def test_queries_are_not_held_for_long_where_nothing_follows(tmp_path: Path) -> None:
    payloads = Payloads()
    asyncio.run(asyncio.wait_for(receive_held_query(tmp_path / "s", payloads), DEADLINE_S))
    assert payloads == [query(0)]


def test_an_output_that_fails_where_nothing_follows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"):
        asyncio.run(asyncio.wait_for(receive_held_query(tmp_path / "s", Refusing()), DEADLINE_S))


def test_pairs_for_a_handler_and_a_filter(tmp_path: Path) -> None:
    """They come before the filter, and messages have what was found."""
    path = file_of(tmp_path / "a", query(0), query(1, query_port=1), response(2, query_port=1))
    found: list[tuple[bool | None, int | None]] = []

    def note(messages: list[DnstapMessage], _: Source) -> None:
        found.extend((each.answered, each.message.latency_ns) for each in messages)

    async def run(**options: Any) -> None:
        async with Collector(print) as collector:
            await collector.read(path)
            await collector.run(note, **options)

    asyncio.run(run(pairs=Pairs(), filter="has answered or latency > 1ms"))
    assert found == [(True, None), (None, 10**9), (False, None)]
    with pytest.raises(ValueError, match="filter: answered: expected `pairs`, which finds out"):
        asyncio.run(run(filter="answered = no"))
    with pytest.raises(TypeError, match="pairs: expected Pairs, got 5 of type int"):
        asyncio.run(run(pairs=5))


def test_only_sockets_are_connected_to() -> None:
    collector = Collector(print)
    with pytest.raises(LocalProtocolError, match="is not a socket to connect to"):
        collector.connect("file:x")


def test_connections_without_time_are_closed(tmp_path: Path) -> None:
    """They were accepted when there was no time left to read from them."""
    path = tmp_path / "s"
    reports: list[str] = []

    async def run() -> None:
        collector = Collector(reports.append, drain_s=0.0)
        await collector.listen(path)
        with raw_connection(path) as peer:
            collector.stop()
            await collector.run(Payloads())
            await collector.close()
            assert peer.recv(1) == b""

    asyncio.run(run())
    assert reports == [
        f"unix:{path} connection 1 {own()}: the outputs did not take all that was received within 0.0 s",
    ]


def test_a_cancelled_run_leaves_no_task(tmp_path: Path) -> None:
    async def run() -> None:
        collector = Collector(print)
        await collector.listen(tmp_path / "s")
        running = asyncio.create_task(collector.run(Payloads()))
        while len(asyncio.all_tasks()) < 4:  # This one, the run, its input, and the one for what is due.
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await collector.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"report": 5}, "report: expected a function that takes a line, got 5"),
        ({"limits": 5}, "limits: expected Limits, got 5"),
        ({"deadlines": Deadlines(handshake_s=-5)}, "deadlines.handshake_s: expected a number of at least 0, got -5"),
        ({"backoff": None}, "backoff: expected Backoff, got None"),
        ({"queue_bytes": 0}, "queue_bytes: expected a whole number of at least 1, got 0"),
        ({"max_connections": 0}, "max_connections: expected a whole number of at least 1, got 0"),
        ({"max_handshakes": "5"}, "max_handshakes: expected a whole number of at least 1, got '5'"),
        ({"drain_s": -1}, "drain_s: expected a number of at least 0, got -1"),
        ({"tick_s": None}, "tick_s: expected a number of at least 0, got None"),
        ({"overload": "maybe"}, "overload: expected 'wait', 'drop' or None, got 'maybe'"),
    ],
)
def test_wrong_options(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{text}"):
        Collector(**{"report": print, **options})


def test_files_for_tls_are_read_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="missing"):
            Collector(print).connect("tls:127.0.0.1:1", tls=Tls(ca=tmp_path / "missing"))

    asyncio.run(main())


class TestHandlers:
    """Handlers of messages and payloads, in `async with`."""

    WITHOUT_MESSAGE = bytes.fromhex("7801")
    QUERY = Dnstap(identity=b"ns1", type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY)).encode()
    RESPONSE = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_RESPONSE)).encode()

    def test_all_kinds(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A bad payload costs only itself, and is logged if nobody takes reports."""
        path = Path(file_of(tmp_path / "a", self.QUERY, self.WITHOUT_MESSAGE, self.RESPONSE))
        messages: list[Any] = []
        payloads: list[bytes] = []

        async def handle(batch: list[DnstapMessage], source: Source) -> None:
            await asyncio.sleep(0)
            messages.extend([(message.message.type, source.identity) for message in batch])

        async def run() -> Collector:
            async with Collector() as collector:
                await collector.read(path)
                await collector.run(handle, payloads=lambda batch, source: payloads.extend(batch))
            return collector

        collector = asyncio.run(run())
        assert messages == [(MessageType.CLIENT_QUERY, b"ns1"), (MessageType.CLIENT_RESPONSE, b"ns1")]
        assert payloads == [self.QUERY, self.WITHOUT_MESSAGE, self.RESPONSE]
        assert (collector.skipped, collector.unmatched, collector.counts.frames) == (1, 0, 3)
        (record,) = caplog.record_tuples
        assert record[0] == "dnstap"
        assert record[2].startswith("1 of 3 payloads do not decode and were left out; the first was payload 2: ")

    def test_a_filter(self, tmp_path: Path) -> None:
        path = file_of(tmp_path / "a", self.QUERY, b"\xff", self.RESPONSE)
        for wanted in ("type = CQ", compile_filter("type = CQ")):
            payloads = Payloads()

            async def run(wanted: str | Filter = wanted, payloads: Payloads = payloads) -> Collector:
                async with Collector(print) as collector:
                    await collector.read(path)
                    await collector.run(payloads, filter=wanted)
                return collector

            collector = asyncio.run(run())
            assert payloads == [self.QUERY]
            assert (collector.skipped, collector.unmatched) == (1, 1)

    @pytest.mark.parametrize("end", ["stop", "close", "raise"])
    @pytest.mark.parametrize("later", [False, True])
    def test_ends(self, tmp_path: Path, end: str, later: bool) -> None:
        """Of a run: by its handler, which may raise."""
        collector = Collector(print)

        async def handle(messages: list[DnstapMessage], source: Source) -> None:
            assert source.peer is not None
            if end == "raise":
                raise ZeroDivisionError
            if end == "stop":
                collector.stop()
            else:
                await collector.close()

        def handle_now(messages: list[DnstapMessage], source: Source) -> None:
            if end == "raise":
                raise ZeroDivisionError
            collector.stop()

        async def run() -> None:
            async with collector:
                await collector.listen(tmp_path / "s")
                with raw_connection(tmp_path / "s") as peer:
                    peer.sendall(START + encode_data_frames([self.QUERY]))
                    await collector.run(handle if later else handle_now)

        if end == "raise":
            with pytest.raises(ZeroDivisionError):
                asyncio.run(run())
        else:
            asyncio.run(run())
            assert collector.output_counts[0].written == 1
        assert not (tmp_path / "s").exists()

    def test_back_pressure(self, tmp_path: Path) -> None:
        """While a coroutine works, what comes waits, and then the inputs do."""
        path = file_of(tmp_path / "a", *[self.QUERY] * 20_000)
        may = asyncio.Event()

        async def run() -> None:
            async def handle(payloads: list[bytes], source: Source) -> None:
                await may.wait()

            async with Collector(print, queue_bytes=1000) as collector:
                await collector.read(path)
                running = asyncio.create_task(collector.run(payloads=handle))
                while not collector.counts.frames:
                    await asyncio.sleep(0.001)
                assert collector.counts.frames < 20_000
                may.set()
                await running
                assert collector.output_counts[0].written == 20_000

        asyncio.run(run())

    def test_cancellation(self, tmp_path: Path) -> None:
        """It ends the run, and the handler with it."""
        seen: list[str] = []

        async def handle(messages: list[DnstapMessage], source: Source) -> None:
            seen.append("begun")
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("ended")

        async def run() -> None:
            reports: list[str] = []
            async with Collector(reports.append) as collector:
                await collector.read(file_of(tmp_path / "a", self.QUERY))
                running = asyncio.create_task(collector.run(handle))
                while not seen:
                    await asyncio.sleep(0)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
            assert reports == ["handle: 1 of 1 frames were not written"]

        asyncio.run(run())
        assert seen == ["begun", "ended"]

    def test_wrong_uses(self, tmp_path: Path) -> None:
        async def run() -> None:
            wrong: Any
            for wrong in ({"payloads": 5}, {"filter": 5}, {"payloads": len}):
                async with Collector() as collector:
                    (argument,) = wrong
                    with pytest.raises(TypeError, match=f"^{argument}: expected a"):
                        await collector.run(**wrong)
            async with Collector() as collector:
                for wrong in (5, b"file"):
                    with pytest.raises(TypeError, match=r"^path: expected a path, got "):
                        await collector.read(wrong)
                await collector.run()
                with pytest.raises(RuntimeError, match="the collector runs, or has run"):
                    await collector.run()
                with pytest.raises(RuntimeError, match="the collector runs, or has run"):
                    await collector.listen(tmp_path / "s")
            with pytest.raises(ValueError, match="the collector is closed"):
                await collector.run()
            with pytest.raises(ValueError, match="the collector is closed"):
                await collector.read("x")
            with pytest.raises(ValueError, match="the collector is closed"):
                collector.connect("x")

        asyncio.run(run())
