"""`framestream check`, with the collector of the kit's tests."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from framestream.cli.check import known_cases
from framestream.cli.main import main
from tests.framestream.conformance.kit import converter, reader, writer

if TYPE_CHECKING:
    from pathlib import Path

GOOD, DISCARDS, ANY_TYPE = (shlex.join(reader(fault)) for fault in ("none", "discards", "accepts any type"))


def test_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "reader", "--spawn", GOOD, "--cases", "FS-READER-001", "--cases", "FS-READER-00[34]"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["pass", "non-strict", "fail", "unimplemented", "all"]
    assert [" ".join(row) for row in rows[1:]] == ["MUST 2 0 0 0 2", "SHOULD 1 0 0 0 1", "all 3 0 0 0 3"]
    assert main(["check", "reader", "--spawn", GOOD, "--cases", "FS-READER-001", "-v", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.startswith("FS-READER-001 pass          MUST   A reader answers READY")


def test_fail_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = {name: tmp_path / name for name in ("json", "junit", "html")}
    options = [word for name, path in reports.items() for word in (f"--{name}", str(path))]
    arguments = ["check", "reader", "--spawn", ANY_TYPE, "--cases", "FS-READER-01[12]", "--timeout", "2", *options]
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert "FS-READER-012 fail          MUST   A reader closes after a READY" in out
    assert (
        "    expected the connection closed, and nothing before\n    got      ACCEPT 'protobuf:dnstap.Dnstap' [" in out
    )
    first, second = json.loads(reports["json"].read_text())
    assert (first["verdict"], first["got"], second["id"], second["verdict"]) == ("pass", None, "FS-READER-012", "fail")
    assert second["transcript"][0].startswith("connection 0: sent 00000000 00000011 00000004")
    suite = ET.parse(reports["junit"]).getroot()
    assert suite.attrib == {"name": "framestream", "tests": "2", "failures": "1", "skipped": "0"}
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("expected the connection closed")
    assert '<td class="fail">fail</td>' in reports["html"].read_text()


def test_writers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "writer", "--cases", "FS-WRITER-10[12]", "--spawn"]
    assert main([*arguments, shlex.join(writer("none"))]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "2", "0", "0", "0", "2"]
    own = shlex.join(writer("waits for a trigger", payloads=f"{tmp_path}/{{free_port}}"))
    assert main([*arguments, own, "--any-payloads", "--trigger", f"touch {tmp_path}/{{free_port}}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "1", "0", "0", "1", "2"]


def test_known_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known, junit = tmp_path / "known", tmp_path / "junit"
    known.write_text("# of version 1\nFS-READER-001  nothing is written yet\nFS-READER-003  an old fault # mended?\n")
    arguments = ["check", "reader", "--spawn", DISCARDS, "--cases", "FS-READER-00[13]", "--skip-known", str(known)]
    assert main([*arguments, "--junit", str(junit)]) == 0
    out = capsys.readouterr().out
    assert "(known: nothing is written yet)" in out
    assert out.endswith("FS-READER-003 passes now, but is known to fail: an old fault\n")
    assert ET.parse(junit).getroot().attrib == {"name": "framestream", "tests": "2", "failures": "0", "skipped": "1"}
    for line in ("FS-READER-001", "FS-READER-999 reason"):
        known.write_text(line)
        with pytest.raises(ValueError, match="expected the id of a case and a reason, got"):
            known_cases(str(known))


def test_programs_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "file-reader", "--cases", "FS-FILE-READER-001", "--stdout", "--spawn"]
    assert main([*arguments, shlex.join(converter("none", "{input}", "-"))]) == 0
    assert main([*arguments, shlex.join(converter("duplicates", "{input}", "-"))]) == 1
    assert "FS-FILE-READER-001 fail" in capsys.readouterr().out
    assert (
        main(["check", "file-writer", "--cases", "FS-FILE-WRITER-001", "--spawn", shlex.join(converter("none"))]) == 0
    )


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "reader", "--list", "--cases", "FS-READER-00[12]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20] for line in lines] == ["FS-READER-001 MUST  ", "FS-READER-002 MAY   "]
    assert lines[0].endswith("takes every payload in order. (rule 8)")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["reader"], "--at ENDPOINT, --spawn COMMAND or both are needed"),
        (["reader", "--spawn", "cat"], "needs {socket} or {port}, or --at ENDPOINT"),
        (["file-reader", "--spawn", "cat"], "COMMAND of a file-reader needs {input}"),
        (["file-reader", "--spawn", "cat {input}", "--keep"], "--keep is not for programs of files"),
        (["file-writer", "--spawn", "cp {input}"], "COMMAND of a file-writer needs {output}"),
        (["file-writer", "--spawn", "tee {output}"], "needs {input}, {socket} or {port}"),
        (["file-writer", "--at", "/s"], "--at is not for programs of files"),
        (["writer", "--spawn", "cat {socket}"], "COMMAND of a writer needs {input} or {hex}, or --any-payloads"),
        (["writer", "--spawn", "cat {socket} {hex}", "--keep"], "--keep of a writer needs --any-payloads"),
        (["reader", "--at", "nowhere"], "an endpoint is unix:PATH"),
        (["reader", "--at", "/s", "--cases", "X-*"], "no case for a reader matches X-*"),
        (["reader", "--at", "/s", "--stop", "NOW"], "expected names of signals, such as TERM or HUP,INT, got 'NOW'"),
        (["reader", "--spawn", "cat {socket}", "--reopen", "HUP"], "--reopen needs --spawn with {output}"),
        (["reader", "--spawn", "cat {socket} {output}", "--keep", "--reopen", "HUP"], "without --keep"),
        (["reader", "--at", "/s", "--reopen", "NOW"], "--reopen: expected names of signals"),
        (["reader", "--at", "/s", "--skip-known", "/missing"], "No such file"),
        (["reader", "--at", "/s", "--timeout", "0"], "--timeout: invalid"),
        (["reader", "--at", "/s", "--jobs", "0"], "--jobs: invalid"),
    ],
)
def test_invalid_command_lines(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", *arguments])
    assert caught.value.code == 2
    assert error in capsys.readouterr().err


def test_programs_that_cannot_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "reader", "--spawn", "/missing/program {socket}"]) == 2
    assert capsys.readouterr().err == "framestream: cannot run '/missing/program': No such file or directory\n"


def test_reports_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "reader", "--spawn", GOOD, "--cases", "FS-READER-001", "--json", "/missing/file"]) == 2
    assert "No such file or directory: '/missing/file'" in capsys.readouterr().err


def test_another_content_type(capsys: pytest.CaptureFixture[str]) -> None:
    """The collector knows only its own, and the case says so."""
    arguments = ["check", "reader", "--spawn", GOOD, "--content-type", "other", "--cases", "FS-READER-001"]
    assert main(arguments) == 1
    assert "expected ACCEPT 'other' [00000000 00000011" in capsys.readouterr().out
