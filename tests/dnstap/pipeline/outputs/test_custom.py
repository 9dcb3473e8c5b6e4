"""Outputs of programs: functions, coroutine functions, and what they return."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dnstap.pipeline.outputs.custom import CustomOutput, as_output
from dnstap.pipeline.outputs.handlers import MessageOutput
from tests.dnstap.pipeline.streams import Payloads


def test_a_function() -> None:
    payloads = Payloads()
    output = as_output(payloads)
    assert output.write_many([b"1"]) is None
    assert payloads == [b"1"]
    assert as_output(output) is output
    assert (output.name, output.blocking, output.takes_encoded) == ("Payloads", False, False)
    output.tick()
    output.flush()
    assert output.close() is None
    output.reached = output.given = 3
    assert str(output.counts) == output.summary() == "Payloads: 3 frames: 1 written, 0 rejected, 0 dropped, 2 left"


def test_what_a_function_returns_is_ignored() -> None:
    class Counting:
        def write_many(self, payloads: list[bytes]) -> int:
            return len(payloads)

    assert CustomOutput(Counting()).write_many([b"1"]) is None


def test_a_coroutine_function() -> None:
    written: list[bytes] = []

    class Later:
        async def write_many(self, payloads: list[bytes]) -> None:
            await asyncio.sleep(0)
            written.extend(payloads)

    async def run() -> None:
        output = CustomOutput(Later())
        pending = output.write_many([b"1"])
        assert pending is not None
        assert written == []
        assert output.written == 0
        await pending
        assert output.written == 1

    asyncio.run(run())
    assert written == [b"1"]


def test_the_function_can_be_replaced() -> None:
    payloads = Payloads()
    output = CustomOutput(payloads, lambda write_many: lambda batch: write_many(batch * 2))
    output.write_many([b"1"])
    assert payloads == [b"1", b"1"]


def test_a_function_is_a_handler_of_messages() -> None:
    assert isinstance(as_output(print), MessageOutput)


@pytest.mark.parametrize("output", [None, 5, []])
def test_what_cannot_be_written_to(output: Any) -> None:
    expected = "a function of messages and their source, or an object with write_many"
    with pytest.raises(TypeError, match=rf"^outputs: expected {expected}, got "):
        as_output(output)
