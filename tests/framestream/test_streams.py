"""Options and common parts of readers and writers."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from framestream.connections import Connections
from framestream.errors import RemoteProtocolError
from framestream.protocol import State, Transport
from framestream.streams import (
    LIMITS,
    Backoff,
    BaseReader,
    BaseWriter,
    Batching,
    Deadlines,
    Limits,
    after,
    checked_payloads,
    left_until,
    open_to_write,
    reader_protocol,
    writer_protocol,
)
from tests.framestream.both.ends import open_descriptors
from tests.framestream.wire import START, data

if TYPE_CHECKING:
    from pathlib import Path

    from framestream.files import FileMode


class TestBackoff:
    def test_grows_up_to_its_limit(self) -> None:
        waits = Backoff(first_s=1, factor=3, most_s=20, jitter=0).waits()
        assert [next(waits) for _ in range(6)] == [0, 1, 3, 9, 20, 20]

    def test_jitter_takes_up_to_its_share(self) -> None:
        random.seed(1)
        found = []
        for _ in range(200):
            waits = Backoff(first_s=8, jitter=0.25, most_s=8).waits()
            next(waits)
            found.append(next(waits))
        assert 6 <= min(found) < 6.2
        assert 7.8 < max(found) <= 8


def test_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert after(2.5) == 102.5
    assert after(None) is None


def test_left_until(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert left_until(102.5) == 2.5
    assert left_until(None) == math.inf
    with pytest.raises(TimeoutError):
        left_until(100.0)


class TestUnfinishedFrames:
    """The deadline of a frame that has begun, and the memory that it takes."""

    def reader(self) -> tuple[BaseReader, Connections]:
        connections = Connections()
        reader = BaseReader(reader_protocol((), LIMITS), Deadlines(handshake_s=1.0, frame_s=50.0), file=False)
        reader.join(connections)
        return reader, connections

    def test_deadlines_and_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        reader, connections = self.reader()

        def received(wire: bytes) -> tuple[float | None, int]:
            """Return the deadline of the next read, and the bytes of unfinished frames, once this was received."""
            reader._feed(wire)
            while reader._next() or reader._receiving:
                pass
            return reader._read_deadline(), sum(connections._unfinished.values())

        frame = data(bytes(100))
        assert reader._read_deadline() == 101.0
        assert received(START) == (None, 0)
        assert received(frame[:50]) == (150.0, 50)
        now = 110.0
        assert received(frame[50:60]) == (150.0, 60)
        # The next one, which has begun at the end of the same read.
        assert received(frame[60:] + frame[:10]) == (160.0, 10)
        assert received(frame[10:]) == (None, 0)
        assert received(frame) == (None, 0)
        assert reader.progress == len(START) + 3 * len(frame)

    def test_the_error_of_an_interruption(self) -> None:
        """It comes instead of what it causes."""
        reader, _ = self.reader()
        cause, reason = RemoteProtocolError("START", "the end", 0, "IDLE"), ConnectionAbortedError("a limit")
        assert reader._read_error(cause) is cause
        reader._interruption = reason
        assert reader._read_error(cause) is reason
        assert reader._read_error(TimeoutError()) is reason


class TestOpenToWrite:
    @pytest.mark.parametrize(("mode", "left"), [("replace", b""), ("append", START + data(b"a"))])
    def test_modes(self, tmp_path: Path, mode: FileMode, left: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(START + data(b"a") + bytes(3))
        protocol = writer_protocol((), LIMITS, Transport.UNIDIRECTIONAL)
        file, cut_bytes = open_to_write(path, mode, protocol)
        file.close()
        assert (cut_bytes, protocol.state) == ((3, State.STREAMING) if mode == "append" else (0, State.IDLE))
        assert path.read_bytes() == left

    def test_a_file_that_is_refused_is_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"text")
        before = open_descriptors()
        with pytest.raises(RemoteProtocolError):
            open_to_write(path, "append", writer_protocol((), LIMITS, Transport.UNIDIRECTIONAL))
        assert open_descriptors() == before
        assert path.read_bytes() == b"text"


def test_options_of_a_wrong_type() -> None:
    for make in (
        lambda: reader_protocol((), cast("Limits", 5)),
        lambda: writer_protocol((), cast("Limits", 5), Transport.UNIDIRECTIONAL),
    ):
        with pytest.raises(TypeError, match=r"^limits: expected Limits, got 5 of type int$"):
            make()
    protocol = writer_protocol((), LIMITS, Transport.UNIDIRECTIONAL)
    with pytest.raises(TypeError, match=r"^batching: expected Batching, got 5 of type int$"):
        BaseWriter(protocol, cast("Batching", 5))
    with pytest.raises(ValueError, match=r"^batching.max_s: expected a number of at least 0, got -1$"):
        BaseWriter(protocol, Batching(5, -1))
    assert BaseWriter(protocol, Batching(5, None)).taken == 0


@pytest.mark.parametrize("payloads", [b"abc", "text", 5])
def test_payloads_that_are_no_list(payloads: Any) -> None:
    with pytest.raises(TypeError, match=r"^payloads: expected a list of bytes, got "):
        checked_payloads(payloads)
