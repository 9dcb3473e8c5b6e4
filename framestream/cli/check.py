"""`framestream check`: put a program to the cases of the conformance kit."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from framestream.cli.values import count, one_signal, positive, signals
from framestream.conformance.cases import PeerRole
from framestream.conformance.catalogue import cases
from framestream.conformance.files_targets import FILE_ROLES, target_of
from framestream.conformance.reports import FORMATS, result_line, summary
from framestream.conformance.runner import Verdict, run
from framestream.conformance.targets import Settings, TargetError
from framestream.endpoints import Tls, parse_endpoint
from framestream.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framestream.conformance.cases import Case
    from framestream.conformance.runner import Result

__all__ = ["add", "known_cases"]

_EPILOG = """\
In COMMAND, {socket} is replaced by the path of a unix socket, {port} by a
TCP port, {output} by the path of the file that a reader writes, a Frame
Streams file, and {free_port} by another free port. The command is started for
each case, without a shell, and ended by --stop.

A writer sends the payloads of {input}, a Frame Streams file, or of {hex}, lines
of payloads in hexadecimal, and ends. With --any-payloads it has its own.

{input} is replaced by the path of the file that a file-reader or file-writer
reads. A file-writer may take connections at {socket} or {port} instead.

examples:
  framestream check reader --spawn 'fstrm_capture -t protobuf:dnstap.Dnstap
        -u {socket} -w {output}'
  framestream check reader --spawn 'collector {socket}' --output-text
  framestream check reader --at tcp:127.0.0.1:6000 --cases 'FS-READER-0*'
  framestream check reader --list
  framestream check file-reader --spawn 'dnstap -r {input} -w {output}'
  framestream check file-reader --spawn 'dnstap -r {input} -q' --output-text
  framestream check writer --spawn 'dnstap -r {input} -U {socket}'
  framestream check writer --any-payloads --spawn 'sh server.sh {socket}
        {free_port}' --trigger 'dig @127.0.0.1 -p {free_port} example.org'

