"""Connections accepted: during the run, and those waiting at its end."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.accepted import AcceptedInput
from framestream.aio import listen_reader
from tests.dnstap.pipeline.streams import raw_connection
from tests.framestream.nets import own

if TYPE_CHECKING:
    from pathlib import Path

    from framestream.aio import Reader


def test_each_connection_is_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def run(stack: ExitStack) -> list[str]:
        source = AcceptedInput(await listen_reader(path, [CONTENT_TYPE]), print)
        assert source.concurrent
        for _ in range(3):
            stack.enter_context(raw_connection(path))
        names = []
        async for name, reader in source.streams():
            await reader.close()
            names.append(name)
            if len(names) == 3:
                break
        await source.close()
        return names

    with ExitStack() as stack:
        assert asyncio.run(run(stack)) == [f"unix:{path} connection {number} {own()}" for number in (1, 2, 3)]
    assert not path.exists()


def test_those_that_wait_at_the_end(tmp_path: Path) -> None:
    """Up to a limit, because others may go on connecting."""
    path = tmp_path / "s"

    async def run(stack: ExitStack, backlog: int) -> int:
        source = AcceptedInput(await listen_reader(path, [CONTENT_TYPE]), print, backlog=backlog)
        for _ in range(3):
            stack.enter_context(raw_connection(path))
        streams: list[tuple[str, Reader]] = []
        await source.take_waiting(lambda name, reader: streams.append((name, reader)))
        assert not path.exists()
        for _, reader in streams:
            await reader.close()
        return len(streams)

    with ExitStack() as stack:
        assert asyncio.run(run(stack, 5)) == 3
        assert asyncio.run(run(stack, 2)) == 2
