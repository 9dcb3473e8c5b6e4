"""dnstap.dns.cached_parts: each notation gets the same as from its exact way, for any octets."""

from __future__ import annotations

import pytest

from dnstap._learning import Credit
from dnstap.dns.cached_texts import CachedTexts
from tests.dnstap.dns.test_cached_texts import (
    EXAMPLE,
    IN_NAME,
    UNUSUAL,
    USUAL,
    exact,
    indented,
    message,
    record,
    text_or_error,
)
from tests.made_messages import Generator, captured_messages


@pytest.mark.parametrize("seed", range(4))
def test_all_ways_give_the_same(seed: int) -> None:
    """Use the default limits, and small ones with little credit."""
    credit = Credit(limit=20, rest=9, max_rest=9, refill=2)
    texts = CachedTexts(indented, credit=credit, max_tails=3, max_parts=5) if seed % 2 else CachedTexts(indented)
    generator = Generator(seed + 50)
    wires = [*USUAL, *UNUSUAL, *captured_messages()[seed::4], *[generator.dns_message() for _ in range(800)]]
    for wire in [*wires, *wires[::-1]]:
        assert text_or_error(texts.text, wire) == exact(wire), wire.hex()


def test_records_whose_text_is_too_long_to_be_remembered() -> None:
    """Use names that are compressed to a few octets: what is remembered of one stream must stay small."""
    label = b"\x3f" + b"a" * 63
    long_name = label * 3 + EXAMPLE
    first = record(2, b"\1a" + IN_NAME)
    texts = CachedTexts(indented)
    wire = message(*[record(5, b"\2%02d" % number + IN_NAME) for number in range(30)], first, name=long_name)
    assert len(wire) < 1024
    for _ in range(2):
        assert texts.text(wire) == exact(wire)
