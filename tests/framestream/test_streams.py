"""Options and common parts of readers and writers."""

from __future__ import annotations

import gzip
import random
import time
from typing import TYPE_CHECKING

import pytest

from framestream.errors import LocalProtocolError, RemoteProtocolError
from framestream.streams import Backoff, after, check_appendable
from tests.framestream.wire import START, STOP, data

if TYPE_CHECKING:
    from pathlib import Path


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


class TestCheckAppendable:
    @pytest.mark.parametrize("wire", [None, b"", START + STOP, START + data(b"a") + STOP + START + STOP])
    def test_good(self, tmp_path: Path, wire: bytes | None) -> None:
        if wire is not None:
            (tmp_path / "file").write_bytes(wire)
        before = (tmp_path / "file").exists()
        check_appendable(tmp_path / "file")
        assert (tmp_path / "file").exists() == before

    @pytest.mark.parametrize("wire", [START, START + data(b"a"), START + STOP + START, b"text"])
    def test_bad(self, tmp_path: Path, wire: bytes) -> None:
        (tmp_path / "file").write_bytes(wire)
        with pytest.raises(RemoteProtocolError):
            check_appendable(tmp_path / "file")

    def test_compressed(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(gzip.compress(START + STOP))
        with pytest.raises(LocalProtocolError, match="is gzip data"):
            check_appendable(tmp_path / "file")
