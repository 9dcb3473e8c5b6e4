"""framestream.aio: what only asyncio has, cancellation above all. The rest is in test_fronts.py and its like."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import select
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from framestream import aio
from framestream.aio.channels import HIGH_WATER_BYTES
from framestream.endpoints import TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint
from framestream.errors import LocalProtocolError
from framestream.protocol import Transport
from framestream.streams import Batching, Deadlines
from tests.framestream.nets import CLIENT, SERVER, dial
from tests.framestream.wire import READY, START, STOP, data
from tests.threads import to_thread
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

T = TypeVar("T")

PAYLOADS = [b"%d " % number * (number % 97 + 1) * (400 if number % 50 == 0 else 1) for number in range(600)]
"""All different, and some larger than what a unix socket takes at once."""

OVER = ["unix", "tcp", "tls"]


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it, with a deadline; no task may be left."""

    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(limited())


def endpoint_for(over: str, path: Path) -> tuple[Any, Tls | None]:
    if over == "unix":
        return UnixEndpoint(str(path / "socket")), None
    return ("tls:localhost:0", SERVER) if over == "tls" else ("tcp:localhost:0", None)


def connected(endpoint: Any) -> Any:
    return TlsEndpoint("localhost", endpoint.port, CLIENT) if isinstance(endpoint, TlsEndpoint) else endpoint


async def wait_until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def interrupted(steps: int, coroutine: Coroutine[Any, Any, T]) -> tuple[bool, T | None]:
    """Whether it was cancelled, as it is after so many rounds of the loop; and its result."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        return False, await task
    except asyncio.CancelledError:
        return True, None


async def next_batch(reader: aio.Reader) -> list[bytes] | None:
    batches: Any = reader.batches()
    try:
        return await anext(batches, None)
    finally:
        await batches.aclose()


async def next_payload(reader: aio.Reader) -> list[bytes] | None:
    async for payload in reader:
        return [payload]
    return None


async def read_all(reader: aio.Reader, chance: random.Random, *, singly: bool) -> list[bytes]:
    """The payloads, by calls that are cancelled again and again."""
    got: list[bytes] = []
    while (await interrupted(chance.randrange(4), reader.handshake()))[0]:
        pass
    while True:
        read = next_payload if singly and chance.random() < 0.5 else next_batch
        cancelled, batch = await interrupted(chance.randrange(6), read(reader))
        if batch:
            got += batch
        elif not cancelled:
            return got


async def write_all(writer: aio.Writer, chance: random.Random) -> None:
    """Write the payloads, by calls that are cancelled again and again; each is written, or has not been taken."""
    while (await interrupted(chance.randrange(4), writer.handshake()))[0]:
        pass
    left = list(PAYLOADS)
    while left:
        some = left[: chance.randrange(1, 5)]
        before = writer.taken
        cancelled, _ = await interrupted(chance.randrange(6), writer.write_many(some))
        assert writer.taken - before in ((0, len(some)) if cancelled else (len(some),))
        del left[: writer.taken - before]
        if chance.random() < 0.1:
            await interrupted(chance.randrange(3), writer.flush())
    await writer.close()


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
        """Whatever has been opened is closed, or given out."""

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
        """A look-up in a thread goes on; but nothing listens then, and no socket stays behind."""
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
        """Who closes and is cancelled has closed, perhaps without a word."""

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


class TestManyTasks:
    @pytest.mark.parametrize("batching", [Batching(), Batching(max_bytes=5000, max_s=0.01)], ids=["at once", "batches"])
    def test_writing(self, batching: Batching) -> None:
        """Each call's payloads stay together and in order."""

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def write(task: int) -> None:
                    for number in range(20):
                        await writer.write_many([b"%d %d a" % (task, number), b"%d %d b" % (task, number)])

                async def read() -> list[bytes]:
                    async with await listener.accept() as reader:
                        return [payload async for payload in reader]

                reading = asyncio.create_task(read())
                async with (
                    aio.open_writer(listener.endpoint, batching=batching) as writer,
                    asyncio.TaskGroup() as tasks,
                ):
                    for task in range(50):
                        tasks.create_task(write(task))
                got = await reading
                assert [first[:-1] for first in got[::2]] == [second[:-1] for second in got[1::2]]
                for task in range(50):
                    mine = [payload for payload in got if payload.startswith(b"%d " % task)]
                    assert mine == [b"%d %d %s" % (task, number, x) for number in range(20) for x in (b"a", b"b")]

        run(main)

    def test_one_flush_waits_for_its_turn(self, tmp_path: Path) -> None:
        """Not one for each timer; and none is left behind a writer that is closed."""

        async def main() -> None:
            before = len(asyncio.all_tasks())
            writer = await aio.write_file(tmp_path / "file")
            async with writer._turn:
                for _ in range(3):
                    writer._flush_in(0)
                    await asyncio.sleep(0.001)
                assert len(asyncio.all_tasks()) == before + 1
            await writer.close()
            assert len(asyncio.all_tasks()) == before

        run(main)


