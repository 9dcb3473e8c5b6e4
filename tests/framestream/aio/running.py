"""Programs for an event loop, and endpoints for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from framestream.endpoints import Tls, TlsEndpoint, UnixEndpoint
from tests.framestream.nets import CLIENT, SERVER
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from framestream import aio

T = TypeVar("T")

PAYLOADS = [b"%d " % number * (number % 97 + 1) * (400 if number % 50 == 0 else 1) for number in range(600)]
"""All different, and some larger than what a unix socket takes at once."""

OVER = ["unix", "tcp", "tls"]


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it, with a deadline; no task may be left."""

    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(limited())


def endpoint_for(over: str, path: Path) -> tuple[Any, Tls | None]:
    if over == "unix":
        return UnixEndpoint(str(path / "socket")), None
    return ("tls:localhost:0", SERVER) if over == "tls" else ("tcp:localhost:0", None)


def connected(endpoint: Any) -> Any:
    return TlsEndpoint("localhost", endpoint.port, CLIENT) if isinstance(endpoint, TlsEndpoint) else endpoint


async def wait_until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def interrupted(steps: int, coroutine: Coroutine[Any, Any, T]) -> tuple[bool, T | None]:
    """Cancel a coroutine after a number of rounds of the loop; return whether it was cancelled, and its result."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        return False, await task
    except asyncio.CancelledError:
        return True, None


async def next_batch(reader: aio.Reader) -> list[bytes] | None:
    batches: Any = reader.batches()
    try:
        return await anext(batches, None)
    finally:
        await batches.aclose()


async def next_payload(reader: aio.Reader) -> list[bytes] | None:
    async for payload in reader:
        return [payload]
    return None


async def read_all(reader: aio.Reader, chance: random.Random, *, singly: bool) -> list[bytes]:
    """The payloads, by calls that are cancelled again and again."""
    got: list[bytes] = []
    while (await interrupted(chance.randrange(4), reader.handshake()))[0]:
        pass
    while True:
        read = next_payload if singly and chance.random() < 0.5 else next_batch
        cancelled, batch = await interrupted(chance.randrange(6), read(reader))
        if batch:
            got += batch
        elif not cancelled:
            return got


async def write_all(writer: aio.Writer, chance: random.Random) -> None:
    """Write the payloads, by calls that are cancelled again and again; each is written, or has not been taken."""
    while (await interrupted(chance.randrange(4), writer.handshake()))[0]:
        pass
    left = list(PAYLOADS)
    while left:
        some = left[: chance.randrange(1, 5)]
        before = writer.taken
        cancelled, _ = await interrupted(chance.randrange(6), writer.write_many(some))
        assert writer.taken - before in ((0, len(some)) if cancelled else (len(some),))
        del left[: writer.taken - before]
        if chance.random() < 0.1:
            await interrupted(chance.randrange(3), writer.flush())
    await writer.close()
