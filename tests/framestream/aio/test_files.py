"""Files for asyncio: cancellation."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING, Any

from framestream import aio, sync
from tests.framestream.wire import START, STOP, control, data
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


class TestCancelled:
    def test_reading(self, tmp_path: Path) -> None:
        """Bytes read for a cancelled call are there for the next one."""
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a", b"b") + STOP)

        async def main() -> None:
            async with aio.read_file(path) as reader:
                for steps in range(3):
                    task = asyncio.ensure_future(reader.handshake())
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                assert [payload async for payload in reader] == [b"a", b"b"]
            closing = await aio.read_file(path)
            task = asyncio.ensure_future(closing.handshake())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await closing.close()

        asyncio.run(main())

    def test_writing(self, tmp_path: Path) -> None:
        """A cancelled write writes all of its payloads, once."""
        path = tmp_path / "file"
        payloads = [b"%d" % number for number in range(50)]

        async def main() -> None:
            async with aio.write_file(path) as writer:
                for number, payload in enumerate(payloads):
                    taken, steps = writer.taken, number % 4
                    while writer.taken == taken:
                        task = asyncio.ensure_future(writer.write(payload))
                        for _ in range(steps):
                            await asyncio.sleep(0)
                        task.cancel()
                        steps += 1
                        await asyncio.wait([task])
            writer = await aio.write_file(tmp_path / "other")
            task = asyncio.ensure_future(writer.write(b"a"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await writer.abort()

        async def limited() -> None:
            async with asyncio.timeout(DEADLINE_S):
                await main()

        asyncio.run(limited())
        with sync.read_file(path) as reader:
            assert list(reader) == payloads

    def test_slow_files(self) -> None:
        """A call under way in a thread continues, and is not begun again."""
        proceed = threading.Event()
        written: list[bytes] = []

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                proceed.wait(DEADLINE_S)
                return super().read(size)

            def write(self, data: object, /) -> int:
                proceed.wait(DEADLINE_S)
                written.append(bytes(data))  # type: ignore[call-overload]
                return len(written[-1])

        async def twice(begin: Callable[[], Coroutine[Any, Any, object]]) -> None:
            proceed.clear()
            task = asyncio.ensure_future(begin())
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            proceed.set()
            await begin()

        async def main() -> None:
            reader = await aio.read_file(Slow(START + data(b"a") + STOP))
            await twice(reader.handshake)
            assert [payload async for payload in reader] == [b"a"]
            await reader.close()
            proceed.set()
            writer = await aio.write_file(Slow())
            payloads = iter([b"a", b"b"])
            await twice(lambda: writer.write(next(payloads)))
            await writer.close()

        asyncio.run(main())
        assert b"".join(written) == control(2) + data(b"a", b"b") + STOP