class TestServe:
    def test_cancelled(self, caplog: pytest.LogCaptureFixture) -> None:
        """So are its handlers, also one that has not begun; and their connections are closed."""
        begun: list[aio.Reader] = []
        ended: list[bool] = []

        async def handle(reader: aio.Reader) -> None:
            begun.append(reader)
            try:
                async for _ in reader:
                    pass
            finally:
                ended.append(True)

        async def main() -> None:
            for steps in range(8):
                begun.clear()
                ended.clear()
                async with aio.listen_reader("tcp:localhost:0") as listener:
                    socks = [await to_thread(dial, listener.endpoint) for _ in range(2)]
                    assert (await interrupted(steps, listener.serve(handle)))[0]
                    assert len(ended) == len(begun)
                    assert all(reader.fileno() < 0 for reader in begun)
                for sock in socks:
                    with sock, contextlib.suppress(ConnectionResetError):
                        assert await to_thread(sock.recv, 1) == b""

        run(main)
        assert not caplog.records

    def test_errors_of_one(self, caplog: pytest.LogCaptureFixture) -> None:
        """They are logged, and cost their own connection."""

        async def handle(reader: aio.Reader) -> None:
            payloads = [payload async for payload in reader]
            got.extend(payloads)
            if payloads == [b"bad"]:
                raise ZeroDivisionError

        got: list[bytes] = []

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                serving = asyncio.create_task(listener.serve(handle))
                for wire in (b"garbage", START + data(b"bad") + STOP, START + data(b"good") + STOP):
                    with (
                        await to_thread(dial, listener.endpoint, None, wire) as sock,
                        contextlib.suppress(ConnectionResetError),
                    ):
                        assert await to_thread(sock.recv, 1) == b""
                await listener.close()
                await serving

        run(main)
        assert got == [b"bad", b"good"]
        messages = [record.message for record in caplog.records]
        assert ["garbage" in messages[0], "the handler failed" in messages[1], len(messages)] == [True, True, 2]

    def test_an_error_that_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection whose handler has not begun is closed too."""
        begun: list[aio.Reader] = []

        async def handle(reader: aio.Reader) -> None:
            begun.append(reader)

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                with await to_thread(dial, listener.endpoint) as sock:
                    await wait_until(lambda: select.select([listener], [], [], 0)[0])
                    accept = listener.accept

                    async def accept_one() -> aio.Reader:
                        if listener._accepted:
                            raise ZeroDivisionError
                        return await accept()

                    monkeypatch.setattr(listener, "accept", accept_one)
                    with pytest.raises(ExceptionGroup):
                        await listener.serve(handle)
                    assert begun == []
                    assert await to_thread(sock.recv, 1) == b""

        run(main)

    def test_when_nothing_can_be_accepted(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is tried again, until the listener is closed."""
        monkeypatch.setattr("framestream.aio.listener.RETRY_ACCEPT_S", 0.01)

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def fail(timeout_s: float | None = None) -> aio.Reader:
                    raise OSError(24, "Too many open files")

                monkeypatch.setattr(listener, "accept", fail)
                serving = asyncio.create_task(listener.serve(lambda reader: asyncio.sleep(0)))
                await wait_until(lambda: len(caplog.records) > 2)
                await listener.close()
                await serving

        with caplog.at_level(logging.WARNING):
            run(main)
        assert "cannot accept a connection: [Errno 24] Too many open files" in caplog.messages[0]

    def test_for_all_endpoints(self, tmp_path: Path) -> None:
        async def main() -> None:
            got: list[bytes] = []

            async def handle(reader: aio.Reader) -> None:
                got.extend([payload async for payload in reader])

            serving = asyncio.create_task(aio.serve(tmp_path / "socket", handle))
            await wait_until((tmp_path / "socket").exists)
            async with aio.open_writer(tmp_path / "socket") as writer:
                await writer.write(b"a")
            assert got == [b"a"]
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert not (tmp_path / "socket").exists()

        run(main)


class TestListener:
    @pytest.mark.parametrize("waiting", [1, 3])
    def test_closed_while_accepting(self, waiting: int) -> None:
        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                accepting = [asyncio.create_task(listener.accept()) for _ in range(waiting)]
                for _ in range(3):
                    await asyncio.sleep(0)
                await listener.close()
                for error in await asyncio.gather(*accepting, return_exceptions=True):
                    assert isinstance(error, OSError)

        run(main)

    def test_closed_while_iterating(self) -> None:
        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def iterate() -> int:
                    count = 0
                    async for reader in listener:
                        await reader.close()
                        count += 1
                    return count

                iterating = asyncio.create_task(iterate())
                (await to_thread(dial, listener.endpoint)).close()
                await wait_until(lambda: listener._accepted)
                await listener.close()
                assert await iterating == 1

        run(main)

    def test_an_error_while_iterating(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def fail(timeout_s: float | None = None) -> aio.Reader:
                    raise OSError(24, "Too many open files")

                monkeypatch.setattr(listener, "accept", fail)
                with pytest.raises(OSError, match="Too many"):
                    await anext(aiter(listener))

        run(main)


def test_a_writer_that_is_late_is_aborted() -> None:
    """After a write that took too long nothing more is sent, and each call says so."""

    async def main() -> None:
        async with aio.listen_writer(
            "tcp:localhost:0", transport=Transport.UNIDIRECTIONAL, deadlines=Deadlines(write_s=0.05)
        ) as listener:
            with await to_thread(dial, listener.endpoint):
                writer = await listener.accept()
                with pytest.raises(TimeoutError):
                    await writer.write_many([bytes(1 << 20)] * 20)
                channel: Any = writer._channel
                channel.send(b"more")
                with pytest.raises(ConnectionResetError):
                    await channel.drain(None)
                channel.send(b"more")
                with pytest.raises(TimeoutError):
                    await writer.write(b"a")
                await writer.close()
                with pytest.raises(TimeoutError):
                    await writer.flush()

    run(main)


def test_endpoints_that_are_none() -> None:
    async def main() -> None:
        with pytest.raises(LocalProtocolError):
            await aio.open_reader("host")
        with pytest.raises(LocalProtocolError):
            await aio.listen_reader(TcpEndpoint("x" * 64, 1))

    run(main)
