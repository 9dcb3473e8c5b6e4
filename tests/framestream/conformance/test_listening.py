"""Sockets that writers connect to."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.listening import ListeningSocket, free_port
from framestream.endpoints import FileEndpoint, TcpEndpoint, UnixEndpoint
from framestream.peers import connect_unix

if TYPE_CHECKING:
    from pathlib import Path


def connect(where: object) -> socket.socket:
    """Connect to an endpoint."""
    if isinstance(where, UnixEndpoint):
        return connect_unix(where.path)
    assert isinstance(where, TcpEndpoint)
    return socket.create_connection((where.host, where.port))


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_listening_leaving_and_listening_again(tmp_path: Path, kind: str) -> None:
    """The address stays the same, and connecting is refused in between."""
    where = UnixEndpoint(str(tmp_path / "s")) if kind == "unix" else TcpEndpoint("127.0.0.1", 0)
    listening = ListeningSocket(where)
    address = listening.where
    with pytest.raises(ConnectionRefusedError):
        connect(address)
    for _ in range(2):
        listening.listen()
        with connect(address) as theirs, listening.accept() as ours:
            theirs.sendall(b"x")
            assert ours.recv(1) == b"x"
        listening.leave()
        assert listening.where == address
        with pytest.raises(ConnectionRefusedError):
            connect(address)
    with pytest.raises(OSError, match="Invalid argument"):
        listening.accept()
    listening.close()
    listening.close()
    assert not (tmp_path / "s").exists()


def test_addresses_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected unix:PATH or tcp:HOST:PORT to listen at, got file:x"):
        ListeningSocket(FileEndpoint("x"))
    with pytest.raises(OSError, match="No such file"):
        ListeningSocket(UnixEndpoint(str(tmp_path / "missing" / "s")))


def test_free_ports() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", port))
