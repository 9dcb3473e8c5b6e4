"""Blocking writers: calls from other threads, and forked processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from framestream import sync
from framestream.protocol import Transport
from tests.threads import Threads
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path


def test_interrupt_ends_a_write_in_another_thread(tmp_path: Path) -> None:
    with sync.listen_reader(tmp_path / "socket") as listener, Threads() as pool:
        writer = sync.open_writer(tmp_path / "socket", transport=Transport.UNIDIRECTIONAL)
        with listener.accept():
            # More than the socket holds, and the reader does not read.
            writing = pool.submit(writer.write_many, [bytes(1 << 20)] * 4)
            writer.interrupt()
            with pytest.raises(OSError, match="Broken pipe"):
                writing.result(DEADLINE_S)
        writer.abort()
        writer.interrupt()


def test_forget_leaves_the_connection_to_the_other_process(tmp_path: Path) -> None:
    with sync.listen_reader(tmp_path / "socket") as listener:
        writer = sync.open_writer(tmp_path / "socket", transport=Transport.UNIDIRECTIONAL)
        with listener.accept() as reader:
            # The descriptor that the other process has.
            other = os.dup(writer.fileno())
            writer.write(b"before")
            writer.forget()
            assert writer.fileno() == -1
            assert writer.gone()
            os.write(other, b"\0\0\0\5after")
            os.close(other)
            assert list(reader) == [b"before", b"after"]


def test_a_listener_that_is_forgotten_goes_on_in_the_other_process(tmp_path: Path) -> None:
    listener = sync.listen_reader(tmp_path / "socket")
    other = os.dup(listener.fileno())
    listener.forget()
    assert listener.fileno() == -1
    assert list(listener) == []
    sync.open_writer(tmp_path / "socket", transport=Transport.UNIDIRECTIONAL).abort()
    os.close(other)
