"""Outputs that call functions: what is counted, and when."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from dnstap.pipeline.outputs.called import name_of
from dnstap.pipeline.outputs.custom import CustomOutput


def test_what_is_returned_is_ignored() -> None:
    class Counting:
        def write_many(self, payloads: list[bytes]) -> int:
            return len(payloads)

    output = CustomOutput(Counting())
    assert output.write_many([b"1", b"2"]) is None
    assert output.written == 2


def test_what_is_awaited_is_counted_afterwards() -> None:
    class Later:
        async def write_many(self, payloads: list[bytes]) -> None:
            await asyncio.sleep(0)

    async def run() -> None:
        output = CustomOutput(Later())
        pending = output.write_many([b"1"])
        assert pending is not None
        assert output.written == 0
        await pending
        assert output.written == 1

    asyncio.run(run())


def test_what_is_cancelled_has_failed() -> None:
    """A task that is cancelled has not failed for asyncio, and nobody would learn of the batch that was not written."""

    class Cancelled:
        async def write_many(self, payloads: list[bytes]) -> None:
            raise asyncio.CancelledError

    class Waiting:
        async def write_many(self, payloads: list[bytes]) -> None:
            await asyncio.Event().wait()

    async def run() -> None:
        pending = CustomOutput(Cancelled()).write_many([b"1"])
        assert pending is not None
        with pytest.raises(RuntimeError, match=r"^Cancelled: what it awaited was cancelled$"):
            await pending
        output = CustomOutput(Waiting())
        waiting = asyncio.ensure_future(output.write_many([b"1"]) or asyncio.sleep(0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert output.written == 0

    asyncio.run(run())


def test_names() -> None:
    assert [name_of(function) for function in (print, lambda: None, partial(print))] == ["print", "<lambda>", "partial"]
