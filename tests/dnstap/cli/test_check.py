"""`dnstap check`, called in this process."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from dnstap import CONTENT_TYPE
from dnstap.cli import check
from dnstap.cli.main import main
from dnstap.linting.catalogue import RULES
from framestream import (
    FrameStreamError,
    Tls,
    TlsEndpoint,
    Transport,
    UnixEndpoint,
    listen_writer,
    open_writer,
    write_file,
)
from tests.dnstap.beside import run_beside
from tests.dnstap.linting.payloads import payload
from tests.threads import start
from tests.wait import DEADLINE_S, listens, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from framestream import Writer

GOOD, BAD, ODD = payload(), payload(socket_protocol=None), payload(query_port=0)

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file with a warning and a note."""
    path = tmp_path / "a.fstrm"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([GOOD, BAD, ODD])
    return path


def report(capfd: Capture) -> dict[str, Any]:
    """Return the one report in JSON."""
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def rules(found: dict[str, Any]) -> list[str]:
    """Return the names of the rules in a report."""
    return [finding["rule"] for finding in found["findings"]]


def test_report(file: Path, capfd: Capture) -> None:
    assert main(["check", str(file)]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == f"{file}: 3 frames, 1 stream: 0 errors, 1 warning, 1 note"
    assert lines[1].startswith("  warning no-protocol: 1 time, in frame 2, at byte ")
    assert len(lines) == 5


def test_choice_of_rules(file: Path, capfd: Capture) -> None:
    assert main(["check", "--ignore", "no-protocol,no-stop", "--ignore", "no-family", "--json", str(file)]) == 0
    assert rules(report(capfd)) == ["port-zero"]
    assert main(["check", "--only", "no-protocol", "--json", str(file)]) == 1
    assert rules(report(capfd)) == ["no-protocol"]


def test_count(file: Path, capfd: Capture) -> None:
    file.write_bytes(file.read_bytes()[:-20])
    assert main(["check", "--count", "1", "--json", str(file)]) == 0
    assert report(capfd) == {"input": str(file), "frames": 1, "streams": 1, "findings": []}


def test_several_files_have_a_report_each(file: Path, tmp_path: Path, capfd: Capture) -> None:
    good, cut = tmp_path / "good.fstrm", tmp_path / "cut.fstrm"
    with write_file(good, [CONTENT_TYPE]) as writer:
        writer.write(GOOD)
    cut.write_bytes(good.read_bytes()[:-12])
    assert main(["check", str(good)]) == 0
    assert main(["check", str(file), str(good), str(cut)]) == 1
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith(str(tmp_path))]
    assert lines == [
        f"{good}: 1 frame, 1 stream: 0 errors, 0 warnings, 0 notes",
        f"{file}: 3 frames, 1 stream: 0 errors, 1 warning, 1 note",
        f"{good}: 1 frame, 1 stream: 0 errors, 0 warnings, 0 notes",
        f"{cut}: 1 frame, 1 stream: 0 errors, 1 warning, 0 notes",
    ]


def test_file_that_cannot_be_read_costs_no_other(file: Path, tmp_path: Path, capfd: Capture) -> None:
    assert main(["check", str(tmp_path / "none\x1b"), str(tmp_path), str(file)]) == 2
    captured = capfd.readouterr()
    assert captured.err == (
        f"dnstap: {tmp_path}/none\\027: cannot read: No such file or directory\n"
        f"dnstap: {tmp_path}: cannot read: Is a directory\n"
    )
    assert captured.out.startswith(f"{file}: 3 frames")


