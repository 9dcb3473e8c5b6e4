"""The catalogue of rules, and the choice of some of them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from dnstap.linting.frame_rules import FRAME_RULES
from dnstap.linting.message_rules import MESSAGE_RULES
from dnstap.linting.stream_rules import EVENT_RULES, ORDER_RULES
from dnstap.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnstap.linting.rules import Rule

__all__ = ["RULES", "chosen"]

RULES: dict[str, Rule[Any]] = {
    rule.id: rule for rule in chain[Any](EVENT_RULES, FRAME_RULES, MESSAGE_RULES, ORDER_RULES)
}
"""All rules by name."""


def chosen(only: Iterable[str] = (), ignore: Iterable[str] = ()) -> frozenset[str]:
    """Return the names of the rules to check.

    Args:
        only: names of these; all rules if there are none.
        ignore: names of those to leave out.
    Raises: ValueError: there is no rule of that name.
    """
    only, ignore = tuple(only), tuple(ignore)
    for name in (*only, *ignore):
        if name not in RULES:
            hint = did_you_mean(name, RULES) or "see --list"
            raise ValueError(f"expected the name of a rule, got {name!r:.60} ({hint})")
    return frozenset(only or RULES) - frozenset(ignore)
