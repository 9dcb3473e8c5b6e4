"""Files that are followed: missing, replaced, cut, rotated, compressed, many."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.collector import Collector
from dnstap.pipeline.inputs import followed
from framestream import Writer, aio, encode_data_frames, write_file
from tests.dnstap.pipeline.streams import START, STOP, Payloads, file_of
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from framestream.aio import Reader


class Following:
    """A collector that follows files in a thread.

    Attributes: payloads, reports: all so far.
    """

    def __init__(self, path: Path) -> None:
        self.payloads = Payloads()
        self.reports: list[str] = []
        self.collector = Collector(self.reports.append)
        self._ready = threading.Event()
        self._running = start(asyncio.run, self._run(path))
        assert self._ready.wait(DEADLINE_S)

    async def _run(self, path: Path) -> None:
        await self.collector.read(str(path), follow=True)
        self._ready.set()
        await self.collector.run(self.payloads)
        await self.collector.close()

    def wait_for(self, *payloads: bytes) -> None:
        """Wait until so many payloads have come, and check that they are these."""
        wait_for(lambda: len(self.payloads) >= len(payloads), "the payloads")
        assert self.payloads == list(payloads)

    def stop(self) -> None:
        self.collector.stop()
        self._running.result(DEADLINE_S)


@contextmanager
def following(path: Path) -> Iterator[Following]:
    running = Following(path)
    try:
        yield running
    finally:
        running.stop()


def growing(path: Path, *payloads: bytes) -> Writer:
    """Begin a file, and return its writer."""
    writer = write_file(path, [CONTENT_TYPE])
    writer.write_many(payloads)
    return writer


def aged(path: Path, seconds: int) -> None:
    """Set the time of the last change of a file, counted from any fixed one."""
    os.utime(path, (seconds, seconds))


class TestOneFile:
    def test_it_may_be_missing_and_be_made_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        with following(path) as running:
            wait_for(lambda: running.reports, "the report")
            file_of(path, b"1")
            running.wait_for(b"1")
            path.unlink()
            wait_for(lambda: len(running.reports) == 2, "the second report")
            file_of(path, b"2")
            running.wait_for(b"1", b"2")
        assert running.reports == [f"{path}: no file there; waiting for one"] * 2

    def test_it_is_empty_at_first(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.touch()
        with following(path) as running:
            file_of(path, b"1")
            running.wait_for(b"1")
        assert not running.reports

    def test_rotation(self, tmp_path: Path) -> None:
        """Its writer goes on with the old file for a while, although there is a new one."""
        path = tmp_path / "a"
        with growing(path, b"1") as old, following(path) as running:
            running.wait_for(b"1")
            path.rename(tmp_path / "old")
            with growing(path, b"3"):
                old.write(b"2")
                running.wait_for(b"1", b"2", b"3")
        assert not running.reports

    def test_it_is_appended_to(self, tmp_path: Path) -> None:
        """STOP at its end is replaced by more frames."""
        path = tmp_path / "a"
        file_of(path, b"1")
        with following(path) as running:
            running.wait_for(b"1")
            for number in (b"2", b"3"):
                with write_file(path, [CONTENT_TYPE], mode="append") as writer:
                    writer.write(number)
                wait_for(lambda number=number: number in running.payloads, "the payload")  # type: ignore[misc]
        assert (running.payloads, running.reports) == ([b"1", b"2", b"3"], [])

    def test_it_is_cut(self, tmp_path: Path) -> None:
        """Read from its new beginning, as after copytruncate."""
        path = tmp_path / "a"
        with following(path) as running:
            file_of(path, b"1" * 1000)
            wait_for(lambda: running.payloads, "the payload")
            os.truncate(path, 0)
            wait_for(lambda: running.reports, "the report")
            file_of(path, b"2")
            running.wait_for(b"1" * 1000, b"2")
        assert (running.collector.counts.broken, running.collector.failed_files) == (1, 0)

    def test_it_is_cut_and_was_known_by_start_alone(self, tmp_path: Path) -> None:
        """As a recording whose first frames come later than its reader: all recordings begin so."""
        path = tmp_path / "a"
        with growing(path) as writer, following(path) as running:
            wait_for(lambda: running.collector.counts.files, "the reader")
            writer.write_many([b"1", b"2", b"3"])
            running.wait_for(b"1", b"2", b"3")
            os.truncate(path, 0)
            wait_for(lambda: running.reports, "the report")
            writer.write(b"4")
            running.wait_for(b"1", b"2", b"3", b"4")

    def test_a_broken_file_is_not_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_bytes(START + encode_data_frames([b"1"]) + b"\xff" * 8)
        with following(path) as running:
            wait_for(lambda: running.reports, "the report")
            for _ in range(3):  # It is changed.
                with path.open("ab") as file:
                    file.write(b"more")
                before = running.collector.counts.files
                wait_for(lambda: not running.collector.counts.open, "the end")
                assert running.collector.counts.files == before
            file_of(tmp_path / "b", b"2")
            (tmp_path / "b").rename(path)
            running.wait_for(b"1", b"2")
        assert (len(running.reports), running.collector.failed_files) == (1, 1)


class TestDirectory:
    def test_files_that_are_there_and_files_that_come(self, tmp_path: Path) -> None:
        """In the order of their last change; hidden files and folders do not count."""
        for seconds, name in enumerate("cab"):
            file_of(tmp_path / name, name.encode())
            aged(tmp_path / name, seconds)
        file_of(tmp_path / ".hidden", b"hidden")
        (tmp_path / "folder").mkdir()
        with following(tmp_path) as running:
            running.wait_for(b"c", b"a", b"b")
            with growing(tmp_path / "d", b"d1") as d, growing(tmp_path / "e", b"e1") as e:
                wait_for(lambda: len(running.payloads) == 5, "the payloads of the new files")
                for writer, payload in ((e, b"e2"), (d, b"d2"), (e, b"e3")):
                    writer.write(payload)
                    wait_for(lambda payload=payload: payload in running.payloads, "the payload")  # type: ignore[misc]
        assert sorted(running.payloads) == sorted([b"c", b"a", b"b", b"d1", b"d2", b"e1", b"e2", b"e3"])
        assert not running.reports

    def test_pattern(self, tmp_path: Path) -> None:
        with following(tmp_path / "*.fstrm") as running:
            wait_for(lambda: running.reports, "the report")
            file_of(tmp_path / "a.txt", b"not this")
            file_of(tmp_path / "a.fstrm", b"1")
            running.wait_for(b"1")
            file_of(tmp_path / "b.fstrm", b"2")
            running.wait_for(b"1", b"2")
        assert running.reports == [f"{tmp_path}/*.fstrm: no file there; waiting for one"]

    @pytest.mark.parametrize(
        ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
    )
    def test_a_rotated_file_is_not_read_twice(
        self, tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
    ) -> None:
        """Neither under its new name nor compressed, but its rest is read."""
        current, old = tmp_path / "log", tmp_path / "log-1"
        file_of(tmp_path / "other")
        with following(tmp_path) as running:
            for number in range(3):
                first, second = b"%d first" % number, b"%d second" % number
                with growing(current, first) as writer:
                    wait_for(lambda first=first: first in running.payloads, "the first payload")  # type: ignore[misc]
                    current.rename(old)
                    writer.write(second)
                    wait_for(lambda second=second: second in running.payloads, "the second")  # type: ignore[misc]
                (tmp_path / f"log-{number}{suffix}").write_bytes(compress(old.read_bytes()))
                old.unlink()
            # Read last, so the compressed ones have been looked at.
            file_of(tmp_path / "last", b"last")
            wait_for(lambda: b"last" in running.payloads, "the last payload")
        expected = [b"%d %s" % (number, which) for number in range(3) for which in (b"first", b"second")]
        assert running.payloads == [*expected, b"last"]
        assert not running.reports

    def test_a_compressed_file_with_the_number_of_a_longer_one(self, tmp_path: Path) -> None:
        """It gets that of a removed file, and is as little read twice as any other."""
        first, second = tmp_path / "1", tmp_path / "2"
        file_of(first, b"1" * 1000)
        with following(tmp_path) as running:
            file_of(second, b"2" * 1000)
            running.wait_for(b"1" * 1000, b"2" * 1000)
            # The number of a removed file is given again when the system likes; so is that of one which is overwritten.
            second.write_bytes(gzip.compress(first.read_bytes()))
            wait_for(lambda: running.reports, "the report that the second was cut")
            file_of(tmp_path / "3", b"3")
            wait_for(lambda: b"3" in running.payloads, "the last payload")
        assert running.payloads == [b"1" * 1000, b"2" * 1000, b"3"]

    def test_compressed_files_that_were_never_read_otherwise(self, tmp_path: Path) -> None:
        wire = START + encode_data_frames([b"1"]) + STOP
        (tmp_path / "a.gz").write_bytes(gzip.compress(wire)[:5])  # Its beginning, which gives nothing yet.
        with following(tmp_path) as running:
            file_of(tmp_path / "b", b"2")
            running.wait_for(b"2")
            (tmp_path / "a.gz").write_bytes(gzip.compress(wire))
            running.wait_for(b"2", b"1")
        assert not running.reports

    def test_a_fault_in_compressed_data_is_reported_once(self, tmp_path: Path) -> None:
        (tmp_path / "a.gz").write_bytes(b"\x1f\x8b" + b"\xff" * 30)
        with following(tmp_path) as running:
            wait_for(lambda: running.reports, "the report")
            file_of(tmp_path / "b", b"2")
            running.wait_for(b"2")
        assert len(running.reports) == 1
        assert "gzip data" in running.reports[0]

    def test_copies(self, tmp_path: Path) -> None:
        """A copy of a file with frames is left out; two files with nothing but START are two files."""
        with growing(tmp_path / "a") as a, growing(tmp_path / "b") as b, following(tmp_path) as running:
            wait_for(lambda: running.collector.counts.open == 2, "both files")
            a.write(b"1")
            b.write(b"2")
            wait_for(lambda: len(running.payloads) == 2, "the payloads")
            a.flush()
            # Once the file is known by its frame.
            wait_for(lambda: is_known_by(running, b"1"), "the beginning")
            (tmp_path / "copy").write_bytes((tmp_path / "a").read_bytes())
            file_of(tmp_path / "last", b"3")
            wait_for(lambda: len(running.payloads) == 3, "the last payload")
        assert sorted(running.payloads) == [b"1", b"2", b"3"]
        assert running.reports == [f"{tmp_path / 'copy'}: a copy of a file that was read; left out"]

    def test_more_files_than_may_be_open(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that rest are closed; one that grows again is gone on with."""
        monkeypatch.setattr(followed, "MAX_OPEN", 3)
        writers = [growing(tmp_path / f"{number}", b"%d" % number) for number in range(10)]
        for number in range(10):
            aged(tmp_path / f"{number}", number)
        with following(tmp_path) as running:
            wait_for(lambda: len(running.payloads) == 10, "the payloads")
            assert running.payloads == [b"%d" % number for number in range(10)]
            for number in (0, 9, 5):
                assert running.collector.counts.open <= 3
                payload = b"%d again" % number
                writers[number].write(payload)
                wait_for(lambda payload=payload: payload in running.payloads, "the payload")  # type: ignore[misc]
            assert running.payloads[10:] == [b"0 again", b"9 again", b"5 again"]
            # Not counted twice.
            assert (running.collector.counts.frames, running.collector.counts.bytes) == (13, 10 + 3 * 7)
        for writer in writers:
            writer.close()

    def test_a_file_inside_a_frame_is_not_closed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        room: list[bool] = []
        has_room = followed.FollowedInput._has_room

        async def note_room(source: followed.FollowedInput) -> bool:
            room.append(await has_room(source))
            return room[-1]

        monkeypatch.setattr(followed.FollowedInput, "_has_room", note_room)
        monkeypatch.setattr(followed, "MAX_OPEN", 1)
        path, wire = tmp_path / "a", encode_data_frames([b"1"])
        path.write_bytes(START + wire[:-1])
        with following(tmp_path) as running:
            wait_for(lambda: running.collector.counts.open, "the first file")
            file_of(tmp_path / "b", b"2")
            wait_for(lambda: False in room, "the look at the second file")
            with path.open("ab") as file:
                file.write(wire[-1:])
            running.wait_for(b"1", b"2")

    def test_files_that_are_gone_are_forgotten(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(followed, "MAX_OPEN", 2)
        with following(tmp_path) as running:
            for number in range(6):
                file_of(tmp_path / "a", b"%d" % number)
                wait_for(lambda number=number: len(running.payloads) == number + 1, "the payload")  # type: ignore[misc]
                (tmp_path / "a").unlink()
            source = running.collector._inputs[0]
            assert isinstance(source, followed.FollowedInput)
            wait_for(lambda: len(source._known) <= 2, "the end of the files")
        assert running.payloads == [b"%d" % number for number in range(6)]

    def test_a_file_that_was_changed_before_it_grows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It cannot be gone on with."""
        monkeypatch.setattr(followed, "MAX_OPEN", 1)
        monkeypatch.setattr(followed, "BEGINNING_BYTES", 60)
        path = tmp_path / "a"
        path.write_bytes(START + encode_data_frames([b"1" * 30, b"2"]))
        with following(tmp_path) as running:
            wait_for(lambda: len(running.payloads) == 2, "the payloads")
            file_of(tmp_path / "b", b"3")
            wait_for(lambda: len(running.payloads) == 3, "the payload of the other file")
            path.write_bytes(START + encode_data_frames([b"1" * 30]) + b"\xff" * 20)
            wait_for(lambda: running.reports, "the report")
            file_of(tmp_path / "c", b"4")
            wait_for(lambda: len(running.payloads) == 4, "the last payload")
        assert len(running.reports) == 1
        assert "expected a data frame" in running.reports[0]

    def test_a_file_that_cannot_be_opened_is_tried_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        failures: list[OSError] = [PermissionError(13, "Permission denied")] * 3
        failures.append(FileNotFoundError(2, "No such file or directory"))

        async def read_file(*arguments: Any, **options: Any) -> Reader:
            if failures:
                raise failures.pop(0)
            return await aio.read_file(*arguments, **options)

        monkeypatch.setattr(followed, "read_file", read_file)
        with following(tmp_path) as running:
            file_of(tmp_path / "a", b"1")
            running.wait_for(b"1")
        assert running.reports[-1] == f"{tmp_path / 'a'}: Permission denied"
        assert sum("denied" in line for line in running.reports) == 1

    def test_a_removed_directory(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        with following(folder) as running:
            wait_for(lambda: running.reports, "the report")
            folder.rmdir()
            folder.mkdir()
            file_of(folder / "a", b"1")
            running.wait_for(b"1")


def is_known_by(running: Following, payload: bytes) -> bool:
    source = running.collector._inputs[0]
    assert isinstance(source, followed.FollowedInput)
    return any(payload in known.beginning for known in source._known.values())
