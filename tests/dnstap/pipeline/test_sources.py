"""Sources as outputs are told them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dnstap.pipeline.collector import Collector
from dnstap.pipeline.sources import Source
from framestream.aio import open_writer
from tests.dnstap.pipeline.kept import Kept
from tests.dnstap.pipeline.streams import file_of

if TYPE_CHECKING:
    from pathlib import Path


class KeptWithSources(Kept):
    """An output that asks for the source of payloads."""

    uses_source = True

    def __init__(self) -> None:
        super().__init__()
        self.sources: set[Source] = set()

    def set_source(self, source: Source) -> None:
        self.sources.add(source)


def test_files_and_connections(tmp_path: Path) -> None:
    """The name is that of the endpoint, without a number or an address."""
    file, output = file_of(tmp_path / "a", b"1"), KeptWithSources()

    async def run() -> tuple[str, set[Source]]:
        collector = Collector(print)
        await collector.read(file)
        endpoint = await collector.listen("tcp:127.0.0.1:0")
        running = asyncio.create_task(collector.run(output))
        async with open_writer(endpoint, [b"protobuf:dnstap.Dnstap"]) as writer:
            await writer.write(b"2")
        collector.stop()
        await running
        await collector.close()
        return str(endpoint), output.sources

    endpoint, sources = asyncio.run(run())
    of_file, of_socket = sorted(sources, key=lambda source: not source.file)
    assert of_file == Source(file, file=True)
    assert of_socket == Source(endpoint, file=False, peer=of_socket.peer)
    assert of_socket.peer is not None
    assert of_socket.peer.host == "127.0.0.1"
