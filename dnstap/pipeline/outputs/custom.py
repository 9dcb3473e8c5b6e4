"""Outputs of programs: functions, and objects with `write_many`, each made an Output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dnstap.pipeline.outputs.base import Output
from dnstap.pipeline.outputs.called import CalledOutput
from framestream.arguments import refuse_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dnstap.pipeline.outputs.handlers import MessageHandler

__all__ = ["CustomOutput", "Writable", "as_output"]


class Writable(Protocol):
    """An object that a Collector can write to. `write_many` may be a coroutine function; it is awaited then."""

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | object: ...


class CustomOutput(CalledOutput):
    """An output that passes payloads to an object with `write_many`.

    Args: made_of: makes the function to call of the object's own.
    """

    def __init__(
        self, writable: Writable, made_of: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
    ) -> None:
        super().__init__(type(writable).__name__)
        self._write_many = made_of(writable.write_many) if made_of else writable.write_many

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        return self._count(self._write_many(payloads), len(payloads))


def as_output(output: MessageHandler | Output | Writable) -> Output:
    """Return an output as it is, and wrap a function of messages or any object with `write_many`.

    Raises: TypeError: it is none of them.
    """
    if isinstance(output, Output):
        return output
    try:
        return CustomOutput(output)  # type: ignore[arg-type] # a function has no `write_many`, which is found here
    except AttributeError:
        if not callable(output):
            refuse_type("outputs", "a function of messages and their source, or an object with write_many", output)
    # Not at the top of the module: it loads betterproto2, which the command does without.
    from dnstap.pipeline.outputs.handlers import MessageOutput

    return MessageOutput(output)
