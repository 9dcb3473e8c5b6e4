"""The command line: what each option becomes, what is refused, and the help."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from dnstap import MessageType, Style
from dnstap.cli.options import (
    QUEUE_BYTES,
    RULES,
    Written,
    address,
    duration,
    endpoint,
    parse_options,
    parser,
    size,
    tcp_endpoint,
)
from dnstap.pipeline import queues
from dnstap.pipeline.rotation import FileLimits
from framestream import Deadlines, Limits, LocalProtocolError, TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint
from tests.framestream.nets import pem

CERT = str(pem("good-here"))
SAMPLE = str(Path(__file__).parents[2] / "data" / "nsd-auth.fstrm")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("2", 2.0), ("1.5", 1.5), ("5s", 5.0), ("250ms", 0.25), ("1m30s", 90.0), ("1h", 3600.0), (".5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 s", "5x", "-1s", "5s3", "1.2.3"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a duration such as 5s or 250ms, got "):
        duration(text)


def test_endpoints() -> None:
    tls = Tls(ca="ca.pem")
    assert endpoint("tls:host:1", tls) == TlsEndpoint("host", 1, tls)
    assert endpoint("/run/x", tls) == UnixEndpoint("/run/x")
    assert tcp_endpoint("127.0.0.1:6000") == TcpEndpoint("127.0.0.1", 6000)
    assert tcp_endpoint("[::1]:6000") == TcpEndpoint("::1", 6000)
    assert tcp_endpoint(":6000") == TcpEndpoint("", 6000)
    with pytest.raises(LocalProtocolError, match="got a file, 'file:x'"):
        endpoint("file:x", tls)
    with pytest.raises(LocalProtocolError, match=r"expected HOST:PORT, or :PORT for all addresses, got '6000'$"):
        tcp_endpoint("6000")
    for text in "::1:6000", "::", ":65536:", ":x:1":
        with pytest.raises(LocalProtocolError, match=f"got '{text}'; an IPv6 address stands in brackets, "):
            tcp_endpoint(text)


def test_addresses() -> None:
    assert [address(text) for text in ("[::1]:1", ":2", "host:3")] == [("::1", 1), ("", 2), ("host", 3)]


def test_sizes() -> None:
    assert [size(text) for text in ("7", "500k", "64M", "1G")] == [7, 512_000, 1 << 26, 1 << 30]
    for text in "0", "-1", "1.5M", "1T", "M", "":
        with pytest.raises(ArgumentTypeError, match="expected a size such as 500k, 64M or 1G, got "):
            size(text)


def test_the_size_of_queues() -> None:
    assert QUEUE_BYTES == queues.QUEUE_BYTES


def test_a_file_alone() -> None:
    options = parse_options(["-r", SAMPLE])
    assert options.read == (SAMPLE,)
    assert options.files_only
    assert (options.write, options.style) == ((Written("-", "quiet"),), Style())
    assert (options.limits, options.deadlines, options.overload) == (Limits(), Deadlines(), None)
    assert (options.sample, options.head, options.filter, options.anonymizer) == (None,) * 4
    assert (options.jobs, options.progress, options.stats, options.warnings) == (1, True, False, ())
    assert options.queue_bytes == QUEUE_BYTES
    assert (options.max_connections, options.max_handshakes, options.verbose) == (None, None, False)
    with pytest.raises(AttributeError):
        options.jobs = 2  # type: ignore[misc]


def test_everything() -> None:
    options = parse_options(
        [
            *("-r", "a", "-r", "b", "-u", "/s", "-l", ":1", "--listen", "tls:host:2", "--connect", "/c", "--follow"),
            *("-U", "/r", "-T", "host:3", "--relay", "unix:/q", "-w", "out", "-a", "-q", "--date", "--raw"),
            *("--fields", "time,qname"),
            *("--rotate", "count=5", "--compress", "xz", "--rotate-command", "mv x"),
            *("--sample", "1/3", "--count", "4", "--filter", "type = CQ", "--anonymize", "truncate"),
            *("--socket-mode", "0660", "--socket-owner", "root:7", "-t", "5s", "--max-frame", "100"),
            *("--overload", "drop", "--queue", "3k", "--tls-cert", CERT, "--metrics", ":9", "--no-progress", "--stats"),
            *("--keepalive", "1m", "--max-connections", "50", "--max-handshakes", "20", "-v"),
        ]
    )
    ours = UnixEndpoint("/s", mode=0o660, user="root", group=7)
    tls = Tls(certificate=CERT)
    assert options.read == ("a", "b")
    assert options.follow
    assert options.listen == (ours, TcpEndpoint("", 1), TlsEndpoint("host", 2, tls))
    # Those that others made keep their mode and owner.
    assert options.connect == (UnixEndpoint("/c"),)
    assert options.relay == (UnixEndpoint("/r"), TcpEndpoint("host", 3), UnixEndpoint("/q"))
    assert (options.write, options.append) == ((Written("out", "quiet"),), True)
    assert options.style == Style(date=True, escape=False, fields=("time", "qname"))
    assert (options.rotate, options.compress, options.rotate_command) == (FileLimits(frames=5), "xz", "mv x")
    assert (options.sample, options.head) == (3, 4)
    assert options.filter
    assert options.filter.text == "type = CQ"
    assert options.anonymizer
    assert (options.limits, options.deadlines) == (Limits(100), Deadlines(5.0, 5.0, 5.0, 5.0, keepalive_s=60.0))
    assert (options.max_connections, options.max_handshakes, options.verbose) == (50, 20, True)
    assert (options.overload, options.queue_bytes, options.metrics) == ("drop", 3 << 10, ("", 9))
    assert (options.progress, options.stats, options.files_only) == (False, True, False)


def test_keepalive() -> None:
    found = [parse_options(["-l", ":1", *words]).deadlines.keepalive_s for words in ([], ["--keepalive", "0"])]
    assert found == [Deadlines().keepalive_s, None]


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("-r a -w out", [("out", None)]),
        ("-r a -j -w out", [("out", "json")]),
        ("-r a --fields time", [("-", "quiet")]),
        ("-r a --fields time -w out", [("out", "quiet")]),
        ("-r a --fields time -j -w out", [("out", "json")]),
        ("-r a --fields time --format csv", [("-", "csv")]),
        ("-r a --format tsv -w out", [("out", "tsv")]),
        ("-r a -U /s", []),
        ("-r a -U /s -w -", [("-", "quiet")]),
        ("-u /s", [("-", "quiet")]),
        # One format for all. Without one, frames are for files, and lines for standard output.
        ("-u /s -w a -w b", [("a", None), ("b", None)]),
        ("-r a -y -w b -w - -w c", [("b", "yaml"), ("-", "yaml"), ("c", "yaml")]),
        ("-u /s -w a -w -", [("a", None), ("-", "quiet")]),
        ("-u /s --format frames", [("-", None)]),
        ("-u /s --format frames -w a -w -", [("a", None), ("-", None)]),
    ],
)
def test_frames_or_text(line: str, written: list[tuple[str, str | None]]) -> None:
    assert [each[:2] for each in parse_options(line.split()).write] == written


@pytest.mark.parametrize(
    ("line", "written", "old"),
    [
        ("-w a.fstrm", [None], None),
        ("-w a.gz -w a.bz2 -w a.xz -w a.zst -w - -w b", ["gzip", "bzip2", "xz", "zstd", None, None], None),
        ("-w a --compress xz -w b.xz -w -", ["xz", "xz", None], "xz"),
        ("-w a --compress xz --rotate size=1 -w b.xz", [None, "xz"], "xz"),
        ("-j -w a.gz --rotate size=1", ["gzip"], None),
    ],
)
def test_compression(line: str, written: list[str | None], old: str | None) -> None:
    options = parse_options(["-u", "/s", *line.split()])
    assert ([each.compression for each in options.write], options.compress) == (written, old)


def test_several_filters_are_joined_by_and() -> None:
    options = parse_options(["-r", "x", "--filter", "type = CQ or type = CR", "--filter", "size > 7 or has qname"])
    assert options.filter
    assert options.filter.text == "(type = CQ or type = CR\n) and (size > 7 or has qname\n)"


@pytest.mark.parametrize(
    ("arguments", "files_only"),
    [
        (["-r", SAMPLE], True),
        (["-r", "missing"], True),
        (["-r", "-"], False),
        (["-r", os.devnull], False),
        (["-r", SAMPLE, "--follow"], False),
        (["-r", SAMPLE, "--metrics", ":1"], False),
        (["-r", SAMPLE, "-U", "/s"], False),
        (["-r", SAMPLE, "-u", "/s"], False),
    ],
)
def test_files_need_no_event_loop(arguments: list[str], files_only: bool) -> None:
    assert parse_options(arguments).files_only is files_only


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--count", "0"], "must be at least 1, got 0"),
        (["--count", "-1"], "must be at least 1, got -1"),
        (["--count", "x"], "expected a whole number, got 'x'"),
        (["--sample", "1/x"], "expected a whole number, got 'x'"),
        (["--socket-mode", "888"], "expected an octal mode such as 0660, got '888'"),
        (["--metrics", "9100"], "expected HOST:PORT, or :PORT for all addresses, got '9100'"),
        (["--metrics", ":65536"], "expected HOST:PORT, or :PORT for all addresses, got ':65536'"),
        (["-t", "x"], "expected a duration such as 5s or 250ms, got 'x'"),
        (["-r", "x", "--pair", "0s"], "argument --pair: expected a duration above 0s and below 1e9s, got '0s'"),
        (["-r", "x", "--pair=x"], "argument --pair: expected a duration such as 5s or 250ms, got 'x'"),
        (["-r", "x", "--filter", "answered = no"], "--filter: answered: expected --pair, which finds out"),
        (["-r", "x", "--fields", "time,answered"], "--fields: answered: expected --pair, which finds out"),
        (["-r", "x", "--pair", "--jobs", "2"], "--jobs: not with --pair, because"),
        (["-q", "-j"], "argument -j: not allowed with argument -q"),
        ([], "no input: give -r FILE"),
        (["-w", "x"], "no input: give -r FILE"),
        (["-r", "x", "-w", "y", "--rotate", "1"], "--rotate: expected a limit such as size=100M"),
        (["-r", "x", "-w", ""], "-w: expected a file, or - for standard output, got ''"),
        (["-r", "x", "-w", "y", "-w", "./y"], "-w: ./y is given more than once"),
        (["-r", "x", "-w", "-", "-w", "y", "-w", "-"], "-w: - is given more than once"),
        (["-r", "x", "--filter", "type = CQ", "--filter", "type) or (size > 7"], "--filter: expected an operator"),
        (["-r", "x", "-w", "y.gz", "--compress", "xz"], "--compress xz: by its name y.gz is compressed with gzip"),
        (["-r", "x", "--format", "frames", "--fields", "time"], "--fields: only for -q, -j and "),
        (["-r", "x", "--format", "frames", "--jobs", "2"], "--jobs: no effect without text"),
        (["-r", "x", "-w", "y", "--rotate", ""], "--rotate: expected a limit such as size=100M"),
        (
            ["-r", "x", "--fields", "time", "-y"],
            "--fields: only for -q, -j and --format csv or tsv, not with -y or another --format",
        ),
        (["-r", "x", "--fields", "qname,qname", "-j"], "field 'qname' is given more than once"),
        (["-r", "x", "--fields", "time,what"], "unknown field 'what': expected one of all, time, "),
        (["-r", "x", "--time-zone", "Mars"], "unknown time zone 'Mars'"),
        (["-r", "x", "--filter", "type ="], "--filter: "),
        (["-r", "x", "--anonymize", "shorten"], "--anonymize: "),
        (["-r", "x", "--anonymize", "crypto-pan=missing"], "--anonymize: missing: No such file or directory"),
        (["--listen", "host"], "--listen: an endpoint is unix:PATH, tcp:HOST:PORT"),
        (["-l", "6000"], "-l: expected HOST:PORT, or :PORT for all addresses, got '6000'"),
        (["-r", "x", "-T", "a..b:1"], "-T: expected HOST:PORT, or :PORT for all addresses, got 'a..b:1'"),
        (["-r", "x", "--metrics", "a..b:1"], "expected HOST:PORT, or :PORT for all addresses, got 'a..b:1'"),
        (["-r", "x", "--count", "9" * 19], "expected a whole number, got '9999"),
        (["-u", "x", "-t", "9" * 10], "expected a duration such as 5s or 250ms, got '999"),
        (["-u", "x", "--socket-owner", ":"], "expected USER, USER:GROUP or :GROUP, got ':'"),
        (["-u", "x", "--socket-owner", "a:b:c"], "expected USER, USER:GROUP or :GROUP, got 'a:b:c'"),
        (["-u", "x", "--socket-owner", "0:4294967295"], "expected numbers of users below 4294967295"),
        (["-u", "x", "--socket-owner", "9" * 5000], "expected numbers of users below 4294967295"),
        (["-r", "x", "-w", "y", "--rotate", "size=1", "--rotate-command", "'"], "--rotate-command: No closing quot"),
        (["-r", "x", "-w", "y", "--rotate", "size=1", "--rotate-command", ""], "--rotate-command: expected a command"),
        (["-r", "x", "--time-zone", ""], "unknown time zone ''"),
        (["--listen", "tls:h:1"], "--listen tls:h:1: expected a certificate, --tls-cert FILE"),
        (["--connect", "tls:h:1", "--tls-server-name", ".a"], "tls:h:1: '.a' is not a server name"),
        (["-r", "x", "--relay", "file:x"], "expected unix:PATH, tcp:HOST:PORT or tls:HOST:PORT, got a file, 'file:x'"),
    ],
)
def test_wrong_command_lines(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("dnstap: error: ")
    assert text in err.splitlines()[0]
    # No synopsis, which would hide the message.
    assert err.endswith("\nsee dnstap --help\n")
    assert "usage:" not in err


def test_fields_that_need_a_library(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    for option, value in ("--fields", "time,tld"), ("--filter", "tld = org"):
        with pytest.raises(SystemExit):
            parse_options(["-r", "x", option, value])
        err = capsys.readouterr().err
        assert err.startswith(f"dnstap: error: {option}: field 'tld' needs a library that is not installed; ")
        assert "pip install '.[psl]'" in err


@pytest.mark.parametrize("endpoint", ["--listen", "--connect", "--relay"])
@pytest.mark.parametrize(
    ("certificate", "key", "ca", "text"),
    [
        ("missing", "good-here", "good-ca", "missing: No such file or directory"),
        ("good-here", "missing", "good-ca", "missing: No such file or directory"),
        ("good-here", "good-here", "missing", "missing: No such file or directory"),
        ("/", "good-here", "good-ca", "/: Is a directory"),
        ("good-here", "evil-here-key", "good-ca", "evil-here-key: expected the key of the certificate good-here, got"),
        ("good-here", "good-here", "good-here-key", "good-here-key: expected CA certificates in PEM, got none"),
    ],
)
def test_files_for_tls_that_do_not_fit(
    endpoint: str,
    certificate: str,
    key: str,
    ca: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are named before anything is listened on, connected to, or written."""
    monkeypatch.chdir(tmp_path)
    for name in "good-here", "good-here-key", "evil-here-key", "good-ca":
        (tmp_path / name).write_bytes(pem(name).read_bytes())
    with pytest.raises(SystemExit):
        parse_options(
            ["-r", "x", endpoint, "tls:h:1", "--tls-cert", certificate, "--tls-key", key, "--tls-ca", ca, "-w", "out"]
        )
    assert capsys.readouterr().err.startswith(f"dnstap: error: tls:h:1: {text}")
    assert not (tmp_path / "out").exists()


