"""framestream.testing and framestream.strategies."""

import socket
from typing import assert_type

from hypothesis.strategies import SearchStrategy

from framestream import Role, strategies, testing
from framestream.conversations import Conversation


def check(conversation: Conversation) -> None:
    transcript = testing.check_reader(["reader", "{socket}"], conversation)
    assert_type(transcript, testing.Transcript)
    assert_type(transcript.connection, testing.Connection)
    testing.check_writer(("localhost", 8053), conversation, listens=True)
    testing.play(lambda sock: assert_type(sock, socket.socket), conversation, Role.READER, listens=False)
    testing.play(8053, conversation, Role.READER, listens=False)  # type: ignore[arg-type]


def generate() -> None:
    assert_type(strategies.payloads(), SearchStrategy[bytes])
    assert_type(strategies.streams(), SearchStrategy[strategies.Stream])
    assert_type(strategies.conversations(), SearchStrategy[Conversation])
    assert_type(strategies.refused_conversations(Role.READER), SearchStrategy[Conversation])
    assert_type(strategies.chunkings(b"data"), SearchStrategy[list[bytes]])
