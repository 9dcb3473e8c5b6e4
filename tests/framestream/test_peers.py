"""Connections to programs under test; what tests do with them is in test_testing.py."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from framestream.peers import PeerError, reached
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

CONNECT = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b"hello")
print("done")
"""

LISTEN = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
sock, _ = listener.accept()
sock.sendall(b"hello")
sock.recv(1)
"""


def test_function() -> None:
    def peer(sock: socket.socket) -> str:
        sock.sendall(b"hello")
        return "result"

    with reached(peer, listens=False, timeout_s=DEADLINE_S) as (sock, outcome):
        assert sock.recv(5) == b"hello"
    assert (outcome.result, outcome.error) == ("result", None)


def test_function_that_raises() -> None:
    def peer(sock: socket.socket) -> None:
        raise ValueError("of the peer")

    with reached(peer, listens=False, timeout_s=DEADLINE_S) as (sock, outcome):
        assert sock.recv(1) == b""
    assert isinstance(outcome.error, ValueError)
    assert outcome.result is None


def test_addresses(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.fspath(tmp_path / "socket"))
        unix.listen()
        for address, listener in (tcp.getsockname()[:2], tcp), (tmp_path / "socket", unix):
            with reached(address, listens=True, timeout_s=DEADLINE_S) as (sock, outcome), listener.accept()[0] as peer:
                peer.sendall(b"hello")
                assert sock.recv(5) == b"hello"
            assert (outcome.status, outcome.output) == (None, b"")


@pytest.mark.parametrize(
    ("program", "listens", "status", "output"), [(CONNECT, False, 0, b"done\n"), (LISTEN, True, 0, b"")]
)
def test_commands(program: str, listens: bool, status: int, output: bytes) -> None:
    command = [sys.executable, "-c", program, "{socket}"]
    with reached(command, listens=listens, timeout_s=DEADLINE_S) as (sock, outcome):
        assert sock.recv(5) == b"hello"
        if not listens:
            assert sock.recv(1) == b""
    assert outcome.output == output
    # One that listens may end by itself before it is terminated.
    assert outcome.status in ((None, status) if listens else (status,))


@pytest.mark.parametrize(("listens", "did"), [(False, "connect"), (True, "listen")])
def test_a_command_that_does_neither(listens: bool, did: str) -> None:
    command = [sys.executable, "-c", "print('no')"]
    reaching = reached(command, listens=listens, timeout_s=DEADLINE_S)
    with pytest.raises(PeerError, match=f"to {did}, got its end") as raised, reaching:
        pass
    assert raised.value.did == "it printed b'no\\n'"
