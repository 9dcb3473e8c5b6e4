"""The blocking runner: files to outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pairing import Pairs
from dnstap.pipeline.file_runner import FileRunner
from dnstap.pipeline.outputs.custom import CustomOutput
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.stages import Head, Pairing, Sample
from framestream import encode_data_frames, read_file
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.streams import START, Payloads, file_of

if TYPE_CHECKING:
    from pathlib import Path


def test_files_one_after_the_other(tmp_path: Path) -> None:
    paths = [file_of(tmp_path / "a", b"1", b"2"), file_of(tmp_path / "b"), file_of(tmp_path / "c", b"3", b"4")]
    reports: list[str] = []
    payloads = Payloads()
    runner = FileRunner(reports.append)
    for path in paths:
        runner.read(path)
    size = runner.size
    assert (size, runner.position()) == (sum(os.path.getsize(path) for path in paths), 0)
    runner.run(CustomOutput(payloads), stages=[Sample(2)])
    runner.close()
    assert (payloads, reports, runner.failed_files) == ([b"1", b"3"], [], 0)
    assert (runner.counts.files, runner.counts.frames, runner.counts.open) == (3, 4, 0)
    assert runner.position() == size


def test_frames_are_copied_as_they_are(tmp_path: Path) -> None:
    payloads = [b"x" * size for size in (1, 300_000, 5, 70_000)]
    output = Recording(str(tmp_path / "b"))
    runner = FileRunner(print)
    runner.read(file_of(tmp_path / "a", *payloads))
    runner.run(output)
    runner.close()
    output.close()
    assert (output.frames, runner.counts.frames) == (4, 4)
    with read_file(tmp_path / "b", [CONTENT_TYPE]) as reader:
        assert list(reader) == payloads


def test_a_broken_file_costs_only_its_rest(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(START + encode_data_frames([b"1"]) + b"\xff\xff\xff\xff")
    payloads, reports = Payloads(), list[str]()
    runner = FileRunner(reports.append)
    runner.read(str(broken))
    runner.read(file_of(tmp_path / "b", b"2"))
    runner.run(CustomOutput(payloads))
    assert payloads == [b"1", b"2"]
    assert (runner.failed_files, runner.counts.broken) == (1, 1)
    assert reports == [f"{broken}: expected a data frame of at most 1048576 bytes, got one of 4294967295, at byte 47"]


@pytest.mark.parametrize("complete", [False, True])
def test_stopped(tmp_path: Path, complete: bool) -> None:
    payloads, reports = Payloads(), list[str]()
    runner = FileRunner(reports.append)
    paths = [file_of(tmp_path / name, b"1" * 300_000, b"2") for name in "ab"]
    for path in paths:
        runner.read(path)

    def stop() -> None:
        runner.stop(complete=complete)
        runner.stop(complete=not complete)  # It is stopped already.

    runner.run(CustomOutput(payloads), stages=[Head(1, stop)])
    runner.close()
    assert payloads == [b"1" * 300_000]
    assert runner.interrupted is not complete
    if complete:
        assert not reports
    else:
        first, second = reports
        assert first.startswith(f"{paths[0]}: stopped at byte 3000")
        assert second == f"{paths[1]}: stopped at byte 0"


def test_stopped_at_the_end(tmp_path: Path) -> None:
    runner = FileRunner(print)
    runner.read(file_of(tmp_path / "a", b"1"))
    runner.run(CustomOutput(Payloads()))
    runner.stop()
    assert not runner.interrupted


def test_an_error_of_the_output_ends_the_run(tmp_path: Path) -> None:
    class Full:
        def write_many(self, payloads: list[bytes]) -> None:
            raise OSError("disk full")

    runner = FileRunner(print)
    runner.read(file_of(tmp_path / "a", b"1"))
    with pytest.raises(OSError, match="disk full"):
        runner.run(CustomOutput(Full()))


def test_it_needs_no_event_loop() -> None:
    check = "import sys, dnstap.pipeline.file_runner; print(*{'asyncio', 'socket', 'ssl'} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert process.stdout == "\n"


def test_queries_that_were_held_are_written_at_the_end(tmp_path: Path) -> None:
    payloads = Payloads()
    runner = FileRunner(print)
    runner.read(file_of(tmp_path / "a", query(0), query(1, query_port=1)))
    runner.read(file_of(tmp_path / "b", response(2, query_port=1)))
    runner.run(CustomOutput(payloads), stages=[Pairing(Pairs(hold_queries=True))])
    runner.close()
    assert payloads == [query(1, query_port=1), response(2, query_port=1), query(0)]
