"""Threads that do not keep a program from ending."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonThread", "call_in_daemon_thread"]

T = TypeVar("T")


class DaemonThread:
    """A thread that makes calls one after the other; it begins with the first, and ends with `close`.

    Unlike the threads of an executor, for which asyncio.run and the interpreter wait at their end, it holds up nothing
    if a call never returns: a write to a pipe that nobody reads, or a question to a name server that does not answer.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._begun = self._ended = 0

    @property
    def busy(self) -> bool:
        """True while there are calls that have not returned."""
        return self._begun > self._ended

    def call(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Have a call made after those before, and return the future of its result.

        If the future is cancelled before the call has begun, it is not made.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._begun += 1
        self._calls.put(_Call(future, partial(function, *arguments)))
        return future

    def close(self) -> None:
        """End the thread after the calls before. Returns at once."""
        self._calls.put(None)

    def _run(self) -> None:
        while call := self._calls.get():
            call.make()
            del call  # Frees its arguments and its result while the thread waits for the next one.
            self._ended += 1


def call_in_daemon_thread(function: Callable[..., T], *arguments: Any, name: str = "framestream") -> asyncio.Future[T]:
    """Have one call made in a thread of its own, which does not keep the program from ending; return its future."""
    thread = DaemonThread(name)
    future = thread.call(function, *arguments)
    thread.close()
    return future


class _Call:
    """A call to be made in a thread, and the future that waits for it."""

    def __init__(self, future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        self._future = future
        self._function = function

    def make(self) -> None:
        if self._future.cancelled():
            return
        try:
            settle = partial(self._settle, self._function(), None)
        except BaseException as error:  # noqa: BLE001 (it belongs to the caller, who awaits the future)
            settle = partial(self._settle, None, error)
        # The loop may have been closed meanwhile; then nobody waits for the result.
        with suppress(RuntimeError):
            self._future.get_loop().call_soon_threadsafe(settle)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._future.cancelled():
            return
        if error:
            self._future.set_exception(error)
        else:
            self._future.set_result(result)
