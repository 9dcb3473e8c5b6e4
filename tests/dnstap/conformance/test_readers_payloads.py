"""Cases for readers, 101 to 199: our command passes them, and wrong readers do not."""

from __future__ import annotations

import pytest

from dnstap import DecodeError, Dnstap, MessageType
from dnstap.conformance.readers_payloads import CASES, MERGED, PADDED, REPEATED, REVERSED
from framestream.conformance.runner import Verdict
from tests.dnstap.conformance.kit import faults_of_ours, result_of

FAULTS = [
    (101, "text", "silent", "undecodable"),
    (101, "frames", "silent", "undecodable"),
    (103, "frames", "closes", "undecodable"),
    (104, "frames", "hangs", "undecodable"),
    (102, "frames", "dies", "no message"),
    (102, "text", "dies", "no message"),
    (107, "frames", "dies", "no type"),
    (110, "text", "silent", "other types"),
    (112, "frames", "fills", "undecodable"),
    (114, "frames", "drops", "unknown fields"),
    (117, "text", "drops", "frame-3"),
    (118, "text", "drops", "frame-3"),
    (119, "frames", "drops", "other families"),
    (121, "frames", "drops", "type first"),
    (124, "frames", "dies", "groups"),
    (128, "frames", "dies", "deep groups"),
    (130, "text", "silent", "no type"),
]


@pytest.mark.parametrize("text", [False, True], ids=["frames", "text"])
def test_ours_passes(text: bool) -> None:
    assert faults_of_ours(101, 199, text=text) == {}


@pytest.mark.parametrize(("id", "form", "effect", "what"), FAULTS)
def test_wrong_readers_are_found(id: int, form: str, effect: str, what: str) -> None:
    result = result_of(id, form, effect, what)
    assert result.verdict is Verdict.FAIL, result


def test_payloads_that_must_be_taken_decode() -> None:
    """Those that may be left out do not, or have something that not every decoder handles."""
    lawful = {"102", "108", "110", "111", "112", "116", "124"}
    for case in CASES:
        for taken in case.output:
            for payload in taken.payloads:
                if payload not in taken.optional:
                    assert Dnstap.parse(payload).message, case.id
                elif case.id[-3:] not in lawful:
                    with pytest.raises(DecodeError):
                        Dnstap.parse(payload)


def test_values_that_count() -> None:
    for payload in (REPEATED, MERGED, REVERSED, PADDED):
        message = Dnstap.parse(payload).message
        assert message
        assert message.qname == "frame-3."
        assert message.type is MessageType.CLIENT_QUERY
