"""Reports; those of whole runs are in tests/framestream/cli/test_check.py."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from framestream.conformance.cases import Case, Level
from framestream.conformance.player import Deviation
from framestream.conformance.reports import FORMATS, result_line, summary
from framestream.conformance.runner import Result, Verdict

CASE = Case(id="FS-READER-001", level=Level.MUST, rule="A <rule>.", source="rule 1", failure="All is lost.", steps=())
FAILED = Result(case=CASE, verdict=Verdict.FAIL, fault=Deviation("a & b", "\x1b[31m"), transcript=("0: sent <>",))
LACKING = Result(case=CASE, verdict=Verdict.UNIMPLEMENTED, notes=("it lacks it",))


def test_lines() -> None:
    assert result_line(LACKING) == "FS-READER-001 unimplemented MUST   A <rule>.\n    note     it lacks it"
    assert summary([FAILED, LACKING]).split("\n")[1].split() == ["MUST", "0", "0", "1", "1", "2"]


def test_reports_escape_what_a_program_does() -> None:
    suite = ET.fromstring(FORMATS["junit"]([FAILED, LACKING]))
    assert [element.tag for element in suite.iter("failure")] == ["failure"]
    assert "got      \\x1b[31m" in str(suite.findtext("testcase/system-out"))
    page = FORMATS["html"]([FAILED, LACKING])
    assert "A &lt;rule&gt;." in page
    assert "0: sent &lt;&gt;" in page