Exit status: 0; 1 if a case fails that is not known to; 2 for an invalid
command line, or if the program cannot be run.
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of the command."""
    made = subparsers.add_parser(
        "check",
        help="put a reader or a writer to numbered cases",
        description="Put a program that reads or writes Frame Streams to numbered cases.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("role", choices=[role.value for role in PeerRole], help="role of the program under test")
    target = made.add_argument_group("program under test")
    target.add_argument(
        "--at", metavar="ENDPOINT", help="unix:PATH, tcp:HOST:PORT or tls:HOST:PORT where it listens, or connects to"
    )
    target.add_argument("--spawn", metavar="COMMAND", help="start it")
    target.add_argument("--listens", action="store_true", help="it is a writer that readers connect to")
    target.add_argument("--any-payloads", action="store_true", help="it is a writer with payloads of its own")
    target.add_argument("--trigger", metavar="COMMAND", help="repeat this, which makes a writer send")
    target.add_argument("--keep", action="store_true", help="start it once for all cases")
    target.add_argument("--output-file", metavar="FILE", help="Frame Streams file that it writes, without {output}")
    target.add_argument("--output-text", action="store_true", help="it writes text, to the file or standard output")
    target.add_argument("--stdout", action="store_true", help="what a file-reader prints is a Frame Streams file")
    target.add_argument(
        "--reopen", metavar="SIGNAL", help="signal that makes it reopen {output}, if it loses what it keeps in memory"
    )
    target.add_argument(
        "--stop", metavar="SIGNALS", default="TERM", help="signals that end it, such as HUP,INT (default TERM)"
    )
    target.add_argument("--content-type", metavar="TEXT", help="its content type (default protobuf:dnstap.Dnstap)")
    target.add_argument("--tls-ca", metavar="FILE", help="PEM file of the CAs that its certificate is signed by")
    target.add_argument("--tls-skip-verify", action="store_true", help="do not verify its certificate")
    chosen = made.add_argument_group("cases")
    chosen.add_argument("--cases", metavar="PATTERN", action="append", help="ids, such as 'FS-READER-0*'; repeatable")
    chosen.add_argument("--skip-known", metavar="FILE", help="cases known to fail: lines of an id and the reason")
    chosen.add_argument("--list", action="store_true", help="print the cases and exit")
    chosen.add_argument("--timeout", type=positive, default=5.0, metavar="SECONDS", help="of each step (default 5)")
    chosen.add_argument("--jobs", type=count, metavar="N", help="cases at the same time (default 2 per processor)")
    reports = made.add_argument_group("reports")
    reports.add_argument("-v", "--verbose", action="store_true", help="print cases that pass too")
    for name in FORMATS:
        reports.add_argument(f"--{name}", metavar="FILE", help=f"write a report as {name.upper()}")
    made.set_defaults(run=lambda words: _run(words, made))


def _run(words: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        chosen = _chosen(words)
        known = known_cases(words.skip_known) if words.skip_known else {}
        target = None if words.list else target_of(_settings(words))
    except (ValueError, LocalProtocolError, OSError) as error:
        parser.error(str(error))
    if target is None:
        for case in chosen:
            print(f"{case.id} {case.level.value:6} {case.rule} ({case.source})")  # noqa: T201
        return 0
    try:
        jobs = words.jobs or 2 * (os.cpu_count() or 1)
        results = run(chosen, target, jobs=jobs, known=known, report=lambda result: _report(result, words.verbose))
    except TargetError as error:
        print(f"framestream: {error}", file=sys.stderr)  # noqa: T201
        return 2
    finally:
        target.close()
    return _finish(results, words)


def _finish(results: Sequence[Result], words: argparse.Namespace) -> int:
    print(summary(results))  # noqa: T201
    for result in results:
        if result.known and result.verdict is Verdict.PASS:
            print(f"{result.case.id} passes now, but is known to fail: {result.known}")  # noqa: T201
    for name, render in FORMATS.items():
        if path := getattr(words, name):
            try:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(render(results))
            except OSError as error:
                print(f"framestream: {error}", file=sys.stderr)  # noqa: T201
                return 2
    return int(any(result.verdict is Verdict.FAIL and not result.known for result in results))


def _report(result: Result, verbose: bool) -> None:
    if verbose or result.verdict is not Verdict.PASS:
        print(result_line(result), flush=True)  # noqa: T201


def _chosen(words: argparse.Namespace) -> list[Case]:
    role = PeerRole(words.role)
    patterns = words.cases or ["*"]
    ids = {case.id for pattern in patterns for case in cases(pattern)}
    chosen = [case for case in cases() if case.role is role and case.id in ids]
    if not chosen:
        raise ValueError(f"no case for a {role.value} matches {', '.join(patterns)}; --list prints all")
    return chosen


def _settings(words: argparse.Namespace) -> Settings:
    if not words.at and not words.spawn:
        raise ValueError("--at ENDPOINT, --spawn COMMAND or both are needed")
    role = PeerRole(words.role)
    if role in FILE_ROLES:
        _check_files(words, role)
    tls = Tls(ca=words.tls_ca, verify=not words.tls_skip_verify)
    settings = Settings(
        role=role,
        at=parse_endpoint(words.at, tls) if words.at else None,
        command=tuple(shlex.split(words.spawn or "")),
        listens=words.listens or role is PeerRole.READER,
        any_payloads=words.any_payloads,
        trigger=tuple(shlex.split(words.trigger or "")),
        keep=words.keep,
        output_file=words.output_file,
        output_text=words.output_text,
        reopen=one_signal(words.reopen, "--reopen") if words.reopen else None,
        standard_output=words.stdout,
        stop=signals(words.stop),
        timeout_s=words.timeout,
    )
    reached = words.at or any("{socket}" in word or "{port}" in word for word in settings.command)
    if role not in FILE_ROLES and not reached:
        raise ValueError("COMMAND of --spawn needs {socket} or {port}, or --at ENDPOINT")
    if settings.reopen and not (settings.fresh and settings.writes_file):
        raise ValueError("--reopen needs --spawn with {output} or --output-file, without --keep")
    if role is PeerRole.WRITER and not words.any_payloads:
        if not any("{input}" in word or "{hex}" in word for word in settings.command):
            raise ValueError("COMMAND of a writer needs {input} or {hex}, or --any-payloads")
        if words.keep:
            raise ValueError("--keep of a writer needs --any-payloads: one with {input} or {hex} ends after them")
    return settings if words.content_type is None else _typed(settings, words.content_type)


def _check_files(words: argparse.Namespace, role: PeerRole) -> None:
    for option in ("at", "keep", "output_file", "reopen"):
        if getattr(words, option):
            raise ValueError(
                f"--{option.replace('_', '-')} is not for programs of files, which are started for each case"
            )
    command = words.spawn or ""
    if role is PeerRole.FILE_READER and "{input}" not in command:
        raise ValueError("COMMAND of a file-reader needs {input}")
    if role is PeerRole.FILE_WRITER and "{output}" not in command:
        raise ValueError("COMMAND of a file-writer needs {output}")
    if not any(source in command for source in ("{input}", "{socket}", "{port}")):
        raise ValueError("COMMAND of a file-writer needs {input}, {socket} or {port}")


def _typed(settings: Settings, content_type: str) -> Settings:
    from dataclasses import replace

    return replace(settings, content_type=os.fsencode(content_type))


def known_cases(path: str) -> dict[str, str]:
    """Return the cases of a file that are known to fail, with the reasons.

    Raises: ValueError: a line is not an id of a case and a reason; OSError.
    """
    ids = {case.id for case in cases()}
    known = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.partition("#")[0].split(maxsplit=1)
            if not text:
                continue
            if text[0] not in ids or len(text) < 2:
                raise ValueError(f"{path}:{number}: expected the id of a case and a reason, got {line.strip()!r}")
            known[text[0]] = text[1].strip()
    return known
