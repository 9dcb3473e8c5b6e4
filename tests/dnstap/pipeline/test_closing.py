"""The end of outputs: those that stand still, and those that fail."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.closing import close_outputs
from dnstap.pipeline.outputs.recording import Recording
from framestream import read_file
from tests.dnstap.pipeline.kept import Kept, KeptBlocking
from tests.wait import DEADLINE_S


class Closing(Kept):
    """An output that notes that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class ClosingLater(Closing):
    """An output that is closed when something has happened."""

    def __init__(self, done: asyncio.Event) -> None:
        super().__init__()
        self.done = done

    async def close(self) -> None:  # type: ignore[override]
        await self.done.wait()
        self.closed = True


class Failing(Kept):
    """An output whose end fails."""

    def close(self) -> None:
        raise OSError("disk full")


class FailingLater(Kept):
    """An output whose end fails later."""

    async def close(self) -> None:
        raise OSError("away")


def test_of_every_kind() -> None:
    async def run() -> None:
        done = asyncio.Event()
        later, at_once = ClosingLater(done), Closing()
        closing = asyncio.create_task(close_outputs([later, at_once, Kept()], DEADLINE_S))
        while not at_once.closed:
            await asyncio.sleep(0)
        assert not later.closed
        done.set()
        await closing
        assert later.closed

    asyncio.run(run())


def test_those_that_stand_still() -> None:
    """They have some time; those whose last write has not returned are left alone."""

    class Stuck(KeptBlocking):
        def close(self) -> None:
            self.began.set()
            assert self.allowed.wait(DEADLINE_S)

    outputs = [Stuck(), Stuck()]
    outputs[1].stuck = True

    async def run() -> None:
        await close_outputs([*outputs, ClosingLater(asyncio.Event())], 0.05)

    asyncio.run(run())
    assert outputs[0].began.wait(DEADLINE_S)
    assert not outputs[1].began.is_set()
    outputs[0].allowed.set()


def test_one_that_fails_costs_no_other() -> None:
    async def run(failing: Kept) -> None:
        other = Closing()
        with pytest.raises(OSError, match=r"disk full|away"):
            await close_outputs([failing, other], DEADLINE_S)
        assert other.closed

    for failing in Failing(), FailingLater():
        asyncio.run(run(failing))


def test_a_pipe_gets_the_end_of_its_stream() -> None:
    reading, writing = os.pipe()
    output = Recording(f"/dev/fd/{writing}")
    os.close(writing)
    output.write_many([b"1"])
    threads = threading.active_count()
    asyncio.run(close_outputs([output], DEADLINE_S))
    assert threading.active_count() <= threads + 1
    with read_file(f"/dev/fd/{reading}", [CONTENT_TYPE]) as reader:
        assert list(reader) == [b"1"]
        assert reader.ended
    os.close(reading)
