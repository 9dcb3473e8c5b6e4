"""framestream.sync and framestream.aio behind one blocking face, so that one test serves both.

The functions here have the names and types of framestream.sync and call those of the front end that `using` has chosen:
framestream.sync itself, or framestream.aio, whose coroutines are run by an event loop in another thread.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import framestream.aio
import framestream.sync
from tests.threads import start, to_thread
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "FRONTS",
    "ReconnectingWriter",
    "listen_reader",
    "listen_writer",
    "open_reader",
    "open_writer",
    "read_file",
    "using",
    "write_file",
]

FRONTS = ("sync", "aio")

ENDS = (
    framestream.aio.Reader,
    framestream.aio.Writer,
    framestream.aio.Listener,
    framestream.aio.ReconnectingWriter,
)

_loop: asyncio.AbstractEventLoop | None = None


@contextmanager
def using(front: str) -> Iterator[None]:
    """Have the functions of this module be those of that front end."""
    global _loop
    if front == "sync":
        yield
        return
    before, _loop = _loop, asyncio.new_event_loop()
    loop = _loop
    running = start(loop.run_forever)
    try:
        yield
    finally:
        _run(_cancelled)
        _run(loop.shutdown_asyncgens)
        _run(loop.shutdown_default_executor)
        loop.call_soon_threadsafe(loop.stop)
        running.result(DEADLINE_S)
        loop.close()
        _loop = before


async def _cancelled() -> None:
    """Cancel what still runs."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function in the event loop, await its result if it can be awaited, and return it."""

    async def call() -> Any:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    assert _loop is not None
    return _blocking(asyncio.run_coroutine_threadsafe(call(), _loop).result(DEADLINE_S))


def _blocking(result: Any) -> Any:
    if isinstance(result, ENDS):
        return _Blocking(result)
    return _iterate(result.__anext__) if inspect.isasyncgen(result) else result


def _iterate(following: Callable[[], Any]) -> Iterator[Any]:
    while True:
        try:
            item = _run(following)
        except StopAsyncIteration:
            return
        yield item


class _Blocking:
    """An end or a listener of framestream.aio as one of framestream.sync."""

    def __init__(self, end: Any) -> None:
        self.end = end

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.end, name)
        return (lambda *args, **kwargs: _run(value, *args, **kwargs)) if inspect.ismethod(value) else value

    def __iter__(self) -> Iterator[Any]:
        return cast("Iterator[Any]", _run(self.end.__aiter__))

    def __enter__(self) -> _Blocking:
        _run(self.end.__aenter__)
        return self

    def __exit__(self, *problem: object) -> None:
        _run(self.end.__aexit__, *problem)


def _delegate(name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if _loop is None:
            return getattr(framestream.sync, name)(*args, **kwargs)
        return _run(getattr(framestream.aio, name), *args, **kwargs)

    return call


def _reconnecting(connect: Callable[[], framestream.sync.Writer], *args: Any, **kwargs: Any) -> Any:
    if _loop is None:
        return framestream.sync.ReconnectingWriter(connect, *args, **kwargs)

    async def connect_there() -> Any:
        # The test's function blocks, and calls the loop itself.
        return cast("_Blocking", await to_thread(connect)).end

    return _run(framestream.aio.ReconnectingWriter, connect_there, *args, **kwargs)


ReconnectingWriter = cast("type[framestream.sync.ReconnectingWriter]", _reconnecting)
listen_reader = framestream.sync.listen_reader
listen_writer = framestream.sync.listen_writer
open_reader = framestream.sync.open_reader
open_writer = framestream.sync.open_writer
read_file = framestream.sync.read_file
write_file = framestream.sync.write_file
if not TYPE_CHECKING:
    listen_reader = _delegate("listen_reader")
    listen_writer = _delegate("listen_writer")
    open_reader = _delegate("open_reader")
    open_writer = _delegate("open_writer")
    read_file = _delegate("read_file")
    write_file = _delegate("write_file")
