"""Files, named pipes and standard input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.inputs.base import Input
from framestream.aio import read_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from framestream.aio import Reader
    from framestream.streams import Limits

__all__ = ["FileInput", "open_file"]


class FileInput(Input):
    """A file, or all the files that get its name one after the other. Made by `open_file`."""

    file = True

    def __init__(self, path: str, reader: Reader, limits: Limits, *, follow: bool) -> None:
        # A file must end with STOP unless it may still grow; a pipe need not.
        self.regular = reader.protocol.require_stop
        self.interruptible = not follow
        self._path = path
        self._reader = reader
        self._limits = limits
        self._follow = follow

    async def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        yield self._path, self._reader
        while self._follow:
            # The reader has ended because the name was given to another file, or to none.
            try:
                self._reader = await read_file(self._path, [CONTENT_TYPE], limits=self._limits, follow=True)
            except FileNotFoundError:
                # Nothing has the name any more, so there is nothing to follow.
                return
            yield self._path, self._reader

    async def close(self) -> None:
        await self._reader.close()


async def open_file(path: str, limits: Limits, *, follow: bool) -> FileInput:
    """Open a file, a named pipe, or standard input as "-".

    Args: follow: whether to wait for the file to grow, and to continue with a file that replaces it.
    Raises: OSError.
    """
    return FileInput(path, await read_file(path, [CONTENT_TYPE], limits=limits, follow=follow), limits, follow=follow)
