"""Play one end of a conversation to a program under test, which is the other, and say where it departs from its part.

The program is a function, a command or an address, and a reader or a writer. What is played to it is the bytes of the
conversation, whatever comes back: none of the readers and writers of this package has a part in it. docs/testing.md
shows how.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from framestream.conversations import Judge
from framestream.errors import LocalProtocolError
from framestream.peers import PeerError, reached
from framestream.protocol import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.conversations import Conversation
    from framestream.peers import Peer

__all__ = ["Connection", "PeerError", "Transcript", "check", "check_reader", "check_writer", "play"]


class Connection(Enum):
    """What the peer did with the connection in the end."""

    CLOSED = "closed the connection"
    RESET = "closed the connection before it had read all"
    OPEN = "had not closed the connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a peer did.

    Attributes:
        received: the bytes that it sent.
        connection: what it did with the connection.
        result: what a function returned.
        error: what it raised.
        status: the exit status of a command; a negative one is the signal that ended it, 9 if it did not end of itself.
            None for one that listened until it was terminated.
        output: what a command printed.
    """

    received: bytes
    connection: Connection
    result: object = None
    error: BaseException | None = None
    status: int | None = None
    output: bytes = b""

    def __str__(self) -> str:
        """What it did in the end, in words."""
        raised = f", raised {self.error!r}" if self.error else ""
        status = "" if self.status is None else f", ended with status {self.status}"
        printed = f", printed {self.output!r}" if self.output else ""
        return f"it {self.connection.value}{raised}{status}{printed}"


def check_reader(peer: Peer, conversation: Conversation, *, listens: bool = True, timeout_s: float = 5.0) -> Transcript:
    """What a reader did, after `play` and `check`: the two arguments that they have besides are as there.

    Raises: PeerError: it is not what a reader should do.
    """
    transcript = play(peer, conversation, Role.READER, listens=listens, timeout_s=timeout_s)
    check(transcript, conversation, Role.READER)
    return transcript


def check_writer(
    peer: Peer, conversation: Conversation, *, listens: bool = False, timeout_s: float = 5.0
) -> Transcript:
    """What a writer did; otherwise as `check_reader`."""
    transcript = play(peer, conversation, Role.WRITER, listens=listens, timeout_s=timeout_s)
    check(transcript, conversation, Role.WRITER)
    return transcript


def play(peer: Peer, conversation: Conversation, role: Role, *, listens: bool, timeout_s: float = 5.0) -> Transcript:
    """What a peer does in a conversation, of which the other end is played to it; up to where it departs from it.

    Args:
        role: of the peer.
        listens: whether a command listens on its socket, or connects to it.
        timeout_s: how long the conversation may take, and the end of the peer after it.
    Raises:
        PeerError: it did not connect or listen, or its function does not return.
        LocalProtocolError: the fault of the conversation would be the peer's own.
    """
    if conversation.fault and conversation.refused_by is not role:
        raise LocalProtocolError(f"the {role.value} is not the one who must refuse {conversation.fault}")
    with reached(peer, listens=listens, timeout_s=timeout_s) as (sock, outcome):
        line = _Line(sock, Judge(conversation, role), time.monotonic() + timeout_s)
        line.play(conversation, role)
    return Transcript(
        received=bytes(line.received),
        connection=line.connection,
        result=outcome.result,
        error=outcome.error,
        status=outcome.status,
        output=outcome.output,
    )


def check(transcript: Transcript, conversation: Conversation, role: Role) -> None:
    """Compare what a peer did with its part of the conversation.

    If that goes well, the peer sends its part, reads all, closes (but for a reader that has sent FINISH, which may
    leave that to the writer), raises nothing and ends with status 0. A fault it refuses: it sends what comes before it
    and no more, and closes; it may raise, and end with any status but by a signal. Payloads that the function of a
    reader returns, as a list or a tuple, are those of the conversation; if there is a fault, the first of them.

    Raises: PeerError: the first of these that is not so.
    """
    after = f", after {conversation.fault}" if conversation.fault else ""
    judge = Judge(conversation, role)
    judge.receive_data(transcript.received)
    judge.receive_eof()
    if judge.objection:
        raise PeerError(judge.objection + after, str(transcript))
    if transcript.connection is Connection.RESET and not conversation.fault:
        raise PeerError(f"expected the {role.value} to read all", str(transcript))
    if transcript.connection is Connection.OPEN and conversation.closes(role):
        raise PeerError(f"expected the {role.value} to close the connection{after}", str(transcript))
    if transcript.error and not conversation.fault:
        raise PeerError(f"expected the {role.value} to return", str(transcript)) from transcript.error
    if transcript.status and (transcript.status < 0 or not conversation.fault):
        raise PeerError(f"expected the {role.value} to end with status 0{after}", str(transcript))
    if role is Role.READER and isinstance(transcript.result, list | tuple):
        taken = tuple(transcript.result)
        if taken != conversation.payloads[: len(taken) if conversation.fault else None]:
            raise PeerError(f"expected the payloads {conversation.payloads!r}{after}, got {taken!r}", str(transcript))


class _Line:
    """The connection to the peer, and what it does there until the deadline."""

    def __init__(self, sock: socket.socket, judge: Judge, deadline: float) -> None:
        self.received = bytearray()
        self.connection = Connection.OPEN
        self._sock = sock
        self._judge = judge
        self._deadline = deadline

    def play(self, conversation: Conversation, role: Role) -> None:
        """Say what the other end says, and wait for the peer's part; then for its end, if it has done that."""
        due = 0
        for turn in conversation.turns:
            if turn.sender is role:
                due += len(turn.frames)
                while self._judge.matched < due and self._receive():
                    pass
                said = self._judge.matched >= due
            else:
                # An empty chunk is nothing to send, to a peer that has gone for good reason least of all.
                said = all(self._in_time(self._send, chunk) for chunk in turn.chunks if chunk)
            if not said:
                break
        else:
            if conversation.hangs_up:
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_WR)
            if not conversation.closes(role):
                return
        while self._receive():
            pass

    def _receive(self) -> bool:
        """Wait for bytes of the peer; False if none that matter will come."""
        data = b"" if self._judge.objection else self._in_time(self._sock.recv, 1 << 16)
        if data == b"" and not self._judge.objection and self.connection is Connection.OPEN:
            self.connection = Connection.CLOSED
        if data:
            self.received += data
            self._judge.receive_data(data)
        return bool(data)

    def _send(self, data: bytes) -> bool:
        self._sock.sendall(data)
        return True

    def _in_time(self, call: Callable[[Any], Any], argument: object) -> Any:
        """What the call gives; None if time is up, or the peer has gone."""
        left = self._deadline - time.monotonic()
        if left > 0:
            self._sock.settimeout(left)
            with suppress(TimeoutError):
                try:
                    return call(argument)
                except (BrokenPipeError, ConnectionResetError):
                    self.connection = Connection.RESET
        return None
