"""Connections accepted: during the run, and those waiting at its end."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.accepted import AcceptedInput
from framestream.aio import listen_reader
from framestream.reporting import RateLimitedReporter
from framestream.sockets import BACKLOG
from tests.dnstap.pipeline.streams import raw_connection
from tests.framestream.nets import own
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from framestream.aio import Reader


def test_each_connection_is_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def run(stack: ExitStack) -> list[str]:
        source = AcceptedInput(await listen_reader(path, [CONTENT_TYPE]), RateLimitedReporter(print))
        assert source.concurrent
        for _ in range(3):
            stack.enter_context(raw_connection(path))
        names = []
        async for name, reader in source.streams():
            await reader.close()
            names.append(name)
            if len(names) == 3:
                break
        await source.close()
        return names

    with ExitStack() as stack:
        assert asyncio.run(run(stack)) == [f"unix:{path} connection {number} {own()}" for number in (1, 2, 3)]
    assert not path.exists()


def test_those_that_wait_at_the_end(tmp_path: Path) -> None:
    """All of them: more than one backlog takes, because the system may have taken more."""
    path = tmp_path / "s"

    async def run(stack: ExitStack, last_s: float) -> int:
        source = AcceptedInput(await listen_reader(path, [CONTENT_TYPE]), RateLimitedReporter(print), last_s=last_s)
        for _ in range(BACKLOG + 1):
            stack.enter_context(raw_connection(path))
        streams: list[tuple[str, Reader]] = []
        await source.take_waiting(lambda name, reader: streams.append((name, reader)))
        assert not path.exists()
        for _, reader in streams:
            await reader.close()
        return len(streams)

    with ExitStack() as stack:
        assert asyncio.run(run(stack, DEADLINE_S)) == BACKLOG + 1


def test_those_that_connect_on_and_on(tmp_path: Path) -> None:
    """They do not keep the end from coming."""
    path = tmp_path / "s"

    async def run(stack: ExitStack) -> int:
        source = AcceptedInput(await listen_reader(path, [CONTENT_TYPE]), RateLimitedReporter(print), last_s=0.1)
        taken: list[Reader] = []

        def begin(_name: str, reader: Reader) -> None:
            taken.append(reader)
            stack.pop_all().close()
            stack.enter_context(raw_connection(path))

        stack.enter_context(raw_connection(path))
        await source.take_waiting(begin)
        assert not path.exists()
        for reader in taken:
            await reader.close()
        return len(taken)

    with ExitStack() as stack:
        assert asyncio.run(run(stack)) > 0


def test_those_that_cannot_be_accepted_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reports = tmp_path / "s", list[str]()

    async def run() -> None:
        listener = await listen_reader(path, [CONTENT_TYPE])

        async def fail(timeout_s: float | None = None) -> Reader:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(listener, "accept", fail)
        await AcceptedInput(listener, RateLimitedReporter(reports.append)).take_waiting(print)

    asyncio.run(run())
    assert reports == [f"unix:{path}: cannot accept a connection: Too many open files"]
