"""The end of outputs: all are closed, and none holds up the others or the end of the program."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from framestream.aio.daemon import call_in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Sequence

    from dnstap.pipeline.outputs.base import Output

__all__ = ["close_outputs"]


async def close_outputs(outputs: Sequence[Output], timeout_s: float) -> None:
    """Close all outputs, whatever happens to one of them, except those that are stuck.

    Args: timeout_s: how long those may take that wait for another program.
    Raises: the first exception of an output.
    """
    waiting: list[Coroutine[Any, Any, None]] = []
    errors: list[BaseException] = []
    for output in outputs:
        if output.stuck:
            continue
        try:
            # A pipe that nobody reads does not take the end of a stream. A regular file does at once, and the files
            # that it may have to compress take what they take.
            pending = call_in_daemon_thread(output.close) if output.blocking else output.close()
        except OSError as error:
            errors.append(error)
        else:
            if pending is not None:
                waiting.append(_wait(pending, timeout_s))
    errors += [error for error in await asyncio.gather(*waiting, return_exceptions=True) if error]
    if errors:
        raise errors[0]


async def _wait(pending: Awaitable[object], timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await pending
