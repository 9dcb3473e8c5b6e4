"""tests.wait: a path is no listener."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from framestream import listen_reader
from tests.wait import listens

if TYPE_CHECKING:
    from pathlib import Path


def test_listeners_of_others_are_found(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        assert not listens(path)
        sock.bind(os.fspath(path))
        assert not listens(path)
        sock.listen()
        assert listens(path)
        assert not listens(tmp_path)
    assert not listens(path)


def test_listeners_of_ours_are_found(tmp_path: Path) -> None:
    with listen_reader(tmp_path / "s"):
        assert listens(tmp_path / "s")
    assert not listens(tmp_path / "s")
