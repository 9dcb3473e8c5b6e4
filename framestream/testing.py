"""Tests of other programs: play one end of a conversation to a reader or writer, and check what it does.

The program is a function, a command or an address. It is sent the bytes of the conversation, independently of what it
answers, and without the readers and writers of this package. docs/testing.md shows how to use it.
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
    """Final state of the connection, as the peer left it."""

    CLOSED = "closed the connection"
    RESET = "closed the connection before it had read all"
    OPEN = "had not closed the connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Record of what a peer did.

    Attributes:
        received: bytes that it sent.
        connection: final state of the connection.
        result: return value of a function.
        error: exception of a function.
        status: exit status of a command; negative for the signal that ended it, -9 if it did not end by itself. None if
            it listened until it was terminated.
        output: output of a command.
    """

    received: bytes
    connection: Connection
    result: object = None
    error: BaseException | None = None
    status: int | None = None
    output: bytes = b""

    def __str__(self) -> str:
        """Describe how it ended."""
        raised = f", raised {self.error!r}" if self.error else ""
        status = "" if self.status is None else f", ended with status {self.status}"
        printed = f", printed {self.output!r}" if self.output else ""
        return f"it {self.connection.value}{raised}{status}{printed}"


def check_reader(peer: Peer, conversation: Conversation, *, listens: bool = True, timeout_s: float = 5.0) -> Transcript:
    """Play a conversation to a reader, check what it does, and return the transcript.

    Args: as for `play`.
    Raises: PeerError: the reader does not follow the conversation; others as `play`.
    """
    transcript = play(peer, conversation, Role.READER, listens=listens, timeout_s=timeout_s)
    check(transcript, conversation, Role.READER)
    return transcript


def check_writer(
    peer: Peer, conversation: Conversation, *, listens: bool = False, timeout_s: float = 5.0
) -> Transcript:
    """Play a conversation to a writer, check what it does, and return the transcript; otherwise as `check_reader`."""
    transcript = play(peer, conversation, Role.WRITER, listens=listens, timeout_s=timeout_s)
    check(transcript, conversation, Role.WRITER)
    return transcript


def play(peer: Peer, conversation: Conversation, role: Role, *, listens: bool, timeout_s: float = 5.0) -> Transcript:
    """Play the other end of a conversation to a peer, and return what it did, up to its first difference.

    Args:
        role: role of the peer.
        listens: whether a command listens on its socket, rather than connecting to it.
        timeout_s: time limit for the conversation, and again for the end of the peer, in seconds.
    Raises:
        PeerError: it did not connect or listen, or its function did not return.
        LocalProtocolError: the peer itself would have to send the fault.
    """
    if conversation.fault and conversation.refused_by is not role:
        raise LocalProtocolError(f"it is not the {role.value} that must refuse {conversation.fault}")
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
    """Check what a peer did against its part of the conversation.

    In a valid conversation, the peer sends its part, reads everything, closes (a reader may leave that to the writer
    after FINISH), raises nothing and ends with status 0. It refuses a fault: it sends nothing after it, and closes; it
    may raise, and end with any status except a signal. If the function of a reader returns a list or a tuple, it must
    hold the payloads; if there is a fault, any number of them from the first on.

    Raises: PeerError: one of these is not so; the first.
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
    """The connection to the peer, until the deadline."""

    def __init__(self, sock: socket.socket, judge: Judge, deadline: float) -> None:
        self.received = bytearray()
        self.connection = Connection.OPEN
        self._sock = sock
        self._judge = judge
        self._deadline = deadline

    def play(self, conversation: Conversation, role: Role) -> None:
        """Send the turns of the other end, and wait for those of the peer, then for its end."""
        due = 0
        for turn in conversation.turns:
            if turn.sender is role:
                due += len(turn.frames)
                while self._judge.matched < due and self._receive():
                    pass
                sent = self._judge.matched >= due
            else:
                # An empty chunk is not sent: the peer may rightly have closed, and the error would count against it.
                sent = all(self._in_time(self._send, chunk) for chunk in turn.chunks if chunk)
            if not sent:
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
        """Wait for bytes of the peer; return False if there are none, or they no longer matter."""
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
        """Return the result of the call, None if the time is up or the peer has gone."""
        left = self._deadline - time.monotonic()
        if left > 0:
            self._sock.settimeout(left)
            with suppress(TimeoutError):
                try:
                    return call(argument)
                except (BrokenPipeError, ConnectionResetError):
                    self.connection = Connection.RESET
        return None
