"""Cases for readers, 1 to 99: our command passes them, and wrong readers do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnstap import Dnstap, Message
from dnstap.conformance.readers_senders import BIND, COREDNS, DNSDIST, KNOT, KRESD, NSD, RECURSOR, UNBOUND
from dnstap.schema.fields import rows
from dnstap.strategies import SENDERS, fields_of
from framestream.conformance.runner import Verdict
from framestream.conformance.steps import data
from tests.dnstap.conformance.kit import faults_of_ours, result_of

ROOT = Path(__file__).parents[3]

FAULTS = [
    (2, "frames", "dies", "short headers"),
    (4, "text", "dies", "no questions"),
    (8, "frames", "drops", "no identity"),
    (10, "frames", "drops", "update"),
]


@pytest.mark.parametrize("text", [False, True], ids=["frames", "text"])
def test_ours_passes(text: bool) -> None:
    assert faults_of_ours(1, 99, text=text) == {}


@pytest.mark.parametrize(("id", "form", "effect", "what"), FAULTS)
def test_wrong_readers_are_found(id: int, form: str, effect: str, what: str) -> None:
    result = result_of(id, form, effect, what)
    assert result.verdict is Verdict.FAIL, result


@pytest.mark.parametrize(
    ("server", "payloads"),
    [
        ("BIND", BIND),
        ("Unbound", UNBOUND),
        ("Knot DNS", KNOT),
        ("NSD", NSD),
        ("dnsdist", DNSDIST),
        ("PowerDNS Recursor", RECURSOR),
        ("CoreDNS", COREDNS),
        ("Knot Resolver", KRESD),
    ],
)
def test_fields_are_in_the_order_of_the_sender(server: str, payloads: tuple[bytes, ...]) -> None:
    sender = SENDERS[server]
    names = {row.number: row.name for row in rows(Dnstap)}, {row.number: row.name for row in rows(Message)}
    for payload in payloads:
        parsed = Dnstap.parse(payload)
        assert parsed.version == sender.version
        assert parsed.message
        assert parsed.message.type
        outer = fields_of(payload)
        (inner,) = [field.value for field in outer if field.number == 14]
        assert isinstance(inner, tuple)
        assert tuple(names[0][field.number] for field in outer) in sender.dnstap
        assert tuple(names[1][field.number] for field in inner) in sender.messages[parsed.message.type]


@pytest.mark.parametrize("payloads", [BIND, UNBOUND, KNOT, NSD, DNSDIST, COREDNS])
def test_payloads_are_those_of_captures(payloads: tuple[bytes, ...]) -> None:
    captures = [path.read_bytes() for folder in ("tests/data", "examples") for path in (ROOT / folder).glob("*.fstrm")]
    for payload in payloads:
        assert any(data(payload) in capture for capture in captures)
