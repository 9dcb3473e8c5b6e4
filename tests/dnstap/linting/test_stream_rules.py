"""Rules about streams: each with an event that breaks it, and one that nearly does."""

from __future__ import annotations

import errno
import ssl

import pytest

from dnstap import CONTENT_TYPE
from dnstap.linting.stream_rules import EVENT_RULES, ORDER_RULES, Event, Origin
from framestream import (
    ContentTypeError,
    FrameStreamError,
    MissingLibraryError,
    TruncatedStreamError,
    UnexpectedFrameError,
)

START = Event("start", stream=1, content_type=CONTENT_TYPE)
END = Event("end", stream=1, frames=1)
INSIDE = TruncatedStreamError("3 more bytes of a frame", "the end of input", 9, "STREAMING", inside_frame=True)
BETWEEN = TruncatedStreamError("STOP", "the end of input", 9, "STREAMING")
UNEXPECTED = UnexpectedFrameError("START", "READY", 0)
UNEXPECTED.hint = "a hint"

CUT = END._replace(stopped=False, error=INSIDE)
OPEN = END._replace(stopped=False, error=BETWEEN)

EVENTS = {
    "content-type": (START._replace(content_type=b"a\x1b"), START, r'content type "a\027"'),
    "no-content-type": (START._replace(content_type=None), START, "START without a content type"),
    "several-streams": (START._replace(stream=2), START, "stream 2"),
    "unfinished-stream": (START._replace(stream=2, unfinished=True), START, "stream 2 begins"),
    "no-handshake": (START._replace(live=True, answered=False), START._replace(answered=False), "START without READY"),
    "unknown-control-frame": (Event("control", number=9), START, "type 9"),
    "frame-over-1m": (Event("oversize", number=1048577), Event("control", number=1048577), "1048577 bytes"),
    "truncated": (CUT, OPEN, "expected 3 more bytes of a frame, got the end of input"),
    "no-stop": (OPEN, CUT, "expected STOP, got the end of input"),
    "closed-without-stop": (END._replace(stopped=False, live=True), END._replace(live=True), "the input ends"),
    "broken-stream": (END._replace(error=UNEXPECTED), CUT, "expected START, got READY; a hint"),
    "connection-lost": (END._replace(live=True, error=TimeoutError("no START within 5 s")), CUT, "no START within 5 s"),
    "no-frames": (END._replace(frames=0), END._replace(frames=0, stream=0), "stream 1"),
    "compressed": (END._replace(compression="gzip"), START._replace(compression="gzip"), "gzip"),
}


def found(event: Event) -> dict[str, str]:
    """Return what rules find in an event."""
    details = {rule.id: rule.check(event) for rule in EVENT_RULES}
    return {name: detail for name, detail in details.items() if detail is not None}


def test_each_rule_has_an_event() -> None:
    assert [*EVENTS] == [rule.id for rule in EVENT_RULES]


@pytest.mark.parametrize("name", EVENTS)
def test_event_that_breaks_a_rule(name: str) -> None:
    bad, good, detail = EVENTS[name]
    expected = {"unfinished-stream": {"several-streams", "unfinished-stream"}}
    assert found(bad).keys() == expected.get(name, {name})
    assert found(bad)[name] == detail
    assert name not in found(good)


def test_unknown_control_frame_may_be_a_data_frame() -> None:
    number = int.from_bytes(b"\x0a\3ns", "big")
    detail = f"type {number}: the frame after an empty payload looks like this"
    assert found(Event("control", number=number)) == {"unknown-control-frame": detail}
    assert "empty payload" in found(Event("control", number=1 << 24))["unknown-control-frame"]
    assert found(Event("control", number=(1 << 24) - 1)) == {"unknown-control-frame": "type 16777215"}


@pytest.mark.parametrize("event", [START, END, START._replace(live=True), END._replace(live=True)])
def test_good_events_break_no_rule(event: Event) -> None:
    assert found(event) == {}


@pytest.mark.parametrize(
    ("event", "rules"),
    [
        # Nothing at all, and something that is cut off.
        (Event("end", error=TruncatedStreamError("START", "the end of input", 0, "IDLE")), {"broken-stream"}),
        (Event("end", error=TruncatedStreamError("x", "y", 3, "IDLE", inside_frame=True)), {"truncated"}),
        # gzip data that is cut off behind STOP, and before it.
        (END._replace(compression="gzip", error=BETWEEN), {"compressed", "truncated"}),
        (OPEN._replace(compression="gzip"), {"compressed", "no-stop"}),
        (CUT._replace(compression="gzip"), {"compressed", "truncated"}),
        (OPEN._replace(live=True), {"closed-without-stop"}),
        (CUT._replace(live=True), {"truncated"}),
        (CUT._replace(live=True, error=ConnectionResetError(errno.ECONNRESET, "reset")), {"connection-lost"}),
        (OPEN._replace(error=UNEXPECTED), {"broken-stream"}),
        (Event("end", error=ContentTypeError("a", "b", 0)), {"broken-stream"}),
        (Event("end", live=True, error=ssl.SSLError(1, "[SSL] handshake failure")), {"connection-lost"}),
    ],
)
def test_ends(event: Event, rules: set[str]) -> None:
    assert found(event).keys() == rules


def test_errors_that_are_no_fault_of_the_stream_break_no_rule() -> None:
    for error in (FrameStreamError("x"), MissingLibraryError("zstd data", "zstd")):
        assert found(END._replace(error=error)) == {}


ORIGIN = Origin(b"a", b"1", (5, 6))

ORDERS = {
    "identity-changes": (ORIGIN._replace(identity=None), ORIGIN, 'identity absent after "a"'),
    "version-changes": (ORIGIN._replace(version=b""), ORIGIN, 'version "" after "1"'),
    "time-order": (ORIGIN._replace(time=(4, 999_999_999)), ORIGIN, "0.000000007 s before the frame before it"),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order(name: str) -> None:
    check = {rule.id: rule.check for rule in ORDER_RULES}[name]
    bad, good, detail = ORDERS[name]
    assert check(ORIGIN, bad) == detail
    assert check(ORIGIN, good) is None
    unknown = ORIGIN._replace(time=None)
    assert (check(ORIGIN, unknown), check(unknown, ORIGIN)) == (None, None)


def test_each_rule_of_order_has_a_case() -> None:
    assert [*ORDERS] == [rule.id for rule in ORDER_RULES]
