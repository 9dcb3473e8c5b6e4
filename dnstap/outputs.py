"""Where payloads go as text: decoded, rendered, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.codec import Decoder
from dnstap.errors import DnstapError
from dnstap.messages import Dnstap

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO

__all__ = ["TextOutput"]


class TextOutput:
    """Writes the text of payloads to an unbuffered file. A payload that does not decode is counted and left out.

    Attributes:
        payloads: how many have come.
        bad: how many of them were left out.
        first_bad: the number of the first such payload, counted from 1, and its error.
    """

    def __init__(self, file: FileIO, render: Callable[[Dnstap], str]) -> None:
        self.payloads = 0
        self.bad = 0
        self.first_bad: tuple[int, DnstapError] | None = None
        self._file = file
        self._render = render
        self._decode = Decoder(Dnstap).decode

    def write_many(self, payloads: list[bytes]) -> None:
        """Write the text of some payloads.

        Raises: OSError.
        """
        decode, render = self._decode, self._render
        lines = []
        for number, payload in enumerate(payloads, self.payloads + 1):
            try:
                lines.append(render(decode(payload)))
            except DnstapError as error:
                self.bad += 1
                self.first_bad = self.first_bad or (number, error)
        self.payloads += len(payloads)
        # Octets of a message that are no UTF-8 are written as they came.
        text = memoryview("".join(lines).encode("utf-8", "surrogateescape"))
        while text:
            text = text[self._file.write(text) :]
