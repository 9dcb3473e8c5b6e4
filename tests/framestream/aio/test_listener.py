"""Listeners of asyncio: a task for each connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
from typing import TYPE_CHECKING, Any

import pytest

from framestream import aio
from framestream.connections import Connections
from framestream.endpoints import UnixEndpoint
from framestream.reporting import MAX_PER_PERIOD, PERIOD_S
from tests.elsewhere.shims import ProactorLoop
from tests.framestream.aio.running import (
    interrupted,
    run,
    wait_until,
)
from tests.framestream.nets import dial
from tests.framestream.wire import START, STOP, data
from tests.threads import to_thread

if TYPE_CHECKING:
    import socket
    from pathlib import Path


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

                    async def accept_one(timeout_s: float | None = None) -> aio.Reader:
                        if listener._accepted:
                            raise ZeroDivisionError
                        return await accept()

                    monkeypatch.setattr(listener, "accept", accept_one)
                    with pytest.raises(ExceptionGroup):
                        await listener.serve(handle)
                    assert begun == []
                    assert await to_thread(sock.recv, 1) == b""

        run(main)

    def test_when_nobody_comes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It goes on waiting after each period, in which reports may be due."""
        waits: list[float | None] = []

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def time_out(timeout_s: float | None = None) -> aio.Reader:
                    waits.append(timeout_s)
                    if len(waits) == 3:
                        await listener.close()
                    raise TimeoutError

                monkeypatch.setattr(listener, "accept", time_out)
                await listener.serve(lambda reader: asyncio.sleep(0))

        run(main)
        assert waits == [PERIOD_S] * 3

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
        assert "cannot accept a connection: Too many open files" in caplog.messages[0]

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

    def test_summaries_of_errors(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        """Of many errors some are logged, and the number of the others at the end of a period, though nobody comes."""
        monkeypatch.setattr("framestream.aio.listener.PERIOD_S", 0.01)

        async def handle(reader: aio.Reader) -> None:
            raise OSError("wrong")

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                serving = asyncio.create_task(listener.serve(handle))
                for _ in range(MAX_PER_PERIOD + 3):
                    with await to_thread(dial, listener.endpoint) as sock:
                        assert await to_thread(sock.recv, 1) == b""
                assert len(caplog.records) == MAX_PER_PERIOD
                listener._reports._began -= 3600
                await wait_until(lambda: len(caplog.records) > MAX_PER_PERIOD)
                await listener.close()
                await serving

        run(main)
        assert caplog.messages[-1].endswith(": 3 more such lines")

    def test_limits(self, tmp_path: Path) -> None:
        """Several listeners may share them."""
        connections = Connections(1)

        async def handle(reader: aio.Reader) -> None:
            async for _ in reader:
                pass

        async def main() -> None:
            paths = [tmp_path / "1", tmp_path / "2"]
            serving = [asyncio.create_task(aio.serve(path, handle, connections=connections)) for path in paths]
            for path in paths:
                await wait_until(path.exists)
            with dial(UnixEndpoint(str(paths[0]))) as first, dial(UnixEndpoint(str(paths[1]))):
                assert await to_thread(first.recv, 1) == b""  # The oldest makes room.
                await wait_until(lambda: connections.number == 1)
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

        run(main)


class TestListener:
    def test_fairness(self) -> None:
        """Other tasks run between any two of the connections that wait."""
        turns: list[int] = []

        async def take_turns() -> None:
            while True:
                turns.append(0)
                await asyncio.sleep(0)

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                with contextlib.ExitStack() as stack:
                    for _ in range(30):
                        stack.enter_context(dial(listener.endpoint))
                    other = asyncio.create_task(take_turns())
                    accepted = [await listener.accept() for _ in range(30)]
                    other.cancel()
                    await asyncio.wait([other])
                for reader in accepted:
                    await reader.close()

        run(main)
        assert len(turns) >= 30

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


def test_a_loop_that_cannot_wait_for_descriptors() -> None:
    """As the default one of Windows; connections are looked for."""

    async def main() -> None:
        async with aio.listen_reader("tcp:localhost:0") as listener:
            accepting = asyncio.create_task(listener.accept())
            for _ in range(3):
                await asyncio.sleep(0)
            with await to_thread(dial, listener.endpoint, None, START + data(b"1") + STOP):
                async with await accepting as reader:
                    assert [payload async for payload in reader] == [b"1"]

    with asyncio.Runner(loop_factory=ProactorLoop) as runner:
        runner.run(main())


class TestStop:
    """The end of serve() that loses nothing: readers take what they have received, and their handlers return."""

    @pytest.mark.parametrize("by", ["a thread", "the loop", "a handler"])
    def test_readers(self, by: str, caplog: pytest.LogCaptureFixture) -> None:
        """A missing STOP is not the sender's fault then, but a frame that was cut off is."""
        got: list[bytes] = []

        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:

                async def handle(reader: aio.Reader) -> None:
                    async for payload in reader:
                        got.append(payload)
                        if by == "a handler" and len(got) == 2:
                            listener.stop()

                serving = asyncio.create_task(listener.serve(handle))
                with (
                    await to_thread(dial, listener.endpoint),
                    await to_thread(dial, listener.endpoint, None, START + data(b"whole")),
                    await to_thread(dial, listener.endpoint, None, START + data(b"cut") + data(b"off")[:-1]),
                ):
                    await wait_until(lambda: len(got) == 2)
                    if by == "a thread":
                        await to_thread(listener.stop)
                    elif by == "the loop":
                        listener.stop()
                    await serving

        run(main)
        assert sorted(got) == [b"cut", b"whole"]
        messages = [record.message for record in caplog.records]
        assert len(messages) == 1
        assert "expected 1 more bytes of a frame, got the end of input" in messages[0]

    def test_at_any_step(self, tmp_path: Path) -> None:
        """A connection that was accepted, and whose handler has not begun, ends too."""
        got: list[bytes] = []

        async def handle(reader: aio.Reader) -> None:
            got.extend([payload async for payload in reader])

        async def main(steps: int) -> aio.Listener[aio.Reader]:
            listeners: list[aio.Listener[aio.Reader]] = []
            socks: list[socket.socket] = []

            def step(left: int) -> None:
                if left:
                    asyncio.get_running_loop().call_soon(step, left - 1)
                else:
                    listeners[0].stop()

            def started(listener: aio.Listener[aio.Reader]) -> None:
                listeners.append(listener)
                socks.append(dial(listener.endpoint, first=START + data(b"1")))
                step(steps)

            await aio.serve(tmp_path / "s", handle, started=started)
            with socks[0], contextlib.suppress(ConnectionResetError):
                assert await to_thread(socks[0].recv, 1) == b""
            return listeners[0]

        for steps in range(8):
            listener = asyncio.run(main(steps))
        assert set(got) == {b"1"}
        assert not (tmp_path / "s").exists()
        listener.stop()  # No-op: its loop is closed.

    def test_writers_are_waited_for(self) -> None:
        """Nothing tells their handlers to end."""

        async def main() -> None:
            may = asyncio.Event()

            async def handle(writer: aio.Writer) -> None:
                await writer.write(b"1")
                await may.wait()
                await writer.write(b"2")

            async with aio.listen_writer("tcp:localhost:0") as listener:
                serving = asyncio.create_task(listener.serve(handle))
                async with aio.open_reader(listener.endpoint) as reader:
                    assert await anext(aiter(reader)) == b"1"
                    listener.stop()
                    may.set()
                    assert [payload async for payload in reader] == [b"2"]
                await serving

        run(main)

    def test_iteration(self) -> None:
        async def main() -> None:
            async with aio.listen_reader("tcp:localhost:0") as listener:
                asyncio.get_running_loop().call_soon(listener.stop)
                assert [reader async for reader in listener] == []
                await listener.serve(lambda reader: asyncio.sleep(0))

        run(main)

    def test_started_is_a_function(self, tmp_path: Path) -> None:
        async def main() -> None:
            wrong: Any = 5
            with pytest.raises(TypeError, match=r"^started: expected a function that takes a Listener, got 5"):
                await aio.serve(tmp_path / "s", lambda reader: asyncio.sleep(0), started=wrong)

        run(main)
