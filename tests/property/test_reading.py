"""dnstap.read compared with a plain loop, for any payloads, and what it yields written again."""

from __future__ import annotations

import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnstap
from dnstap import CONTENT_TYPE, DecodeError, Dnstap, compile_filter
from dnstap.strategies import dnstaps, hostile_payloads, server_payloads
from framestream import write_file

# Strategies are made anew for each example, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

PAYLOADS = st.lists(hostile_payloads() | server_payloads() | dnstaps().map(lambda one: one.encode(lenient=True)))
FILTERS = st.none() | st.sampled_from(["type = CQ", "qname under org", "not (latency < 1s)"])

FIELDS = ["time", "type", "client", "qname", "qtype", "rcode", "latency"]


def plainly(payloads: list[bytes], condition: str | None, *, lenient: bool) -> tuple[list[Dnstap], int, int]:
    """Return the messages, and how many payloads are bad, and how many do not match."""
    messages, bad, unmatched = [], 0, 0
    for payload in payloads:
        try:
            message = Dnstap.parse(payload, lenient=lenient)
        except DecodeError:
            bad += 1
            continue
        if message.message is None and not lenient:
            bad += 1
        elif condition and not compile_filter(condition).matches(message):
            unmatched += 1
        else:
            messages.append(message)
    return messages, bad, unmatched


@given(PAYLOADS, FILTERS, st.booleans())
def test_any_payloads(payloads: list[bytes], condition: str | None, lenient: bool) -> None:
    payloads = [payload for payload in payloads if payload]
    file = io.BytesIO()
    with write_file(file, [CONTENT_TYPE]) as writer:
        writer.write_many(payloads)
    expected = plainly(payloads, condition, lenient=lenient)

    async def with_asyncio() -> tuple[list[Dnstap], int, int]:
        file.seek(0)
        reader = dnstap.aio.read(file, filter=condition, lenient=lenient)
        return [message async for message in reader], reader.skipped, reader.unmatched

    file.seek(0)
    reader = dnstap.read(file, filter=condition, lenient=lenient)
    messages: list[Dnstap] = list(reader)
    assert (messages, reader.skipped, reader.unmatched) == expected
    assert reader.payloads == len(payloads) == len(messages) + reader.skipped + reader.unmatched
    assert asyncio.run(with_asyncio()) == expected
    file.seek(0)
    rows = dnstap.read(file, filter=condition, fields=FIELDS, lenient=lenient)
    assert [row._asdict() for row in rows] == [message.as_dict(FIELDS) for message in messages]
    assert (rows.payloads, rows.skipped, rows.unmatched) == (reader.payloads, reader.skipped, reader.unmatched)
    copy = io.BytesIO()
    with dnstap.write(copy, lenient=True) as message_writer:
        message_writer.write_many([message for message in messages if message.encode(lenient=True)])
    copy.seek(0)
    assert list(dnstap.read(copy, lenient=True)) == [one for one in messages if one.encode(lenient=True)]
