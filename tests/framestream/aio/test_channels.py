"""Channels of asyncio: cancellation, back-pressure."""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from framestream import aio
from framestream.aio.channels import BUFFER_BYTES, HIGH_WATER_BYTES, PAUSED_BYTES, _buffer
from framestream.protocol import Transport
from framestream.streams import Deadlines
from tests.framestream.aio.running import (
    OVER,
    PAYLOADS,
    connected,
    endpoint_for,
    interrupted,
    read_all,
    run,
    wait_until,
    write_all,
)
from tests.framestream.nets import dial
from tests.framestream.wire import READY, START, STOP, data
from tests.threads import to_thread
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path


def test_bytes_that_arrive_as_the_deadline_passes() -> None:
    """They are not late: a busy event loop finds both in one turn."""
    deadline_s = 0.05

    async def main() -> None:
        async with aio.listen_reader("tcp:localhost:0", deadlines=Deadlines(handshake_s=deadline_s)) as listener:
            with dial(listener.endpoint) as sock:
                reader = await listener.accept()
                reading = asyncio.ensure_future(anext(aiter(reader)))
                for _ in range(10):
                    await asyncio.sleep(0)
                # It waits now.
                sock.sendall(START + data(b"a") + STOP)
                time.sleep(2 * deadline_s)
                assert await reading == b"a"
                await reader.close()

    run(main)


class TestCancelled:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("transport", Transport)
    @pytest.mark.parametrize("over", OVER)
    def test_reading_and_writing(self, tmp_path: Path, over: str, transport: Transport, seed: int) -> None:
        """No payload is lost, and none comes twice, wherever a call is cancelled; the handshake goes on too."""
        chance = random.Random(seed)

        async def main() -> None:
            endpoint, tls = endpoint_for(over, tmp_path)
            async with (
                aio.listen_writer(endpoint, transport=transport, tls=tls) as listener,
                aio.open_reader(connected(listener.endpoint)) as reader,
            ):
                writer = await listener.accept()
                writing = asyncio.create_task(write_all(writer, chance))
                assert await read_all(reader, chance, singly=seed > 0) == PAYLOADS
                await writing
                assert (writer.frames, writer.bytes) == (len(PAYLOADS), sum(map(len, PAYLOADS)))

        run(main)

    @pytest.mark.parametrize("over", OVER)
    def test_accept(self, tmp_path: Path, over: str) -> None:
        """Each connection is given out once."""
        chance = random.Random(1)

        async def main() -> None:
            endpoint, tls = endpoint_for(over, tmp_path)
            async with aio.listen_reader(endpoint, tls=tls) as listener:

                async def write(number: int) -> None:
                    async with aio.open_writer(connected(listener.endpoint)) as writer:
                        await writer.write(b"%d" % number)

                async def read(reader: aio.Reader) -> None:
                    async with reader:
                        got.append(b"".join([payload async for payload in reader]))

                got: list[bytes] = []
                async with asyncio.TaskGroup() as tasks:
                    for number in range(20):
                        tasks.create_task(write(number))
                    accepted = 0
                    while accepted < 20:
                        _, reader = await interrupted(chance.randrange(4), listener.accept(DEADLINE_S))
                        if reader:
                            accepted += 1
                            tasks.create_task(read(reader))
                assert sorted(got, key=int) == [b"%d" % number for number in range(20)]

        run(main)

    @pytest.mark.parametrize("over", OVER)
    @pytest.mark.parametrize("name", ["open_reader", "open_writer"])
    def test_opening(self, tmp_path: Path, over: str, name: str) -> None:
        """A cancelled opening leaves nothing open."""

        async def main() -> None:
            endpoint, tls = endpoint_for(over, tmp_path)
            async with aio.listen_reader(endpoint, tls=tls) as listener:

                async def open_one() -> Any:
                    return await getattr(aio, name)(connected(listener.endpoint))

                for steps in range(25):
                    _, opened = await interrupted(steps, open_one())
                    if opened:
                        await opened.close()

        run(main)

    @pytest.mark.parametrize("over", OVER)
    def test_listening(self, tmp_path: Path, over: str) -> None:
        """A look-up in a thread continues; but nothing listens after it, and no socket is left."""
        endpoint, tls = endpoint_for(over, tmp_path)

        async def main() -> None:
            async def listen() -> Any:
                return await aio.listen_reader(endpoint, tls=tls)

            for steps in range(6):
                _, listener = await interrupted(steps, listen())
                if listener:
                    await listener.close()

        run(main)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("over", OVER)
    def test_closing(self, tmp_path: Path, over: str) -> None:
        """A cancelled close has closed, perhaps without STOP."""

        async def main() -> None:
            endpoint, tls = endpoint_for(over, tmp_path)
            for steps in range(6):
                async with aio.listen_writer(endpoint, transport=Transport.UNIDIRECTIONAL, tls=tls) as listener:
                    reader = await aio.open_reader(connected(listener.endpoint))
                    writer = await listener.accept()
                    reading = asyncio.create_task(reader.handshake())
                    await writer.handshake()
                    await reading
                    await interrupted(steps, writer.close())
                    await writer.close()
                    await interrupted(steps, reader.close())
                    await reader.close()

        run(main)

    def test_closing_at_once(self, tmp_path: Path) -> None:
        """Also while the first call is still beginning."""

        async def main() -> None:
            async with aio.listen_reader(tmp_path / "socket") as listener:
                for steps in range(8):
                    sock = dial(listener.endpoint)
                    reader = await listener.accept()
                    await interrupted(steps, reader.handshake())
                    await interrupted(steps % 2, reader.close())
                    await reader.close()
                    assert sock.recv(1) == b""
                    sock.close()

        run(main)

    def test_an_answer(self) -> None:
        """FINISH is on its way even if the call that sends it is cancelled."""

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                sock = await to_thread(dial, listener.endpoint, None, READY + START + STOP)
                async with await listener.accept() as reader:
                    assert await read_all(reader, random.Random(1), singly=False) == []
                with sock:
                    assert await to_thread(sock.recv, 1)

        run(main)

    def test_closing_while_the_transport_is_made(self) -> None:
        """Both calls are cancelled: what they have begun ends by itself."""

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                with await to_thread(dial, listener.endpoint) as sock:
                    reader = await listener.accept()
                    opening = asyncio.create_task(reader.handshake())
                    closing = asyncio.create_task(reader.close())
                    await asyncio.sleep(0)
                    assert opening.cancel()
                    assert closing.cancel()
                    await asyncio.wait([opening, closing])
                    await wait_until(lambda: reader.fileno() < 0)
                    assert await to_thread(sock.recv, 1) == b""

        run(main)

    def test_beginning_twice(self) -> None:
        async def main() -> None:
            async with aio.listen_writer("tcp:localhost:0", transport=Transport.UNIDIRECTIONAL) as listener:
                with await to_thread(dial, listener.endpoint):
                    async with await listener.accept() as writer:
                        channel: Any = writer._connection
                        await asyncio.gather(channel.open(None), channel.open(None))
                        await writer.write(b"a")

        run(main)