_READ, _RECORD = ("-r", "x"), ("-r", "x", "-w", "y")


@pytest.mark.parametrize(
    ("run", "options", "needs"),
    [
        (("-u", "s"), ("--follow",), "a file to read"),
        (_READ, ("--overload", "drop"), "a socket as input"),
        (_READ, ("--queue", "1M"), "a socket or a pipe"),
        (("-r", "x", "-U", "s"), ("--overload", "drop"), "a socket as input"),
        (_READ, ("-a",), "a file to write"),
        (("-r", "x", "-U", "s"), ("-a",), "a file to write"),
        (("-r", "x", "-w", "-"), ("--rotate", "size=1"), "a file to write"),
        (("-r", "x", "-w", "/dev/null"), ("--rotate", "size=1"), "a file to write"),
        (("-r", "x", "-w", "-"), ("--compress", "xz"), "a file to write"),
        (_RECORD, ("--rotate-command", "ls"), "--rotate LIMITS"),
        (_READ, ("--anonymize-answers",), "--anonymize METHOD"),
        (_READ, ("--anonymize-ports",), "--anonymize METHOD"),
        (("-u", "s", "-U", "r"), ("-j",), "an output for text"),
        (("-u", "s", "-U", "r"), ("--format", "json-full"), "an output for text"),
        (("-u", "s", "-U", "r"), ("--fields", "time"), "an output for text"),
        (_RECORD, ("--time-zone", "local"), "text: -q"),
        (_RECORD, ("--jobs", "2"), "text: -q"),
        (("-r", "x", "-j", "-w", "-", "-w", "y"), ("--jobs", "2"), "a single output of text"),
        (("-r", "-"), ("--jobs", "2"), "regular files alone"),
        (("-r", "x", "--follow"), ("--jobs", "2"), "regular files alone"),
        (("-r", "x", "-j"), ("--date",), "lines"),
        (_RECORD, ("--date",), "lines"),
        (("-r", "x", "-y"), ("--color", "always"), "lines"),
        (_READ, ("--raw",), "lines of --fields NAMES"),
        (("-r", "x", "-j", "--fields", "time"), ("--raw",), "lines of --fields NAMES"),
        (_READ, ("-t", "5s"), "a socket"),
        (("--connect", "tcp:h:1"), ("--max-connections", "5"), "a socket to listen on"),
        (("--connect", "tcp:h:1"), ("--max-handshakes", "5"), "a socket to listen on"),
        (("-r", "x", "-U", "s"), ("-v",), "a socket as input"),
        (("-u", "s", "-U", "r"), ("--keepalive", "5s"), "TCP: "),
        (_READ, ("--socket-mode", "0660"), "a unix socket to listen on"),
        (("-l", ":1", "-U", "s"), ("--socket-owner", "root"), "a unix socket to listen on"),
        (_READ, ("--tls-cert", "c"), "TLS: "),
        (("-u", "s"), ("--tls-ca", "c"), "TLS: "),
        (("-l", ":1"), ("--tls-key", "c"), "TLS: "),
        (("--listen", "tls:h:1", "--tls-cert", CERT), ("--tls-server-name", "n"), "a connection to make with TLS"),
        (("--listen", "tls:h:1", "--tls-cert", CERT), ("--tls-skip-verify",), "a connection to make with TLS"),
        (("--connect", "tls:h:1"), ("--tls-key", "k"), "its certificate"),
        (("--connect", "tls:h:1", "--tls-skip-verify"), ("--tls-ca", "c"), "a peer to verify"),
    ],
)
def test_options_that_would_do_nothing(
    run: tuple[str, ...], options: tuple[str, ...], needs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parse_options(run)
    with pytest.raises(SystemExit):
        parse_options([*run, *options])
    flag = {"--format": "-j"}.get(options[0], options[0]) if options[-1] == "json" else options[0]
    assert capsys.readouterr().err.startswith(f"dnstap: error: {flag}: no effect without {needs}")


@pytest.mark.parametrize(
    "line",
    [
        # What is only to be left out is left out of any run.
        "-u s --no-progress --color never --stats",
        "-r x -j --color never",
        # A default may be written out.
        "-r x --color auto --jobs 1 -t 0",
        "-r x -w y -j --time-zone local --jobs 2",
        "-r x -w y --fields time --color always --date --raw",
        "-r x -u s --follow --overload drop --queue 1M",
        "-r x -U s -t 5s",
        "-r x -w y -a --rotate size=1 --compress gzip --rotate-command ls",
        "-r x -u s -U r -j -w -",
        "-r x --relay tls:h:1 --tls-server-name n --tls-skip-verify --tls-cert CERT --tls-key CERT",
        "--listen tls:h:1 --connect tls:h:2 --tls-skip-verify --tls-cert CERT --tls-ca CERT",
        "-l :1 --listen ./s --socket-mode 660",
        "-l :1 --max-connections 5 --max-handshakes 5 -v --keepalive 0",
        "-u s -T h:1 --verbose --keepalive 5s",
    ],
)
def test_options_that_do_something(line: str) -> None:
    parse_options(line.replace("CERT", CERT).split())


def test_pairing() -> None:
    options = [["-r", "x"], ["-r", "x", "--pair"], ["--pair", "250ms", "-r", "x"], ["--pair=1m30s", "-r", "x"]]
    assert [parse_options(words).pair for words in options] == [None, 0.0, 0.25, 90.0]
    # Without it all fields are shown, one of them always absent.
    assert parse_options(["-r", "x", "--fields", "all", "--jobs", "1"]).pair is None
    assert parse_options(["-r", "x", "--pair", "--filter", "answered = no", "--fields", "answered"]).filter


def test_each_option_has_a_rule_or_needs_none() -> None:
    """A new option needs a row in RULES for the runs in which it does nothing, or a place in this list."""
    always = {"read", "listen_unix", "listen_tcp", "listen", "connect", "max_frame", "write", "relay_unix"}
    always |= {
        "relay_tcp",
        "relay",
        "pair",
        "filter",
        "sample",
        "count",
        "anonymize",
        "metrics",
        "no_progress",
        "stats",
    }
    ruled = {name for rule in RULES for name in rule.options.split()}
    assert ruled | always == set(vars(parser().parse_args([])))
    assert not ruled & always


def test_a_key_that_all_can_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(32))
    warning = f"--anonymize: {key}: any user of this machine can read the key and undo the anonymization"
    for mode, warnings in (0o640, ()), (0o644, (warning,)):
        key.chmod(mode)
        assert parse_options(["-r", "x", "--anonymize", f"crypto-pan={key}"]).warnings == warnings


