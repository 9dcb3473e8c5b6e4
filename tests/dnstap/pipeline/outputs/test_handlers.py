"""Handlers: what they are called with, and which functions can be handlers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.pairing import Pairs
from dnstap.pipeline.outputs.custom import as_output
from dnstap.pipeline.outputs.handlers import MessageOutput, PayloadOutput
from dnstap.pipeline.sources import Source
from framestream import PeerAddress
from tests.dnstap.pairing.messages import query, response

SOURCE = Source("tcp:127.0.0.1:6000", file=False, peer=PeerAddress("192.0.2.1", 4711))
WITHOUT_MESSAGE = bytes.fromhex("7801")


def payload(identity: bytes | None = None) -> bytes:
    message = Message(type=MessageType.CLIENT_QUERY)
    return Dnstap(identity=identity, type=DnstapType.MESSAGE, message=message).encode()


class Called(list[tuple[Any, Source]]):
    """A handler that keeps what it is called with."""

    def __call__(self, batch: Any, source: Source) -> None:
        self.append((batch, source))


def test_messages() -> None:
    """Bad payloads are counted, and a handler is not called without messages."""
    called = Called()
    output = as_output(called)
    assert isinstance(output, MessageOutput)
    assert output.uses_source
    output.set_source(SOURCE)
    output.write_many([payload(), WITHOUT_MESSAGE, payload(b"ns1"), payload(b"ns2")])
    output.write_many([b"\xff"])
    ((messages, source),) = called
    assert [message.identity for message in messages] == [None, b"ns1", b"ns2"]
    assert source == SOURCE._replace(identity=b"ns1")
    assert (output.name, output.written, output.rejected) == ("Called", 3, 2)
    bad = "2 of 5 payloads do not decode and were left out; the first was payload 2: Dnstap: required field message is"
    assert list(output.new_reports()) == [f"{bad} missing"]
    output.write_many([payload()])
    assert called[1][1] == SOURCE


def test_payloads() -> None:
    """They are passed on whatever they are; the identity is that of the first that tells."""
    called = Called()
    output = PayloadOutput(called)
    output.set_source(SOURCE)
    batches = [[b"\xff", WITHOUT_MESSAGE, payload(b"ns1"), payload(b"ns2")], [b"\xff"]]
    for batch in batches:
        output.write_many(batch)
    assert called == [(batches[0], SOURCE._replace(identity=b"ns1")), (batches[1], SOURCE)]
    assert (output.written, output.rejected, list(output.new_reports())) == (5, 0, [])


def test_coroutine_functions_are_awaited() -> None:
    numbers = []

    async def handler(messages: list[Any], source: Source) -> None:
        await asyncio.sleep(0)
        numbers.append(len(messages))

    async def run() -> None:
        output = MessageOutput(handler)
        pending = output.write_many([payload()] * 3)
        assert pending is not None
        assert (output.written, output.name) == (0, "handler")
        await pending
        assert (output.written, numbers) == (3, [3])

    asyncio.run(run())


@pytest.mark.parametrize("handler", [print, partial(print, end=""), lambda *_: None, lambda _, source=None: source])
def test_functions_of_two_arguments(handler: Any) -> None:
    assert MessageOutput(handler).written == 0


def test_a_function_that_does_not_tell_its_arguments() -> None:
    """As some that are written in C."""
    handler: Any = {}.update
    assert PayloadOutput(handler).name == "update"


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (5, "got 5 of type int"),
        (len, "(too many positional arguments), got <built-in function len>"),
        (lambda: None, "(too many positional arguments), got <function"),
        (lambda batch, source, more: None, "(missing a required argument: 'more'), got <function"),
    ],
)
def test_what_is_no_handler(handler: Any, text: str) -> None:
    with pytest.raises(TypeError) as raised:
        PayloadOutput(handler)
    assert str(raised.value).startswith("payloads: expected a function of payloads and their source")
    assert text in str(raised.value)


def test_messages_with_what_pairing_found() -> None:
    found: list[bool | None] = []
    output = MessageOutput(lambda messages, _: found.extend(each.answered for each in messages))
    payloads = Pairs(hold_queries=True)([query(0), response(1)])
    output.write_many(payloads)
    output.expect_paired()
    output.write_many(payloads)
    assert found == [None, None, True, None]
