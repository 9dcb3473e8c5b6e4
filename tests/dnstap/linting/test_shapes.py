"""Shapes of payloads."""

from __future__ import annotations

import pytest

from dnstap import MessageType, Policy, PolicyAction, PolicyMatch
from dnstap.linting.shapes import GOOD, Shape, ShapeReader, Wire
from tests.dnstap.linting.payloads import CASES, QUERY, RESPONSE, payload, query


def shape(data: bytes) -> Shape:
    """Return the shape of a payload."""
    return Shape(*ShapeReader().read(data)[0])


def test_payload_without_faults_is_good() -> None:
    assert shape(payload()) == GOOD
    assert shape(payload(query_port=65_535, response_time_nsec=6, identity=b"another")) == GOOD


def test_message_is_returned_beside_the_shape() -> None:
    reader = ShapeReader()
    for data, identity in ((payload(), b"ns1"), (payload()[:-2], b"ns1"), (b"\x78\1", None)):
        dnstap = reader.read(data)[1]
        assert dnstap is not None
        assert dnstap.identity == identity
    assert reader.read(b"\xff")[1] is None


def test_payload_that_does_not_decode_is_good_but_for_its_error_and_size() -> None:
    assert shape(b"\xff") == GOOD._replace(error="Dnstap: the last field is cut off, at byte 1")
    assert shape(b"\xff" * 98_305).size == 98_305
    assert shape(b"\xff" * 98_304).size == 0


def test_dnstap_without_a_message() -> None:
    assert shape(b"\x78\1\x0a\1a") == Shape(0, "", GOOD.type, True, False, "", "", False)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (RESPONSE, Wire(True)),
        (QUERY, Wire(False)),
        (b"", Wire(None, empty=True)),
        (b"\0\1", Wire(None, error="dns: overflow unpacking uint16")),
        (b"\0\1\x80", Wire(True, error="dns: overflow unpacking uint16")),
        (bytes(12), Wire(False, question=False)),
        (RESPONSE + bytes(70_000), Wire(True, excess=70_000 + len(RESPONSE))),
    ],
)
def test_dns_messages(wire: bytes, expected: Wire) -> None:
    assert shape(payload(response_message=wire)).response == expected
    assert shape(payload(query_message=wire)).query == expected


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (QUERY, ""),
        (QUERY.replace(b"example", b"EXAMPLE"), ""),
        (b"\1" + QUERY[1:], "id"),
        (QUERY.replace(b"org", b"net"), "question"),
        (QUERY[:-1] + b"\3", "question"),
        (QUERY[:12], ""),
        (b"\1" + QUERY[1:12], "id"),
        (b"", ""),
    ],
)
def test_pairs(other: bytes, difference: str) -> None:
    assert shape(payload(query_message=other)).pair == difference


def test_values_that_differ_in_each_payload_make_no_shape_of_their_own() -> None:
    reader = ShapeReader()
    keys = {
        reader.read(query(query_port=1 + n, query_time_sec=n, query_time_nsec=n, query_message=bytes([n]) + QUERY[1:]))[
            0
        ]
        for n in range(256)
    }
    assert len(keys) == 1


def test_times() -> None:
    late = shape(payload(response_time_sec=1, response_time_nsec=None, query_time_nsec=2_000_000_000))
    assert (late.backwards, late.response_nsec, late.query_nsec) == (True, None, 2_000_000_000)
    early = shape(payload(query_time_sec=None, query_time_nsec=0))
    assert (early.backwards, early.query_sec, early.query_nsec) == (False, False, 0)
    same = shape(payload(query_time_sec=9, query_time_nsec=None, response_time_sec=9, response_time_nsec=0))
    assert not same.backwards


def test_policies_and_zones() -> None:
    policy = Policy(action=PolicyAction.DROP, match=PolicyMatch.QNAME)
    found = shape(payload(policy=policy, query_zone=b"\0", type=MessageType.RESOLVER_RESPONSE))
    assert (found.policy_action, found.policy_match, found.zone) == (PolicyAction.DROP, PolicyMatch.QNAME, True)
    assert shape(payload(query_zone=b"")).zone is False


@pytest.mark.parametrize(
    ("data", "unknown", "misplaced"),
    [
        (payload() + b"\x25\0\0\0\0\x20\0", "field 4 of Dnstap", ""),
        (payload() + b"\x72\4\xf8\7\0\x20", "", ""),
        (payload() + b"\x72\5\x7a\3\xc0\6\1", "field 104 of Policy", ""),
        (payload() + b"\x72\4\x7a\2\x10\1", "", "rule of Policy with wire type 0"),
        (payload() + b"\x13\x0b\x0c\x14", "", "version of Dnstap with wire type 3"),
        (CASES["misplaced-field"].bad + b"\xf8\7\0", "field 127 of Dnstap", "query_port of Message with wire type 2"),
    ],
)
def test_unknown_fields(data: bytes, unknown: str, misplaced: str) -> None:
    found = shape(data)
    assert (found.unknown, found.misplaced) == (unknown, misplaced)
