"""Functions that run beside a test, in threads that no test waits for without end.

ThreadPoolExecutor waits for its threads when a test fails or is skipped, and the interpreter for all that are no
daemons: one that waits for a peer that never comes keeps the whole run.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads", "start", "to_thread"]

P = ParamSpec("P")
T = TypeVar("T")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Call the function in a daemon thread; return the future of its result, or of what it raises."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 (pytest's own are not Exceptions; whoever wants the result has it)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=f"test {function}", daemon=True).start()
    return future


async def to_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do as asyncio.to_thread, whose threads asyncio.run and the interpreter wait for at their end."""
    return await asyncio.wrap_future(start(function, *args, **kwargs))


class Threads:
    """Starts functions in threads and waits for them at the end of a `with` statement, unless its body fails."""

    def __init__(self) -> None:
        self._started: list[Future[Any]] = []

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = start(function, *args, **kwargs)
        self._started.append(future)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            running = wait(self._started, DEADLINE_S).not_done
            assert not running, f"{len(running)} threads do not end within {DEADLINE_S} s"
