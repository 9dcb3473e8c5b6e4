"""Calls that can be awaited, or used in `async with`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from framestream import aio
from framestream.aio.awaitable import Opening
from tests.framestream.wire import START, STOP, data

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(START + data(b"a") + STOP)
    return path


def test_awaited(path: Path) -> None:
    async def main() -> None:
        reader = await aio.read_file(path)
        assert isinstance(reader, aio.Reader)
        await reader.close()
        assert reader.fileno() == -1

    asyncio.run(main())


def test_in_async_with(path: Path) -> None:
    async def main() -> None:
        async with aio.read_file(path) as reader:
            assert [payload async for payload in reader] == [b"a"]
        assert reader.fileno() == -1

    asyncio.run(main())


def test_errors_are_raised_when_it_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        opening = aio.read_file(tmp_path / "missing")
        assert isinstance(opening, Opening)
        with pytest.raises(FileNotFoundError):
            await opening

    asyncio.run(main())


def test_name_and_docstring_are_those_of_the_function() -> None:
    assert aio.read_file.__name__ == "read_file"
    assert "standard input" in str(aio.read_file.__doc__)
