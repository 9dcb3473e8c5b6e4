"""AsyncTap: a tap whose close is awaited."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

from dnstap import AsyncTap, TapCounts
from tests.dnstap.tap.receivers import receiving
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_frames_arrive(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncTap(tmp_path / "s", identity="a") as tap:
            for number in range(100):
                tap.client_query(b"%d" % number)
                await asyncio.sleep(0)
        assert tap.counts == TapCounts(submitted=100, sent=100)
        assert await tap.close() == 0

    with receiving(tmp_path / "s") as receiver:
        asyncio.run(main())
        wait_for(lambda: receiver.finished, "STOP")
    assert len(receiver.payloads) == 100


@contextlib.contextmanager
def silent_receiver(path: Path) -> Iterator[None]:
    """Let taps connect, and never answer."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield


def test_the_loop_goes_on_while_the_tap_closes(tmp_path: Path) -> None:
    async def main() -> None:
        tap = AsyncTap(tmp_path / "s")
        tap.client_query(b"1")
        closing = asyncio.ensure_future(tap.close(0.3))
        turns = 0
        while not closing.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 10
        assert await closing == 1

    with silent_receiver(tmp_path / "s"):
        asyncio.run(main())


def test_a_cancelled_close_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        tap = AsyncTap(tmp_path / "s")
        tap.client_query(b"1")
        closing = asyncio.ensure_future(tap.close(0.2))
        await asyncio.sleep(0.01)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        end = time.monotonic() + DEADLINE_S
        while not tap.counts.not_connected and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert tap.counts.not_connected == 1

    with silent_receiver(tmp_path / "s"):
        asyncio.run(main())
