"""Forwarding of a stream; most of it is tested through the Collector."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dnstap.pipeline.forwarding import Forwarder
from dnstap.pipeline.inputs.file import open_file
from dnstap.pipeline.queues import QueueingDispatcher
from dnstap.pipeline.tasks import Tasks
from framestream import Limits, encode_data_frames
from tests.dnstap.pipeline.streams import START, Payloads, file_of

if TYPE_CHECKING:
    from pathlib import Path


def forward(path: str, *, stopping: bool = False) -> tuple[list[bytes], list[str], Forwarder]:
    """Forward a file: its payloads, what was reported, and the Forwarder."""
    payloads, reports = Payloads(), list[str]()

    async def run() -> Forwarder:
        tasks = Tasks()
        tasks.stopping = stopping
        dispatcher = QueueingDispatcher([payloads], (), tasks.start)
        forwarder = Forwarder(reports.append, 10.0, tasks, dispatcher, coalescer=None)
        source = await open_file(path, Limits(), reports.append, follow=False)
        async for name, reader in source.streams():
            forwarder.counters.begin(name, reader, file=True)
            await forwarder.forward(source, name, reader)
        forwarder.tick()
        return forwarder

    forwarder = asyncio.run(run())
    return payloads, reports, forwarder


def test_to_the_end(tmp_path: Path) -> None:
    payloads, reports, forwarder = forward(file_of(tmp_path / "a", b"1", b"2"))
    assert (payloads, reports, forwarder.failed_files) == ([b"1", b"2"], [], 0)
    assert (forwarder.counters.total().frames, forwarder.counters.total().open) == (2, 0)


def test_to_the_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(START + encode_data_frames([b"1"]) + b"\0\0")
    payloads, reports, forwarder = forward(str(path))
    assert (payloads, forwarder.failed_files, forwarder.counters.total().broken) == ([b"1"], 1, 1)
    assert reports == [f"{path}: expected 2 more bytes of a frame, got the end of input in state STREAMING, at byte 49"]


def test_until_stopped(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", b"1")
    payloads, reports, forwarder = forward(path, stopping=True)
    assert (payloads, reports, forwarder.failed_files) == ([], [f"{path}: stopped at byte 0"], 0)
