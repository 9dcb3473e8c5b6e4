"""Reports of findings: lines for people, and JSON for programs. Control characters are escaped in both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnstap.dns.escapes import printable
from dnstap.linting.catalogue import RULES
from dnstap.linting.rules import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dnstap.linting.linter import Finding, Linter
    from dnstap.linting.rules import Rule

__all__ = ["json_report", "json_rules", "rule_lines", "text_report"]


def text_report(name: str, linter: Linter) -> Iterator[str]:
    """Yield the lines of a report: a summary, and two lines for each finding, errors first.

    Args: name: of the input.
    """
    findings = _sorted(linter.findings())
    counts = [sum(finding.rule.severity == severity for finding in findings) for severity in SEVERITIES]
    found = ", ".join([_number(count, severity) for count, severity in zip(counts, SEVERITIES, strict=True)])
    yield printable(f"{name}: {_number(linter.frames, 'frame')}, {_number(linter.streams, 'stream')}: {found}")
    for finding in findings:
        rule = finding.rule
        yield printable(f"  {rule.severity:7} {rule.id}: {_number(finding.times, 'time')}, {_place(finding)}")
        yield printable(f"          {rule.effect}")


def json_report(name: str, linter: Linter) -> str:
    """Return the report as one line of JSON.

    Args: name: of the input.
    """
    findings = [
        {
            "rule": finding.rule.id,
            "severity": finding.rule.severity,
            "count": finding.times,
            "frame": finding.frame if finding.about_frame else None,
            "after_frame": finding.frame - 1 if finding.about_frame else finding.frame,
            "offset": finding.offset,
            "detail": finding.detail,
            "summary": finding.rule.summary,
            "effect": finding.rule.effect,
        }
        for finding in _sorted(linter.findings())
    ]
    return _json({"input": name, "frames": linter.frames, "streams": linter.streams, "findings": findings})


def rule_lines() -> Iterator[str]:
    """Yield a line for each rule."""
    width = max(map(len, RULES))
    for rule in RULES.values():
        yield f"{rule.severity:7} {rule.id:{width}} {rule.summary}"


def json_rules() -> Iterator[str]:
    """Yield a line of JSON for each rule."""
    for rule in RULES.values():
        yield _json(_described(rule))


def _described(rule: Rule[Any]) -> dict[str, str]:
    return {"rule": rule.id, "severity": rule.severity, "summary": rule.summary, "effect": rule.effect}


def _json(value: object) -> str:
    # ASCII alone: no text of a peer can be taken for anything else, and a terminal is safe.
    return json.dumps(value)


def _sorted(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.rule.severity))


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _place(finding: Finding) -> str:
    first = "first " if finding.times > 1 else ""
    # Before the first frame there is nothing to name.
    after = "" if finding.about_frame or not finding.frame else f"after frame {finding.frame}, "
    frame = f"in frame {finding.frame}, " if finding.about_frame else after
    return f"{first}{frame}at byte {finding.offset}: {finding.detail}"
