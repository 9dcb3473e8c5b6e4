"""Files that are followed, as an iterator. What becomes of each file is in tests/dnstap/pipeline/inputs."""

from __future__ import annotations

import asyncio
import io
import os
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.following import Following
from framestream import Writer, write_file
from framestream.streams import LIMITS
from tests.dnstap.pipeline.streams import file_of
from tests.threads import start
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def following(*paths: Path, reports: list[str] | None = None) -> Following:
    return Following(paths, LIMITS, ([] if reports is None else reports).append)


def growing(path: Path, *payloads: bytes) -> Writer:
    writer = write_file(path, [CONTENT_TYPE])
    writer.write_many(payloads)
    return writer


def test_files_grow_and_come(tmp_path: Path) -> None:
    with growing(tmp_path / "1", b"a") as writer:
        files = following(tmp_path)
        batches = files.blocking_batches()
        assert next(batches) == [b"a"]
        writer.write(b"b")
        assert next(batches) == [b"b"]
        file_of(tmp_path / "2", b"c")
        assert next(batches) == [b"c"]
        files.stop()
        assert list(batches) == []
    assert files.failed_files == 0


def test_stop_gives_what_is_there_by_now(tmp_path: Path) -> None:
    """However long the caller takes, and in whichever thread it is stopped."""
    with growing(tmp_path / "1", b"a") as writer:
        files = following(tmp_path / "1")
        batches = files.blocking_batches()
        assert next(batches) == [b"a"]
        writer.write_many([b"%d" % number for number in range(5000)])
        start(files.stop).result(20)
        rest = [payload for payloads in batches for payload in payloads]
    assert rest == [b"%d" % number for number in range(5000)]


def test_stop_while_it_waits(tmp_path: Path) -> None:
    reports: list[str] = []
    files = following(tmp_path / "missing", reports=reports)
    reading = start(lambda: list(files.blocking_batches()))
    wait_for(lambda: reports, "the report")
    files.stop()
    assert reading.result(20) == []
    assert reports == [f"{tmp_path}/missing: no file there; waiting for one"]


def test_it_is_left_early(tmp_path: Path) -> None:
    """Files are closed, and nothing is reported about what was not read."""
    reports: list[str] = []
    before = os.listdir("/proc/self/fd")
    with growing(tmp_path / "1", *[b"a" * 1000] * 1000) as writer:
        batches = following(tmp_path, reports=reports).blocking_batches()
        next(batches)
        batches.close()
        for _ in following(tmp_path, reports=reports).blocking_batches():
            break
        writer.write(b"a")
    assert os.listdir("/proc/self/fd") == before
    assert reports == []


def test_broken_files_are_counted(tmp_path: Path) -> None:
    reports: list[str] = []
    (tmp_path / "1").write_bytes(b"GET / HTTP/1.1\r\n" * 100)
    file_of(tmp_path / "2", b"a")
    files = following(tmp_path, reports=reports)
    batches = files.blocking_batches()
    assert next(batches) == [b"a"]
    files.stop()
    assert list(batches) == []
    assert files.failed_files == 1
    assert reports[0].startswith(f"{tmp_path}/1: expected START, got an HTTP request")


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="file: expected a path, because file objects cannot be followed, got"):
        Following([io.BytesIO()], LIMITS, print)
    os.mkfifo(tmp_path / "pipe", 0o600)
    files = following(tmp_path / "pipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnstap.pipeline.collector.open_file", refuse)
        with pytest.raises(PermissionError):
            list(files.blocking_batches())


async def refuse(path: str, *_: object, follow: bool) -> None:
    raise PermissionError(13, "Permission denied", path)


def test_not_within_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        next(following(tmp_path).blocking_batches())

    with pytest.raises(RuntimeError, match=r"dnstap.read\(follow=True\) would block asyncio: use dnstap.aio.read"):
        asyncio.run(main())
