"""Outputs of programs: any object with `write_many`, made an Output."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from dnstap.pipeline.outputs.base import Output
from framestream.arguments import refuse_type

__all__ = ["CustomOutput", "Writable", "as_output"]


class Writable(Protocol):
    """An object that a Collector can write to. `write_many` may be a coroutine function; it is awaited then."""

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | object: ...


class CustomOutput(Output):
    """An output that passes payloads to an object with `write_many`."""

    def __init__(self, writable: Writable) -> None:
        self.name = type(writable).__name__
        self._write_many = writable.write_many
        self._written = 0

    @property
    def written(self) -> int:
        return self._written

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        result = self._write_many(payloads)
        if isinstance(result, Awaitable):
            return self._wait(result, len(payloads))
        # Any other result is ignored: a plain method such as list.extend may return what it likes.
        self._written += len(payloads)
        return None

    async def _wait(self, pending: Awaitable[object], number: int) -> None:
        await pending
        self._written += number


def as_output(output: Output | Writable) -> Output:
    """Return an output as it is, and wrap any other object.

    Raises: TypeError: it has no method `write_many`.
    """
    if isinstance(output, Output):
        return output
    try:
        return CustomOutput(output)
    except AttributeError:
        refuse_type("outputs", "an object with the method write_many", output)