def test_missing_library_is_no_fault_of_the_file(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "a.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    assert main(["check", str(path)]) == 2
    captured = capfd.readouterr()
    assert (captured.out, captured.err.count("needs a library")) == ("", 1)


def test_standard_input(file: Path, capfd: Capture) -> None:
    kept = os.dup(0)
    try:
        descriptor = os.open(file, os.O_RDONLY)
        os.dup2(descriptor, 0)
        os.close(descriptor)
        assert main(["check", "--json", "-"]) == 1
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert report(capfd)["input"] == "standard input"


def test_list(capfd: Capture) -> None:
    assert main(["check", "--list"]) == 0
    assert [line.split()[1] for line in capfd.readouterr().out.splitlines()] == [*RULES]
    assert main(["check", "--list", "--json"]) == 0
    assert [json.loads(line)["rule"] for line in capfd.readouterr().out.splitlines()] == [*RULES]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "no input: give FILE"),
        (["--only", "no-querytime", "x"], r"expected the name of a rule, got 'no-querytime' \(did you mean"),
        (["--count", "0", "x"], "expected a whole number of at least 1, got '0'"),
        (["--count", "1" * 19, "x"], "expected a whole number of at least 1"),
        (["--count", "٣", "x"], "expected a whole number of at least 1"),
        (["tcp:nowhere"], "an endpoint is unix:PATH"),
        (["--connect", "file:x"], "got a file, 'file:x'"),
    ],
)
def test_invalid_command_lines(words: list[str], text: str, capfd: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", *words])
    assert ended.value.code == 2
    assert re.search(text, capfd.readouterr().err)


def test_help_names_the_subcommand(capfd: Capture) -> None:
    for words, text in (["--help"], "see dnstap check --help"), (["check", "--help"], "usage: dnstap check"):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        assert text in capfd.readouterr().out


def test_reader_of_the_output_that_has_enough(file: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    kept = os.dup(1)
    os.dup2(writing, 1)
    os.close(writing)
    try:
        with pytest.raises(BrokenPipeError):
            check.main([str(file)])
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_full_disk(file: Path, capfd: Capture) -> None:
    kept = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.close(full)
    try:
        status = main(["check", str(file)])
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert status == 2
    assert capfd.readouterr().err == f"dnstap: standard output: cannot write: {os.strerror(errno.ENOSPC)}\n"


def test_closed_standard_streams(file: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["check", str(file)]) == 2
    assert capfd.readouterr().err == "dnstap: standard output: cannot write: it is closed\n"
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["check", str(file)]) == 2


MANY = [GOOD, BAD] * 5000
"""More than a pipe or a socket holds: once they are written, the command has checked some of them."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_check_of_a_file(tmp_path: Path, capfd: Capture, number: int) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writers: list[Writer] = []

    def script() -> None:
        writers.append(write_file(path, [CONTENT_TYPE]))
        writers[0].write_many(MANY)

    before = signal.getsignal(number)
    status = run_beside(script, "check", "--json", str(path), "nothing", ending=number)
    leave(writers[0])
    assert status == 128 + number
    found = report(capfd)
    assert 0 < found["frames"] <= len(MANY)
    assert rules(found) == ["no-protocol"]
    assert signal.getsignal(number) == before


def test_signal_ends_the_check_of_a_sender(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "s"
    writers: list[Writer] = []

    def script() -> None:
        wait_for(lambda: listens(path), "the socket")
        writers.append(open_writer(f"unix:{path}", [CONTENT_TYPE]))
        writers[0].write_many(MANY)

    status = run_beside(script, "check", "--json", f"unix:{path}")
    leave(writers[0])
    assert status == 1
    captured = capfd.readouterr()
    assert captured.err == f"dnstap: opened input socket unix:{path}\n"
    found = json.loads(captured.out)
    assert (found["input"], found["streams"], rules(found)) == (f"unix:{path}", 1, ["no-protocol"])


def leave(writer: Writer) -> None:
    """Close a connection or pipe whose other end is closed, or about to be."""
    with contextlib.suppress(FrameStreamError, OSError):
        writer.close()


def beside(path: Path, script: Callable[[], object], *words: str) -> int:
    """Run the command on a socket, and a script once it listens; return the exit status."""

    def run() -> None:
        wait_for(lambda: listens(path), "the socket")
        script()

    running = start(run)
    status = main(["check", "--json", *words, f"unix:{path}"])
    running.result(DEADLINE_S)
    return status


def test_sender_that_ends_well(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "s"

    def script() -> None:
        with open_writer(f"unix:{path}", [b"other", CONTENT_TYPE]) as writer:
            assert writer.content_type == CONTENT_TYPE
            writer.write_many([GOOD, ODD])

    assert beside(path, script) == 0
    found = report(capfd)
    assert (found["frames"], rules(found)) == (2, ["port-zero"])


def test_all_connections_are_checked_until_the_last_has_ended(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "s"

    def script() -> None:
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(str(path))
        with open_writer(f"unix:{path}", [CONTENT_TYPE]) as one, open_writer(f"unix:{path}", [CONTENT_TYPE]) as other:
            one.write(GOOD)
            other.write(BAD)
        silent.close()

    assert beside(path, script) == 1
    found = report(capfd)
    assert (found["frames"], found["streams"]) == (2, 2)
    # Two streams of two senders are not two of one file.
    assert sorted(rules(found)) == ["broken-stream", "no-protocol"]


@pytest.mark.parametrize(
    ("content_type", "transport", "expected"),
    [
        (b"other", Transport.BIDIRECTIONAL, ["broken-stream"]),
        (CONTENT_TYPE, Transport.UNIDIRECTIONAL, ["no-handshake"]),
    ],
)
def test_senders_that_receivers_refuse(
    tmp_path: Path, capfd: Capture, content_type: bytes, transport: Transport, expected: list[str]
) -> None:
    path = tmp_path / "s"

    def script() -> None:
        if transport is Transport.BIDIRECTIONAL:
            with pytest.raises((FrameStreamError, OSError)):
                open_writer(f"unix:{path}", [content_type])
            with open_writer(f"unix:{path}", [CONTENT_TYPE]) as writer:
                writer.write(GOOD)
        else:
            with open_writer(f"unix:{path}", [content_type], transport=transport) as writer:
                writer.write(GOOD)

    assert beside(path, script) == 1
    assert rules(report(capfd)) == expected


def test_sender_that_closes_or_resets(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "s"

    def script() -> None:
        writer = open_writer(f"unix:{path}", [CONTENT_TYPE])
        writer.write_many([GOOD])
        writer.interrupt()
        leave(writer)

    assert beside(path, script) == 0
    assert rules(report(capfd)) == ["closed-without-stop"]


def test_count_ends_the_check_of_a_sender(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "s"
    writers: list[Writer] = []

    def script() -> None:
        writers.append(open_writer(f"unix:{path}", [CONTENT_TYPE]))
        writers[0].write_many([GOOD, ODD, BAD])

    assert beside(path, script, "--count", "2") == 0
    leave(writers[0])
    assert report(capfd)["frames"] == 2


def test_connection_to_a_server_that_listens(tmp_path: Path, capfd: Capture) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = Tls(certificate=tmp_path / "cert.pem")
    with listen_writer(TlsEndpoint("127.0.0.1", 0, tls), [CONTENT_TYPE]) as listener:

        def serve() -> None:
            with listener.accept(DEADLINE_S) as writer:
                writer.write_many([GOOD, ODD])

        running = start(serve)
        words = ["--tls-ca", str(tmp_path / "ca.pem"), "--tls-server-name", "localhost"]
        assert main(["check", "--json", *words, "--connect", str(listener.endpoint)]) == 0
        running.result(DEADLINE_S)
    found = report(capfd)
    assert (found["input"], found["frames"], rules(found)) == (str(listener.endpoint), 2, ["port-zero"])


def test_endpoints_that_cannot_be_opened(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "none" / "s"
    assert main(["check", f"unix:{path}", "tls:127.0.0.1:0"]) == 2
    assert main(["check", "--connect", f"unix:{path}"]) == 2
    assert capfd.readouterr().err.splitlines() == [
        f"dnstap: unix:{path}: cannot listen: No such file or directory",
        "dnstap: tls:127.0.0.1:0: cannot listen: a listener with TLS needs a certificate",
        f"dnstap: unix:{path}: cannot connect: No such file or directory",
    ]


def test_server_that_falls_silent_is_a_finding(tmp_path: Path, capfd: Capture) -> None:
    with listen_writer(UnixEndpoint(str(tmp_path / "s")), [CONTENT_TYPE]) as listener:

        def refuse() -> None:
            writer = listener.accept(DEADLINE_S)
            writer.interrupt()
            writer.close()

        running = start(refuse)
        assert main(["check", "--json", "--connect", f"unix:{tmp_path}/s"]) == 1
        running.result(DEADLINE_S)
    assert rules(report(capfd)) in (["broken-stream"], ["connection-lost"])