def test_jobs_are_capped_at_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 5})
    three = parse_options(["-r", "x", "--jobs", "3"])
    assert (three.jobs, three.warnings) == (3, ())
    options = parse_options(["-r", "x", "--jobs", "1000"])
    assert options.jobs == 3
    assert options.warnings == ("--jobs: 1000 processes asked for, 3 used: there are no more processors",)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert parse_options(["-r", "x", "--jobs", "3"]).jobs == 2


def test_help_fits_into_80_columns() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "dnstap", "--help"],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in process.stdout.splitlines() if len(line) > 80] == []


def test_help_names_every_message_type() -> None:
    """With the letters that -q prints, if there are any."""
    text = parser().format_help()
    for message_type in MessageType:
        if message_type:
            origin, _, kind = message_type.name.partition("_")
            letters = f"{origin[0]}{kind[0]} {message_type.name}"
            assert (letters in text) != (origin == "STUB")
            assert message_type.name in text


def test_the_examples_of_the_help_are_valid() -> None:
    lines = [
        line.split("dnstap ", 1)[1] for line in parser().format_help().splitlines() if line.startswith("  dnstap ")
    ]
    assert len(lines) == 5
    for line in lines:
        arguments = subprocess.run(["sh", "-c", f'printf "%s\\n" {line}'], capture_output=True, text=True, check=True)
        assert parse_options(arguments.stdout.splitlines())
