"""Reports as lines and as JSON."""

from __future__ import annotations

import json

from dnstap.linting.catalogue import RULES
from dnstap.linting.linter import Linter
from dnstap.linting.report import json_report, json_rules, rule_lines, text_report
from dnstap.linting.stream_rules import Event
from tests.dnstap.linting.payloads import payload


def checked() -> Linter:
    """Return a linter that has found an error, a warning and notes."""
    linter = Linter()
    linter.check_event(Event("control", number=9), 0)
    linter.check_event(Event("start", stream=1, content_type=b"\x1b[31m"), 0)
    linter.check_payloads([payload(), payload(query_port=0), payload(query_port=0)], 42)
    linter.check_event(Event("control", number=9), 500)
    linter.check_event(Event("end", stream=1, frames=3, compression="gzip"), 600)
    return linter


def test_lines() -> None:
    assert [*text_report("a\x1b.fstrm", checked())] == [
        r"a\027.fstrm: 3 frames, 1 stream: 1 error, 1 warning, 2 notes",
        r'  error   content-type: 1 time, at byte 0: content type "\027[31m"',
        f"          {RULES['content-type'].effect}",
        "  warning unknown-control-frame: 2 times, first at byte 0: type 9",
        f"          {RULES['unknown-control-frame'].effect}",
        "  note    compressed: 1 time, after frame 3, at byte 600: gzip",
        f"          {RULES['compressed'].effect}",
        f"  note    port-zero: 2 times, first in frame 2, at byte {42 + 4 + len(payload())}: query_port 0",
        f"          {RULES['port-zero'].effect}",
    ]


def test_lines_without_findings() -> None:
    assert [*text_report("a", Linter())] == ["a: 0 frames, 0 streams: 0 errors, 0 warnings, 0 notes"]


def test_json() -> None:
    line = json_report("a\x1b\udcff", checked())
    assert line.isascii()
    assert line.isprintable()
    report = json.loads(line)
    findings = report.pop("findings")
    assert report == {"input": "a\x1b\udcff", "frames": 3, "streams": 1}
    assert [finding["rule"] for finding in findings] == [
        "content-type",
        "unknown-control-frame",
        "compressed",
        "port-zero",
    ]
    assert findings[2] == {
        "rule": "compressed",
        "severity": "note",
        "count": 1,
        "frame": None,
        "after_frame": 3,
        "offset": 600,
        "detail": "gzip",
        "summary": RULES["compressed"].summary,
        "effect": RULES["compressed"].effect,
    }
    assert (findings[3]["frame"], findings[3]["after_frame"]) == (2, 1)


def test_rules() -> None:
    lines = [*rule_lines()]
    assert [line.split()[:2] for line in lines] == [[rule.severity, rule.id] for rule in RULES.values()]
    assert lines[0].endswith(f"content-type          {RULES['content-type'].summary}")
    assert [json.loads(line) for line in json_rules()] == [
        {"rule": rule.id, "severity": rule.severity, "summary": rule.summary, "effect": rule.effect}
        for rule in RULES.values()
    ]
