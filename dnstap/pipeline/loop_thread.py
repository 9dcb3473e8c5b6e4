"""An event loop in a thread of its own, and calls that it has made by another thread: for faces that block."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial, wraps
from inspect import iscoroutine, iscoroutinefunction
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from dnstap.pipeline.outputs.called import name_of
from framestream.arguments import refuse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Calls", "LoopThread"]

P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """An event loop in a daemon thread, which begins with the first use and ends with `close`.

    Args: name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # A signal handler may interrupt the thread that holds it.
        self._lock = threading.RLock()

    def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine function and return its result. An exception of a signal handler cancels it.

        Raises: as the function; RuntimeError: asyncio is running in this thread.
        """
        loop = self._started()
        future = asyncio.run_coroutine_threadsafe(function(*args, **kwargs), loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # No-op, unless the wait was interrupted.
            raise

    def begin(
        self, function: Callable[[], Coroutine[Any, Any, None]], done: Callable[[asyncio.Task[None]], object]
    ) -> Callable[[], object]:
        """Run a coroutine function in a task, and return a function that cancels it.

        Args: done: called by the loop with the task when it has ended.
        Raises: RuntimeError: asyncio is running in this thread.
        """
        loop = self._started()
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = loop.create_task(function())
            tasks.append(task)
            task.add_done_callback(done)

        # Callbacks run in the order of these calls, so there is a task when it is to be cancelled.
        loop.call_soon_threadsafe(begin)
        return lambda: loop.call_soon_threadsafe(lambda: tasks[0].cancel())

    @property
    def begun(self) -> bool:
        """True if the thread runs."""
        return self._loop is not None

    def close(self) -> None:
        """Cancel all tasks, and end the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop and self._thread:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("this would block asyncio, which is running in this thread: use dnstap.Collector")
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(target=_run_loop, args=(started,), name=self._name, daemon=True)
                self._thread.start()
                self._loop = started.result()
            return self._loop


def _run_loop(started: Future[asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        started.set_result(loop)
        loop.run_forever()


class Calls:
    """Calls that the current thread makes for a task of an event loop in another thread, until the task has ended."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._ended = threading.Event()
        self._thread = threading.get_ident()

    def made_of(
        self, function: Callable[..., Any], argument: str = "outputs"
    ) -> Callable[..., Coroutine[Any, Any, None]]:
        """Return a coroutine function that has the function called by the thread in `run`, and waits for its end.

        Args: argument: name of the argument that has the function, for errors.
        Raises: TypeError: a coroutine function.
        """
        expected = "a plain function (dnstap.Collector takes coroutine functions)"
        if iscoroutinefunction(function):
            refuse_type(argument, expected, function)

        def call(*arguments: Any) -> None:
            result = function(*arguments)
            if iscoroutine(result):
                result.close()
                refuse_type(argument, expected, result)

        @wraps(function)
        async def make(*arguments: Any) -> None:
            future: Future[None] = Future()
            self._waiting.put((future, partial(call, *arguments)))
            await asyncio.wrap_future(future)

        make.__name__ = name_of(function)
        return make

    def end(self, task: asyncio.Task[None]) -> None:
        """End `run`. Called when the task has ended."""
        self._task = task
        self._waiting.put(None)
        self._ended.set()

    def run(self) -> None:
        """Make calls until the task has ended.

        An exception of a call is raised in the task. One that is no Exception, such as KeyboardInterrupt, is raised
        here at once.
        """
        while waiting := self._waiting.get():
            future, call = waiting
            if not future.set_running_or_notify_cancel():
                continue
            try:
                call()
            except StopIteration as error:
                # No future takes it.
                failure = RuntimeError("a handler raised StopIteration")
                failure.__cause__ = error
                future.set_exception(failure)
            except Exception as error:  # noqa: BLE001 (it is raised in the task)
                future.set_exception(error)
            else:
                future.set_result(None)
            del waiting, future, call  # What was handled is not kept while the next call is waited for.

    def result(self) -> None:
        """Raise the exception of the task, which has ended, if there was one."""
        cast("asyncio.Task[None]", self._task).result()

    def discard(self) -> None:
        """Make no more calls, and wait until the task has ended."""
        while self._task is None:
            self._waiting.get()

    def wait(self) -> bool:
        """Wait until the task has ended, unless this is the thread that makes its calls.

        Returns: whether the task has ended.
        """
        return self._ended.is_set() or (threading.get_ident() != self._thread and self._ended.wait())
