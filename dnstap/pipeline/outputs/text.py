"""Text of payloads, written to a file or standard output."""

from __future__ import annotations

from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING

from dnstap.pipeline.outputs.base import FileOutput
from dnstap.pipeline.outputs.text_batches import Text, Texts
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from dnstap.pipeline.rotation import Rotation

__all__ = ["TextOutput"]


class TextOutput(FileOutput):
    """Writes the text of payloads to a file. A payload that does not decode is counted and left out.

    Args:
        format_name: one of FORMATS.
        append: whether to write behind what is in the file.
    Raises: OSError.
    """

    def __init__(
        self,
        path: str,
        format_name: str,
        style: Style = DEFAULT,
        *,
        append: bool = False,
        rotation: Rotation | None = None,
    ) -> None:
        super().__init__(path, rotation)
        self._mode = "ab" if append else "wb"
        self._texts = Texts(format_name, style)
        self._file = self._open()

    def fileno(self) -> int:
        return self._file.fileno()

    def _write(self, payloads: list[bytes]) -> None:
        self._put(self._texts(payloads), self.frames - len(payloads) + 1)

    def _put(self, text: Text, first: int) -> None:
        """Count what was left out, and write the rest; first: the number of its first payload."""
        if text.first_bad:
            before, error = text.first_bad
            self.problems.add(first + before, error, text.bad)
        rest = memoryview(text.octets)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Close it.

        Raises: OSError.
        """
        self._file.close()
        self._closed()

    def _open(self) -> FileIO:
        if self.path == "-":
            return FileIO(1, "wb", closefd=False)
        return FileIO(self.path, self._mode)

    def _reopen(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._file = self._open()
