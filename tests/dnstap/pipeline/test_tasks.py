"""Tasks of a run: how it ends, and which of them are cancelled."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline.tasks import Tasks
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run(function: Callable[[Tasks], Awaitable[None]]) -> Tasks:
    """Call a coroutine function with Tasks, and cancel what is left."""

    async def whole() -> Tasks:
        tasks = Tasks()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await function(tasks)
        finally:
            await tasks.cancel()
        return tasks

    return asyncio.run(whole())


def test_a_run_ends_with_its_last_task() -> None:
    async def use(tasks: Tasks) -> None:
        await tasks.run()  # There is none.
        done: list[int] = []

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            done.append(number)
            if number:
                tasks.start(work(number - 1))

        tasks.start(work(2))
        await tasks.run()
        assert done == [2, 1, 0]

    assert run(use).failure is None


def test_a_run_ends_with_the_first_failure() -> None:
    first, second = OSError("first"), OSError("second")

    async def use(tasks: Tasks) -> None:
        async def work() -> None:
            raise first

        tasks.start(asyncio.sleep(DEADLINE_S * 2))
        tasks.start(work())
        await tasks.run()
        tasks.fail(second)

    assert run(use).failure is first


def test_a_run_is_stopped() -> None:
    async def use(tasks: Tasks) -> None:
        tasks.start(asyncio.sleep(DEADLINE_S * 2))

        def stop() -> None:
            time.sleep(0.01)
            tasks.stop()

        stopping = start(stop)
        await tasks.run()
        stopping.result(DEADLINE_S)

    tasks = run(use)
    assert tasks.stopping
    tasks.stop()  # It does no harm when the loop is closed.


def test_a_run_may_be_stopped_before_it_begins() -> None:
    async def use(tasks: Tasks) -> None:
        tasks.stop()
        tasks.start(asyncio.sleep(DEADLINE_S * 2))
        await tasks.run()

    assert run(use).stopping


def test_what_begins_before_a_run_ends_when_it_is_stopped() -> None:
    async def use(tasks: Tasks) -> None:
        assert await tasks.before_stop(asyncio.sleep(0, "done")) == "done"
        with pytest.raises(OSError, match="failed"):
            await tasks.before_stop(fail())
        outer = asyncio.create_task(tasks.before_stop(asyncio.sleep(DEADLINE_S * 2)))
        await asyncio.sleep(0)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        stopping = start(tasks.stop)
        assert await tasks.before_stop(asyncio.sleep(DEADLINE_S * 2, "done")) is None
        stopping.result(DEADLINE_S)
        assert await tasks.before_stop(asyncio.sleep(DEADLINE_S * 2, "done")) is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def fail() -> None:
        raise OSError("failed")

    assert run(use).stopping


def test_only_idle_tasks_are_cancelled() -> None:
    ended: list[str] = []

    async def use(tasks: Tasks) -> None:
        go_on = asyncio.Event()

        async def work(name: str, *, idle: bool) -> None:
            try:
                if idle:
                    with tasks.idle():
                        await asyncio.sleep(DEADLINE_S * 2)
                else:
                    with tasks.idle():
                        await asyncio.sleep(0)
                    await go_on.wait()
            finally:
                ended.append(name)

        tasks.start(work("busy", idle=False))
        tasks.start(work("idle", idle=True))
        for _ in range(3):
            await asyncio.sleep(0)
        await tasks.cancel_idle()
        assert ended == ["idle"]
        go_on.set()
        await tasks.finish(DEADLINE_S)
        assert ended == ["idle", "busy"]

    assert run(use).failure is None


def test_the_end_is_waited_for_only_so_long() -> None:
    async def use(tasks: Tasks) -> None:
        assert not tasks.running
        tasks.start(asyncio.sleep(DEADLINE_S * 2))
        await tasks.finish(0.01)
        assert tasks.running

    assert run(use).failure is None
