"""Relays: receivers that come and go, and reports about them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs.relay import Relay
from framestream import Backoff, Deadlines, UnixEndpoint
from framestream.aio import listen_reader
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

FAST = Backoff(first_s=0.005, most_s=0.02)


def test_receivers_come_and_go(tmp_path: Path) -> None:
    """Payloads not sent to one receiver are sent to the next, and no line is reported twice in a row."""
    path = tmp_path / "s"
    said: list[str] = []
    received: list[bytes] = []

    async def receive(frames: int) -> None:
        async with listen_reader(path, [CONTENT_TYPE]) as listener, await listener.accept() as reader:
            for _ in range(frames):
                received.append(await anext(aiter(reader)))  # noqa: PERF401 (it is looked at meanwhile)

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), said.append, backoff=FAST)
        sending = asyncio.create_task(relay.write_many([b"1"]))
        while not said:
            await asyncio.sleep(0.005)
        for number in range(3):
            await asyncio.gather(receive(1), sending)
            sending = asyncio.create_task(relay.write_many([b"%d" % (number + 2)]))
        await asyncio.gather(receive(2), sending, relay.write_many([b"5"]))
        assert relay.lost == 0
        await relay.close()
        return relay

    relay = asyncio.run(run())
    assert received == [b"1", b"2", b"3", b"4", b"5"]
    assert (relay.frames, relay.sent, relay.reconnects) == (5, 5, 3)
    assert said[0] == f"unix:{path}: no connection: No such file or directory"
    assert said[1] == f"unix:{path}: connected"
    assert said.count(f"unix:{path}: the connection broke: the reader has closed") == 3
    assert len(said) < 20


def test_closed_before_there_was_a_receiver(tmp_path: Path) -> None:
    said: list[str] = []

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(tmp_path / "s")), said.append, backoff=FAST)
        sending = asyncio.create_task(relay.write_many([b"1", b"2"]))
        while not said:
            await asyncio.sleep(0.005)
        await relay.close()
        await sending
        await relay.write_many([b"3"])
        return relay

    relay = asyncio.run(run())
    assert (relay.frames, relay.sent, relay.lost) == (3, 0, 3)
    assert said == [
        f"unix:{tmp_path}/s: no connection: No such file or directory",
        f"unix:{tmp_path}/s: 2 of 2 frames could not be sent",
    ]


def test_a_receiver_that_does_not_finish(tmp_path: Path) -> None:
    """All was sent, so nothing is lost."""
    said: list[str] = []
    path = tmp_path / "s"

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), said.append, Deadlines(finish_s=0.05), FAST)
        async with listen_reader(path, [CONTENT_TYPE]) as listener:

            async def receive() -> None:
                async with await listener.accept() as reader:
                    await reader.handshake()
                    await asyncio.sleep(10)

            receiving = asyncio.create_task(receive())
            await relay.write_many([b"1"])
            await relay.close()
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
        return relay

    relay = asyncio.run(run())
    assert relay.summary() == f"unix:{path}: 1 frames, of which 0 could not be sent; connected again 0 times"
    assert [counter.value for counter in relay.counters()] == [1, 1, 0]
    assert len(said) == 1
    assert said[0].startswith(f"unix:{path}: ")


def test_a_receiver_that_stops_reading(tmp_path: Path) -> None:
    """The write waits until the deadline, and what was not sent is counted at the end."""
    said: list[str] = []
    path = tmp_path / "s"

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), said.append, Deadlines(handshake_s=DEADLINE_S / 20, write_s=0.05), FAST)
        async with listen_reader(path, [CONTENT_TYPE]) as listener:

            async def receive() -> None:
                async with await listener.accept() as reader:
                    await reader.handshake()
                    await asyncio.sleep(10)

            receiving = asyncio.create_task(receive())
            sending = asyncio.create_task(relay.write_many([b"x" * 500_000] * 4))
            while len(said) < 2:
                await asyncio.sleep(0.005)
            await relay.close()
            await sending
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
        return relay

    relay = asyncio.run(run())
    assert relay.lost == 4
    assert said[0] == f"unix:{path}: the connection broke: timed out"
    assert said[-1] == f"unix:{path}: 4 of 4 frames could not be sent"
