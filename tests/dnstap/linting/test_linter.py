"""The linter: counts, first places, limits."""

from __future__ import annotations

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.linting.linter import Finding, Linter
from dnstap.linting.stream_rules import Event
from tests.dnstap.linting.payloads import CASES, payload, query

START = Event("start", content_type=b"protobuf:dnstap.Dnstap", stream=1)


def findings(linter: Linter) -> dict[str, Finding]:
    """Return what was found, by rule."""
    return {finding.rule.id: finding for finding in linter.findings()}


def places(linter: Linter) -> dict[str, tuple[int, int, int]]:
    """Return number, first frame and its offset, by rule."""
    return {finding.rule.id: (finding.times, finding.frame, finding.offset) for finding in linter.findings()}


def test_findings_have_a_count_and_their_first_place() -> None:
    linter = Linter()
    good, bad = payload(), payload(query_port=0)
    linter.check_payloads([good, bad, good], 42)
    linter.check_payloads([bad, b"\xff"], 1000)
    assert places(linter) == {
        "undecodable": (1, 5, 1000 + len(bad) + 4),
        "port-zero": (2, 2, 42 + len(good) + 4),
    }
    assert linter.frames == 5
    assert all(finding.about_frame for finding in linter.findings())


def test_findings_are_in_the_order_of_the_catalogue() -> None:
    linter = Linter()
    linter.check_payloads([CASES[name].bad for name in reversed(CASES)])
    ordered = [name for name in findings(linter) if name in CASES]
    assert ordered == [*CASES]


@pytest.mark.parametrize("name", CASES)
def test_rule_that_was_not_chosen_finds_nothing(name: str) -> None:
    ignoring, alone = Linter(rule for rule in CASES if rule != name), Linter([name])
    for linter in (ignoring, alone):
        linter.check_payloads([CASES[name].bad])
    assert findings(ignoring).keys() == CASES[name].more
    assert findings(alone).keys() == {name}


@pytest.mark.parametrize(
    ("name", "later", "detail"),
    [
        ("identity-changes", payload(identity=b"\x1b2"), r'identity "\0272" after "ns1"'),
        ("identity-changes", payload(identity=b"x" * 61), f'identity "{"x" * 60}"... after "ns1"'),
        ("identity-changes", payload(identity=b"x" * 60), f'identity "{"x" * 60}" after "ns1"'),
        ("version-changes", payload(version=None), 'version absent after "1.0"'),
        ("time-order", payload(response_time_sec=1_699_999_998), "2.000000000 s before the frame before it"),
        ("time-order", payload(response_time_nsec=999_998_999), "0.000001000 s before the frame before it"),
    ],
)
def test_payloads_are_compared_with_the_one_before(name: str, later: bytes, detail: str) -> None:
    linter = Linter([name])
    linter.check_payloads([payload(), payload(), later])
    (finding,) = linter.findings()
    assert (finding.frame, finding.times, finding.offset) == (3, 1, 2 * len(payload()) + 8)
    assert finding.detail == detail


def test_payloads_without_time_are_not_compared_in_time() -> None:
    without_type = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.AUTH_QUERY)).encode()
    linter = Linter(["time-order", "identity-changes"])
    linter.check_payloads([payload(), without_type, payload(response_time_sec=1), b"\x78\1", b"\xff", payload()])
    # A payload that does not decode is no part of the order.
    assert places(linter)["identity-changes"][0] == 4
    assert "time-order" not in findings(linter)
    linter.check_payloads([query(query_time_nsec=None), query(query_time_nsec=0)])
    assert places(linter)["time-order"][:2] == (1, 7)


def test_streams_are_not_compared_with_each_other() -> None:
    linter = Linter(["identity-changes", "time-order"])
    linter.check_event(START)
    linter.check_payloads([payload(), payload()])
    linter.check_event(START._replace(stream=2))
    linter.check_payloads([payload(identity=b"ns2", response_time_sec=1)])
    assert findings(linter) == {}
    assert linter.streams == 2


def test_events_have_the_frame_before_them() -> None:
    linter = Linter()
    linter.check_event(START)
    linter.check_payloads([payload()], 42)
    linter.check_event(Event("control", number=9), 200)
    linter.check_event(Event("oversize", number=1 << 21), 300)
    linter.check_event(Event("control", number=9), 400)
    assert places(linter) == {"unknown-control-frame": (2, 1, 200), "frame-over-1m": (1, 2, 300)}
    found = findings(linter)
    assert (found["unknown-control-frame"].about_frame, found["frame-over-1m"].about_frame) == (False, True)
    assert linter.frames == 2


def test_limit_ends_the_check() -> None:
    linter = Linter(limit=2)
    linter.check_payloads([payload()])
    full = [linter.full]
    linter.check_payloads([payload(), b"\xff", b"\xff"])
    linter.check_payloads([b"\xff"])
    linter.check_event(Event("control", number=9))
    full.append(linter.full)
    assert full == [False, True]
    assert (linter.frames, linter.findings()) == (2, [])
    assert not Linter().full


def test_shapes_that_never_repeat_take_bounded_memory() -> None:
    linter = Linter(["port-range", "no-time"])
    linter.check_payloads([query(query_port=65_536 + number) for number in range(10_000)])
    linter.check_payloads([payload(query_port=65_536)])
    assert places(linter) == {"port-range": (10_001, 1, 0)}
