"""Connections made: again after each stream, and with growing waits if they bring nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline.inputs.dialed import FEW_FRAMES, MAX_PER_S, DialedInput
from framestream import Backoff, Deadlines, FrameStreamError, Limits, UnixEndpoint
from tests.dnstap.pipeline.streams import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from framestream import Writer


async def receive(path: Path, backoff: Backoff, streams: int, reports: list[str]) -> list[int]:
    """Receive a number of streams; return the number of frames of each."""
    source = DialedInput(
        UnixEndpoint(str(path)), reports.append, limits=Limits(), deadlines=Deadlines(), backoff=backoff
    )
    frames = []
    async for name, reader in source.streams():
        assert name == f"unix:{path}"
        with suppress(FrameStreamError):
            async for _ in reader:
                pass
        await reader.close()
        frames.append(reader.frames)
        if len(frames) == streams:
            break
    return frames


@pytest.mark.parametrize(("frames", "first_s"), [(FEW_FRAMES - 1, 0.1), (FEW_FRAMES, 60.0)])
def test_a_stream_that_breaks_early_is_not_made_again_at_once(tmp_path: Path, frames: int, first_s: float) -> None:
    """It waits for first_s, each time; after a stream with more frames it does not wait."""
    times: list[float] = []

    def serve(writer: Writer, number: int) -> None:
        times.append(time.monotonic())
        writer.write_many([b"%d" % number] * frames)
        writer.abort()

    with closing(Server(tmp_path / "s", serve)):
        backoff = Backoff(first_s=first_s, factor=1000.0, jitter=0.0)
        assert asyncio.run(receive(tmp_path / "s", backoff, 4, [])) == [frames] * 4
    if frames < FEW_FRAMES:
        assert min(later - earlier for earlier, later in pairwise(times)) > 0.9 * first_s


def test_the_rate_is_limited(tmp_path: Path) -> None:
    """A server whose streams bring many frames and break is not connected to without end."""
    times: list[float] = []

    def serve(writer: Writer, _: int) -> None:
        times.append(time.monotonic())
        writer.write_many([b"frame"] * 10 * FEW_FRAMES)
        writer.abort()

    with closing(Server(tmp_path / "s", serve)):
        asyncio.run(receive(tmp_path / "s", Backoff(first_s=0.0), 2 * MAX_PER_S + 1, []))
    # The time of an attempt, here that of its acceptance, may be later by a little.
    assert times[-1] - times[0] > 2 * 0.9


def test_a_server_that_sends_nothing_is_connected_to_less_and_less(tmp_path: Path) -> None:
    times: list[float] = []

    def serve(writer: Writer, _: int) -> None:
        times.append(time.monotonic())
        writer.abort()

    with closing(Server(tmp_path / "s", serve)):
        asyncio.run(receive(tmp_path / "s", Backoff(first_s=0.01, factor=10.0, jitter=0.0), 4, []))
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[1] > 0.09
    assert waits[2] > 0.9


def test_attempts_that_fail_alike_are_reported_once(tmp_path: Path) -> None:
    path, reports, attempts = tmp_path / "s", list[str](), list[float]()

    class Counted(Backoff):
        def waits(self) -> Iterator[float]:
            for wait in super().waits():
                attempts.append(wait)
                yield wait

    async def run() -> None:
        receiving = asyncio.create_task(receive(path, Counted(first_s=0.001, factor=1.0), 1, reports))
        while len(attempts) < 4:
            await asyncio.sleep(0.001)
        with closing(Server(path, lambda writer, _: writer.close())):
            assert await receiving == [0]

    asyncio.run(run())
    assert reports == [f"unix:{path}: no connection: No such file or directory"]
