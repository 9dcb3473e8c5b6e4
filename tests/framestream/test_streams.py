"""Options and common parts of readers and writers."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

import pytest

from framestream.errors import RemoteProtocolError
from framestream.protocol import State, Transport
from framestream.streams import LIMITS, Backoff, after, left_until, open_to_write, writer_protocol
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
