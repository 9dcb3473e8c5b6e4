"""Text of payloads, written to a file or standard output."""

from __future__ import annotations

from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING

from dnstap.pipeline.outputs.base import FileOutput
from dnstap.pipeline.outputs.text_batches import BatchRenderer, RenderedBatch
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from dnstap.pipeline.rotation import Rotation

__all__ = ["TextOutput"]


class TextOutput(FileOutput):
    """An output that writes payloads as text. Payloads that do not decode are counted and left out.

    Args:
        format_name: one of FORMATS.
        append: whether to keep the text that is in the file.
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
        self._render = BatchRenderer(format_name, style).render
        self._file = self._open()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        """Close the file.

        Raises: OSError.
        """
        self._file.close()
        self._finish_rotation()

    def _write(self, payloads: list[bytes]) -> None:
        self._write_rendered(self._render(payloads), self.frames - len(payloads) + 1, len(payloads))

    def _write_rendered(self, batch: RenderedBatch, first: int, number: int) -> None:
        """Write the text of a batch, and count what was left out of it.

        Args:
            first: number of its first payload, counted from 1 over the whole run.
            number: number of its payloads.
        """
        if batch.first_left_out:
            position, error = batch.first_left_out
            self.problems.add(first + position, error, batch.left_out)
        # FileIO may write less than it is given, to a pipe for example.
        rest = memoryview(batch.text)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._written += number - batch.left_out

    def _open(self) -> FileIO:
        if self.path == "-":
            # Not sys.stdout, which encodes and buffers. The descriptor stays open for the rest of the program.
            return FileIO(1, "wb", closefd=False)
        return FileIO(self.path, self._mode)

    def _reopen(self) -> None:
        # Nothing is buffered in a FileIO, so an error of closing loses no text.
        with suppress(OSError):
            self._file.close()
        self._file = self._open()
