"""Reports of results: lines and a summary for a terminal, JSON, JUnit XML and HTML."""

from __future__ import annotations

import html
import json
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from framestream.conformance.cases import Level
from framestream.conformance.runner import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framestream.conformance.runner import Result

__all__ = ["FORMATS", "case_lines", "result_line", "summary"]


def result_line(result: Result) -> str:
    """Return the lines of one result for a terminal; those of a pass are one."""
    case = result.case
    known = f" (known: {result.known})" if result.known else ""
    lines = [f"{case.id} {result.verdict.value:13} {case.level.value:6} {case.rule}{known}"]
    if result.fault:
        lines += [f"    expected {result.fault.expected}", f"    got      {result.fault.got}"]
        lines += [f"    means    {case.failure}", f"    source   {case.source}"]
    lines += [f"    note     {note}" for note in result.notes]
    return "\n".join(lines)


def case_lines(result: Result) -> str:
    """Return the transcript of a result, indented."""
    return "".join(f"    {line}\n" for line in result.transcript)


def summary(results: Sequence[Result]) -> str:
    """Return a table of numbers: verdicts by level."""
    counts = Counter((result.case.level, result.verdict) for result in results)
    levels = [level for level in Level if any(result.case.level is level for result in results)]
    rows = [["", *(verdict.value for verdict in Verdict), "all"]]
    for level in levels:
        numbers = [counts[level, verdict] for verdict in Verdict]
        rows.append([level.value, *map(str, numbers), str(sum(numbers))])
    total = [sum(counts[level, verdict] for level in levels) for verdict in Verdict]
    rows.append(["all", *map(str, total), str(len(results))])
    return "\n".join(f"{row[0]:6}" + "".join(f"{cell:>15}" for cell in row[1:]) for row in rows)


def _record(result: Result) -> dict[str, object]:
    case, fault = result.case, result.fault
    return {
        "id": case.id,
        "level": case.level.value,
        "rule": case.rule,
        "source": case.source,
        "failure": case.failure,
        "verdict": result.verdict.value,
        "expected": fault.expected if fault else None,
        "got": fault.got if fault else None,
        "known": result.known or None,
        "notes": list(result.notes),
        "transcript": list(result.transcript),
        "seconds": round(result.seconds, 3),
    }


def _json(results: Sequence[Result]) -> str:
    return json.dumps([_record(result) for result in results], indent=1) + "\n"


def _junit(results: Sequence[Result]) -> str:
    failed = [result for result in results if result.verdict is Verdict.FAIL and not result.known]
    skipped = [result for result in results if result.verdict is Verdict.UNIMPLEMENTED or _excused(result)]
    suite = ET.Element("testsuite", name="framestream", tests=str(len(results)))
    suite.set("failures", str(len(failed)))
    suite.set("skipped", str(len(skipped)))
    for result in results:
        prefix = result.case.id.rpartition("-")[0]
        name, seconds = f"{result.case.id} {result.case.rule}", f"{result.seconds:.3f}"
        element = ET.SubElement(suite, "testcase", classname=prefix, name=name, time=seconds)
        if result in failed:
            ET.SubElement(element, "failure", message=_difference(result))
        elif result in skipped:
            ET.SubElement(element, "skipped", message=result.known or "; ".join(result.notes))
        # XML has no control characters, which a program may print.
        text = result_line(result) + "\n" + case_lines(result)
        ET.SubElement(element, "system-out").text = _plain(text)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _excused(result: Result) -> bool:
    return result.verdict is Verdict.FAIL and bool(result.known)


def _difference(result: Result) -> str:
    return _plain(f"expected {result.fault.expected}, got {result.fault.got}") if result.fault else ""


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Frame Streams conformance</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em }} td, th {{ padding: .3em .6em; vertical-align: top; text-align: left }}
pre {{ white-space: pre-wrap; font-size: 13px }} tr:nth-child(even) {{ background: #f4f4f4 }}
.pass {{ color: #070 }} .fail {{ color: #b00; font-weight: bold }} .non-strict {{ color: #960 }}
</style>
<h1>Frame Streams conformance</h1>
<pre>{summary}</pre>
<table><tr><th>case</th><th>verdict</th><th>level</th><th>rule</th></tr>
{rows}
</table></html>
"""


def _html(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        case, verdict = result.case, result.verdict.value
        text = html.escape(result_line(result) + "\n" + case_lines(result))
        rows.append(
            f'<tr id="{case.id}"><td>{case.id}</td><td class="{verdict}">{verdict}</td><td>{case.level.value}</td>'
            f"<td><details><summary>{html.escape(case.rule)}</summary><pre>{text}</pre></details></td></tr>"
        )
    return _PAGE.format(summary=html.escape(summary(results)), rows="\n".join(rows))


FORMATS = {"json": _json, "junit": _junit, "html": _html}
"""Functions that write a report, by the name of their option."""
