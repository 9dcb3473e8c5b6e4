"""Outputs that call a function of the program."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from dnstap.pipeline.outputs.base import Output

__all__ = ["CalledOutput", "name_of"]


class CalledOutput(Output):
    """Common base of outputs that call a function of the program, which may be a coroutine function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._written = 0

    @property
    def written(self) -> int:
        return self._written

    def _count(self, result: object, number: int) -> Awaitable[object] | None:
        """Count what a call was given when it is done.

        Args:
            result: of the call: to be awaited, or anything else, which is ignored: a plain method such as list.extend
                may return what it likes.
            number: number of payloads or messages that the call was given.
        """
        if isinstance(result, Awaitable):
            return self._wait(result, number)
        self._written += number
        return None

    async def _wait(self, pending: Awaitable[object], number: int) -> None:
        # Not at the top of the module: a run over files loads no asyncio.
        from asyncio import CancelledError, current_task

        try:
            await pending
        except CancelledError as error:
            # A task that is cancelled has not failed, and nobody would learn that the function was left halfway.
            if (task := current_task()) and not task.cancelling():
                raise RuntimeError(f"{self.name}: what it awaited was cancelled") from error
            raise
        self._written += number


def name_of(function: Any) -> str:
    """Return the name of a function for reports; that of its class if it is another object that can be called."""
    try:
        return str(function.__name__)
    except AttributeError:
        return type(function).__name__
