"""All combinations of transport, front end, listening end and reading end, with both ends ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint
from framestream.errors import TruncatedStreamError
from framestream.protocol import State, Transport
from tests.framestream.nets import CLIENT, MUTUAL, SERVER, background, dial, front_named, nothing_left
from tests.framestream.wire import ACCEPT, DNSTAP, READY, START, data
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDS = [(one, other) for one in ("sync", "aio") for other in ("sync", "aio")]

PAYLOADS = [bytes(range(256)) * 4096, *(b"%d" % number * (number % 60 + 1) for number in range(2500)), bytes(1000)]

OVER = ["unix", "127.0.0.1", "::1", "localhost", "tls", "mutual tls"]


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


def endpoint_for(over: str, path: Path) -> tuple[Any, Tls | None]:
    """Return the endpoint to listen on, and the TLS options to connect to it."""
    match over:
        case "unix":
            return UnixEndpoint(str(path / "socket")), None
        case "tls":
            return TlsEndpoint("localhost", 0, SERVER), CLIENT
        case "mutual tls":
            return TlsEndpoint("127.0.0.1", 0, MUTUAL), MUTUAL
        case _:
            return TcpEndpoint(over, 0), None


def connected(endpoint: Any, tls: Tls | None) -> Any:
    """The endpoint to connect to."""
    return TlsEndpoint(endpoint.host, endpoint.port, tls) if tls else endpoint


def write(writer: Any) -> tuple[int, int, bytes | None]:
    with writer:
        writer.handshake()
        content_type = writer.content_type
        writer.write_many(PAYLOADS[:-1])
        writer.write(PAYLOADS[-1])
    assert writer.protocol.state is State.FINISHED
    return writer.frames, writer.bytes, content_type


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(("reading", "writing"), ENDS)
@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("listens", ["reader", "writer"])
def test_all(tmp_path: Path, over: str, transport: Transport, reading: str, writing: str, listens: str) -> None:
    """Nothing is lost, changed, or left open; and both sides know the content type."""
    bidirectional = transport is Transport.BIDIRECTIONAL
    taken, offered = [b"y", DNSTAP, b"z"], [b"x", b"z", DNSTAP] if bidirectional else [DNSTAP, b"x"]
    endpoint, tls = endpoint_for(over, tmp_path)
    if listens == "reader":
        with front_named(reading).listen_reader(endpoint, taken) as listener:
            to = connected(listener.endpoint, tls)
            with background(
                lambda: write(front_named(writing).open_writer(to, offered, transport=transport))
            ) as finish:
                with listener.accept(DEADLINE_S) as reader:
                    assert list(reader) == PAYLOADS
                written = finish()
    else:
        with front_named(writing).listen_writer(endpoint, offered, transport=transport) as listener:
            to = connected(listener.endpoint, tls)
            with background(lambda: write(listener.accept(DEADLINE_S))) as finish:
                with front_named(reading).open_reader(to, taken) as reader:
                    assert list(reader) == PAYLOADS
                written = finish()
    assert reader.protocol.state is State.FINISHED
    assert reader.content_type == DNSTAP
    assert written == (reader.frames, reader.bytes, DNSTAP)
    assert (reader.frames, reader.bytes) == (len(PAYLOADS), sum(map(len, PAYLOADS)))


@pytest.mark.parametrize("front", ["sync", "aio"])
@pytest.mark.parametrize("over", ["unix", "127.0.0.1", "tls"])
class TestEndInput:
    def test_a_writer_that_never_stops(self, tmp_path: Path, front: str, over: str) -> None:
        """Bytes received up to then are read, and then the input ends; with TCP alone, later ones would follow."""
        endpoint, tls = endpoint_for(over, tmp_path)

        def write_on() -> None:
            with front_named("sync").open_writer(connected(listener.endpoint, tls)) as writer:
                while True:
                    writer.write_many([bytes(1000)] * 50)

        with front_named(front).listen_reader(endpoint) as listener, background(write_on) as finish:
            with listener.accept(DEADLINE_S) as reader:
                batches = reader.batches()
                assert next(batches)
                reader.end_input()
                before = reader.bytes
                try:
                    for _ in batches:
                        assert reader.bytes < before + (1 << 25)
                except TruncatedStreamError:
                    pass  # It ends where it ends, in a frame most likely.
            with pytest.raises(OSError):  # noqa: PT011 (which of them, the system knows)
                finish()

    def test_while_waiting(self, tmp_path: Path, front: str, over: str) -> None:
        """Another thread ends what waits for the next payload."""
        endpoint, tls = endpoint_for(over, tmp_path)
        with front_named(front).listen_reader(endpoint) as listener:
            context = tls and tls.context(listening=False)
            with (
                background(dial, listener.endpoint, context, START + data(b"a")) as dialled,
                listener.accept(DEADLINE_S) as reader,
            ):
                reader.handshake()
                got: list[bytes] = []
                with dialled(), background(lambda: got.extend(reader)) as finish:
                    wait_for(lambda: reader.frames, "the first payload")
                    reader.end_input()
                    finish()
                assert got == [b"a"]
                assert reader.ended


@pytest.mark.parametrize("front", ["sync", "aio"])
def test_a_reset_is_an_error_for_good(front: str) -> None:
    """The system tells of it once, and then of an end as if all was well."""
    with (
        front_named(front).listen_reader(TcpEndpoint("127.0.0.1", 0)) as listener,
        dial(listener.endpoint, first=READY) as sock,
        listener.accept(DEADLINE_S) as reader,
    ):
        with background(reader.handshake) as finish:
            sock.sendall(START + data(b"a"))
            wait_for(lambda: sock.recv(1, 2), "the first byte of ACCEPT")
            finish()
        assert sock.recv(1) == ACCEPT[:1]
        sock.close()  # With the rest of ACCEPT unread.
        got: list[bytes] = []
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                got.extend(reader)
        assert got in ([b"a"], [])
