"""Equal transcripts of framestream.sync and framestream.aio, of valid, refused and hostile conversations."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from framestream import aio, sync
from framestream.aio.channels import over_socket as aio_channel
from framestream.errors import RemoteProtocolError
from framestream.protocol import ReaderProtocol, Role, WriterProtocol
from framestream.strategies import chunkings, conversations, hostile, refused_conversations, streams
from framestream.sync.channels import over_socket as sync_channel
from framestream.testing import Connection, Transcript, check_reader, check_writer
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.conversations import Conversation


def readers(content_types: tuple[bytes, ...]) -> list[Callable[[socket.socket], list[bytes]]]:
    """Both kinds of reader; each returns the payloads it received, and closes."""

    def blocking(sock: socket.socket) -> list[bytes]:
        channel = sync_channel(sock, None)
        with sync.Reader(channel, ReaderProtocol(content_types), connection=channel) as reader:
            return list(reader)

    def waiting(sock: socket.socket) -> list[bytes]:
        async def run() -> list[bytes]:
            channel = aio_channel(sock, None)
            async with aio.Reader(channel, ReaderProtocol(content_types), connection=channel) as reader:
                return [payload async for payload in reader]

        sock.setblocking(False)
        return asyncio.run(run())

    return [blocking, waiting]


def writers(conversation: Conversation) -> list[Callable[[socket.socket], None]]:
    """Both kinds of writer; each sends the payloads of the conversation."""

    def protocol() -> WriterProtocol:
        return WriterProtocol(conversation.offered, transport=conversation.transport)

    def blocking(sock: socket.socket) -> None:
        channel = sync_channel(sock, None)
        with sync.Writer(channel, protocol(), connection=channel) as writer:
            writer.handshake()
            writer.write_many(conversation.payloads)

    def waiting(sock: socket.socket) -> None:
        async def run() -> None:
            channel = aio_channel(sock, None)
            async with aio.Writer(channel, protocol(), connection=channel) as writer:
                await writer.handshake()
                await writer.write_many(conversation.payloads)

        sock.setblocking(False)
        asyncio.run(run())

    return [blocking, waiting]


def words(error: BaseException | None) -> str:
    """Return an error without the bytes that are no frame, because their number depends on timing."""
    return re.sub(r"""\bb(['"]).*\1""", "bytes", f"{type(error).__name__}: {error}")


def said(transcript: Transcript) -> tuple[object, ...]:
    """Return the comparable parts of a transcript.

    Timing decides whether it had read everything when it closed, and had answered frames before a fault.
    """
    closed = transcript.connection is not Connection.OPEN
    received = b"" if transcript.error else transcript.received
    return received, closed, transcript.result, words(transcript.error)


@given(conversation=conversations() | refused_conversations(Role.READER))
def test_readers_have_the_same_transcripts(conversation: Conversation) -> None:
    one, other = (
        said(check_reader(reader, conversation, timeout_s=DEADLINE_S)) for reader in readers(conversation.accepted)
    )
    assert one == other


@given(conversation=conversations() | refused_conversations(Role.WRITER))
def test_writers_have_the_same_transcripts(conversation: Conversation) -> None:
    one, other = (said(check_writer(writer, conversation, timeout_s=DEADLINE_S)) for writer in writers(conversation))
    assert one == other


def fed(read: Callable[[socket.socket], list[bytes]], chunks: list[bytes]) -> tuple[list[bytes] | str, bytes]:
    """Return the payloads that a reader returns for the chunks, or its error; and its answer."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        try:
            for chunk in chunks:
                ours.sendall(chunk)
            ours.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The reader has seen enough.

    sending = start(send)
    with ours, theirs:
        result: list[bytes] | str
        try:
            result = read(theirs)
        except RemoteProtocolError as error:
            result = words(error)
        sending.result(DEADLINE_S)
        answer = b""
        try:
            while some := ours.recv(4096):
                answer += some
        except ConnectionResetError:
            pass
        # Whether what came before a fault has been answered depends on whether it came in the same read.
        return result, b"" if isinstance(result, str) else answer


@given(data=st.data(), wire=hostile() | streams().map(lambda stream: stream.wire))
def test_readers_of_any_bytes_have_the_same_transcripts(data: st.DataObject, wire: bytes) -> None:
    """Also for streams that end anywhere; the writer sends without reading."""
    chunks = data.draw(chunkings(wire))
    one, other = (fed(reader, chunks) for reader in readers(()))
    assert one == other


def test_the_names_are_the_same() -> None:
    assert vars(sync)["__all__"] == aio.__all__
    for name in ("Reader", "Writer", "Listener", "ReconnectingWriter"):
        theirs, ours = ({entry for entry in dir(getattr(m, name)) if not entry.startswith("_")} for m in (sync, aio))
        # A selector has no use in asyncio, and no loop outlives a fork.
        assert theirs - {"receive", "forget"} == ours
