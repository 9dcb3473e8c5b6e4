"""Blocking channels: the bytes that the system has taken."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

from framestream import sync
from framestream.errors import TruncatedStreamError
from framestream.streams import Deadlines
from framestream.sync.channels import SocketChannel
from tests.framestream.nets import CLIENT, SERVER
from tests.framestream.wire import DNSTAP
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path


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


class TestWindows:
    """The kernel has no timeout for sending, and no poll()."""

    def test_a_peer_that_has_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("framestream.sync.channels._WINDOWS", True)
        one, other = socket.socketpair()
        channel = SocketChannel(one)
        assert not channel.gone()
        other.sendall(b"1")
        assert not channel.gone()
        assert channel.read(None) == b"1"
        other.close()
        assert channel.gone()
        channel.close()
        assert channel.gone()

    def test_a_connection_that_was_reset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("framestream.sync.channels._WINDOWS", True)
        with socket.create_server(("127.0.0.1", 0)) as server:
            channel = SocketChannel(socket.create_connection(server.getsockname()))
            accepted, _ = server.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            wait_for(channel.gone, "the reset")
            channel.close()

    def test_a_write_has_its_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("framestream.sync.channels._WINDOWS", True)
        one, other = socket.socketpair()
        channel = SocketChannel(one)
        with other:
            channel.write(b"12345", time.monotonic() + DEADLINE_S)
            assert other.recv(9) == b"12345"
            with pytest.raises(TimeoutError):
                channel.write(bytes(1 << 24), time.monotonic() + 0.05)
            assert 0 < channel.taken < 1 << 24
            channel.close()
