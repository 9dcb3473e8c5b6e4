"""Rules as data: each is a row with its name, its severity, a line, what it breaks, and the function that checks it."""

from __future__ import annotations

from typing import Generic, Literal, NamedTuple, TypeVar, get_args

__all__ = ["SEVERITIES", "Rule", "Severity"]

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""error: a reader in the field loses other frames, crashes or refuses the stream, or the value is impossible.
warning: the schema or the protocol says otherwise, or readers show something else than what was sent.
note: allowed, but something recommended is missing, or not every reader handles it."""

Check = TypeVar("Check")


class Rule(NamedTuple, Generic[Check]):
    """One rule.

    Attributes:
        id: name of the rule, such as "no-query-time".
        summary: what a payload or a stream has that breaks the rule.
        effect: what becomes of it in the readers in the field.
        check: function that returns what it has found, as a text, and None if nothing.
    """

    id: str
    severity: Severity
    summary: str
    effect: str
    check: Check
