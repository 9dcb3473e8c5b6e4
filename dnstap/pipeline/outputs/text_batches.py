"""Render batches of payloads as text, counting those that do not decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dnstap.codec.paired import paired_decoder
from dnstap.errors import DnstapError
from dnstap.peer import CurrentPeer
from dnstap.rendering.formats import decoder_for, header, renderer_of_peer, shows_answered, shows_peer
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BatchRenderer", "RenderedBatch"]


class RenderedBatch(NamedTuple):
    """Text of a batch of payloads.

    Attributes:
        text: UTF-8, except that bytes of a message that are not valid UTF-8 are unchanged.
        left_out: number of payloads that do not decode.
        first_left_out: position of the first of these in the batch, counted from 0, and its error.
    """

    text: bytes
    left_out: int = 0
    first_left_out: tuple[int, DnstapError] | None = None


class BatchRenderer:
    """A renderer of batches, which gets faster as it sees repeated values.

    Args: format_name: one of FORMATS.
    Raises: ValueError: there is no such format, or the style is invalid.

    Attributes:
        peer: sender of the next payloads.
        shows_peer: whether the text shows it.
        shows_answered: whether the text shows if queries were answered.
        header: what a file of this text begins with.
    """

    def __init__(self, format_name: str, style: Style = DEFAULT) -> None:
        self._decode = decoder_for(format_name, style)
        self.peer = CurrentPeer()
        self.shows_peer = shows_peer(format_name, style)
        self.shows_answered = shows_answered(format_name, style)
        self.header = header(format_name, style).encode()
        self._render = renderer_of_peer(format_name, style, self.peer)

    def expect_paired(self) -> None:
        """Show what payloads carry that Pairs has returned."""
        self._decode = paired_decoder(self._decode, answered=self.shows_answered)

    def render(self, payloads: Sequence[bytes]) -> RenderedBatch:
        """Return the text of payloads, without those that do not decode."""
        decode, render = self._decode, self._render
        left_out: list[tuple[int, DnstapError]] = []
        try:
            # Nearly every batch is good, and a list comprehension without `try` inside is the fastest way through it.
            texts = [render(decode(payload)) for payload in payloads]
        except DnstapError:
            # The whole batch again, since the texts of the first attempt are lost with the error.
            texts = [*self._render_each(payloads, left_out)]
        text = "".join(texts).encode("utf-8", "surrogateescape")
        return RenderedBatch(text, len(left_out), left_out[0] if left_out else None)

    def _render_each(self, payloads: Sequence[bytes], left_out: list[tuple[int, DnstapError]]) -> Iterator[str]:
        """Yield the texts of payloads that decode, and add the others to a list."""
        for position, payload in enumerate(payloads):
            try:
                yield self._render(self._decode(payload))
            except DnstapError as error:
                left_out.append((position, error))
