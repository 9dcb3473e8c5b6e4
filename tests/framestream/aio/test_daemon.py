"""Threads that do not keep a program from ending."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from framestream.aio.daemon import DaemonThread, call_in_daemon_thread
from tests.wait import DEADLINE_S, wait_for


def test_calls_one_after_the_other() -> None:
    made: list[int] = []

    async def run() -> list[None]:
        thread = DaemonThread("x")
        assert not thread.busy
        results = await asyncio.gather(*[thread.call(made.append, number) for number in range(5)])
        wait_for(lambda: not thread.busy, "the end of the calls")
        thread.close()
        return results

    assert asyncio.run(run()) == [None] * 5
    assert made == [0, 1, 2, 3, 4]


def test_results_and_errors() -> None:
    async def run() -> None:
        thread = DaemonThread("x")
        assert await thread.call(int, "7") == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await thread.call(int, "seven")
        assert await thread.call(int, "8") == 8
        thread.close()

    asyncio.run(run())


def test_cancelled() -> None:
    """A call that has begun ends by itself; one that has not is not made."""
    began, may_end = threading.Event(), threading.Event()
    made: list[str] = []

    def first() -> None:
        began.set()
        assert may_end.wait(DEADLINE_S)
        made.append("first")

    def failing() -> None:
        first()
        raise ValueError

    async def run(function: object) -> None:
        thread = DaemonThread("x")
        calls = [thread.call(first if function is first else failing), thread.call(made.append, "second")]
        assert began.wait(DEADLINE_S)
        for call in calls:
            call.cancel()
        assert thread.busy
        may_end.set()
        wait_for(lambda: not thread.busy, "the end of the calls")
        assert await thread.call(int, "1") == 1
        thread.close()

    for function in first, failing:
        began.clear()
        may_end.clear()
        asyncio.run(run(function))
    assert made == ["first", "first"]


def test_one_call() -> None:
    async def run() -> None:
        assert await call_in_daemon_thread(int, "7") == 7
        name = await call_in_daemon_thread(lambda: threading.current_thread().name, name="x")
        assert name == "x"

    asyncio.run(run())


def test_the_loop_was_closed_meanwhile() -> None:
    may_end = threading.Event()

    async def run() -> DaemonThread:
        thread = DaemonThread("x")
        thread.call(may_end.wait, DEADLINE_S)
        return thread

    thread = asyncio.run(run())
    may_end.set()
    wait_for(lambda: not thread.busy, "the end of the call")
    thread.close()


def test_a_program_ends_though_a_call_does_not() -> None:
    code = """
import asyncio, os
from framestream.aio.daemon import DaemonThread

async def main():
    reading, writing = os.pipe()
    thread = DaemonThread("x")
    thread.call(os.read, reading, 1)
    await asyncio.sleep(0.01)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=DEADLINE_S)
