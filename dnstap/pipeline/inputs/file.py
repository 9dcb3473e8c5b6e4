"""Files, named pipes and standard input."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.base import Input
from dnstap.pipeline.inputs.followed import FollowedInput
from dnstap.pipeline.inputs.paths import is_pattern
from framestream.aio import read_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from framestream.aio import Reader
    from framestream.streams import Limits

__all__ = ["FileInput", "open_file"]


class FileInput(Input):
    """A file, a named pipe or standard input. Made by `open_file`."""

    file = True
    interruptible = True

    def __init__(self, path: str, reader: Reader) -> None:
        # A file must end with STOP; a pipe need not.
        self.regular = reader.protocol.require_stop
        self._path = path
        self._reader = reader

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        yield self._path, self._reader

    async def close(self) -> None:
        await self._reader.close()


async def open_file(path: str, limits: Limits, report: Callable[[str], object], *, follow: bool) -> Input:
    """Open a file, a named pipe, or standard input as "-".

    Args:
        report: takes one line while a file to follow is missing.
        follow: whether to wait for the file to grow, or to be made, and to continue with a file that replaces it. A
            directory or a pattern is all files there, and those that come.
    Raises: OSError.
    """
    if follow and path != "-":
        pattern = is_pattern(path)
        if pattern or not os.path.exists(path) or os.path.isfile(path):
            return FollowedInput(path, limits, report, concurrent=pattern)
    return FileInput(path, await read_file(path, [CONTENT_TYPE], limits=limits, follow=follow))
