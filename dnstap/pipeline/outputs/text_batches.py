"""The text of many payloads, and what of them has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dnstap.errors import DnstapError
from dnstap.rendering.formats import decoder_for, renderer
from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Text", "Texts"]


class Text(NamedTuple):
    """The text of some payloads, as it is written.

    Attributes:
        octets: UTF-8, but for octets of a message that are none, which are as they came.
        bad: how many payloads did not decode, and are left out.
        first_bad: how many payloads stand before the first of these, and its error.
    """

    octets: bytes
    bad: int = 0
    first_bad: tuple[int, DnstapError] | None = None


class Texts:
    """The function from payloads to their text, which is faster the more it has seen.

    Args: format_name: one of FORMATS.
    Raises: ValueError: there is no such format, or the style is wrong.
    """

    def __init__(self, format_name: str, style: Style = DEFAULT) -> None:
        self._decode = decoder_for(format_name, style)
        self._render = renderer(format_name, style)

    def __call__(self, payloads: Sequence[bytes]) -> Text:
        decode, render = self._decode, self._render
        bad: list[tuple[int, DnstapError]] = []
        try:
            lines = [render(decode(payload)) for payload in payloads]
        except DnstapError:
            lines = [*self._good(payloads, bad)]
        return Text("".join(lines).encode("utf-8", "surrogateescape"), len(bad), bad[0] if bad else None)

    def _good(self, payloads: Sequence[bytes], bad: list[tuple[int, DnstapError]]) -> Iterator[str]:
        """The texts of those that decode; the others are added to the bad ones."""
        for number, payload in enumerate(payloads):
            try:
                yield self._render(self._decode(payload))
            except DnstapError as error:
                bad.append((number, error))
