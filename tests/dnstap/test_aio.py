"""dnstap.aio: read and write for asyncio."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import dnstap
from dnstap import CONTENT_TYPE, Dnstap, DnstapType, EncodeError, FilterError, Message, MessageType
from dnstap.aio import MessageWriter, read, write
from framestream import Batching, TruncatedStreamError, encode_data_frames, write_file
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.streams import START, STOP, file_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

CAPTURE = Path(__file__).parents[2] / "examples" / "coredns.fstrm"


def message(identity: str) -> Dnstap:
    return Dnstap(identity=identity.encode(), type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY))


async def listed(messages: AsyncIterable[Dnstap]) -> list[Dnstap]:
    return [one async for one in messages]


def test_it_yields_the_same_as_the_blocking_one(tmp_path: Path) -> None:
    blocking = dnstap.read(CAPTURE, filter="type = CQ")
    messages = read(CAPTURE, filter="type = CQ")
    assert asyncio.run(listed(messages)) == list(blocking)
    assert (messages.payloads, messages.unmatched) == (blocking.payloads, blocking.unmatched) == (36, 27)
    file_of(tmp_path / "1", b"\xff", message("a").encode(), Dnstap(type=DnstapType.MESSAGE).encode())
    assert asyncio.run(listed(read(tmp_path, lenient=True))) == list(dnstap.read(tmp_path, lenient=True))
    with pytest.raises(FilterError):
        read(CAPTURE, filter="type =")
    with pytest.raises(FileNotFoundError):
        read(CAPTURE, tmp_path / "missing")


def test_broken_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = Path(file_of(tmp_path / "1", message("1").encode(), b"\xff"))
    cut.write_bytes(cut.read_bytes()[: -len(STOP)])
    file_of(tmp_path / "2", message("2").encode())
    seen: list[Dnstap] = []

    async def main() -> None:
        async for one in messages:
            seen.append(one)  # noqa: PERF401 (what came before the error is kept)

    messages = read(tmp_path)
    with pytest.raises(TruncatedStreamError) as caught:
        asyncio.run(main())
    assert seen == [message("1"), message("2")]
    assert caught.value.__notes__ == [f"in {cut}"]
    assert (messages.failed_files, messages.skipped) == (1, 1)
    assert messages.problems.first
    (record,) = caplog.records
    assert record.getMessage() == (
        "1 of 2 payloads do not decode and were left out; "
        f"the first was payload 2: {messages.problems.first[1]}, in {cut}"
    )


def test_fields(tmp_path: Path) -> None:
    path = file_of(tmp_path / "1", b"\xff", message("a").encode(), message("b").encode())

    async def main() -> None:
        async with read(path, fields=["identity", "type"], filter="identity != b") as rows:
            assert [row async for row in rows] == [("a", "CLIENT_QUERY")]
        assert (rows.payloads, rows.skipped, rows.unmatched) == (3, 1, 1)

    asyncio.run(main())
    with pytest.raises(ValueError, match=r"^unknown field 'identify'"):
        read(path, fields=["identify"])


def test_errors_can_be_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = Path(file_of(tmp_path / "1", message("1").encode()))
    cut.write_bytes(cut.read_bytes()[: -len(STOP)])
    (tmp_path / "2").write_bytes(b"GET / HTTP/1.1\r\n")
    messages = read(tmp_path, errors="log")
    assert asyncio.run(listed(messages)) == [message("1")]
    assert messages.failed_files == 2
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        f"{tmp_path}/1: expected a data frame or STOP",
        f"{tmp_path}/2: expected START",
    ]
    with pytest.raises(ValueError, match=r"^errors: expected 'raise' or 'log', got ''$"):
        read(tmp_path, errors="")  # type: ignore[call-overload]


def test_pairs(tmp_path: Path) -> None:
    """Those without a response come last, though before the error of a file."""
    path = tmp_path / "a"
    data = START + encode_data_frames([query(0, query_port=1), query(1), response(2)])

    async def found_by(condition: str) -> list[tuple[bool | None, bool]]:
        pairs = dnstap.Pairs()
        return [(each.answered, each.message.is_query) async for each in read(path, filter=condition, pairs=pairs)]

    path.write_bytes(data + STOP)
    assert asyncio.run(found_by("has answered or latency > 1ms")) == [(True, True), (None, False), (False, True)]
    assert asyncio.run(found_by("latency > 1ms")) == [(None, False)]
    path.write_bytes(data)
    found: dict[int, bool | None] = {}

    async def read_cut() -> None:
        async for each in read(path, pairs=dnstap.Pairs(hold_queries=True)):
            found[len(found)] = each.answered

    with pytest.raises(TruncatedStreamError):
        asyncio.run(read_cut())
    assert [*found.values()] == [True, None, False]


def test_a_loop_that_was_left_is_continued(tmp_path: Path) -> None:
    path = file_of(tmp_path / "1", *[message(name).encode() for name in "abcd"])

    async def main() -> None:
        async with read(path) as messages:
            assert (await anext(messages)).identity == b"a"
            async for one in messages:
                assert one.identity == b"b"
                break
            assert await listed(messages) == [message("c"), message("d")]
        with pytest.raises(ValueError, match="the reader is closed"):
            await anext(messages)

    asyncio.run(main())


def test_files_are_closed(tmp_path: Path) -> None:
    path = file_of(tmp_path / "1", message("a").encode(), message("b").encode())
    before = os.listdir("/proc/self/fd")

    async def main() -> None:
        async for _ in read(path):
            break
        async with read(path) as messages:
            await anext(messages)
        async for _ in read(tmp_path, follow=True):
            break

    asyncio.run(main())
    assert os.listdir("/proc/self/fd") == before


def test_following(tmp_path: Path) -> None:
    async def main() -> None:
        with write_file(tmp_path / "log", [CONTENT_TYPE]) as writer:
            writer.write(message("a").encode())
            async with read(tmp_path / "log", follow=True) as messages:
                assert await anext(messages) == message("a")
                waiting = asyncio.create_task(anext(messages))
                writer.write(message("b").encode())
                assert await waiting == message("b")
                messages.stop()
                assert await listed(messages) == []

    asyncio.run(main())


def test_writing(tmp_path: Path) -> None:
    async def main() -> None:
        async with write(tmp_path / "1") as writer:
            assert isinstance(writer, MessageWriter)
            await writer.write(message("a"))
            await writer.write(message("b").encode())
            await writer.write_many([message("c")])
            assert writer.frames == 3
            with pytest.raises(EncodeError):
                await writer.write(Dnstap())
        writer = await write(tmp_path / "2", mode="append", lenient=True, batching=Batching(max_bytes=1000))
        await writer.write(Dnstap(identity=b"a"))
        assert writer.frames == 0
        async with writer:
            await writer.flush()
            assert writer.frames == 1

    asyncio.run(main())
    assert list(dnstap.read(tmp_path / "1")) == [message(name) for name in "abc"]
    assert list(dnstap.read(tmp_path / "2", lenient=True)) == [Dnstap(identity=b"a")]


def test_writing_compressed_files(tmp_path: Path) -> None:
    path: Any = tmp_path / "log.gz"

    async def main() -> None:
        for mode in ("new", "append"):
            async with write(path, mode=mode) as writer:
                await writer.write(message("a"))
        with pytest.raises(ValueError, match="mode: expected 'replace', 'append' or 'new' for a compressed file"):
            await write(path, mode="atomic")
        writer = await write(tmp_path / "2.gz")
        await writer.write(message("b"))
        (tmp_path / "2.gz").write_bytes(b"")
        await writer.write(message("c"))
        await writer.close()
        await writer.close()
        with pytest.raises(TypeError, match="batching"):
            await write(path, batching=3)  # type: ignore[arg-type]

    asyncio.run(main())
    assert list(dnstap.read(tmp_path / "2.gz"))[-1] == message("c")
    assert path.read_bytes().startswith(b"\x1f\x8b")
