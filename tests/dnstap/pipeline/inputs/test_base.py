"""Defaults of inputs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dnstap.pipeline.inputs.base import Input

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from framestream.aio import Reader


class Nothing(Input):
    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        streams: list[tuple[str, Reader]] = []
        await self.take_waiting(lambda name, reader: streams.append((name, reader)))
        for stream in streams:
            yield stream


def test_the_usual_input() -> None:
    async def run() -> None:
        source = Nothing()
        assert [stream async for stream in source.streams()] == []
        assert (source.file, source.regular, source.interruptible, source.concurrent) == (False,) * 4
        await source.close()

    asyncio.run(run())
