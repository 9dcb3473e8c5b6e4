"""Conversations in dnstap: a reader has all payloads of valid ones, and those before the fault of others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hypothesis import given

from dnstap import CONTENT_TYPE, Dnstap
from dnstap.strategies import SENDERS, hostile_payloads, server_payloads
from framestream import FrameStreamError, ReaderProtocol, Role
from framestream.strategies import conversations, refused_conversations, streams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framestream.conversations import Conversation
    from framestream.strategies import Stream

PAYLOADS = server_payloads() | hostile_payloads(server_payloads())


def received(chunks: Iterable[bytes]) -> list[bytes]:
    """Return the payloads that a reader of dnstap receives before the end, or the fault."""
    reader, payloads = ReaderProtocol([CONTENT_TYPE]), []
    with contextlib.suppress(FrameStreamError):
        for chunk in chunks:
            reader.receive_data(chunk)
            while run := reader.payloads():
                payloads += run
            reader.data_to_send()
    return payloads


@given(
    conversation=conversations(content_type=CONTENT_TYPE, payloads=PAYLOADS)
    | refused_conversations(Role.READER, content_type=CONTENT_TYPE, payloads=PAYLOADS)
)
def test_a_reader_has_the_payloads(conversation: Conversation) -> None:
    chunks = [chunk for turn in conversation.turns if turn.sender is Role.WRITER for chunk in turn.chunks]
    assert received(chunks) == list(conversation.payloads)


@given(stream=streams(content_type=CONTENT_TYPE, payloads=PAYLOADS))
def test_a_reader_has_the_payloads_of_a_stream(stream: Stream) -> None:
    assert received([stream.wire]) == list(stream.payloads)


@given(stream=streams(content_type=CONTENT_TYPE, payloads=server_payloads(["Unbound"])))
def test_payloads_are_those_of_a_server(stream: Stream) -> None:
    for d in map(Dnstap.parse, received([stream.wire])):
        assert d.version in (None, SENDERS["Unbound"].version)
        assert d.message is not None
