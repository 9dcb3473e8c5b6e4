"""Where payloads go as text: decoded, rendered, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.errors import DnstapError
from dnstap.render.formats import decoder_for, renderer
from dnstap.render.style import DEFAULT, Style

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["TextOutput"]


class TextOutput:
    """Writes the text of payloads to an unbuffered file. A payload that does not decode is counted and left out.

    Args: name: one of FORMATS.

    Attributes:
        payloads: how many have come.
        bad: how many of them were left out.
        first_bad: the number of the first such payload, counted from 1, and its error.
    """

    def __init__(self, file: FileIO, name: str, style: Style = DEFAULT) -> None:
        self.payloads = 0
        self.bad = 0
        self.first_bad: tuple[int, DnstapError] | None = None
        self._file = file
        self._decode = decoder_for(name, style)
        self._render = renderer(name, style)

    def write_many(self, payloads: list[bytes]) -> None:
        """Write the text of some payloads.

        Raises: OSError.
        """
        decode, render = self._decode, self._render
        try:
            lines = [render(decode(payload)) for payload in payloads]
        except DnstapError:
            lines = [self._line(number, payload) for number, payload in enumerate(payloads, self.payloads + 1)]
        self.payloads += len(payloads)
        # Octets of a message that are no UTF-8 are written as they came.
        text = memoryview("".join(lines).encode("utf-8", "surrogateescape"))
        while text:
            text = text[self._file.write(text) :]

    def _line(self, number: int, payload: bytes) -> str:
        try:
            return self._render(self._decode(payload))
        except DnstapError as error:
            self.bad += 1
            self.first_bad = self.first_bad or (number, error)
            return ""
