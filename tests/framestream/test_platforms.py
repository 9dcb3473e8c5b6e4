"""Parts of the operating system that not every one has."""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING

from framestream import platforms

if TYPE_CHECKING:
    import pytest


def test_this_system_has_all() -> None:
    assert platforms.OPEN_FLAGS == 0
    assert platforms.NO_FOLLOW == os.O_NOFOLLOW
    assert platforms.OWNERS
    assert platforms.PREAD
    assert platforms.UNIX_SOCKETS
    assert platforms.FORK
    assert platforms.TIMER
    assert platforms.register_at_fork is os.register_at_fork


def test_standard_streams_are_made_binary_where_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    platforms.set_binary(0)
    made: list[tuple[int, int]] = []
    windows = types.ModuleType("msvcrt")
    monkeypatch.setattr(windows, "setmode", lambda fd, flags: made.append((fd, flags)), raising=False)
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    platforms.set_binary(0)
    assert made == [(0, 0x8000)]
