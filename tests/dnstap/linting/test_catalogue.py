"""The catalogue of rules, and choosing from it."""

from __future__ import annotations

import pytest

from dnstap.linting.catalogue import RULES, chosen
from dnstap.linting.frame_rules import FRAME_RULES
from dnstap.linting.message_rules import MESSAGE_RULES
from dnstap.linting.stream_rules import EVENT_RULES, ORDER_RULES


def test_catalogue_has_each_rule_once() -> None:
    assert len(RULES) == sum(map(len, (EVENT_RULES, FRAME_RULES, MESSAGE_RULES, ORDER_RULES)))


def test_rules_are_chosen() -> None:
    assert chosen() == RULES.keys()
    assert chosen(["no-stop", "truncated"]) == {"no-stop", "truncated"}
    assert chosen(ignore=["no-stop"]) == RULES.keys() - {"no-stop"}
    assert chosen(iter(["no-stop", "truncated"]), iter(["no-stop"])) == {"truncated"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("no-querytime", r"did you mean no-query-time\?"), ("", "see --list"), ("x\x1b", r"'x\\x1b' \(see --list")],
)
def test_names_of_no_rule_are_refused(name: str, hint: str) -> None:
    for choice in ((name,), ()), ((), ("no-stop", name)):
        with pytest.raises(ValueError, match=f"expected the name of a rule, got .*{hint}"):
            chosen(*choice)
