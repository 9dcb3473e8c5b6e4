"""The command, called in this process; tests/interop runs it as a process with real peers."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

import dnstap
from dnstap import (
    FORMATS,
    Anonymizer,
    CryptoPan,
    Dnstap,
    DnstapType,
    Message,
    MessageType,
    Style,
    compile_filter,
    render,
    truncate,
)
from dnstap.cli.main import _fill_standard_descriptors, main, run
from dnstap.content_type import CONTENT_TYPE
from dnstap.fields.catalogue import FIELDS
from dnstap.pipeline.counters import Counts
from framestream import (
    FrameStreamError,
    Tls,
    TruncatedStreamError,
    Writer,
    encode_data_frames,
    listen_reader,
    listen_writer,
    open_writer,
    read_file,
    write_file,
)
from framestream.files import READ_BYTES
from tests.dnstap.beside import run_beside
from tests.framestream.wire import START, STOP
from tests.interop.command import listening
from tests.threads import Threads, start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnstap.anonymize import Method

DATA = Path(__file__).parents[2] / "data"
SAMPLE = DATA / "nsd-auth.fstrm"
GOOD = bytes.fromhex("7801")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def error(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line on standard error of a command that fails."""
    assert main([*map(str, arguments)]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1, err
    assert err.startswith("dnstap: ")
    return err.removeprefix("dnstap: ").rstrip("\n")


def test_read(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-r", str(SAMPLE)]) == 0
    out, err = capfd.readouterr()
    assert out == SAMPLE.with_suffix(".q.txt").read_text()
    assert err == ""


def test_read_compressed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "capture"
    path.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert main(["-r", str(path)]) == 0
    assert capfd.readouterr().out == SAMPLE.with_suffix(".q.txt").read_text()
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    assert "expected gzip data, got a fault in it" in error(capfd, "-r", path)


def test_standard_output_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["-r", str(SAMPLE)]) == 0
    assert os.write(1, b"more\n") == 5
    assert capfd.readouterr().out == SAMPLE.with_suffix(".q.txt").read_text() * 2 + "more\n"


def test_read_several(capfd: pytest.CaptureFixture[str]) -> None:
    other = DATA / "knotd-axfr.fstrm"
    assert main(["-q", "-r", str(SAMPLE), "-r", str(other), "-w", "-"]) == 0
    expected = SAMPLE.with_suffix(".q.txt").read_text() + other.with_suffix(".q.txt").read_text()
    assert capfd.readouterr().out == expected


def test_read_and_write(tmp_path: Path) -> None:
    copy = tmp_path / "copy.fstrm"
    assert main(["-r", str(SAMPLE), "-w", str(copy)]) == 0
    assert copy.read_bytes() == SAMPLE.read_bytes()


def test_text_into_a_file(tmp_path: Path) -> None:
    text = tmp_path / "text"
    assert main(["-r", str(SAMPLE), "-q", "-w", str(text)]) == 0
    assert text.read_bytes() == SAMPLE.with_suffix(".q.txt").read_bytes()


@pytest.mark.parametrize("follow", [False, True], ids=["files only", "with an event loop"])
def test_several_outputs(follow: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each gets everything; without a format, files get frames and standard output lines."""
    one, other = tmp_path / "one", tmp_path / "other"
    lines = SAMPLE.with_suffix(".q.txt").read_text()
    read = ["-r", str(SAMPLE), *(["--follow", "--count", str(lines.count("\n"))] if follow else [])]
    assert main([*read, "-w", str(one), "-w", "-", "-w", str(other)]) == 0
    assert capfd.readouterr().out == lines
    for path in one, other:
        with read_file(path) as copy, read_file(SAMPLE) as original:
            assert list(copy) == list(original)
    # Appending and rotation are for the files.
    one.write_text("before\n")
    other.unlink()
    for more in [], ["--rotate", "count=100"]:
        assert main([*read, "-q", "-a", "-w", str(one), "-w", str(other), "-w", "-", *more]) == 0
        assert capfd.readouterr().out == lines
    for stem, before in ("one", "before\n"), ("other", ""):
        texts = {path.read_text() for path in tmp_path.glob(f"{stem}*")}
        each = lines.splitlines(keepends=True)
        pieces = ["".join(each[n : n + 100]) for n in range(0, len(each), 100)]
        assert texts == {before + lines + pieces[0], *pieces[1:]}


@pytest.mark.parametrize("more", [[], ["--follow"]], ids=["files only", "with an event loop"])
def test_one_of_several_outputs_cannot_be_opened(
    more: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "out"
    expected = f"{missing}: cannot write: No such file or directory"
    assert main(["-r", str(SAMPLE), "-q", "-w", str(tmp_path / "text"), "-w", "/dev/full", *more]) == 1
    assert "dnstap: /dev/full: cannot write: No space left on device\n" in capfd.readouterr().err
    (tmp_path / "no stream").write_bytes(b"text, and no frames")
    appended = error(capfd, "-r", SAMPLE, "-a", "-w", tmp_path / "out", "-w", tmp_path / "no stream", *more)
    assert appended.startswith(f"{tmp_path / 'no stream'}: cannot append: ")
    assert error(capfd, "-r", SAMPLE, "-w", tmp_path / "out", "-w", missing, *more) == expected
    assert f"{SAMPLE}: is both the input" in error(capfd, "-r", SAMPLE, "-w", tmp_path / "new", "-w", SAMPLE, *more)


def test_documents(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = DATA / "knotd-axfr.fstrm"
    for flag, suffix in ("-y", ".y.yaml.gz"), ("-j", ".j.jsonl.gz"):
        expected = gzip.decompress(path.with_suffix(suffix).read_bytes())
        assert main(["-r", str(path), flag]) == 0
        assert capfd.readouterr().out.encode() == expected
        assert main(["-r", str(path), flag, "-w", str(tmp_path / "text")]) == 0
        assert (tmp_path / "text").read_bytes() == expected


def test_format_by_name(capfd: pytest.CaptureFixture[str]) -> None:
    with read_file(SAMPLE) as reader:
        messages = [Dnstap.parse(payload) for payload in reader]
    for name, text_of in FORMATS.items():
        assert main(["-r", str(SAMPLE), "--format", name]) == 0
        header = {"csv": ",".join(FIELDS) + "\n", "tsv": "\t".join(FIELDS) + "\n"}.get(name, "")
        assert capfd.readouterr().out == header + "".join(map(text_of, messages))


def test_tables_of_files_and_standard_output(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each gets the header once, also with --jobs, when it is appended to, and at a rotation."""
    table, path = ["-r", str(SAMPLE), "--fields", "id,qname", "--format", "csv"], tmp_path / "out.csv"
    assert main([*table, "-w", str(path), "-w", "-"]) == 0
    header, *records = path.read_text().splitlines()
    assert header == "id,qname"
    assert capfd.readouterr().out == path.read_text()
    assert main([*table, "-w", str(path), "-a", "--jobs", "2"]) == 0
    assert path.read_text().splitlines() == [header, *records, *records]
    assert main([*table[:-4], "--fields", "id", "--format", "csv", "-w", str(path), "-a"]) == 1
    assert f"{path}: cannot write: expected the header 'id' in the file, got 'id,qname'" in capfd.readouterr().err
    assert path.read_text().splitlines() == [header, *records, *records]
    path.unlink()
    assert main([*table, "-w", str(path), "--rotate", f"count={len(records) - 1}"]) == 0
    files = sorted(tmp_path.iterdir(), key=lambda file: (file == path, file.name))
    assert [file.read_text().splitlines() for file in files] == [[header, *records[:-1]], [header, records[-1]]]


def test_fields_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-r", str(SAMPLE), "--fields", "id,tc,client", "-j"]) == 0
    objects = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    # The capture has messages that are cut off.
    assert {tuple(map(type, each.values())) for each in objects} == {(int, bool, str), (type(None), type(None), str)}


def test_fields(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fields = ["--fields", "time,client,qname,latency", "--time-zone", "utc", "--date"]
    with read_file(SAMPLE) as reader:
        messages = [Dnstap.parse(payload) for payload in reader]
    style = Style("utc", date=True, fields=("time", "client", "qname", "latency"))
    expected = "".join([render("quiet", message, style) for message in messages])
    assert main(["-r", str(SAMPLE), *fields]) == 0
    assert capfd.readouterr().out == expected
    assert main(["-r", str(SAMPLE), *fields, "-w", str(tmp_path / "text")]) == 0
    assert (tmp_path / "text").read_text() == expected


def test_raw_fields(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write(bytes(Dnstap(b"a b\x1b", type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY))))
    assert main(["-r", str(path), "--fields", "identity"]) == 0
    assert main(["-r", str(path), "--fields", "identity", "--raw"]) == 0
    assert capfd.readouterr().out == "a\\032b\\027\na\\032b\x1b\n"


def test_documents_in_a_time_zone(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-r", str(SAMPLE), "-j", "--time-zone", "Asia/Kathmandu"]) == 0
    lines = [json.loads(line)["message"] for line in capfd.readouterr().out.splitlines()]
    times = [line.get("query_time") or line["response_time"] for line in lines]
    assert {time[-6:] for time in times} == {"+05:45"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--fields", "time,what"], "unknown field 'what': expected one of all, time, "),
        (["--fields", "time", "-y"], "--fields: only for -q, -j and --format csv or tsv, not with -y or "),
        (["--time-zone", "Mars"], "unknown time zone 'Mars': expected utc, local or a name of the time zone database"),
    ],
)
def test_wrong_styles_cost_no_old_file(
    arguments: list[str], text: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    with pytest.raises(SystemExit) as caught:
        main(["-r", str(SAMPLE), "-w", str(old), *(["-q"] if "-y" not in arguments else []), *arguments])
    assert caught.value.code == 2
    assert text in capfd.readouterr().err
    assert old.read_text() == "old"


def lines_on_a_terminal(*arguments: str, path: Path = SAMPLE, **environment: str) -> bytes:
    """Return what the command prints of a recording on a terminal."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "dnstap", "-r", str(path), *arguments]
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(command, stdout=theirs, env=clean | {"TERM": "xterm"} | environment)
    os.close(theirs)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while data := os.read(ours, 65536):
            printed += data
    os.close(ours)
    assert process.wait() == 0
    return printed.replace(b"\r\n", b"\n")


def test_colours_on_a_terminal() -> None:
    plain = SAMPLE.with_suffix(".q.txt").read_bytes()
    in_colour = lines_on_a_terminal()
    assert in_colour != plain
    assert re.sub(rb"\x1b\[\d+m", b"", in_colour) == plain
    assert lines_on_a_terminal(NO_COLOR="") == in_colour
    assert lines_on_a_terminal(NO_COLOR="1") == plain
    assert lines_on_a_terminal(TERM="dumb") == plain
    assert lines_on_a_terminal("--color", "never") == plain
    assert lines_on_a_terminal("-j") == gzip.decompress(SAMPLE.with_suffix(".j.jsonl.gz").read_bytes())


@pytest.mark.parametrize("flag", ["-q", "-y", "-j"])
def test_what_cannot_be_seen_is_escaped_on_a_terminal_alone(flag: str, tmp_path: Path) -> None:
    path = tmp_path / "log.fstrm"
    hostile = "\x9b31m\u202e".encode()
    note = b"\0" + struct.pack(">HHIHHHH", 41, 1, 0, 6 + len(hostile), 15, 2 + len(hostile), 0) + hostile
    message = Message(MessageType.CLIENT_RESPONSE, response_message=struct.pack(">6H", 7, 0x8180, 0, 0, 0, 1) + note)
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write(bytes(Dnstap(hostile, type=DnstapType.MESSAGE, message=message)))
    on_a_terminal = lines_on_a_terminal(flag, "--color", "never", path=path).decode()
    assert on_a_terminal.replace("\n", "").replace("\t", "").isprintable()
    command = [sys.executable, "-m", "dnstap", "-r", str(path), flag]
    elsewhere = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert ("\u202e" in elsewhere) == (flag != "-q")


def test_no_colours_elsewhere(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SAMPLE.with_suffix(".q.txt").read_text()
    for name in "NO_COLOR", "TERM":
        monkeypatch.delenv(name, raising=False)
    assert main(["-r", str(SAMPLE)]) == 0
    assert capfd.readouterr().out == plain
    assert main(["-r", str(SAMPLE), "--color", "always"]) == 0
    assert "\x1b[" in capfd.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["-r", str(SAMPLE), "-q", "-w", str(tmp_path / "text")]) == 0
    assert (tmp_path / "text").read_text() == plain


def test_one_format(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["-r", str(SAMPLE), "-q", "-j"])
    assert caught.value.code == 2
    assert "argument -j: not allowed with argument -q" in capfd.readouterr().err


def test_truncated_file(capfd: pytest.CaptureFixture[str]) -> None:
    path = DATA / "unbound-godnstap-cut.fstrm"
    assert main(["-r", str(path)]) == 1
    out, err = capfd.readouterr()
    assert out == path.with_suffix(".q.txt").read_text()
    assert err == (
        f"dnstap: {path}: expected 97 more bytes of a frame, got the end of input in state STREAMING, at byte 153053\n"
    )


def test_no_stream_at_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text"
    path.write_text("Hello, world\n")
    expected = f"{path}: expected START, got no control frame but b'Hello, world\\n' in state IDLE, at byte 0"
    assert error(capfd, "-r", path) == expected


def test_empty_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert error(capfd, "-r", path) == f"{path}: expected START, got the end of input in state IDLE, at byte 0"


def test_missing_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recording = tmp_path / "recording"
    recording.write_text("precious")
    path = tmp_path / "missing"
    expected = f"{path}: expected a Frame Streams file, but: No such file or directory"
    assert error(capfd, "-r", path, "-w", recording) == expected
    assert recording.read_text() == "precious"


def test_directory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert error(capfd, "-r", tmp_path) == f"{tmp_path}: expected a Frame Streams file, but: Is a directory"


def test_other_content_type(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other"
    write_file(path, [b"protobuf:other"]).close()
    assert error(capfd, "-r", path) == (
        f"{path}: expected content type {CONTENT_TYPE!r} in START, got b'protobuf:other' in state IDLE, at byte 0"
    )


def test_content_type_unnamed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "unnamed"
    with write_file(path) as writer:
        writer.write(GOOD)
    assert main(["-r", str(path)]) == 0
    assert capfd.readouterr().out == "[no Message]\n"


def test_bad_payloads_cost_only_themselves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([GOOD, b"\x0a", GOOD, b"junk", GOOD])
    assert main(["-r", str(path)]) == 0
    out, err = capfd.readouterr()
    assert out == "[no Message]\n" * 3
    assert err == (
        "dnstap: 2 of 5 payloads left out; the first was payload 2: Dnstap: the last field is cut off, at byte 1\n"
    )


def test_input_is_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = Path(shutil.copy(SAMPLE, tmp_path))
    link = tmp_path / "link"
    link.symlink_to(path)
    assert error(capfd, "-r", path, "-w", link) == f"{path}: is both the input and the output"
    assert path.read_bytes() == SAMPLE.read_bytes()


def test_standard_input_is_output(tmp_path: Path) -> None:
    path = Path(shutil.copy(SAMPLE, tmp_path))
    with path.open("rb") as file:
        process = subprocess.run(
            [sys.executable, "-m", "dnstap", "-r", "-", "-w", path], stdin=file, capture_output=True, check=False
        )
    assert (process.returncode, process.stderr) == (1, b"dnstap: -: is both the input and the output\n")
    assert path.read_bytes() == SAMPLE.read_bytes()


def test_bad_payloads_are_reported_though_the_output_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([b"junk", GOOD])
    assert main(["-r", str(path), "-q", "-w", "/dev/full"]) == 1
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("dnstap: 1 of 2 payloads left out; the first was payload 1: ")
    assert second == "dnstap: /dev/full: cannot write: No space left on device"


def test_output_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "missing" / "out"
    assert error(capfd, "-r", SAMPLE, "-w", path) == f"{path}: cannot write: No such file or directory"
    assert error(capfd, "-r", SAMPLE, "-w", "/dev/full") == "/dev/full: cannot write: No space left on device"
    assert error(capfd, "-r", SAMPLE, "-q", "-w", "/dev/full") == "/dev/full: cannot write: No space left on device"


def test_socket_in_use(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        assert error(capfd, "-u", path) == f"{path}: cannot listen: another process listens there already"
    assert path.exists()


def test_socket_path_is_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    assert error(capfd, "-u", path) == f"{path}: cannot listen: exists and is not a socket"
    assert path.read_text() == "precious"


def test_socket_path_too_long(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / ("s" * 200)
    assert error(capfd, "-u", path) == f"{path}: cannot listen: AF_UNIX path too long"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_record_until_a_signal(tmp_path: Path, number: int, capfd: pytest.CaptureFixture[str]) -> None:
    """At the path of a socket that a dead listener has left."""
    path, recording = tmp_path / "s", tmp_path / "recording"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()

    def server() -> None:
        writer = wait_for(connected, "the listener")
        assert writer is not None
        writer.write_many([b"1", b"2"])
        wait_for(lambda: recording.exists() and recording.read_bytes().endswith(b"2"), "the payloads")
        writers.append(writer)

    def connected() -> Writer | None:
        with contextlib.suppress(OSError):
            return open_writer(path, [CONTENT_TYPE])
        return None

    before = signal.getsignal(number)
    writers: list[Writer] = []
    assert run_beside(server, "-u", str(path), "-w", str(recording), ending=number) == 0
    with contextlib.suppress(OSError, FrameStreamError):  # It was not waited for.
        writers[0].close()
    assert signal.getsignal(number) is before
    with read_file(recording, [CONTENT_TYPE]) as reader:
        assert list(reader) == [b"1", b"2"]
    assert capfd.readouterr().err == f"dnstap: opened input socket {path}\n"
    assert not path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [[], ["--metrics", "127.0.0.1:0"]], ids=["blocking", "event loop"])
def test_a_copy_that_is_interrupted_does_not_look_whole(
    tmp_path: Path, number: int, options: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, rest, copy = tmp_path / "source", tmp_path / "rest", tmp_path / "copy"
    with write_file(source, [CONTENT_TYPE]) as writer:
        writer.write_many([b"%d" % index * 10_000 for index in range(100)])
    rest.write_bytes(source.read_bytes())
    system_read, reads = os.read, []

    def read(fd: int, size: int) -> bytes:
        if size == READ_BYTES:
            reads.append(fd)
            if len(reads) == 4:
                os.kill(os.getpid(), number)
                # In case this is another thread than that of the handler.
                wait_for(lambda: signal.getsignal(number) is signal.SIG_DFL, "the signal handler")
        return system_read(fd, size)

    monkeypatch.setattr("framestream.files.os.read", read)
    arguments = ["-r", str(source), "-r", str(rest), "-w", str(copy), *options]
    assert main(arguments) == 128 + number
    monkeypatch.undo()
    said = capfd.readouterr().err
    assert re.search(f"^dnstap: {source}: stopped at byte [1-9]", said, re.MULTILINE)
    assert f"dnstap: {rest}: stopped at byte 0\n" in said
    with read_file(copy) as reader, pytest.raises(TruncatedStreamError) as caught:
        list(reader)
    assert 0 < reader.frames < 100
    assert not caught.value.inside_frame
    # With all that was asked for it ends like any other recording.
    assert main(["-r", str(source), "-w", str(copy), "--count", "5", *options]) == 0
    assert "stopped" not in capfd.readouterr().err
    with read_file(copy) as reader:
        assert len(list(reader)) == 5


def test_output_closed_early(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert main(["-r", str(SAMPLE), "-q", "-w", f"/dev/fd/{writing}"]) == 141
    os.close(writing)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [
        (">&-", "dnstap: standard output: cannot write: it is closed\n"),
        ("2>&-", ""),
        ("<&- >&- 2>&-", ""),
    ],
)
def test_standard_files_that_are_closed(redirection: str, expected: str, tmp_path: Path) -> None:
    """The input never gets the number of a standard descriptor that the output is written to."""
    sample = Path(shutil.copy(SAMPLE, tmp_path))
    process = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m dnstap -r {sample} {redirection}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == expected
    assert process.returncode == (0 if redirection == "2>&-" else 1)
    assert sample.read_bytes() == SAMPLE.read_bytes()


def test_standard_files_closed_in_this_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    expected = "standard output: cannot write: it is closed"
    assert error(capfd, "-r", SAMPLE) == expected
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["-r", str(SAMPLE)]) == 1


def test_descriptors_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter([1, 2, 3])
    closed: list[int] = []
    monkeypatch.setattr(os, "open", lambda *_: next(given))
    monkeypatch.setattr(os, "close", closed.append)
    _fill_standard_descriptors()
    assert closed == [3]


def test_standard_input(capfd: pytest.CaptureFixture[str]) -> None:
    with SAMPLE.open("rb") as file:
        process = subprocess.run(
            [sys.executable, "-m", "dnstap", "-r", "-"], stdin=file, capture_output=True, check=True
        )
    assert process.stdout == SAMPLE.with_suffix(".q.txt").read_bytes()


@pytest.mark.parametrize("arguments", [[], ["-w", "x"], ["-x"], ["-r"]])
def test_wrong_command_line(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capfd.readouterr().err.endswith("\nsee dnstap --help\n")


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capfd.readouterr().out == f"dnstap {dnstap.__version__}\n"


@pytest.mark.parametrize(
    "code",
    [
        "import framestream",
        "import dnstap",
        "from dnstap.cli.main import main; main(['--version'])",
        "from dnstap.cli.main import main; main(['--help'])",
    ],
)
def test_light_start(code: str) -> None:
    """Without decoding, neither betterproto2 nor dnspython is loaded."""
    check = (
        "import sys, atexit; atexit.register(lambda: print([m for m in ('betterproto2', 'dns') if m in sys.modules]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", f"{check}\n{code}"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert process.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("option", ["-q", "-y", "-j", "--fields=all"])
def test_text_of_files_loads_little(option: str) -> None:
    """Neither classes of protobuf, nor an event loop, nor sockets: they take longer to load than a file to print."""
    check = """
import sys
from dnstap.cli.main import main
assert main(sys.argv[1:]) == 0
print(*sorted({"asyncio", "betterproto2", "dns", "socket", "ssl"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", check, "-r", str(SAMPLE), option, "-w", os.devnull]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stdout == "\n"


def test_console_script(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["dnstap", "-r", str(SAMPLE)])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 0


def test_interrupted_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("dnstap.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 130


def test_only_some(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = SAMPLE.with_suffix(".q.txt").read_text().splitlines()
    assert main(["-r", str(SAMPLE), "--sample", "1/10", "--count", "7"]) == 0
    out, err = capfd.readouterr()
    assert (out.splitlines(), err) == (lines[:70:10], "")
    assert main(["-r", str(SAMPLE), "--sample", "1/10"]) == 0
    out, err = capfd.readouterr()
    assert (out.splitlines(), err) == (lines[::10], "")


def test_statistics_of_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([GOOD, b"junk"])
    assert main(["-r", str(path), "--stats"]) == 0
    assert capfd.readouterr().err.splitlines()[1:] == [
        f"dnstap: {Counts(files=1, frames=2, bytes=6)}",
        "dnstap: standard output: 2 frames: 1 written, 1 rejected, 0 dropped, 0 left",
    ]


def test_longest_frame(capfd: pytest.CaptureFixture[str]) -> None:
    assert ": expected a data frame of at most 100 bytes, got one of " in error(
        capfd, "-r", SAMPLE, "--max-frame", "100"
    )


def test_append(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text, frames = tmp_path / "text", tmp_path / "frames"
    for _ in range(2):
        assert main(["-r", str(SAMPLE), "-q", "-a", "-w", str(text)]) == 0
        assert main(["-r", str(SAMPLE), "-a", "-w", str(frames)]) == 0
    assert text.read_text() == SAMPLE.with_suffix(".q.txt").read_text() * 2
    wire = SAMPLE.read_bytes()
    twice = wire.removesuffix(STOP) + wire.removeprefix(START)
    assert frames.read_bytes() == twice
    # The last frame is cut: it is removed, and appending goes on in its place.
    frames.write_bytes(wire.removesuffix(STOP)[:-1])
    assert main(["-r", str(SAMPLE), "-a", "-w", str(frames), "--stats"]) == 0
    said = capfd.readouterr().err
    with read_file(SAMPLE) as reader, read_file(frames) as appended:
        payloads = list(reader)
        assert list(appended) == payloads[:-1] + payloads
    cut = len(payloads[-1]) + 3
    assert f"dnstap: {frames}: {cut} bytes of an unfinished frame cut off its end\n" in said
    assert f" 0 left; {cut} bytes of an unfinished frame cut off before\n" in said
    # Anything else is refused and stays.
    text.write_bytes(b"text")
    assert f"{text}: cannot append: expected START, got" in error(capfd, "-r", SAMPLE, "-a", "-w", text)
    assert text.read_bytes() == b"text"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--listen", "host"], "an endpoint is unix:PATH, tcp:HOST:PORT"),
        (["-l", "6000"], "got '6000'"),
        (["-r", str(SAMPLE), "--relay", "file:x"], "got a file, 'file:x'"),
    ],
)
def test_wrong_arguments(arguments: list[str], text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert text in capfd.readouterr().err


def receiving(endpoint: str | Path, received: list[bytes], tls: Tls | None = None) -> Threads:
    """Listen for one stream in a thread."""
    listener = listen_reader(endpoint, [CONTENT_TYPE], tls=tls)

    def receive() -> None:
        with listener, listener.accept(DEADLINE_S) as reader:
            received.extend(reader)

    threads = Threads()
    threads.submit(receive)
    return threads


def test_relay_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """To several receivers and a file at once, from a pipe."""
    with read_file(SAMPLE) as reader:
        expected = list(reader)
    got: list[list[bytes]] = [[], [], []]
    with listen_reader("tcp:127.0.0.1:0") as listener:
        port = str(listener.endpoint).rpartition(":")[2]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with (
        receiving(tmp_path / "a", got[0]),
        receiving(tmp_path / "b", got[1]),
        receiving(f"tcp:127.0.0.1:{port}", got[2]),
    ):
        feeding = start(fifo.write_bytes, SAMPLE.read_bytes())
        copy = tmp_path / "copy"
        relays = ["-U", str(tmp_path / "a"), "--relay", f"unix:{tmp_path / 'b'}", "-T", f"127.0.0.1:{port}"]
        assert main(["-r", str(fifo), *relays, "-w", str(copy), "-t", "10s", "--stats"]) == 0
    feeding.result(DEADLINE_S)
    assert got == [expected] * 3
    with read_file(copy) as reader:
        assert list(reader) == expected
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith(f"dnstap: {len(expected)} frames of ")
    assert lines[1:] == [
        f"dnstap: {copy}: {len(expected)} frames: {len(expected)} written, 0 rejected, 0 dropped, 0 left",
        *[
            f"dnstap: {name}: {len(expected)} frames: {len(expected)} written, 0 rejected, 0 dropped, 0 left;"
            " connected again 0 times"
            for name in (f"unix:{tmp_path}/a", f"tcp:127.0.0.1:{port}", f"unix:{tmp_path}/b")
        ],
    ]


def test_relay_to_one_that_refuses(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run over files ends with an error."""
    monkeypatch.setattr("dnstap.pipeline.outputs.relay.REFUSED_S", 0.1)
    path = tmp_path / "s"
    with listen_reader(path, [b"other"]) as listener:
        serving = start(listener.serve, list)
        assert main(["-r", str(SAMPLE), "-U", str(path)]) == 1
        listener.close()
        serving.result(DEADLINE_S)
    refusal = f"dnstap: unix:{path}: cannot write: the receiver refuses every stream: expected ACCEPT, got the end of"
    assert refusal in capfd.readouterr().err


def test_relay_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listen_reader("tcp:localhost:0") as listener:
        port = str(listener.endpoint).rpartition(":")[2]
    received: list[bytes] = []
    with receiving(f"tls:localhost:{port}", received, Tls(certificate=tmp_path / "cert.pem")):
        ca = str(tmp_path / "ca.pem")
        assert main(["-r", str(SAMPLE), "--relay", f"tls:localhost:{port}", "--tls-ca", ca]) == 0
    with read_file(SAMPLE) as reader:
        assert received == list(reader)


def test_senders_are_told_apart(tmp_path: Path) -> None:
    """Two of one identity, by the address that their frames came from; files and relays do not get it."""
    out, relayed = tmp_path / "out", list[bytes]()
    payload = Dnstap(identity=b"ns1", type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY)).encode()
    with listen_reader("tcp:127.0.0.1:0") as listener:
        port = int(str(listener.endpoint).rpartition(":")[2])
    senders: list[str] = []

    def send() -> None:
        for _ in range(2):
            end = time.monotonic() + DEADLINE_S
            while True:
                try:
                    sock = socket.create_connection(("127.0.0.1", port))
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < end
                    time.sleep(0.01)
            with sock:
                senders.append(f"127.0.0.1:{sock.getsockname()[1]}")
                sock.sendall(START + encode_data_frames([payload]) + STOP)
                assert sock.recv(1) == b""

    with receiving(tmp_path / "r", relayed):
        words = ["-l", f"127.0.0.1:{port}", "--fields", "identity,peer", "-w", str(out), "-U", str(tmp_path / "r")]
        assert run_beside(send, *words, "--filter", "peer in 127.0.0.0/8") == 0
    assert out.read_text() == "".join([f"ns1 {sender}\n" for sender in senders])
    assert relayed == [payload] * 2


def test_relay_to_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files wait for the receiver. Frames that were not sent when a signal came are reported, and are a failure."""
    text = ""

    def told() -> bool:
        nonlocal text
        text += capfd.readouterr().err
        return "no connection" in text

    script = partial(wait_for, told, "the line")
    assert run_beside(script, "-r", str(SAMPLE), "-U", str(tmp_path / "s"), ending=signal.SIGTERM) == 1
    lines = (text + capfd.readouterr().err).splitlines()
    assert lines[0] == f"dnstap: unix:{tmp_path}/s: no connection: No such file or directory"
    assert re.fullmatch(rf"dnstap: unix:{tmp_path}/s: (\d+) of \1 frames were not written", lines[-1])


def test_a_pipe_that_nobody_reads_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The write ends some time after the signal. A copy that was written beside it does not look whole."""
    monkeypatch.setattr("dnstap.cli.main.END_S", 0.1)
    capture, copy = tmp_path / "capture", tmp_path / "copy"
    capture.write_bytes(SAMPLE.read_bytes() * 20)
    reading, writing = os.pipe()
    script = partial(wait_for, lambda: not select.select([], [writing], [], 0)[1], "a full pipe")
    arguments = ["-r", str(capture), "-w", str(copy), "-w", f"/dev/fd/{writing}", "--stats"]
    assert run_beside(script, *arguments, ending=signal.SIGTERM) == 128 + signal.SIGTERM
    os.close(reading)
    os.close(writing)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].endswith(": cannot write: its reader did not take everything within 0.1 s")
    copied, piped = lines[-2:]
    frames = int(copied.split()[2])
    assert copied == f"dnstap: {copy}: {frames} frames: {frames} written, 0 rejected, 0 dropped, 0 left"
    assert re.fullmatch(rf".*: {frames} frames: \d+ written, 0 rejected, 0 dropped, [1-9]\d* left", piped)
    with pytest.raises(FrameStreamError, match="STOP"), read_file(copy) as reader:
        assert len(list(reader)) == frames


def test_a_pipe_that_nobody_writes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A signal ends the wait for its writer before the output is opened, which would cost an old recording."""
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    out.write_bytes(b"an old recording")
    script = partial(wait_for, lambda: threading.active_count() > 2, "the thread")
    arguments = ["-r", str(pipe), "-w", str(out)]
    assert run_beside(script, *arguments, ending=signal.SIGTERM) == 128 + signal.SIGTERM
    assert capfd.readouterr().err == f"dnstap: {pipe}: nobody has opened it to write\n"
    assert out.read_bytes() == b"an old recording"
    os.close(os.open(pipe, os.O_WRONLY))  # Ends the thread.


def test_sockets_for_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    arguments = ["-u", str(path), "-w", str(tmp_path / "out"), "--socket-mode", "0600"]
    owner = f"{os.getuid()}:{os.getgid()}"
    modes: list[int] = []

    def look() -> None:
        wait_for(path.exists, "the socket")
        modes.append(path.stat().st_mode & 0o777)

    for more in (
        [],
        ["--socket-owner", owner],
        ["--socket-owner", owner.partition(":")[0]],
        ["--socket-owner", f":{os.getgid()}"],
    ):
        assert run_beside(look, *arguments, *more) == 0
    assert modes == [0o600] * 4
    capfd.readouterr()
    assert error(capfd, *arguments, "--socket-owner", "nobody-of-that-name") == (
        f"{path}: cannot listen: no such user: 'nobody-of-that-name'"
    )


def test_listen_on_tcp_and_tls(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    tls = ["--listen", "tls:localhost:0", "--tls-cert", str(tmp_path / "cert.pem")]
    out = tmp_path / "out"

    def send() -> None:
        text = ""

        def both() -> bool:
            nonlocal text
            text += capfd.readouterr().err
            return text.count("\n") == 2

        wait_for(both, "the sockets")
        for line in text.splitlines():
            where = line.rpartition(" ")[2].replace("tcp::", "tcp:localhost:")
            with open_writer(where, [CONTENT_TYPE], tls=Tls(verify=False)) as writer:
                writer.write(where[:3].encode())

    assert run_beside(send, "-l", ":0", *tls, "-w", str(out)) == 0
    with read_file(out) as reader:
        assert sorted(reader) == [b"tcp", b"tls"]


def test_connect(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with listen_writer(tmp_path / "s", [CONTENT_TYPE]) as listener:

        def serve() -> None:
            # The command may close the connection before it has read STOP.
            with contextlib.suppress(FrameStreamError, OSError), listener.accept(DEADLINE_S) as writer:
                writer.write(GOOD)

        serving = start(serve)
        assert main(["--connect", f"unix:{tmp_path / 's'}", "--count", "1"]) == 0
        serving.result(DEADLINE_S)
    assert capfd.readouterr().out == "[no Message]\n"


def test_hang_up_opens_the_file_again(tmp_path: Path) -> None:
    path, out, old = tmp_path / "s", tmp_path / "out", tmp_path / "old"

    def send() -> None:
        wait_for(path.exists, "the socket")
        with open_writer(path, [CONTENT_TYPE]) as writer:
            writer.write(b"1")
            wait_for(lambda: out.exists() and out.read_bytes().endswith(b"1"), "the first")
            out.rename(old)
            os.kill(os.getpid(), signal.SIGHUP)
            wait_for(out.exists, "the new file")
            writer.write(b"2")

    assert run_beside(send, "-u", str(path), "-w", str(out), ending=signal.SIGTERM) == 0
    for name, payload in ((old, b"1"), (out, b"2")):
        with read_file(name) as reader:
            assert list(reader) == [payload]


def test_hang_up_without_a_file(tmp_path: Path) -> None:
    received: list[bytes] = []
    with receiving(tmp_path / "r", received):
        path = tmp_path / "s"

        def send() -> None:
            wait_for(path.exists, "the socket")
            with open_writer(path, [CONTENT_TYPE]) as writer:
                os.kill(os.getpid(), signal.SIGHUP)
                writer.write(b"1")

        assert run_beside(send, "-u", str(path), "-U", str(tmp_path / "r"), ending=signal.SIGTERM) == 0
    assert received == [b"1"]


def test_filter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The filter comes before the sample, with either runner."""
    path, fifo = tmp_path / "bad", tmp_path / "fifo"
    with read_file(SAMPLE) as reader, write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([b"junk", *reader])
    lines = [line for line in SAMPLE.with_suffix(".q.txt").read_text().splitlines(keepends=True) if " AQ " in line]
    some = ["--filter", "type = AQ", "--sample", "1/2", "--stats"]
    said = re.compile(
        "dnstap: 1 of 487 payloads cannot be matched; the first was payload 1: .*\n"
        "dnstap: 487 frames of .*\n"
        f"dnstap: {len(lines)} of them match the filter;"
        f" {487 - len(lines)} filtered out, of which 1 could not be matched\n"
        f"dnstap: {len(lines) // 2} sampled out\n"
        "dnstap: standard output: "
    )
    assert main(["-r", str(path), *some]) == 0
    out, err = capfd.readouterr()
    assert out == "".join(lines[::2])
    assert said.match(err), err
    os.mkfifo(fifo)
    feeding = start(fifo.write_bytes, path.read_bytes())
    assert main(["-r", str(fifo), *some]) == 0
    feeding.result(DEADLINE_S)
    out, err = capfd.readouterr()
    assert out == "".join(lines[::2])
    assert said.match(err), err


def test_a_printed_time_in_a_filter(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read in the zone of the text that is printed; UTC if none is."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    for style in ["-q"], ["-q", "--date"], ["--fields", "time,qr"], ["-q", "--date", "--time-zone", "Europe/Prague"]:
        assert main(["-r", str(SAMPLE), *style]) == 0
        lines = capfd.readouterr().out.splitlines()
        text = lines[7].partition(" A")[0].partition(" Q")[0].partition(" R")[0]
        assert main(["-r", str(SAMPLE), *style, "--filter", f"time = {text}"]) == 0
        assert capfd.readouterr().out.splitlines() == [line for line in lines if line.startswith(text)]
    assert main(["-r", str(SAMPLE), "-j", "--filter", "time < 2026-11-23 08:09:47"]) == 0
    in_utc = capfd.readouterr().out.count("\n")
    assert main(["-r", str(SAMPLE), "-q", "--filter", "time < 2026-11-23 13:54:47"]) == 0
    assert capfd.readouterr().out.count("\n") == in_utc > 0
    assert main(["-r", str(SAMPLE), "-w", os.devnull, "--stats", "--filter", "time < 2026-11-23 08:09:47"]) == 0
    assert f"{in_utc} of them match" in capfd.readouterr().err


def test_several_filters_with_comments(capfd: pytest.CaptureFixture[str]) -> None:
    """A comment of one ends with it."""
    assert main(["-r", str(SAMPLE), "--filter", "type = AQ # queries", "--filter", "size > 0k # of any size"]) == 0
    lines = [line for line in SAMPLE.with_suffix(".q.txt").read_text().splitlines(keepends=True) if " AQ " in line]
    assert capfd.readouterr().out == "".join(lines)


def test_filters_and_their_lists_in_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = SAMPLE.with_suffix(".q.txt").read_text().splitlines(keepends=True)
    name_of = {line: found[1].lower() for line in lines if (found := re.search('"(.+)"', line))}
    names = sorted(set(name_of.values()))[::2]
    (tmp_path / "some names").write_text("\r\n".join(["# every other", *names]))
    (tmp_path / "wanted").write_text(f'type = AQ # queries\n and qname in @"{tmp_path}/some names"\n')
    assert main(["-r", str(SAMPLE), "--filter", f"@{tmp_path}/wanted", "--filter", "size > 0 # any"]) == 0
    expected = [line for line in lines if " AQ " in line and name_of.get(line) in names]
    # Without those whose question alone is whole.
    printed = capfd.readouterr().out.splitlines(keepends=True)
    assert [line for line in printed if line in name_of] == expected
    assert 0 < len(expected) < sum([" AQ " in line for line in lines])


def test_wrong_filter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["-r", str(SAMPLE), "--filter", "type = CQ and port = dns"])
    assert caught.value.code == 2
    expected = (
        "--filter: expected a port (0 to 65535), got 'dns'\n  type = CQ and port = dns\n"
        + " " * 23
        + "^\nsee dnstap --help\n"
    )
    assert capfd.readouterr().err.endswith(expected)


@pytest.mark.parametrize("capture", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_anonymize(capture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Only the addresses in the lines differ, except where a DNS message was cut."""
    (tmp_path / "key").write_text("1522178d33a4cf80130a5b1649907d10 d8988f837979652762574c2d2a842202\n")
    (tmp_path / "key").chmod(0o600)
    before = [line.split(" ") for line in capture.with_suffix(".q.txt").read_text().splitlines()]
    methods: dict[str, Method] = {
        "truncate": truncate(),
        f"crypto-pan={tmp_path / 'key'}": CryptoPan.from_file(tmp_path / "key"),
    }
    for word, method in methods.items():
        status = main(["-r", str(capture), "--anonymize", word, "--stats"])
        assert status == ("cut" in capture.stem)
        out, err = capfd.readouterr()
        after = [line.split(" ") for line in out.splitlines()]
        assert [line[:2] for line in after] == [line[:2] for line in before]
        assert [line[2] for line in after] == [str(ip_address(method(ip_address(line[2]).packed))) for line in before]
        differing = sum(new[3:] != old[3:] for new, old in zip(after, before, strict=True))
        (said,) = re.findall(r"which 0 were left out; (\d+) DNS messages were cut, and of 0 payloads", err)
        # Of a response that has its query in it only the response is shown.
        assert differing <= int(said) <= 3


def test_anonymize_frames(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """After the filter, which sees real addresses; with either runner, for every output."""
    path, fifo = tmp_path / "bad", tmp_path / "fifo"
    with read_file(SAMPLE) as reader:
        frames = list(reader)
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([b"junk", *frames])
    words = ["--anonymize", "truncate=0,0", "--anonymize-answers", "--anonymize-ports"]
    expected = Anonymizer(truncate(0, 0), answers=True, ports=True)(frames)
    said = "1 of 487 payloads cannot be anonymized and are left out; the first was payload 1: "
    # Without anonymizing, recordings have what does not decode, too.
    assert main(["-r", str(path), *words, "-w", str(tmp_path / "out")]) == 0
    assert f"dnstap: {said}" in capfd.readouterr().err
    with read_file(tmp_path / "out") as reader:
        assert list(reader) == expected
    os.mkfifo(fifo)
    feeding = start(fifo.write_bytes, path.read_bytes())
    relayed: list[bytes] = []
    with receiving(tmp_path / "relay", relayed):
        words += ["-U", str(tmp_path / "relay"), "--stats", "--filter", "client in 127.0.0.0/8"]
        assert main(["-r", str(fifo), *words, "-q", "-w", str(tmp_path / "text")]) == 0
    feeding.result(DEADLINE_S)
    chosen = compile_filter("client in 127.0.0.0/8").select(frames)
    assert relayed == Anonymizer(truncate(0, 0), answers=True, ports=True)(chosen)
    lines = (tmp_path / "text").read_text().splitlines()
    assert {line.split(" ")[2] for line in lines} == {"0.0.0.0"}
    assert len(lines) == len(chosen)
    assert f"dnstap: {len(chosen)} payloads came to be anonymized, of which 0 were left out; " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--anonymize", "shorten"],
            "--anonymize: expected truncate, truncate=V4,V6 (numbers of bits) or crypto-pan=FILE, got ",
        ),
        (["--anonymize", "truncate=24,129"], "--anonymize: IPv6 prefix must be 0 to 128 bits, got 129"),
        (["--anonymize", "crypto-pan=missing"], "--anonymize: missing: No such file or directory"),
        (
            ["--anonymize", "crypto-pan=/dev/null"],
            "--anonymize: /dev/null: expected 32 bytes or 64 hexadecimal digits",
        ),
    ],
)
def test_wrong_anonymize(
    arguments: list[str], text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["-r", str(SAMPLE), *arguments])
    assert caught.value.code == 2
    assert text in capfd.readouterr().err


def test_anonymize_without_its_library(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    (tmp_path / "key").write_bytes(bytes(32))
    with pytest.raises(SystemExit):
        main(["-r", str(SAMPLE), "--anonymize", f"crypto-pan={tmp_path / 'key'}"])
    assert "--anonymize: Crypto-PAn needs a library that is not installed; in a clone" in capfd.readouterr().err


def test_a_key_that_all_can_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(32))
    warning = f"dnstap: --anonymize: {key}: any user of this machine can read the key and undo the anonymization\n"
    for mode, said in (0o640, ""), (0o644, warning):
        key.chmod(mode)
        arguments = ["-r", str(DATA / "named-axfr.fstrm"), "-w", str(tmp_path / "out")]
        assert main([*arguments, "--anonymize", f"crypto-pan={key}"]) == 0
        assert capfd.readouterr().err == said


def test_rotate(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "log.fstrm"
    assert main(["-r", str(SAMPLE), "-w", str(out), "--rotate", "count=100", "--compress", "gzip"]) == 0
    payloads: list[bytes] = []
    assert len(list(tmp_path.glob("log-*.fstrm.gz"))) == 4
    for path in sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        with read_file(path) as reader:
            payloads += reader
    with read_file(SAMPLE) as reader:
        assert sorted(payloads) == sorted(reader)


@pytest.mark.parametrize("arguments", [["-w", "log.gz"], ["-w", "log", "--compress", "gzip"]])
@pytest.mark.parametrize("more", [[], ["-q"], ["-q", "--jobs", "2"]])
def test_compressed_while_it_is_written(
    arguments: list[str], more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["-r", str(SAMPLE), "-a", *arguments, *more]) == 0
    octets = gzip.decompress(Path(arguments[1]).read_bytes())
    if more:
        assert octets == SAMPLE.with_suffix(".q.txt").read_bytes() * 2
    else:
        with read_file(arguments[1]) as copy, read_file(SAMPLE) as original:
            assert list(copy) == list(original) * 2


def test_no_library_for_compression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr("framestream.compression.import_module", fail)
    out = tmp_path / "out.zst"
    for more in [], ["-q"]:
        assert f"{out}: cannot write: zstd" in error(capfd, "-r", SAMPLE, "-w", out, *more)
    assert not out.exists()


def test_frames_to_standard_output(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["-r", str(SAMPLE), "--format", "frames"]) == 0
    path = tmp_path / "copy"
    path.write_bytes(capfdbinary.readouterr().out)
    with read_file(path) as copy, read_file(SAMPLE) as original:
        assert list(copy) == list(original)


def test_frames_to_a_terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "expected a pipe or a file for frames, got a terminal" in error(capfd, "-r", SAMPLE, "--format", "frames")


def test_rotate_by_a_signal(tmp_path: Path) -> None:
    path, out = tmp_path / "s", tmp_path / "out"

    def send() -> None:
        wait_for(path.exists, "the socket")
        with open_writer(path, [CONTENT_TYPE]) as writer:
            writer.write(b"1")
            wait_for(lambda: out.exists() and out.read_bytes().endswith(b"1"), "the first")
            os.kill(os.getpid(), signal.SIGUSR1)
            wait_for(lambda: list(tmp_path.glob("out-*")), "the rotated file")
            writer.write(b"2")

    assert run_beside(send, "-u", str(path), "-w", str(out), ending=signal.SIGTERM) == 0
    (old,) = tmp_path.glob("out-*")
    for name, payload in ((old, b"1"), (out, b"2")):
        with read_file(name) as reader:
            assert list(reader) == [payload]


def test_a_signal_for_no_file(tmp_path: Path) -> None:
    """USR1 does not end a run that has nothing to rotate."""
    with listening(tmp_path / "s", tmp_path) as command:
        command.process.send_signal(signal.SIGUSR1)
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
            writer.write(b"\x78\x01")
        wait_for(lambda: command.stdout.read_bytes() == b"[no Message]\n", "the line")
        assert command.stop() == 0


@pytest.mark.parametrize("socket", [False, True])
def test_old_files_that_cannot_be_dealt_with(socket: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "log"
    more = ["--follow", "--count", "100"] if socket else []
    rotate = ["--rotate", "count=50", "--rotate-command", "false"]
    assert main(["-r", str(SAMPLE), "-w", str(out), *rotate, *more]) == 1
    assert "false ended with status 1" in capfd.readouterr().err


def test_the_second_writer_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "log"
    with listening(tmp_path / "s", tmp_path, "-w", out) as command:
        wait_for(lambda: out.exists() and out.stat().st_size, "START")
        for more in [], ["-a"], ["--rotate", "count=1"]:
            assert error(capfd, "-r", SAMPLE, "-w", out, *more) == (
                f"{out}: cannot write: another process is writing to it"
            )
        with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
            writer.write(b"1")
        assert command.stop() == 0
    with read_file(out) as reader:
        assert list(reader) == [b"1"]
    assert list(tmp_path.glob("log-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("more", [["-r", str(SAMPLE)], ["-u", "s"]], ids=["files only", "with an event loop"])
def test_a_pipe_that_nobody_opens(
    number: int, more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A signal ends the wait for its reader."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    opening, system_open = threading.Event(), os.open

    def watched(path: str, *arguments: int) -> int:
        if path == "pipe":
            opening.set()
        return system_open(path, *arguments)

    monkeypatch.setattr(os, "open", watched)

    def wait() -> None:
        wait_for(opening.is_set, "the call")

    assert run_beside(wait, *more, "-w", "pipe", ending=number) == 128 + number
    assert capfd.readouterr().err.endswith("pipe: nobody has opened it to read\n")
    assert not Path("s").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--rotate", "size=1"], "--rotate: no effect without a file to write"),
        (["-w", "x", "--rotate", "1"], "--rotate: expected a limit such as size=100M"),
        (["-w", "x", "--rotate-command", "ls"], "--rotate-command: no effect without --rotate LIMITS"),
    ],
)
def test_wrong_rotation(arguments: list[str], text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["-r", str(SAMPLE), *arguments])
    assert text in capfd.readouterr().err


def test_jobs(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert main(["-r", str(SAMPLE), "--jobs", "2"]) == 0
    assert capfd.readouterr().out == SAMPLE.with_suffix(".q.txt").read_text()


def test_metrics_that_cannot_be_served(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert error(capfd, "-r", SAMPLE, "--metrics", where) == "--metrics: Address already in use"
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert error(capfd, "-r", SAMPLE, "--metrics", ":0").startswith(
        "--metrics: metrics needs a library that is not installed; "
    )


def test_following_a_directory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    shutil.copy(SAMPLE, folder / "a")
    lines = SAMPLE.with_suffix(".q.txt").read_text()

    def script() -> None:
        wait_for(lambda: out.exists() and out.read_text() == lines, "the file that was there")
        shutil.copy(SAMPLE.with_name("named-auth.fstrm"), folder / "b")
        both = lines + SAMPLE.with_name("named-auth.q.txt").read_text()
        wait_for(lambda: out.read_text() == both, "the file that came")

    assert run_beside(script, "-r", str(folder), "--follow", "-q", "-w", str(out)) == 0
    assert capfd.readouterr().err == ""
    for pattern, written in ((folder, folder / "out"), (f"{folder}/*.fstrm", f"{folder}/../folder/x")):
        said = error(capfd, "-r", pattern, "--follow", "-w", written)
        assert said == f"{written}: is an output in the directory that is followed, {pattern}"
    assert not (folder / "out").exists()


def test_jobs_without_fork(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dnstap.cli.main.FORK", False)
    assert main(["-r", "examples/coredns.fstrm", "-q", "--jobs", "2"]) == 1
    assert capsys.readouterr().err.startswith("dnstap: --jobs: expected a system that can fork")


def test_signals_without_a_timer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dnstap.cli.main.TIMER", False)
    assert main(["-r", "examples/coredns.fstrm", "-q"]) == 0
    assert capsys.readouterr().err == ""


RECURSOR = DATA / "unbound-unix.fstrm"


def test_pairing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Unbound sends no query time with client responses; by pairing each has a latency. Frames stay as they are."""
    words = ["-r", str(RECURSOR), "--filter", "type = CR and has latency", "--fields", "latency"]
    assert main(words) == 0
    assert capfd.readouterr().out == ""
    assert main([*words, "--pair", "--stats"]) == 0
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 204
    assert "dnstap: 321 of 372 queries paired, 51 unanswered, 0 given up, 0 outstanding; 0 of 321 responses" in err
    copy = tmp_path / "copy.fstrm"
    assert main(["-r", str(RECURSOR), "--pair=1ms", "-w", str(copy)]) == 0
    assert copy.read_bytes() == RECURSOR.read_bytes()


def test_unanswered_queries(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Queries without a response, however they are shown; what is recorded is a query right before its response."""
    words = ["-r", str(RECURSOR), "--pair", "--filter"]
    assert main([*words, "answered = no", "--fields", "type,answered"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 51
    assert {line.split()[1] for line in lines} == {"false"}
    assert main([*words, "answered = no and type = CQ", "-j"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 37
    copy = tmp_path / "copy.fstrm"
    assert main([*words, "answered = yes or qr = R", "-w", str(copy)]) == 0
    with read_file(copy, [CONTENT_TYPE]) as reader:
        payloads = list(reader)
    kinds = [Dnstap.parse(payload).message.is_query for payload in payloads]  # type: ignore[union-attr]
    assert kinds == [True, False] * 321
    with read_file(RECURSOR, [CONTENT_TYPE]) as reader:
        assert set(payloads) < set(reader)


def test_pairing_and_anonymizing(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["-r", str(RECURSOR), "--pair", "--anonymize", "truncate", "--fields", "type,client,answered,latency"]
    assert main([*words, "--filter", "answered = yes or latency > 1ns", "--count", "4"]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [line[:3] for line in lines[:2]] == [
        ["RESOLVER_QUERY", "127.0.0.0", "true"],
        ["RESOLVER_RESPONSE", "127.0.0.0", "-"],
    ]
    assert [line[3] == "-" for line in lines] == [True, False] * 2


def test_pairing_of_what_is_received(tmp_path: Path) -> None:
    """Queries that are held when the run ends are written."""
    path, text = tmp_path / "s", tmp_path / "text"
    with read_file(RECURSOR, [CONTENT_TYPE]) as reader:
        payloads = list(reader)

    def send() -> None:
        wait_for(path.exists, "the socket")
        with open_writer(path, [CONTENT_TYPE]) as writer:
            writer.write_many(payloads)

    words = ["-u", str(path), "-w", str(text), "--pair", "--filter", "answered = no", "--fields", "type"]
    assert run_beside(send, *words) == 0
    assert len(text.read_text().splitlines()) == 51


def test_subcommands_are_found_by_the_first_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SAMPLE)]) == 1
    assert capfd.readouterr().out.startswith(f"{SAMPLE}: ")
    assert main(["-r", str(SAMPLE), "-w", str(tmp_path / "check")]) == 0


def test_reader_of_the_output_of_a_subcommand_that_has_enough() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    kept = os.dup(1)
    os.dup2(writing, 1)
    os.close(writing)
    try:
        assert main(["check", str(SAMPLE)]) == 141
    finally:
        os.dup2(kept, 1)
        os.close(kept)
