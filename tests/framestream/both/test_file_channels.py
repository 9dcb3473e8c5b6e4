"""Channels over files, of both front ends."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from typing import TYPE_CHECKING

import pytest

from framestream import aio, sync
from framestream.errors import LocalProtocolError
from framestream.files import open_input, open_output
from framestream.protocol import ReaderProtocol, WriterProtocol
from tests.framestream.fronts import FRONTS, using
from tests.framestream.nets import background, front_named
from tests.framestream.wire import READY, START, STOP, control, data
from tests.wait import wait_for

if TYPE_CHECKING:
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
