"""framestream.testing and framestream.peers: each kind of peer, good and bad, is found to be what it is."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framestream.conversations import Conversation, Turn
from framestream.errors import FrameStreamError, LocalProtocolError
from framestream.protocol import ReaderProtocol, Role, State, Transport, WriterProtocol
from framestream.strategies import conversations, refused_conversations
from framestream.testing import Connection, PeerError, check_reader, check_writer, play
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, data
from tests.threads import Threads
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT_S = 0.05
"""Long enough for a peer that stays silent for ever."""

GOOD = Conversation.of([b"1", b"22"], offered=[DNSTAP], accepted=[DNSTAP])
ONE_WAY = Conversation.of([b"1", b"22"], offered=[DNSTAP], transport=Transport.UNIDIRECTIONAL)
SENT = data(b"1", b"22")
HTTP = Conversation(turns=(Turn(Role.WRITER, (), (b"GET /", b" HTTP/1.1\r\n")),), fault="HTTP", hangs_up=False)
MUTE = Conversation(turns=(Turn(Role.WRITER, (), (b"\0\0",)),), fault="half a word")


def reading(conversation: Conversation) -> Callable[[socket.socket], list[bytes]]:
    """A reader that keeps to the protocol."""

    def run(sock: socket.socket) -> list[bytes]:
        reader = ReaderProtocol(conversation.accepted)
        got: list[bytes] = []
        while reader.state is not State.FINISHED and not reader.ended:
            if chunk := sock.recv(7):
                reader.receive_data(chunk)
            else:
                reader.receive_eof()
            while run := reader.payloads():
                got += run
            sock.sendall(reader.data_to_send())
        return got

    return run


def writing(conversation: Conversation) -> Callable[[socket.socket], None]:
    """A writer that keeps to the protocol."""

    def run(sock: socket.socket) -> None:
        writer = WriterProtocol(conversation.offered, transport=conversation.transport)
        writer.start()
        finished = False
        while not finished:
            if writer.state is State.STREAMING:
                writer.send(conversation.payloads)
                writer.stop()
            sock.sendall(writer.data_to_send())
            finished = writer.state is State.FINISHED
            if not finished:
                if chunk := sock.recv(7):
                    writer.receive_data(chunk)
                else:
                    writer.receive_eof()

    return run


def saying(*parts: bytes, waits: bool = False) -> Callable[[socket.socket], None]:
    """A peer that reads something, then says something, and so on; then reads to the end, or goes."""

    def run(sock: socket.socket) -> None:
        for part in parts:
            sock.recv(1 << 16)
            sock.sendall(part)
        while waits and sock.recv(1 << 16):
            pass

    return run


@given(conversation=conversations())
def test_good_ends_in_good_conversations(conversation: Conversation) -> None:
    assert check_reader(reading(conversation), conversation, timeout_s=DEADLINE_S).result == [*conversation.payloads]
    transcript = check_writer(writing(conversation), conversation, timeout_s=DEADLINE_S)
    assert (transcript.connection, transcript.error) == (Connection.CLOSED, None)


@given(conversation=refused_conversations(Role.READER))
def test_good_readers_refuse_what_is_wrong(conversation: Conversation) -> None:
    transcript = check_reader(reading(conversation), conversation, timeout_s=DEADLINE_S)
    assert isinstance(transcript.error, FrameStreamError)


@given(conversation=refused_conversations(Role.WRITER))
def test_good_writers_refuse_what_is_wrong(conversation: Conversation) -> None:
    transcript = check_writer(writing(conversation), conversation, timeout_s=DEADLINE_S)
    assert isinstance(transcript.error, FrameStreamError)


@given(conversation=st.sampled_from(Role).flatmap(refused_conversations))
def test_a_fault_is_not_for_the_one_who_makes_it(conversation: Conversation) -> None:
    with pytest.raises(LocalProtocolError, match="must refuse"):
        play(saying(), conversation, conversation.turns[-1].sender, listens=False)


SILENT = saying(waits=True)


def crash(sock: socket.socket) -> None:
    saying(ACCEPT, FINISH)(sock)
    raise ZeroDivisionError


def lose_one(sock: socket.socket) -> list[bytes]:
    return reading(GOOD)(sock)[1:]


def leave(sock: socket.socket) -> None:
    """Close with bytes unread."""
    sock.recv(1)


@pytest.mark.parametrize(
    ("peer", "conversation", "objection"),
    [
        pytest.param(saying(ACCEPT, STOP), GOOD, "expected FINISH as frame 2 of the reader, got STOP;", id="STOP"),
        pytest.param(saying(ACCEPT), GOOD, "expected FINISH as frame 2 of the reader, got the end;", id="leaves"),
        pytest.param(leave, GOOD, "expected ACCEPT .*; it closed the connection before it had read all", id="resets"),
        pytest.param(SILENT, GOOD, "got the end; it had not closed the connection", id="silent"),
        pytest.param(crash, GOOD, "expected the reader to return; .* raised ZeroDivisionError", id="raises"),
        pytest.param(lose_one, GOOD, r"expected the payloads \(b'1', b'22'\), got \(b'22',\)", id="loses"),
        pytest.param(leave, ONE_WAY, "expected the reader to read all; it closed the conn", id="leaves one-way"),
        pytest.param(saying(ACCEPT, waits=True), ONE_WAY, "expected nothing as frame 1 of the reader", id="talks"),
        pytest.param(saying(ACCEPT), HTTP, "expected nothing as .* got ACCEPT .*, after HTTP;", id="accepts HTTP"),
        pytest.param(SILENT, HTTP, "expected the reader to close the connection, after HTTP", id="stays"),
        pytest.param(lambda sock: [b"made up"], HTTP, "expected the payloads .*, after HTTP, got", id="makes up"),
    ],
)
def test_bad_readers(peer: Callable[[socket.socket], object], conversation: Conversation, objection: str) -> None:
    with pytest.raises(PeerError, match=objection):
        check_reader(peer, conversation, timeout_s=SHORT_S if peer is SILENT else DEADLINE_S)


def test_bad_writers() -> None:
    with pytest.raises(PeerError, match=r"expected READY .* got START") as caught:
        check_writer(writing(ONE_WAY), GOOD)
    assert caught.value.did == "it had not closed the connection"
    assert caught.value.objection in str(caught.value)


def test_a_hanging_up_is_told() -> None:
    transcript = check_reader(SILENT, MUTE, timeout_s=DEADLINE_S)
    assert (transcript.received, transcript.connection) == (b"", Connection.CLOSED)


def test_empty_chunks_are_nothing() -> None:
    """The reader has all and goes while they are being passed over."""
    (turn,) = ONE_WAY.turns
    empty = replace(ONE_WAY, turns=(replace(turn, chunks=(*turn.chunks, *[b""] * 100_000)),))
    check_reader(reading(empty), empty, timeout_s=DEADLINE_S)


def test_a_peer_that_does_not_read_is_not_waited_for() -> None:
    """No longer than it may take: the socket's buffer is full."""
    large = Conversation.of([bytes(1 << 20)] * 4, transport=Transport.UNIDIRECTIONAL)
    done = threading.Event()
    try:
        with pytest.raises(PeerError, match="to return when its connection had ended"):
            check_reader(lambda sock: done.wait(), large, timeout_s=SHORT_S)
    finally:
        done.set()


