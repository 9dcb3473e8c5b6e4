"""Disks that are full, for tests of outputs that write files."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["Disk"]


class Disk:
    """A disk with little space: writes to regular files in this process take it, and fail when none is left.

    Attributes:
        space: bytes that are left.
        error: number of the error.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, space: int, error: int = errno.ENOSPC) -> None:
        self.space = space
        self.error = error
        self.failures = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        """Write as os.write does to a disk: as much as there is space for."""
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return self._write(descriptor, data)
        if not self.space:
            self.failures += 1
            raise OSError(self.error, os.strerror(self.error))
        taken = self._write(descriptor, memoryview(data)[: self.space])
        self.space -= taken
        return taken
