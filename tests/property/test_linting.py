"""The linter with any input, and with captures of real servers, beside independent counts."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap.linting.linter import Finding, Linter
from dnstap.linting.report import json_report, text_report
from dnstap.linting.watching import Watcher
from dnstap.strategies import dnstaps, hostile_payloads, server_payloads
from framestream import FrameStreamError, read_file
from framestream.strategies import hostile
from tests.judge import google_parse
from tests.wait import least_processor_s

if TYPE_CHECKING:
    from collections.abc import Iterator

# Strategies are made anew for each example, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

DATA = Path(__file__).parents[1] / "data"
CAPTURES = sorted(path.stem for path in DATA.glob("*.fstrm"))

PAYLOADS = st.lists(hostile_payloads() | server_payloads() | dnstaps().map(lambda one: one.encode(lenient=True)))


def checked(data: bytes) -> Linter:
    """Return a linter that has checked a file."""
    linter = Linter()
    with read_file(io.BytesIO(data)) as reader:
        watcher = Watcher(reader, linter)
        try:
            for _ in reader.batches():
                pass
        except FrameStreamError as error:
            watcher.end(error)
        else:
            watcher.end()
    return linter


def check_report(linter: Linter) -> None:
    """Check that a report can be printed on any terminal, and counts no more than there is."""
    lines = [*text_report("name", linter), json_report("name", linter)]
    assert all(line.isprintable() for line in lines)
    for finding in linter.findings():
        assert finding.times >= 1
        assert 0 <= finding.frame <= linter.frames
        assert len(finding.detail) < 1000


@given(PAYLOADS)
def test_any_payloads(payloads: list[bytes]) -> None:
    """A linter for each payload finds the same: it makes no difference what is remembered of shapes."""
    linter = Linter()
    linter.check_payloads(payloads)
    check_report(linter)
    alone: Counter[str] = Counter()
    first: dict[str, tuple[int, str]] = {}
    for number, payload in enumerate(payloads, 1):
        one = Linter()
        one.check_payloads([payload])
        for finding in one.findings():
            alone[finding.rule.id] += 1
            first.setdefault(finding.rule.id, (number, finding.detail))
    order = {"time-order", "identity-changes", "version-changes"}
    found = {finding.rule.id: finding for finding in linter.findings() if finding.rule.id not in order}
    assert {name: finding.times for name, finding in found.items()} == alone
    assert {name: (finding.frame, finding.detail) for name, finding in found.items()} == first


@given(hostile() | st.binary() | hostile().map(gzip.compress))
def test_any_bytes(data: bytes) -> None:
    check_report(checked(data))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x72\x02\x08\x05" * 250_000,
        b"\xa0\x06\x01" * 300_000 + b"\x78\x01",
        b"\xa3\x06" * 50 + b"\xa4\x06" * 50 + b"\x08\x01" * 400_000,
        b"\x0a\x80\x80\x3c" + b"\x1b" * 983_040 + b"\x78\x01",
        b"\x72\xfc\xff\x03\x08\x06\x72\xf7\xff\x03" + b"\xc0\x0c" * 32_763 + b"\0" + b"\x78\x01",
    ],
    ids=["messages", "unknown fields", "groups", "identity", "pointers"],
)
def test_hostile_payloads_take_time_in_proportion(payload: bytes) -> None:
    """Quadratic time would be minutes for a frame of a mebibyte."""
    linter = Linter()
    assert least_processor_s(lambda: linter.check_payloads([payload])) < 10
    assert linter.frames == 3
    check_report(linter)


EXPECTED = {
    "dnsdist-tcp": {"malformed-dns": 5, "newer-protocol": 34, "no-question": 18},
    "dnsdist-unix": {"malformed-dns": 3, "newer-protocol": 34, "no-question": 14},
    "knotd-auth": {"no-query-time": 206, "no-question": 6, "time-order": 61},
    "knotd-auth-rwq": {"malformed-dns": 3, "no-query-time": 206, "no-question": 6, "time-order": 66},
    "knotd-axfr": {"no-query-time": 16, "time-order": 1},
    "named-auth": {"stub-or-update-type": 32, "no-query-time": 226, "no-question": 4},
    "named-axfr": {"no-query-time": 2},
    "named-file": {"stub-or-update-type": 2, "no-query-time": 158, "no-question": 4},
    "named-recursor": {
        "stub-or-update-type": 2,
        "port-zero": 6,
        "no-query-time": 208,
        "no-question": 4,
        "time-order": 314,
    },
    "nsd-auth": {"qr-bit": 6, "malformed-dns": 22, "no-query-time": 238, "no-question": 52},
    "unbound-godnstap-cut": {"truncated": 1, "port-zero": 2, "no-query-time": 161, "no-question": 1},
    "unbound-tcp-unidir": {"no-protocol": 15, "port-zero": 2, "no-query-time": 57},
    "unbound-unix": {"qr-bit": 6, "malformed-dns": 33, "port-zero": 2, "no-query-time": 204, "no-question": 16},
}
"""Capture -> the findings in it."""


def findings(capture: str) -> dict[str, Finding]:
    """Return the findings in a capture, by rule."""
    return {finding.rule.id: finding for finding in checked((DATA / f"{capture}.fstrm").read_bytes()).findings()}


@pytest.mark.parametrize("capture", CAPTURES)
def test_captures(capture: str) -> None:
    assert {name: finding.times for name, finding in findings(capture).items()} == EXPECTED[capture]


def places(path: Path) -> Iterator[tuple[int, int, Any]]:
    """Yield number, offset and message of each frame of a capture, by Google's protobuf and a walk over the file."""
    data = path.read_bytes()
    position = number = 0
    while position + 4 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if not size:
            position += 8 + int.from_bytes(data[position + 4 : position + 8], "big")
            continue
        if position + 4 + size > len(data):
            break
        number += 1
        dnstap = google_parse("Dnstap", data[position + 4 : position + 4 + size])
        assert dnstap is not None
        yield number, position, dnstap
        position += 4 + size


