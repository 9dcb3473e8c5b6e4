"""Programs under test: addresses, output, ends."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest
import trustme

from framestream.conformance.cases import PeerRole
from framestream.conformance.player import OutputDifference
from framestream.conformance.runner import Verdict
from framestream.conformance.targets import Settings, Target, TargetError, ending, payloads_of
from framestream.endpoints import FileEndpoint, TcpEndpoint, Tls, UnixEndpoint, parse_endpoint
from tests.framestream.conformance.kit import OURS, failing, judge, judge_writer, reader, verdicts, writer
from tests.interop.command import listening


def test_payloads_of_output_files() -> None:
    assert payloads_of(b"\0\0\0\0\0\0\0\4\0\0\0\2\0\0\0\1x\0\0\0\1y\0\0") == [b"x", b"y"]
    with pytest.raises(OutputDifference):
        payloads_of(bytes(8))


def test_endings() -> None:
    assert [ending(status) for status in (0, 3, -6)] == [
        "ended with status 0",
        "ended with status 3",
        "ended by SIGABRT",
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_output_as_text(keep: bool) -> None:
    """It is waited for, because a reader may print after FINISH."""
    (result,) = judge("FS-READER-001", command=(*OURS[:-2], "-q"), output_text=True, keep=keep)
    assert (result.verdict, result.notes) == (Verdict.PASS, ())


@pytest.mark.parametrize("keep", [False, True])
def test_tcp(keep: bool) -> None:
    command = (sys.executable, "-m", "dnstap", "-l", "127.0.0.1:{port}", "-w", "{output}")
    (result,) = judge("FS-READER-001", command=command, keep=keep)
    assert result.verdict is Verdict.PASS, result


def test_a_program_that_runs_already(tmp_path: Path) -> None:
    """It keeps what it got before, which does not count."""
    path, output = tmp_path / "socket", tmp_path / "output"
    with listening(path, tmp_path, "-w", output) as command:
        for _ in range(2):
            results = judge("FS-READER-00[13]", at=UnixEndpoint(str(path)), output_file=str(output))
            assert [result.verdict for result in results] == [Verdict.PASS] * 2
        assert command.stop() == 0
    with pytest.raises(TargetError, match=r"expected a listener at unix:\S+, got none within 0.1 s"):
        judge("FS-READER-001", at=UnixEndpoint(str(path)), start_s=0.1)


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    output = tmp_path / "output"
    options = ["--tls-cert", str(tmp_path / "cert.pem"), "-w", str(output)]
    with listening("tls:localhost:0", tmp_path, *options) as command:
        at = parse_endpoint(command.endpoint, Tls(ca=tmp_path / "ca.pem", server_name="localhost"))
        assert verdicts(judge("FS-READER-00?", at=at, output_file=str(output))) == {}
        command.stop()


def test_endpoints_that_are_none() -> None:
    with pytest.raises(TargetError, match="expected unix:, tcp: or tls:, got file:x"):
        judge("FS-READER-001", at=FileEndpoint("x"))


def test_writers_connect_to_us(tmp_path: Path) -> None:
    program = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"
    command = (sys.executable, "-c", program, "{socket}")
    target = Target(Settings(role=PeerRole.WRITER, command=command, listens=False))
    with target.session() as session:
        session.connection().close()
        assert session.stop() == ""
        assert (session.stop(), session.death()) == ("", "")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    target = Target(Settings(role=PeerRole.WRITER, at=TcpEndpoint("127.0.0.1", port), listens=False))
    with target.session() as session, socket.create_connection(("127.0.0.1", port)):
        session.connection().close()
        assert session.stop() == ""
    target = Target(Settings(role=PeerRole.WRITER, at=FileEndpoint("x"), listens=False))
    with pytest.raises(TargetError, match="expected unix:PATH or tcp:HOST:PORT to listen at"), target.session():
        pass


def test_an_output_file_of_its_own(tmp_path: Path) -> None:
    output = tmp_path / "other"
    command = tuple(word.replace("{output}", str(output)) for word in reader("none"))
    (result,) = judge("FS-READER-001", command=command, output_file=str(output))
    assert result.verdict is Verdict.PASS
    assert output.exists()


def test_payloads_in_memory() -> None:
    """They are seen if the output is opened anew before the end, but not those of a case that is about the end."""
    command = reader("keeps payloads in memory")
    (result,) = judge("FS-READER-001", command=command)
    assert result.fault
    assert result.fault.got == "none"
    results = judge("FS-READER-00[12]", command=command, reopen=signal.SIGHUP)
    assert [result.verdict for result in results] == [Verdict.PASS] * 2
    (result,) = judge("FS-READER-334", command=command, reopen=signal.SIGHUP)
    assert result.verdict is Verdict.FAIL
    # A signal that ends it is no reason to wait.
    (result,) = judge("FS-READER-001", command=command, reopen=signal.SIGTERM)
    assert result.verdict is Verdict.FAIL


def test_writers_over_tcp() -> None:
    command = (sys.executable, "-m", "dnstap", "-r", "{input}", "-T", "127.0.0.1:{port}")
    assert [result.verdict for result in judge_writer("FS-WRITER-10[14]", command)] == [Verdict.PASS] * 2


def test_triggers(tmp_path: Path) -> None:
    mark = tmp_path / "mark-{free_port}"
    command = writer("waits for a trigger", payloads=f"{mark}")
    results = judge_writer("FS-WRITER-102", command, any_payloads=True, trigger=("touch", str(mark)))
    assert [result.verdict for result in results] == [Verdict.PASS]
    with pytest.raises(TargetError, match="cannot run the trigger: there is no program '/missing'"):
        judge_writer("FS-WRITER-102", command, any_payloads=True, trigger=("/missing",))


def test_writers_that_run_already(tmp_path: Path) -> None:
    """A writer that is kept is neither ended nor given payloads."""
    at = UnixEndpoint(str(tmp_path / "s"))
    command = writer("none", payloads="-")
    results = judge_writer("FS-WRITER-00[1-5]", command, at=at, any_payloads=True, keep=True)
    assert failing(results) == {}
    assert {result.verdict for result in results} == {Verdict.PASS, Verdict.UNIMPLEMENTED}
    Path(at.path).touch()
    with pytest.raises(TargetError, match=r"cannot listen at unix:\S+: \[Errno 98\] Address already in use"):
        judge_writer("FS-WRITER-001", (), at=at, any_payloads=True)


def test_a_writer_that_ends_before_it_connects_because_of_its_payloads() -> None:
    """The case is at fault, once another has shown that the command connects."""
    command = writer("refuses large payloads")
    results = judge("FS-WRITER-12[0-2]", role=PeerRole.WRITER, listens=False, command=command, jobs=1)
    assert [result.verdict for result in results] == [Verdict.PASS, Verdict.PASS, Verdict.FAIL]
    assert results[2].fault
    assert results[2].fault.got == "none, and ended with status 1"


def test_listening_is_not_for_writers_that_listen() -> None:
    with (
        Target(Settings(role=PeerRole.WRITER, command=writer("none", "listen"))).session() as session,
        pytest.raises(ValueError, match="the writer listens itself"),
    ):
        session.listening.leave()
