"""Writers of asyncio: many tasks, and writes that take too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from framestream import aio
from framestream.protocol import Transport
from framestream.streams import Batching, Deadlines
from tests.framestream.aio.running import (
    run,
)
from tests.framestream.nets import dial
from tests.threads import to_thread

if TYPE_CHECKING:
    from pathlib import Path


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
        """Not one for each timer; and none is left after a writer is closed."""

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
