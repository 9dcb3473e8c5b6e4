"""The channels of files, of both front ends: what carries bytes one way refuses the other, and has no peer."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import threading
import tty
from typing import TYPE_CHECKING, Any

import pytest

from framestream import aio, sync
from framestream.errors import LocalProtocolError, TruncatedStreamError
from framestream.files import open_input, open_output
from framestream.protocol import ReaderProtocol, WriterProtocol
from framestream.streams import Deadlines
from tests.framestream.fronts import FRONTS, using
from tests.framestream.nets import CLIENT, SERVER, background, front_named
from tests.framestream.wire import DNSTAP, READY, START, STOP, control, data
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


class TestWithoutAPeer:
    """A file cannot answer, and takes no answers."""

    def test_sync(self, tmp_path: Path) -> None:
        (tmp_path / "in").write_bytes(READY)
        incoming = sync.files.InputChannel(open_input(tmp_path / "in"))
        with sync.Reader(incoming, ReaderProtocol()) as reader, pytest.raises(LocalProtocolError, match="no answers"):
            reader.handshake()
        with sync.Writer(sync.files.OutputChannel(open_output(tmp_path / "out")), WriterProtocol()) as writer:
            with pytest.raises(LocalProtocolError, match="a file cannot answer"):
                writer.handshake()
            assert not writer.gone()
            writer.interrupt()
            writer.abort()
        assert (tmp_path / "out").read_bytes() == control(4)

    def test_aio(self, tmp_path: Path) -> None:
        (tmp_path / "in").write_bytes(READY)

        async def main() -> None:
            async with aio.Reader(aio.files.InputChannel(open_input(tmp_path / "in")), ReaderProtocol()) as reader:
                with pytest.raises(LocalProtocolError, match="a file takes no answers"):
                    await reader.handshake()
            async with aio.Writer(aio.files.OutputChannel(open_output(tmp_path / "out")), WriterProtocol()) as writer:
                with pytest.raises(LocalProtocolError, match="a file cannot answer"):
                    await writer.handshake()
                assert not writer.gone()
                await writer.abort()

        asyncio.run(main())
        assert (tmp_path / "out").read_bytes() == control(4)

    def test_forgotten(self, tmp_path: Path) -> None:
        """The process that forgets a file removes nothing of it."""
        path = tmp_path / "file"
        writer = sync.write_file(path)
        writer.forget()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writer.fileno())
        assert path.read_bytes() == control(2)


@pytest.mark.parametrize("front", FRONTS)
class TestInput:
    def test_a_file_that_is_followed(self, tmp_path: Path, front: str) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a"))
        with using(front), front_named(front).read_file(path, follow=True) as reader:
            got: list[bytes] = []
            with background(lambda: got.extend(reader)) as finish:
                wait_for(lambda: reader.frames, "the first payload")
                with path.open("ab") as file:
                    file.write(data(b"b"))
                wait_for(lambda: reader.frames == 2, "the second payload")
                reader.end_input()
                finish()
            assert got == [b"a", b"b"]

    def test_a_terminal(self, front: str) -> None:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.write(ours, START + data(b"a") + STOP)
        with using(front), front_named(front).read_file(os.ttyname(theirs)) as reader:
            assert next(iter(reader)) == b"a"
        os.close(ours)
        os.close(theirs)

    def test_a_device(self, front: str) -> None:
        """It is always readable, and no selector takes it."""
        with using(front), front_named(front).read_file("/dev/null") as reader, pytest.raises(Exception, match="end"):
            list(reader)


class TestCancelled:
    def test_reading(self, tmp_path: Path) -> None:
        """What is read when nobody waits any more is there for the next."""
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a", b"b") + STOP)

        async def main() -> None:
            async with aio.read_file(path) as reader:
                for steps in range(3):
                    task = asyncio.ensure_future(reader.handshake())
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                assert [payload async for payload in reader] == [b"a", b"b"]
            closing = await aio.read_file(path)
            task = asyncio.ensure_future(closing.handshake())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await closing.close()

        asyncio.run(main())

    def test_writing(self, tmp_path: Path) -> None:
        """What was handed over is written; all of it, and once."""
        path = tmp_path / "file"
        payloads = [b"%d" % number for number in range(50)]

        async def main() -> None:
            async with aio.write_file(path) as writer:
                for number, payload in enumerate(payloads):
                    taken, steps = writer.taken, number % 4
                    while writer.taken == taken:
                        task = asyncio.ensure_future(writer.write(payload))
                        for _ in range(steps):
                            await asyncio.sleep(0)
                        task.cancel()
                        steps += 1
                        await asyncio.wait([task])
            writer = await aio.write_file(tmp_path / "other")
            task = asyncio.ensure_future(writer.write(b"a"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await writer.abort()

        async def limited() -> None:
            async with asyncio.timeout(DEADLINE_S):
                await main()

        asyncio.run(limited())
        with sync.read_file(path) as reader:
            assert list(reader) == payloads

    def test_slow_files(self) -> None:
        """What is under way in a thread goes on, and is not begun again."""
        proceed = threading.Event()
        written: list[bytes] = []

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                proceed.wait(DEADLINE_S)
                return super().read(size)

            def write(self, data: object, /) -> int:
                proceed.wait(DEADLINE_S)
                written.append(bytes(data))  # type: ignore[call-overload]
                return len(written[-1])

        async def twice(begin: Callable[[], Coroutine[Any, Any, object]]) -> None:
            proceed.clear()
            task = asyncio.ensure_future(begin())
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            proceed.set()
            await begin()

        async def main() -> None:
            reader = await aio.read_file(Slow(START + data(b"a") + STOP))
            await twice(reader.handshake)
            assert [payload async for payload in reader] == [b"a"]
            await reader.close()
            proceed.set()
            writer = await aio.write_file(Slow())
            payloads = iter([b"a", b"b"])
            await twice(lambda: writer.write(next(payloads)))
            await writer.close()

        asyncio.run(main())
        assert b"".join(written) == control(2) + data(b"a", b"b") + STOP


def begun(listener: sync.Listener[sync.Reader]) -> sync.Reader:
    """The next connection, with the handshake done."""
    reader = listener.accept()
    reader.handshake()
    return reader


@pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])
def test_what_the_system_has_taken(tmp_path: Path, kind: str) -> None:
    """A write that came to a stop tells which frames the reader can still read: no fewer, and no more."""
    where = {"unix": f"unix:{tmp_path}/socket", "tcp": "tcp:localhost:0", "tls": "tls:localhost:0"}[kind]
    payloads = [b"%06d" % number * 50 for number in range(30_000)]
    with sync.listen_reader(where, [DNSTAP], tls=SERVER) as listener, Threads() as pool:
        accepting = pool.submit(begun, listener)
        writer = sync.open_writer(str(listener.endpoint), [DNSTAP], deadlines=Deadlines(write_s=0.3), tls=CLIENT)
        with accepting.result(DEADLINE_S) as reader:
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    writer.write_many(payloads)
            assert 100 < writer.frames < len(payloads)
            assert writer.waiting == payloads[writer.frames :]
            assert writer.waiting_bytes == sum(map(len, writer.waiting))
            assert writer.bytes == sum(map(len, payloads[: writer.frames]))
            writer.abort()
            got: list[bytes] = []
            with pytest.raises(TruncatedStreamError):
                got.extend(reader)
            assert len(got) == writer.frames
