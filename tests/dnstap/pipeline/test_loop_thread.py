"""The event loop in a thread, and calls that it has made by another one; most is tested through BlockingCollector."""

from __future__ import annotations

import asyncio
import signal
import threading
from functools import partial
from typing import Any

import pytest

from dnstap.pipeline.loop_thread import Calls, LoopThread
from tests.threads import start
from tests.wait import DEADLINE_S


async def add(one: int, *, two: int) -> int:
    await asyncio.sleep(0)
    return one + two


async def fail() -> None:
    raise OSError("failed")


def test_coroutine_functions_are_run() -> None:
    loop = LoopThread("test of a loop")
    begun = [loop.begun]
    assert loop.call(add, 1, two=2) == 3
    begun.append(loop.begun)
    with pytest.raises(OSError, match="failed"):
        loop.call(fail)
    threads = [thread for thread in threading.enumerate() if thread.name == "test of a loop"]
    assert len(threads) == 1
    loop.close()
    loop.close()
    assert [*begun, loop.begun] == [False, True, False]
    assert not threads[0].is_alive()


def test_asyncio_is_not_blocked() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="would block asyncio"):
            LoopThread("test").call(fail)

    asyncio.run(main())


class TestCalls:
    """The calls of a task, made by this thread."""

    def run(self, *functions: Any) -> None:
        """Have a task call functions one after the other, and raise its exception."""
        calls, loop = Calls(), LoopThread("test")

        async def task() -> None:
            for function in functions:
                await calls.made_of(function)(1)

        try:
            cancel = loop.begin(task, calls.end)
            try:
                calls.run()
            except BaseException:
                cancel()
                calls.discard()
                raise
            assert calls.wait()
            calls.result()
        finally:
            loop.close()

    def test_the_thread_that_makes_them_does_not_wait(self) -> None:
        calls, loop = Calls(), LoopThread("test")
        waited: list[bool] = []
        loop.begin(calls.made_of(lambda: waited.append(calls.wait())), calls.end)
        calls.run()
        loop.close()
        assert [*waited, calls.wait()] == [False, True]

    def test_this_thread_makes_them(self) -> None:
        threads = []
        self.run(lambda _: threads.append(threading.get_ident()), print)
        assert threads == [threading.get_ident()]

    @pytest.mark.parametrize("kind", [OSError, asyncio.CancelledError])
    def test_exceptions_are_those_of_the_task(self, kind: type[BaseException]) -> None:
        later: list[int] = []

        def fail(_: int) -> None:
            raise kind("failed")

        with pytest.raises(kind):
            self.run(fail, later.append)
        assert later == []

    def test_exceptions_that_no_future_takes(self) -> None:
        with pytest.raises(RuntimeError, match="a handler raised StopIteration") as raised:
            self.run(lambda _: next(iter(())))
        assert isinstance(raised.value.__cause__, StopIteration)

    def test_those_of_signal_handlers_end_it_at_once(self) -> None:
        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.run(interrupt, print)

    def test_coroutine_functions_are_refused(self) -> None:
        async def later(_: int) -> None: ...

        with pytest.raises(TypeError, match=r"^outputs: expected a plain function .*, got <function"):
            self.run(later)
        with pytest.raises(TypeError, match=r"^outputs: expected a plain function .*, got <coroutine"):
            self.run(lambda number: later(number))

    def test_names(self) -> None:
        calls = Calls()
        assert calls.made_of(print).__name__ == "print"
        assert calls.made_of(partial(print)).__name__ == "partial"

    def test_a_call_that_nobody_waits_for_is_not_made(self) -> None:
        calls, loop = Calls(), LoopThread("test")
        made: list[int] = []

        async def task() -> None:
            calling = asyncio.create_task(calls.made_of(made.append)(1))
            await asyncio.sleep(0)
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

        loop.begin(task, calls.end)
        assert start(calls.wait).result(DEADLINE_S)
        calls.run()
        loop.close()
        assert made == []


def test_an_interrupted_wait_cancels_what_it_waits_for() -> None:
    """By an exception of a signal handler."""
    loop, cancelled = LoopThread("test"), threading.Event()

    async def wait() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupt(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(InterruptedError):
            loop.call(wait)
        assert cancelled.wait(DEADLINE_S)
    finally:
        signal.signal(signal.SIGALRM, before)
        loop.close()