@pytest.mark.parametrize("capture", CAPTURES)
def test_captures_beside_google(capture: str) -> None:
    """Google's protobuf has the same messages with these properties, and the first of them at the same place."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[int, int]] = {}
    before = None
    for number, offset, dnstap in places(DATA / f"{capture}.fstrm"):
        message = dnstap.message
        response = message.type % 2 == 0
        side = "response" if response else "query"
        time = getattr(message, f"{side}_time_sec"), getattr(message, f"{side}_time_nsec")
        broken = {
            "no-query-time": response and not message.HasField("query_time_sec"),
            "no-protocol": not message.HasField("socket_protocol"),
            "port-zero": (message.HasField("query_port") and not message.query_port)
            or (message.HasField("response_port") and not message.response_port),
            "newer-protocol": message.socket_protocol > 2,
            "stub-or-update-type": message.type in (9, 10, 13, 14),
            "time-order": before is not None and time < before,
            "qr-bit": (len(message.query_message) > 2 and message.query_message[2] >= 128)
            or (len(message.response_message) > 2 and message.response_message[2] < 128),
            "no-family": not message.HasField("socket_family"),
            "address-length": len(message.query_address) not in (4, 16) or len(message.response_address) not in (4, 16),
            "no-time": not message.HasField(f"{side}_time_nsec"),
        }
        before = time
        for name, is_broken in broken.items():
            if is_broken:
                counts[name] += 1
                first.setdefault(name, (number, offset))
    found = {name: finding for name, finding in findings(capture).items() if name in broken}
    assert {name: finding.times for name, finding in found.items()} == counts
    assert {name: (finding.frame, finding.offset) for name, finding in found.items()} == first


@pytest.mark.parametrize("capture", [name for name in CAPTURES if name != "knotd-auth-rwq"])
def test_captures_beside_the_go_tool(capture: str) -> None:
    """The Go tool has X in place of the question of each message that does not parse, or has none.

    It looks at one message of a frame; the capture left out has two in some.
    """
    lines = (DATA / f"{capture}.q.txt").read_text().splitlines()
    found = findings(capture)
    missing = sum(found[name].times for name in ("malformed-dns", "no-question") if name in found)
    assert missing == sum(line.endswith(" X ") for line in lines)
