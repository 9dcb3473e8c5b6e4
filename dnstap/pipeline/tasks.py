"""Tasks of an asyncio runner."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

__all__ = ["Tasks"]

T = TypeVar("T")


class Tasks:
    """The tasks of a run, which ends when all of them have ended, when one fails, or when it is stopped.

    Attributes:
        failure: the first error of a task.
        stopping: whether the run has been stopped.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.stopping = False
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None] | None] = set()

    @property
    def running(self) -> bool:
        """True while there are tasks that have not ended."""
        return bool(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in a task of its own."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def fail(self, error: BaseException) -> None:
        """Have the run end with an error, unless there was one before."""
        self.failure = self.failure or error
        self._changed.set()

    def stop(self) -> None:
        """Have the run end. May be called by a signal handler or another thread."""
        self.stopping = True
        # Without a loop `run` has not begun, and looks at `stopping` first. An event may only be set by the thread of
        # its loop, and a plain flag would not wake a loop that waits for sockets.
        if self._loop:
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._stopped)

    async def before_stop(self, coroutine: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of a coroutine that begins before the run, or None if the run is stopped before its end."""
        self._loop = asyncio.get_running_loop()
        task = self._loop.create_task(coroutine)
        self._opening.add(task)
        if self.stopping:
            task.cancel()
        try:
            await asyncio.wait([task])
        finally:
            self._opening.discard(task)
            task.cancel()  # No-op, unless this is cancelled itself.
        return None if task.cancelled() else task.result()

    async def run(self) -> None:
        """Wait until all tasks have ended, one has failed, or the run is stopped."""
        self._loop = asyncio.get_running_loop()
        while self._tasks and not (self.stopping or self.failure):
            # No change is missed: the event is set only by this loop, which runs nothing else between the condition and
            # the wait.
            self._changed.clear()
            await self._changed.wait()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Allow `cancel_idle` to cancel the current task while it is in the body: nothing is lost by that."""
        task = asyncio.current_task()
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)

    async def cancel_idle(self) -> None:
        """Cancel the tasks that are idle, and wait for their end."""
        idle = {task for task in self._idle if task}
        for task in idle:
            task.cancel()
        await asyncio.gather(*idle, return_exceptions=True)

    async def finish(self, timeout_s: float) -> None:
        """Wait until all tasks have ended, those started meanwhile included, or the time is over."""
        end = time.monotonic() + timeout_s
        # Tasks may start others meanwhile, such as one that writes what waits in a queue, so the set is read again.
        while self._tasks and (left := end - time.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    async def cancel(self) -> None:
        """Cancel all tasks, and wait for their end."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stopped(self) -> None:
        self._changed.set()
        for task in self._opening:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # Not for each task: a busy output has one for a batch.
        if not self._tasks:
            self._changed.set()
        # A cancelled task has not failed: `cancel_idle` and `cancel` end tasks in this way.
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)
