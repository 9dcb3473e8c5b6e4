"""Relays: receivers that come and go, and reports about them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.outputs import relay as relays
from dnstap.pipeline.outputs.relay import Relay
from framestream import Backoff, Deadlines, UnixEndpoint
from framestream.aio import listen_reader
from framestream.reporting import MAX_PER_PERIOD
from framestream.streams import NO_DEADLINES
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

    from framestream.aio import Reader

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
        await relay.close()
        return relay

    relay = asyncio.run(run())
    assert received == [b"1", b"2", b"3", b"4", b"5"]
    assert (relay.written, relay.reconnects) == (5, 3)
    assert said[0] == f"unix:{path}: no connection: No such file or directory"
    assert said[1] == f"unix:{path}: connected"
    assert said.count(f"unix:{path}: the connection broke: the reader has closed") == 3
    assert len(said) < 20


def test_closed_before_there_was_a_receiver(tmp_path: Path) -> None:
    said: list[str] = []

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(tmp_path / "s")), said.append, backoff=FAST)
        relay.reached = relay.given = 3  # As the dispatcher counts.
        sending = asyncio.create_task(relay.write_many([b"1", b"2"]))
        while not said:
            await asyncio.sleep(0.005)
        await relay.close()
        await sending
        await relay.write_many([b"3"])
        return relay

    relay = asyncio.run(run())
    assert (relay.written, relay.counts.left) == (0, 3)
    assert said == [f"unix:{tmp_path}/s: no connection: No such file or directory"]


def test_a_receiver_that_does_not_finish(tmp_path: Path) -> None:
    """All was sent, so nothing is lost."""
    said: list[str] = []
    path = tmp_path / "s"

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), said.append, Deadlines(finish_s=0.05), FAST)
        relay.reached = relay.given = 1
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
    assert relay.summary() == (
        f"unix:{path}: 1 frames: 1 written, 0 rejected, 0 dropped, 0 left; connected again 0 times"
    )
    assert [(counter.name, counter.value) for counter in relay.counters()] == [
        ("frames", 1),
        ("written_frames", 1),
        ("rejected_frames", 0),
        ("dropped_frames", 0),
        ("reconnects", 0),
    ]
    assert len(said) == 1
    assert said[0].startswith(f"unix:{path}: ")


def test_a_receiver_that_stops_reading(tmp_path: Path) -> None:
    """The write waits until the deadline. At the end nothing more is sent, because STOP would not be taken either."""
    said: list[str] = []
    path = tmp_path / "s"

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), said.append, Deadlines(handshake_s=DEADLINE_S / 20, write_s=0.05), FAST)
        relay.reached = relay.given = 4
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
    assert relay.counts.left == 4
    assert said[0] == f"unix:{path}: the connection broke: timed out"


def test_a_receiver_that_holds_a_write_up_at_the_end(tmp_path: Path) -> None:
    """The write is given up, and the connection closed at once, whatever the time limits of a connection are."""
    path = tmp_path / "s"

    async def run() -> Relay:
        relay = Relay(UnixEndpoint(str(path)), print, NO_DEADLINES)
        relay.reached = relay.given = 1
        async with listen_reader(path, [CONTENT_TYPE]) as listener:
            sending = asyncio.create_task(relay.write_many([b"x" * 1_000_000]))
            async with await listener.accept() as reader:
                await reader.handshake()
                await asyncio.sleep(0)
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
                await asyncio.wait_for(relay.close(), DEADLINE_S)
        return relay

    assert asyncio.run(run()).counts.left == 1


def test_a_receiver_that_closes_again_and_again(tmp_path: Path) -> None:
    """It makes two different lines each time, of which only the first are reported."""
    path = tmp_path / "s"
    said: list[str] = []

    async def run() -> None:
        relay = Relay(UnixEndpoint(str(path)), said.append, backoff=Backoff(0.0, most_s=0.0), period_s=DEADLINE_S * 10)
        async with listen_reader(path, [CONTENT_TYPE]) as listener:
            for _ in range(20):
                sending = asyncio.create_task(relay.write_many([b"1"]))
                async with await listener.accept() as reader:
                    await anext(aiter(reader))
                await sending
            assert list(relay.new_reports()) == []
            await relay.close()

    asyncio.run(run())
    assert said[0] == f"unix:{path}: the connection broke: the reader has closed"
    assert len(said) == MAX_PER_PERIOD + 1
    assert said[-1].endswith(" more such lines")


class TestRefusals:
    """A receiver that is there, and refuses every stream."""

    async def _refuse(self, path: Path, relay: Relay, content_type: bytes = b"other") -> None:
        """Write while a receiver takes another content type only."""
        async with listen_reader(path, [content_type]) as listener:

            async def handle(reader: Reader) -> None:
                async for _ in reader:
                    pass

            serving = asyncio.create_task(listener.serve(handle))
            try:
                await relay.write_many([b"1"])
            finally:
                serving.cancel()
                await asyncio.wait([serving])

    def test_a_run_over_files_gives_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(relays, "REFUSED_S", 0.05)
        path, said = tmp_path / "s", list[str]()

        async def run() -> None:
            relay = Relay(UnixEndpoint(str(path)), said.append, backoff=FAST, gives_up=True)
            expected = "the receiver refuses every stream: expected ACCEPT, got the end of input"
            with pytest.raises(OSError, match=expected) as caught:
                await self._refuse(path, relay)
            assert caught.value.filename == f"unix:{path}"
            await relay.close()

        asyncio.run(run())
        assert len(said) == 1

    def test_one_that_refuses_for_a_moment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then it is away, refuses again, and takes all."""
        monkeypatch.setattr(relays, "REFUSED_S", DEADLINE_S)
        path = tmp_path / "s"

        async def run() -> Relay:
            relay = Relay(UnixEndpoint(str(path)), print, backoff=FAST, gives_up=True)
            for _ in range(2):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._refuse(path, relay)
                assert relay._refused_since
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await relay.write_many([b"2"])
                assert relay._refused_since is None
            await self._refuse(path, relay, CONTENT_TYPE)
            await relay.close()
            return relay

        assert asyncio.run(run()).written > 0

    def test_a_live_run_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(relays, "REFUSED_S", 0.0)
        path = tmp_path / "s"

        async def run() -> None:
            relay = Relay(UnixEndpoint(str(path)), print, backoff=FAST)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self._refuse(path, relay)
            await relay.close()

        asyncio.run(run())
