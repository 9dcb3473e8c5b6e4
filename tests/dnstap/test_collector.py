"""The collector: many inputs, one output, and what becomes of the broken ones."""

from __future__ import annotations

import resource
import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from dnstap.collector import Collector
from dnstap.content_type import CONTENT_TYPE
from framestream import ControlFrame, ControlType, encode_control_frame, encode_data_frames, open_writer, write_file
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = encode_control_frame(ControlFrame(ControlType.START, (CONTENT_TYPE,)))
STOP = encode_control_frame(ControlFrame(ControlType.STOP))


class Running:
    """A collector in a thread, what it passed on and what it reported."""

    def __init__(self, collector: Collector, payloads: list[bytes], reports: list[str]) -> None:
        self.collector = collector
        self.payloads = payloads
        self.reports = reports
        self.thread = threading.Thread(target=collector.run, args=(payloads.extend,))
        self.thread.start()

    def stop(self) -> None:
        """Stop it and wait for the end."""
        self.collector.stop()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()


@contextmanager
def listening(path: Path) -> Iterator[Running]:
    """A collector that listens."""
    reports: list[str] = []
    with closing(Collector(reports.append)) as collector:
        collector.listen(str(path))
        running = Running(collector, [], reports)
        try:
            yield running
        finally:
            running.stop()


def file_of(path: Path, *payloads: bytes) -> str:
    """A file with these payloads."""
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many(payloads)
    return str(path)


def collect(*paths: str) -> tuple[Collector, list[bytes], list[str]]:
    """Read files to their end."""
    payloads: list[bytes] = []
    reports: list[str] = []
    with closing(Collector(reports.append)) as collector:
        for path in paths:
            collector.read(path)
        collector.run(payloads.extend)
    return collector, payloads, reports


def raw_connection(path: Path) -> socket.socket:
    """A peer that says what it likes."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    sock.connect(str(path))
    return sock


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
        f"unix:{path} connection 1: expected READY or START, got the end of input in state IDLE, at byte 0"
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
        f"unix:{path} connection 2: {http} in state IDLE, at byte 0",
        f"unix:{path} connection 3: {other_type} in state IDLE, at byte 0",
    ]


def test_bytes_behind_stop_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as running, raw_connection(path) as peer:
        peer.sendall(START + encode_data_frames([b"1"]) + STOP + b"more")
        wait_for(lambda: running.reports, "the report")
    assert (running.payloads, running.reports) == ([b"1"], [f"unix:{path} connection 1: 4 bytes behind STOP ignored"])


def test_stop_passes_on_all_that_has_been_received(tmp_path: Path) -> None:
    """Also from connections that have not even been accepted."""
    path = tmp_path / "s"
    payloads: list[bytes] = []
    reports: list[str] = []
    with ExitStack() as stack:
        collector = stack.enter_context(closing(Collector(reports.append)))
        collector.listen(str(path))
        whole, several, cut, greeting, bad = (stack.enter_context(raw_connection(path)) for _ in range(5))
        whole.sendall(START + encode_data_frames([b"1"]))
        several.sendall(START + encode_data_frames([b"2", b"3"]))
        cut.sendall(START + encode_data_frames([b"4"]) + b"\0\0\0\5ab")
        greeting.sendall(b"\0\0")
        bad.sendall(STOP)
        collector.stop()
        collector.run(payloads.extend)
        with pytest.raises(BrokenPipeError):
            whole.sendall(b"more")
    assert sorted(payloads) == [b"1", b"2", b"3", b"4"]
    peer = f"unix:{path} connection"
    assert reports == [
        f"{peer} 3: expected 3 more bytes of a frame, got the end of input in state STREAMING, at byte 53",
        f"{peer} 5: expected READY or START, got STOP in state IDLE, at byte 0",
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
    with closing(Collector(reports.append)) as collector:
        for path in paths:
            collector.read(path)
        for _ in range(200_000):  # however often it is called, it never blocks
            collector.stop()
        collector.run(len)
    assert reports == [f"{paths[0]}: stopped at byte 0", f"{paths[1]}: stopped at byte 0"]


def test_what_the_output_raises_ends_the_run(tmp_path: Path) -> None:
    def full(_payloads: list[bytes]) -> None:
        raise OSError("disk full")

    with closing(Collector(print)) as collector:
        collector.read(file_of(tmp_path / "a", b"1"))
        with pytest.raises(OSError, match="disk full"):
            collector.run(full)


def test_who_is_silent_is_not_kept(tmp_path: Path) -> None:
    """Neither who says nothing nor who stops in the handshake; who has started may be idle."""
    path = tmp_path / "s"
    with listening(path) as running, raw_connection(path) as silent, raw_connection(path) as slow:
        slow.sendall(START[:-1])
        readers = running.collector._names
        with open_writer(path, [CONTENT_TYPE]) as idle:
            wait_for(lambda: [reader.started for reader in [*readers]] == [False, False, True], "all connections")
            for reader in [*readers]:
                reader.deadline = time.monotonic()
            idle.write(b"1")
            assert silent.recv(1) == slow.recv(1) == b""
            idle.write(b"2")
            wait_for(lambda: running.payloads == [b"1", b"2"], "the payloads of who had started")
    assert sorted(running.reports) == [f"unix:{path} connection {number}: no START within 5.0 s" for number in (1, 2)]


def test_out_of_descriptors(tmp_path: Path) -> None:
    """Who cannot be accepted waits until a connection ends; the connections there are go on."""
    path = tmp_path / "s"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with listening(path) as running:
        first = open_writer(path, [CONTENT_TYPE])
        waiting = raw_connection(path)
        spare = raw_connection(path)
        wait_for(lambda: len(running.collector._names) == 3, "all connections")
        waiting.close()
        spare.close()
        wait_for(lambda: len(running.collector._names) == 1, "the end of two")
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


def test_closed_with_inputs_left(tmp_path: Path) -> None:
    collector = Collector(print)
    collector.read(file_of(tmp_path / "a", b"1"))
    collector.read(file_of(tmp_path / "b", b"1"))
    collector.listen(str(tmp_path / "s"))
    collector.close()
    assert not (tmp_path / "s").exists()