class TestBackPressure:
    @pytest.mark.parametrize("over", OVER)
    def test_a_reader_that_does_not_read(self, tmp_path: Path, over: str) -> None:
        """It keeps little in memory, and the writer waits."""
        payloads = [bytes([number]) * (1 << 20) for number in range(1, 41)]

        async def main() -> None:
            endpoint, tls = endpoint_for(over, tmp_path)
            async with aio.listen_reader(endpoint, tls=tls) as listener:

                async def write() -> None:
                    async with aio.open_writer(connected(listener.endpoint)) as writer:
                        await writer.write_many(payloads)

                writing = asyncio.create_task(write())
                async with await listener.accept() as reader:
                    await reader.handshake()
                    channel: Any = reader._channel
                    await wait_until(lambda: channel._paused)
                    for _ in range(100):
                        await asyncio.sleep(0)
                    assert HIGH_WATER_BYTES <= channel._size <= HIGH_WATER_BYTES + (1 << 18)
                    assert channel._size == sum(map(len, channel._chunks))
                    assert not writing.done()
                    assert [payload async for payload in reader] == payloads
                await writing

        run(main)

    def test_all_connections_together(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many that are not read hold little more than one, and nothing is lost."""
        most, number = 1 << 17, 20
        monkeypatch.setattr("framestream.aio.channels.MAX_HELD_BYTES", most)
        payloads = [bytes([number]) * 200_000 for number in range(1, 5)]

        async def main() -> None:
            async with aio.listen_reader(tmp_path / "s") as listener:

                async def write() -> None:
                    async with aio.open_writer(tmp_path / "s") as writer:
                        await writer.write_many(payloads)

                writing = [asyncio.create_task(write()) for _ in range(number)]
                readers = [await listener.accept() for _ in range(number)]
                for reader in readers:
                    await reader.handshake()
                channels: list[Any] = [reader._channel for reader in readers]
                await wait_until(lambda: all(channel._paused for channel in channels))
                held = sum(channel._size for channel in channels)
                assert _buffer.held == held
                # One read of the first kind passes the limit; after it each connection has one of the second.
                assert most <= held <= most + BUFFER_BYTES + number * PAUSED_BYTES
                for reader in readers[:-1]:
                    assert [payload async for payload in reader] == payloads
                    await reader.close()
                await readers[-1].close()  # What it holds is given up.
                assert _buffer.held == 0
                await asyncio.gather(*writing, return_exceptions=True)

        run(main)