@contextmanager
def listening(
    family: int, address: str | tuple[str, int], peer: Callable[[socket.socket], object]
) -> Iterator[str | tuple[str, int]]:
    """Listen, as a peer does that waits for one connection."""

    def accept() -> None:
        sock, _ = sockets.accept()
        with sock:
            peer(sock)

    with socket.socket(family) as sockets, Threads() as pool:
        sockets.settimeout(DEADLINE_S)
        sockets.bind(address)
        sockets.listen()
        future = pool.submit(accept)
        yield sockets.getsockname()
        future.result(DEADLINE_S)


def test_an_address(tmp_path: Path) -> None:
    with listening(socket.AF_UNIX, str(tmp_path / "s"), reading(GOOD)) as address:
        assert check_reader(address, GOOD).received == ACCEPT + FINISH
    with listening(socket.AF_INET, ("127.0.0.1", 0), writing(GOOD)) as address:
        assert check_writer(address, GOOD).received == READY + START + SENT + STOP
    with pytest.raises(FileNotFoundError):
        check_reader(tmp_path / "missing", GOOD)


PROGRAM = """
import signal, socket, sys, time
how, path, *rest = sys.argv[1:]
print(how, flush=True)
if "term" in rest:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
sock = socket.socket(socket.AF_UNIX)
if how == "connect":
    sock.connect(path)
elif how == "listen":
    sock.bind(path)
    sock.listen()
    sock, _ = sock.accept()
else:
    sys.exit(3)
for part in rest:
    if part == "-":
        while sock.recv(65536): pass
    elif part == "kill":
        signal.raise_signal(signal.SIGKILL)
    elif part == "fail":
        sys.exit(4)
    elif part in ("stay", "term"):
        sock.close()
        while True: time.sleep(1)
    else:
        count, part = part.split(":")
        while int(count) and not sock.recv(int(count), socket.MSG_WAITALL): pass
        sock.sendall(bytes.fromhex(part))
"""
"""A peer: how it meets us, then what to do. "12:ff" is to read 12 bytes and to say ff; "-" to read to the end."""

