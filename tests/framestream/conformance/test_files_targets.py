"""Programs that read or write files: their input and output, and how they end."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.cases import PeerRole
from framestream.conformance.catalogue import cases
from framestream.conformance.files_targets import FileTarget, target_of
from framestream.conformance.runner import Verdict
from framestream.conformance.targets import Settings, TargetError
from tests.framestream.conformance.kit import converter, judge, recorder, verdicts

if TYPE_CHECKING:
    from pathlib import Path

READER, WRITER = PeerRole.FILE_READER, PeerRole.FILE_WRITER
TO_SOCKET = (sys.executable, "-m", "dnstap", "-r", "{input}", "-U", "{socket}")
TO_PORT = (sys.executable, "-m", "dnstap", "-r", "{input}", "-T", "127.0.0.1:{port}")
FROM_PORT = (sys.executable, "-m", "dnstap", "-l", "127.0.0.1:{port}", "-w", "{output}")


@pytest.mark.parametrize("command", [TO_SOCKET, TO_PORT], ids=["unix", "tcp"])
def test_readers_that_send(command: tuple[str, ...]) -> None:
    assert verdicts(judge("FS-FILE-READER-00[1-4]", role=READER, command=command)) == {}


@pytest.mark.parametrize(("output", "option"), [("-", "standard_output"), ("text", "output_text")])
def test_readers_that_print(output: str, option: str) -> None:
    for fault, expected in (("none", "pass"), ("drops the second", "fail")):
        command = converter(fault, "{input}", output)
        (result,) = judge("FS-FILE-READER-001", role=READER, command=command, **{option: True})
        assert result.verdict.value == expected
    (result,) = judge("FS-FILE-READER-103", role=READER, command=converter("none", "{input}", output), **{option: True})
    assert result.verdict is Verdict.PASS


def test_readers_whose_text_is_in_a_file() -> None:
    command = (sys.executable, "-m", "dnstap", "-r", "{input}", "-w", "{output}", "-q")
    assert verdicts(judge("FS-FILE-READER-001", role=READER, command=command, output_text=True)) == {}


def test_output_that_is_not_seen(tmp_path: Path) -> None:
    command = converter("none", "{input}", str(tmp_path / "output"))
    first, second = judge("FS-FILE-READER-10[13]", role=READER, command=command)
    assert first.notes == ("output not checked: no {output} is named",)
    assert second.verdict is Verdict.PASS


def test_output_that_is_not_frames() -> None:
    (result,) = judge("FS-FILE-READER-003", role=READER, command=converter("stray bytes"))
    assert result.fault
    assert result.fault.expected == "an output of frames"


def test_losses_are_blamed_once() -> None:
    first, second = judge("FS-FILE-READER-00[13]", role=READER, command=converter("drops the second"))
    assert (first.verdict, second.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert second.notes == ("output not checked: the case that ends with -001 shows that not all comes out",)


def test_recorders_at_a_port() -> None:
    assert verdicts(judge("FS-FILE-WRITER-00[1-3]", role=WRITER, command=FROM_PORT)) == {}


def test_cases_that_a_program_cannot_have() -> None:
    (result,) = judge("FS-FILE-WRITER-101", role=WRITER, command=converter("none"))
    assert result.notes == ("it takes {input}, and no connections",)


def test_recorders_that_do_not_end_well_are_noted() -> None:
    (result,) = judge("FS-FILE-WRITER-001", role=WRITER, command=recorder("status 3"), timeout_s=2.0)
    assert (result.verdict, result.notes) == (Verdict.PASS, ("ended with status 3 after our SIGTERM",))


@pytest.mark.parametrize("command", [converter("none"), converter("silent"), recorder("none"), recorder("silent")])
@pytest.mark.parametrize("number", ["016", "017", "018"])
def test_places_that_cannot_be_written(command: tuple[str, ...], number: str) -> None:
    (result,) = judge(f"FS-FILE-WRITER-{number}", role=WRITER, command=command, timeout_s=2.0)
    assert result.verdict is (Verdict.FAIL if "silent" in command else Verdict.PASS)


def test_full_disks_that_are_noticed_late() -> None:
    """The sender is cut off, which is no fault here, but nobody is told."""
    (result,) = judge("FS-FILE-WRITER-018", role=WRITER, command=recorder("no START"), timeout_s=2.0)
    assert result.fault
    assert result.fault.expected == "another exit status than 0, or a message"


@pytest.mark.parametrize(("fault", "verdict"), [("none", Verdict.PASS), ("buffers", Verdict.NON_STRICT)])
def test_recordings_are_judged_while_they_are_written(fault: str, verdict: Verdict) -> None:
    (result,) = judge("FS-FILE-WRITER-106", role=WRITER, command=recorder(fault), timeout_s=1.0)
    assert result.verdict is verdict


def test_files_that_are_there_already() -> None:
    for fault, verdict in (("none", Verdict.PASS), ("appends", Verdict.FAIL)):
        (result,) = judge("FS-FILE-WRITER-014", role=WRITER, command=converter(fault))
        assert result.verdict is verdict


def test_crashes_are_told() -> None:
    for role, number in ((READER, "READER-101"), (WRITER, "WRITER-009")):
        (result,) = judge(f"FS-FILE-{number}", role=role, command=converter("dies of unknown control frames"))
        assert result.fault
        assert result.fault.got == "ended by SIGABRT"


def test_recorders_must_end() -> None:
    (result,) = judge("FS-FILE-WRITER-105", role=WRITER, command=recorder("goes on after TERM"), timeout_s=1.0)
    assert result.fault
    assert result.fault.got == "no end within 1 s of the signal"


def test_recorders_that_refuse_senders() -> None:
    (result,) = judge("FS-FILE-WRITER-109", role=WRITER, command=recorder("one sender"), timeout_s=2.0)
    assert result.verdict is Verdict.FAIL
    assert result.fault
    assert result.fault.expected.startswith("ACCEPT")


@pytest.mark.parametrize(
    ("role", "command", "error"),
    [
        (READER, ("/missing/program", "{input}"), "cannot run '/missing/program': No such file"),
        (READER, converter("never ends"), r"expected '\S+' to end, got no end in time"),
        (WRITER, ("/missing/program", "{socket}", "{output}"), "cannot run '/missing/program': No such file"),
        (WRITER, ("false", "{socket}", "{output}"), "expected a listener at .*, got ended with status 1 by itself"),
    ],
)
def test_programs_that_cannot_be_tested(role: PeerRole, command: tuple[str, ...], error: str) -> None:
    family = "READER" if role is READER else "WRITER"
    with pytest.raises(TargetError, match=error):
        judge(f"FS-FILE-{family}-001", role=role, command=command, start_s=2.0)


def test_cases_of_connections_are_not_for_files() -> None:
    target = target_of(Settings(role=READER, command=converter("none")))
    assert isinstance(target, FileTarget)
    with pytest.raises(TypeError, match="expected a case of files, got FS-READER-001"):
        target.play(cases("FS-READER-001")[0])
    assert not isinstance(target_of(Settings()), FileTarget)


def test_placeholders_that_are_none() -> None:
    """Other words in braces stay as they are."""
    script = "import sys; sys.exit(sys.argv[1] != '{other}')"
    command = (*shlex.split(f"{sys.executable} -E -S -c"), script, "{other}", "{input}")
    (result,) = judge("FS-FILE-READER-002", role=READER, command=command)
    assert result.verdict is Verdict.PASS
