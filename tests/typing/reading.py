"""dnstap.read, dnstap.write, and both for asyncio."""

from pathlib import Path
from typing import Any, BinaryIO, assert_type

import dnstap
from dnstap import Dnstap, Filter, Message, MessageType, aio
from dnstap.errors import DnstapError
from framestream import Batching, Limits


def read(path: Path, file: BinaryIO, condition: Filter) -> None:
    for message in dnstap.read(path, "log.fstrm", file, "-", filter="type = CQ", follow=True):
        assert_type(message.message, Message)  # Not None.
        assert_type(message.message.type, MessageType | None)
        assert_type(message.identity, bytes | None)
        as_a_dnstap(message)
    with dnstap.read(path, filter=condition, lenient=True) as messages:
        assert_type(messages, dnstap.MessageReader[Dnstap])
        assert_type(next(messages), Dnstap)
        assert_type(next(messages).message, Message | None)
        assert_type(messages.skipped, int)
        assert_type(messages.problems.first, tuple[int, DnstapError] | None)
        assert_type([messages.payloads, messages.unmatched, messages.failed_files], list[int])
        messages.stop()
        assert_type(messages.close(), None)
    dnstap.read(path, limits=Limits(max_data_bytes=512))
    for message in dnstap.read(path, errors="log"):
        assert_type(message.message, Message)
    rows = dnstap.read(path, fields=["time", "client"], filter="type = CQ", lenient=True, errors="log")
    assert_type(rows, dnstap.MessageReader[Any])
    assert_type(rows.skipped, int)
    dnstap.read(path, fields=5)  # type: ignore[call-overload]
    dnstap.read(path, errors="ignore")  # type: ignore[call-overload]
    dnstap.read()  # type: ignore[call-overload]
    dnstap.read(path, follow="yes")  # type: ignore[call-overload]
    dnstap.read(3)  # type: ignore[call-overload]
    pairs = dnstap.Pairs(5, max_queries=1000)
    for message in dnstap.read(path, pairs=pairs):
        assert_type(message.answered, bool | None)
    assert_type(pairs.counts.paired, int)
    assert_type(pairs([b""]), list[bytes])
    assert_type(pairs.finish(), list[bytes])
    dnstap.read(path, pairs=5)  # type: ignore[call-overload]
    dnstap.read(path, filter=print)  # type: ignore[call-overload]
    dnstap.read([path])  # type: ignore[call-overload]


def as_a_dnstap(message: Dnstap) -> None:
    assert_type(message.message, Message | None)


def write(path: Path, file: BinaryIO, message: Dnstap) -> None:
    with dnstap.write(path, mode="append", lock=True) as writer:
        assert_type(writer, dnstap.MessageWriter)
        writer.write(message)
        writer.write(b"payload")
        writer.write_many(dnstap.read("log.fstrm"))
        writer.write_many([b"payload", message])
        writer.write(Message())  # type: ignore[arg-type]
        writer.write("text")  # type: ignore[arg-type]
        assert_type(writer.frames, int)
        assert_type(writer.flush(), None)
    dnstap.write(file)
    dnstap.write(path, lenient=True, batching=Batching(max_bytes=8192), limits=Limits())
    dnstap.write(path, mode="w")  # type: ignore[arg-type]
    dnstap.write(3)  # type: ignore[arg-type]


async def with_asyncio(path: Path, message: Dnstap) -> None:
    async for one in aio.read(path, follow=True):
        assert_type(one.message, Message)
        as_a_dnstap(one)
    async with aio.read(path, lenient=True, errors="log") as messages:
        assert_type(messages, aio.MessageReader[Dnstap])
        assert_type(await anext(messages), Dnstap)
        assert_type([messages.payloads, messages.skipped, messages.unmatched, messages.failed_files], list[int])
        assert_type(messages.problems.first, tuple[int, DnstapError] | None)
        messages.stop()
    async with aio.write(path) as writer:
        assert_type(writer, aio.MessageWriter)
        await writer.write(message)
        await writer.write_many([message, b"payload"])
        await writer.write("text")  # type: ignore[arg-type]
        assert_type(writer.frames, int)
    assert_type(await aio.write(path), aio.MessageWriter)
    assert_type(aio.read(path, fields=("time", "client")), aio.MessageReader[Any])
    aio.read(3)  # type: ignore[call-overload]
    aio.read(path, filter=3)  # type: ignore[call-overload]
    aio.write(path, mode="w")  # type: ignore[arg-type]