READ = [f"{len(READY)}:{ACCEPT.hex()}", f"{len(START + SENT + STOP)}:{FINISH.hex()}"]
WRITE = [f"0:{READY.hex()}", f"{len(ACCEPT)}:{(START + SENT + STOP).hex()}", f"{len(FINISH)}:"]


def program(how: str, *parts: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, how, "{socket}", *parts]


@pytest.mark.parametrize("listens", [True, False], ids=["listens", "connects"])
def test_a_command(listens: bool) -> None:
    """It may be either end, and meet us either way; one that listens is terminated."""
    how = "listen" if listens else "connect"
    transcript = check_reader(program(how, *READ, "-"), GOOD, listens=listens, timeout_s=DEADLINE_S)
    assert (transcript.received, transcript.output) == (ACCEPT + FINISH, how.encode() + b"\n")
    transcript = check_writer(program(how, *WRITE), GOOD, listens=listens, timeout_s=DEADLINE_S)
    assert transcript.received == READY + START + SENT + STOP
    assert transcript.status in (0, None)


def test_a_command_that_listens_is_terminated() -> None:
    transcript = check_reader(program("listen", *READ, "stay"), GOOD, timeout_s=DEADLINE_S)
    assert transcript.status is None


@pytest.mark.parametrize(
    ("part", "objection"),
    [
        ("fail", "expected the writer to end with status 0; .* with status 4, printed b'connect"),
        ("kill", "expected the writer to end with status 0; .* with status -9"),
        ("stay", "expected the writer to end with status 0; .* with status -9"),
    ],
)
def test_a_command_that_fails_in_the_end(part: str, objection: str) -> None:
    with pytest.raises(PeerError, match=objection):
        check_writer(program("connect", *WRITE, part), GOOD, timeout_s=DEADLINE_S / 10)


def test_a_command_that_cannot_be_terminated_is_killed() -> None:
    transcript = play(program("listen", *READ, "term"), GOOD, Role.READER, listens=True, timeout_s=DEADLINE_S / 10)
    assert transcript.status == -9


def test_a_command_may_fail_after_a_fault() -> None:
    assert check_reader(program("connect", "5:", "fail"), HTTP, listens=False, timeout_s=DEADLINE_S).status == 4
    with pytest.raises(PeerError, match=r"expected the reader to end with status 0, after HTTP; .* status -9"):
        check_reader(program("connect", "5:", "kill"), HTTP, listens=False, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("listens", [True, False], ids=["listens", "connects"])
def test_a_command_that_never_comes(listens: bool) -> None:
    with pytest.raises(PeerError, match=f"to {'listen' if listens else 'connect'}, got its end; it printed b'never"):
        check_reader(program("never"), GOOD, listens=listens, timeout_s=DEADLINE_S)


def test_nothing_is_left_over() -> None:
    before = set(threading.enumerate())
    check_reader(reading(GOOD), GOOD)
    assert set(threading.enumerate()) <= before
