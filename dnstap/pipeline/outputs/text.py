"""Text of payloads, written to a file or standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dnstap.pipeline.outputs.base import FileOutput, OutputFile
from dnstap.pipeline.outputs.headers import check_header
from dnstap.pipeline.outputs.text_batches import BatchRenderer, RenderedBatch
from dnstap.rendering.style import DEFAULT, Style
from framestream.files import FileOutput as OpenFile

if TYPE_CHECKING:
    from dnstap.pipeline.rotation import Rotation
    from dnstap.pipeline.sources import Source

__all__ = ["TextOutput"]


class TextOutput(FileOutput):
    """An output that writes payloads as text. Payloads that do not decode are counted and left out.

    Args:
        format_name: one of FORMATS.
        append: whether to keep the text that is in the file.
    Raises: OSError; LocalProtocolError: the file to append to has another header.
    """

    def __init__(
        self,
        path: str,
        format_name: str,
        style: Style = DEFAULT,
        *,
        append: bool = False,
        compression: str | None = None,
        rotation: Rotation | None = None,
    ) -> None:
        renderer = BatchRenderer(format_name, style)
        self._render = renderer.render
        self._peer = renderer.peer
        self._header = renderer.header
        self.uses_source = renderer.shows_peer
        self.uses_answered = renderer.shows_answered
        self._expect_paired = renderer.expect_paired
        # Payloads left out of the batch that was last written, if that failed.
        self._counted = 0
        super().__init__(path, append=append, compression=compression, rotation=rotation)

    def set_source(self, source: Source) -> None:
        self._peer.set(source.peer)

    def expect_paired(self) -> None:
        self._expect_paired()

    def _write(self, payloads: list[bytes]) -> None:
        self._write_rendered(self._render(payloads), self.frames - len(payloads) + 1, len(payloads))

    def _write_rendered(self, batch: RenderedBatch, first: int, number: int) -> None:
        """Write the text of a batch, and count what was left out of it.

        Args:
            first: number of its first payload, counted from 1 over the whole run.
            number: number of its payloads.
        """
        # Counted before the write, whose error may end the run; and not again if the batch is written again.
        self.problems.count -= self._counted
        self._counted = batch.left_out
        if batch.first_left_out:
            position, error = batch.first_left_out
            self.problems.add(first + position, error, batch.left_out)
        self._write_bytes(batch.text)
        self._counted = 0
        self._written += number - batch.left_out

    def _open(self, path: str, mode: Literal["replace", "append"]) -> OutputFile:
        if self._compression:
            compressed = self._open_compressed(path, mode, self._header)
            return self._begun(compressed, empty=not compressed.first)
        file = OpenFile(path, mode, lock=True)
        try:
            size = file.opened_bytes if mode == "append" and file.regular else 0
            if size:
                check_header(self._header, file.read(0))
                # Part of a line, which a killed process has left, must not take in the first line of ours.
                if file.read(size - 1) != b"\n":
                    file.write(b"\n")
        except BaseException:
            file.close()
            raise
        return self._begun(file, empty=not size)

    def _begun(self, file: OutputFile, *, empty: bool) -> OutputFile:
        """Return a file that is open, with the header at its beginning."""
        if self._header:
            if empty:
                try:
                    file.write(self._header)
                except BaseException:
                    file.close()
                    raise
            # A file that another program cuts gets it again.
            file.beginning = self._header
        return file
