"""Filter: payloads and messages that match an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.codec.learned import Decoder
from dnstap.codec.projections import for_fields
from dnstap.errors import DnstapError
from dnstap.filters.compiling import compiled
from dnstap.filters.grammar import parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap

__all__ = ["Filter", "compile_filter"]


class Filter:
    """Says of messages whether they match an expression, and selects payloads that do. Not for several threads at once.

    Args: text: the expression; docs/filters.md has the grammar.
    Raises: FilterError.

    Attributes:
        text: the expression.
        matches: from a Dnstap to whether it matches; a function, so that it can be bound to a name. No message makes it
            raise an error.
        payloads: how many have come to `select`.
        matched: how many of them were selected.
        bad: how many did not decode, and so were not.
        first_bad: the number of the first such payload, counted from 1, and its error.
    """

    matches: Callable[[Dnstap], bool]

    def __init__(self, text: str) -> None:
        self.text = text
        self.payloads = 0
        self.matched = 0
        self.bad = 0
        self.first_bad: tuple[int, DnstapError] | None = None
        self.matches, kept = compiled(parsed(text))
        self._decode: Callable[[bytes], Dnstap] = Decoder(for_fields(kept)).decode

    def select(self, payloads: list[bytes]) -> list[bytes]:
        """Those that match, in their order. Of each only what the expression reads is decoded, but all is checked."""
        matches, decode = self.matches, self._decode
        try:
            selected = [payload for payload in payloads if matches(decode(payload))]
        except DnstapError:
            selected = [
                payload for number, payload in enumerate(payloads, self.payloads + 1) if self._is(number, payload)
            ]
        self.payloads += len(payloads)
        self.matched += len(selected)
        return selected

    def _is(self, number: int, payload: bytes) -> bool:
        try:
            return self.matches(self._decode(payload))
        except DnstapError as error:
            self.bad += 1
            self.first_bad = self.first_bad or (number, error)
            return False


def compile_filter(text: str) -> Filter:
    """The filter for an expression such as `type = CQ and qname under example.org`.

    Raises: FilterError: it is no expression; the text of the error shows where.
    """
    return Filter(text)
