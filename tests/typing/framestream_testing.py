"""framestream.testing and framestream.strategies."""

import socket
from typing import assert_type

from hypothesis.strategies import SearchStrategy

from framestream import ControlFrame, Role, Transport, strategies, testing
from framestream.conversations import Conversation


def check(conversation: Conversation) -> None:
    transcript = testing.check_reader(["reader", "{socket}"], conversation)
    assert_type(transcript, testing.Transcript)
    assert_type(transcript.connection, testing.Connection)
    testing.check_writer(("localhost", 8053), conversation, listens=True)
    testing.play(lambda sock: assert_type(sock, socket.socket), conversation, Role.READER, listens=False)
    testing.play(8053, conversation, Role.READER, listens=False)  # type: ignore[arg-type]


def generate(own: SearchStrategy[bytes]) -> None:
    assert_type(strategies.content_types(), SearchStrategy[bytes])
    assert_type(strategies.payloads(max_bytes=9), SearchStrategy[bytes])
    assert_type(strategies.payload_lists(max_size=3, payloads=own), SearchStrategy[list[bytes]])
    assert_type(strategies.control_frames(), SearchStrategy[ControlFrame])
    assert_type(strategies.unknown_control_frames(), SearchStrategy[ControlFrame])
    assert_type(strategies.broken_control_frames(), SearchStrategy[strategies.BrokenControlFrame])
    assert_type(strategies.streams(content_type=b"type", payloads=own), SearchStrategy[strategies.Stream])
    assert_type(strategies.chunkings(b"data"), SearchStrategy[list[bytes]])
    assert_type(strategies.mutations(b"data"), SearchStrategy[bytes])
    assert_type(strategies.hostile(max_bytes=9), SearchStrategy[bytes])
    strategies.payloads("9")  # type: ignore[arg-type]
    strategies.streams(payloads=[b"payload"])  # type: ignore[arg-type]


def generate_conversations(own: SearchStrategy[bytes]) -> None:
    made = strategies.conversations(content_type=b"type", payloads=own, transports=[Transport.UNIDIRECTIONAL])
    assert_type(made, SearchStrategy[Conversation])
    refused = strategies.refused_conversations(Role.READER, names=own, max_bytes=9)
    assert_type(refused, SearchStrategy[Conversation])
    strategies.conversations(own)  # type: ignore[call-arg, arg-type]
    strategies.conversations(content_type="type")  # type: ignore[arg-type]
    strategies.conversations(payloads=b"payload")  # type: ignore[arg-type]
    strategies.refused_conversations("reader")  # type: ignore[arg-type]
