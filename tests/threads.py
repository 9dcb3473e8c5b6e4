"""Functions that run beside a test, in threads that no test waits for without end.

ThreadPoolExecutor waits for its threads when a test fails or is skipped, and the interpreter waits for all threads
that are not daemons: one that waits for a peer that never comes would hold up the whole run.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Running", "Threads", "start", "to_thread"]

P = ParamSpec("P")
T = TypeVar("T")


class Running(Future[T]):
    """Future of a function in a thread, which has ended when the result is there: some tests count threads."""

    thread: threading.Thread

    def result(self, timeout: float | None = None) -> T:
        try:
            return super().result(timeout)
        finally:
            self.join()

    def join(self) -> None:
        """Wait for the end of the thread if the function has returned."""
        if self.done():
            self.thread.join(DEADLINE_S)


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Running[T]:
    """Call the function in a daemon thread; return the future of its result, or of what it raises."""
    running: Running[T] = Running()

    def run() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 (pytest's own are not Exceptions; whoever wants the result has it)
            running.set_exception(error)
        else:
            running.set_result(result)

    running.thread = threading.Thread(target=run, name=f"test {function}", daemon=True)
    running.thread.start()
    return running


async def to_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do as asyncio.to_thread, whose threads asyncio.run and the interpreter wait for at their end."""
    running = start(function, *args, **kwargs)
    try:
        return await asyncio.wrap_future(running)
    finally:
        running.join()


class Threads:
    """Starter of functions in threads and waits for them at the end of a `with` statement, unless its body fails."""

    def __init__(self) -> None:
        self._started: list[Running[Any]] = []

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Running[T]:
        running = start(function, *args, **kwargs)
        self._started.append(running)
        return running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            late = wait(self._started, DEADLINE_S).not_done
            assert not late, f"{len(late)} threads do not end within {DEADLINE_S} s"
            for running in self._started:
                running.join()
