"""Files as inputs: one stream, or several while other files replace the first."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline.inputs.file import FileInput, open_file
from dnstap.pipeline.inputs.followed import FollowedInput
from framestream import Limits
from tests.dnstap.pipeline.streams import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from dnstap.pipeline.inputs.base import Input


def test_one_stream(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", b"1", b"2")

    async def run() -> list[tuple[str, list[bytes]]]:
        source = await open_file(path, Limits(), print, follow=False)
        assert (source.file, source.regular, source.interruptible, source.concurrent) == (True, True, True, False)
        found = [(name, [payload async for payload in reader]) async for name, reader in source.streams()]
        await source.close()
        return found

    assert asyncio.run(run()) == [(path, [b"1", b"2"])]


def test_a_pipe_is_no_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def run() -> Input:
        descriptor = os.open(fifo, os.O_RDWR)
        source = await open_file(str(fifo), Limits(), print, follow=False)
        await source.close()
        os.close(descriptor)
        return source

    source = asyncio.run(run())
    assert (source.file, source.regular, source.interruptible) == (True, False, True)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(open_file(str(tmp_path / "a"), Limits(), print, follow=False))


def test_files_to_follow(tmp_path: Path) -> None:
    """A single file, which may be missing, is one after the other; a directory or a pattern is many at a time."""
    file_of(tmp_path / "a")
    os.mkfifo(tmp_path / "fifo")

    async def kind(path: str) -> tuple[type[Input], bool]:
        source = await open_file(path, Limits(), print, follow=True)
        await source.close()
        return type(source), source.concurrent

    async def run() -> None:
        descriptor = os.open(tmp_path / "fifo", os.O_RDWR)
        for name, expected in (
            ("a", (FollowedInput, False)),
            ("missing", (FollowedInput, False)),
            ("", (FollowedInput, True)),
            ("*.fstrm", (FollowedInput, True)),
            ("fifo", (FileInput, False)),
        ):
            assert await kind(f"{tmp_path}/{name}") == expected
        os.close(descriptor)

    asyncio.run(run())
