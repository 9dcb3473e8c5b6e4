"""Handlers of collectors: whatever payloads come, and however the run ends, each is handled once or counted."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from dnstap import BlockingCollector, Collector, DecodeError, Dnstap
from dnstap.strategies import hostile_payloads
from tests.dnstap.pipeline.streams import file_of

if TYPE_CHECKING:
    from dnstap import DnstapMessage, Source


class HandlerError(Exception):
    """The error of a handler."""


class Handler:
    """A handler that keeps what it is given, and may fail."""

    def __init__(self, fails: bool) -> None:
        self.messages: list[DnstapMessage] = []
        self._fails = fails

    def handle(self, messages: list[DnstapMessage], source: Source) -> None:
        assert messages
        assert source.identity in {None, *[message.identity for message in messages]}
        if self._fails:
            raise HandlerError
        self.messages += messages

    async def handle_later(self, messages: list[DnstapMessage], source: Source) -> None:
        await asyncio.sleep(0)
        self.handle(messages, source)


def message_of(payload: bytes) -> Dnstap | None:
    """Return what a handler is given of a payload, or None if it is left out."""
    try:
        dnstap = Dnstap.parse(payload)
    except DecodeError:
        return None
    return dnstap if dnstap.message else None


def collected(kind: str, path: str, handler: Handler, payloads: list[bytes]) -> Any:
    """Run a collector over a file; return its counts."""

    async def run() -> Collector:
        async with Collector(str) as collector:
            await collector.read(path)
            handle: Any = handler.handle_later if kind == "later" else handler.handle
            await collector.run(handle, payloads=lambda batch, source: payloads.extend(batch))
        return collector

    if kind != "blocking":
        return asyncio.run(run())
    with BlockingCollector(str) as collector:
        collector.read(path)
        collector.run(handler.handle, payloads=lambda batch, source: payloads.extend(batch))
    return collector


@given(
    st.lists(st.one_of(hostile_payloads(), st.just(bytes.fromhex("7801"))).filter(len), max_size=30),
    st.sampled_from(["plain", "later", "blocking"]),
)
def test_each_payload_is_handled_or_counted(payloads: list[bytes], kind: str) -> None:
    expected = [message for message in map(message_of, payloads) if message]
    seen: list[bytes] = []
    handler = Handler(fails=False)
    with tempfile.TemporaryDirectory() as folder:
        collector = collected(kind, file_of(Path(folder, "file"), *payloads), handler, seen)
    assert handler.messages == expected
    assert seen == payloads
    assert collector.skipped == len(payloads) - len(expected)
    assert [tuple(counts[1:]) for counts in collector.output_counts] == [
        (len(payloads), len(expected), collector.skipped, 0, 0),
        (len(payloads), len(payloads), 0, 0, 0),
    ]


@given(st.lists(hostile_payloads().filter(len), max_size=30), st.sampled_from(["plain", "later", "blocking"]))
def test_a_handler_that_fails_costs_no_other(payloads: list[bytes], kind: str) -> None:
    """Its error ends the run, and the handler of payloads has what was read by then."""
    handler, seen = Handler(fails=True), list[bytes]()
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(Path(folder, "file"), *payloads)
        try:
            collected(kind, path, handler, seen)
        except HandlerError:
            assert any(map(message_of, payloads))
        else:
            assert not any(map(message_of, payloads))
    assert seen == payloads
