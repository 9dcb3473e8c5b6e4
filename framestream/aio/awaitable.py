"""Calls that can be awaited, or used in `async with`."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

__all__ = ["Opening", "awaitable"]

P = ParamSpec("P")


class Closable(Protocol):
    """Interface of what is closed at the end of `async with`."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


class Opening(Generic[Opened]):
    """A reader, writer or listener that is being opened: await it, or use it in `async with`, which closes it again."""

    def __init__(self, coroutine: Coroutine[Any, Any, Opened]) -> None:
        self._coroutine = coroutine
        self._opened: Opened

    def __await__(self) -> Generator[Any, Any, Opened]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> Opened:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)


def awaitable(function: Callable[P, Coroutine[Any, Any, Opened]]) -> Callable[P, Opening[Opened]]:
    """Decorate a coroutine function so that it returns an Opening."""

    @wraps(function)
    def opening(*args: P.args, **kwargs: P.kwargs) -> Opening[Opened]:
        return Opening(function(*args, **kwargs))

    return opening
