"""Connections of a case; what steps make of them is in test_runner.py."""

from __future__ import annotations

import socket

import pytest

from framestream.conformance.player import Deviation, Line, words
from framestream.conformance.steps import FINISH, End


def lines() -> tuple[Line, socket.socket, list[str]]:
    """Return a connection, the peer's end of it, and its transcript."""
    ours, theirs = socket.socketpair()
    transcript: list[str] = []
    return Line(ours, 0.1, transcript, "0"), theirs, transcript


def test_frames_and_the_end() -> None:
    line, theirs, transcript = lines()
    theirs.sendall(b"\0\0\0\1x\0\0\0\1y\0\0\0\0")
    assert [line.receive(), line.receive(), line.receive()] == [b"x", b"y", None]
    theirs.sendall(b"\0\0\0\4\0\0\0\5")
    theirs.close()
    assert [line.receive(), line.receive(), line.receive()] == [FINISH, End.CLOSED, End.CLOSED]
    line.send(b"1")
    line.half_close()
    line.close()
    assert transcript[-3:] == ["0: sent 31", "0: sending failed: Broken pipe", "0: closed for sending"]


def test_a_peer_that_resets() -> None:
    line, theirs, _ = lines()
    line.send(b"unread")
    theirs.close()
    assert line.receive() is End.RESET
    line.reset()


def test_resets_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(socket.create_connection(listener.getsockname()), 1.0, [], "0")
        with listener.accept()[0] as theirs:
            line.reset()
            with pytest.raises(ConnectionResetError):
                theirs.recv(1)


def test_bytes_that_are_no_frames() -> None:
    line, theirs, _ = lines()
    with theirs:
        theirs.sendall(bytes(8))
        with pytest.raises(Deviation, match="bytes that are not a frame"):
            line.receive()
        line.close()


def test_a_peer_that_does_not_read() -> None:
    line, theirs, _ = lines()
    with theirs, pytest.raises(Deviation, match="a peer that does not read on"):
        line.send(bytes(1 << 24))
    line.close()


def test_words() -> None:
    assert words(None) == "nothing in time"
    assert words(End.CLOSED) == "the connection closed"
    assert words(b"ab") == "a data frame of 2 bytes [00000002 6162]"
    assert words(bytes(100)).endswith(" ... (104 bytes)]")
