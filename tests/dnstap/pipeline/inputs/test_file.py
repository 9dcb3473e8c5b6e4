"""Files as inputs: one stream, or several while other files replace the first."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline.inputs.file import FileInput, open_file
from framestream import Limits
from tests.dnstap.pipeline.streams import file_of

if TYPE_CHECKING:
    from pathlib import Path


def test_one_stream(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", b"1", b"2")

    async def run() -> list[tuple[str, list[bytes]]]:
        source = await open_file(path, Limits(), follow=False)
        assert (source.file, source.regular, source.interruptible, source.concurrent) == (True, True, True, False)
        found = [(name, [payload async for payload in reader]) async for name, reader in source.streams()]
        await source.close()
        return found

    assert asyncio.run(run()) == [(path, [b"1", b"2"])]


def test_the_limits_hold_for_each_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file_of(path, b"1234", b"1")
    other = file_of(tmp_path / "b", b"12345", b"2")

    async def run() -> list[list[bytes]]:
        source = await open_file(str(path), Limits(3, oversize="skip"), follow=True)
        assert (source.regular, source.interruptible) == (False, False)
        found: list[list[bytes]] = []
        async for _, reader in source.streams():
            if found:
                path.unlink()
            else:
                os.rename(other, path)
            reader.end_input()
            found.append([payload async for payload in reader])
            await reader.close()
        return found

    assert asyncio.run(run()) == [[b"1"], [b"2"]]


def test_a_pipe_is_no_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def run() -> FileInput:
        descriptor = os.open(fifo, os.O_RDWR)
        source = await open_file(str(fifo), Limits(), follow=False)
        await source.close()
        os.close(descriptor)
        return source

    source = asyncio.run(run())
    assert (source.file, source.regular, source.interruptible) == (True, False, True)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(open_file(str(tmp_path / "a"), Limits(), follow=True))
