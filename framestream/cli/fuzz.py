"""`framestream fuzz`: give made-up streams to a program that reads Frame Streams, and keep what breaks it."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shlex
import sys
import time
from typing import TYPE_CHECKING

from framestream.cli.values import count, drawing, positive, signals
from framestream.conformance.targets import Settings, TargetError
from framestream.endpoints import parse_endpoint
from framestream.errors import LocalProtocolError
from framestream.fuzzing.faults import CRASH_TEXT, Signs
from framestream.fuzzing.fuzzer import Fuzzer, replay, saved_streams
from framestream.fuzzing.trials import FileTrial, SocketTrial

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.fuzzing.trials import Trial

__all__ = ["add"]

_EPILOG = """\
In COMMAND, {input} is replaced by the path of a file to read, {socket} by that
of a unix socket, {port} by a TCP port, and {output} by the path of a file that
the program writes. Without {input}, {socket} and {port}, it reads standard
input. It is started for each stream, without a shell.

examples:
  framestream fuzz --spawn 'dnstap -q -r {input}' --payloads dnstap --minutes 5
  framestream fuzz --spawn 'fstrm_capture -t protobuf:dnstap.Dnstap
        -u {socket} -w {output}'
  framestream fuzz --spawn 'collector --port {port}' --keep --count 10000
  framestream fuzz --spawn 'dnstap -q -r {input}' --replay findings

A fault is a crash, a hang, payloads that are lost though they are good, or too
much memory. Its shortest stream is saved to the folder of --findings.

Exit status: 0; 1 if there is a fault; 2 for an invalid command line, or if the
program cannot be run.
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of the command."""
    made = subparsers.add_parser(
        "fuzz",
        help="give made-up streams to a reader and keep what breaks it",
        description="Give made-up streams to a program that reads Frame Streams, and keep what breaks it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target = made.add_argument_group("program under test")
    target.add_argument("--spawn", metavar="COMMAND", help="start it")
    target.add_argument("--at", metavar="ENDPOINT", help="unix:PATH or tcp:HOST:PORT where it listens")
    target.add_argument("--keep", action="store_true", help="start it once; its output is then not looked at")
    target.add_argument("--stop", metavar="SIGNALS", default="TERM", help="signals that end it (default TERM)")
    target.add_argument("--content-type", metavar="TEXT", help="its content type (default protobuf:dnstap.Dnstap)")
    chosen = made.add_argument_group("streams")
    chosen.add_argument(
        "--payloads", metavar="NAME", help="strategy for payloads: dnstap, or MODULE:FUNCTION (default any bytes)"
    )
    chosen.add_argument("--minutes", type=positive, metavar="N", help="end after this time (default 1)")
    chosen.add_argument("--count", type=count, metavar="N", help="end after this number of streams")
    chosen.add_argument("--seed", type=int, metavar="N", help="make the same streams again")
    chosen.add_argument("--replay", metavar="FILE|DIR", help="try saved streams instead")
    faults = made.add_argument_group("faults")
    faults.add_argument("--findings", metavar="DIR", default="findings", help="save streams here (default findings)")
    faults.add_argument("--timeout", type=positive, default=5.0, metavar="SECONDS", help="for a stream (default 5)")
    faults.add_argument("--max-memory", type=count, metavar="MIB", help="largest resident size (Linux)")
    faults.add_argument(
        "--crash-status", type=int, action="append", default=[], metavar="N", help="exit status of a crash; repeatable"
    )
    faults.add_argument("--crash-text", type=_pattern, metavar="REGEX", help="message of a crash, besides the usual")
    faults.add_argument("--jobs", type=count, metavar="N", help="streams at the same time (default 1 per processor)")
    made.set_defaults(run=lambda words: _run(words, made))


def _run(words: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        trial = _trial(words)
        paths = saved_streams(words.replay) if words.replay else []
        seed = secrets.randbits(32) if words.seed is None else words.seed
        draw = None if paths else _drawing(trial.head, words.payloads, seed)
    except (ValueError, LocalProtocolError, OSError) as error:
        parser.error(str(error))
    try:
        if draw is None:
            return int(replay(trial, paths, _report) > 0)
        return _fuzz(trial, words, draw, seed)
    except (TargetError, OSError) as error:
        print(f"framestream: {error}", file=sys.stderr)  # noqa: T201
        return 2
    finally:
        trial.close()


def _fuzz(trial: Trial, words: argparse.Namespace, draw: Callable[[int, int], list[bytes]], seed: int) -> int:
    minutes = words.minutes or (None if words.count else 1.0)
    deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    fuzzer = Fuzzer(trial, words.findings, jobs=words.jobs or os.cpu_count() or 1, report=_report)
    try:
        fuzzer.check_good()
        fuzzer.run(draw, most=words.count, deadline=deadline)
    finally:
        _summarize(fuzzer, words.findings, seed)
    return int(bool(fuzzer.findings))


def _summarize(fuzzer: Fuzzer, folder: str, seed: int) -> None:
    _report(f"{fuzzer.streams} streams, seed {seed}: {len(fuzzer.findings)} faults")
    if fuzzer.passing:
        _report(f"{fuzzer.passing} faults did not come again with twice the time, and are not counted")
    for name, finding in fuzzer.findings.items():
        _report(f"{finding.count:6} {os.path.join(folder, name)}.fstrm {finding.fault}")


def _report(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _drawing(head: bytes, payloads: str | None, seed: int) -> Callable[[int, int], list[bytes]]:
    """Return the function that draws a batch of streams.

    Raises: ValueError: Hypothesis is not installed, or there are no such payloads.
    """
    made = drawing()
    strategy = made.hostile_streams(head, made.find_payloads(payloads) if payloads else None)
    return lambda number, most: made.drawn(strategy, (seed << 32) + number, most)


def _trial(words: argparse.Namespace) -> Trial:
    if not words.at and not words.spawn:
        raise ValueError("--at ENDPOINT, --spawn COMMAND or both are needed")
    usual = Settings()
    settings = Settings(
        at=parse_endpoint(words.at) if words.at else None,
        command=tuple(shlex.split(words.spawn or "")),
        keep=words.keep,
        stop=signals(words.stop),
        content_type=usual.content_type if words.content_type is None else os.fsencode(words.content_type),
        timeout_s=words.timeout,
    )
    text = b"|".join([CRASH_TEXT, *([words.crash_text] if words.crash_text else [])])
    signs = Signs(
        statuses=frozenset(words.crash_status),
        text=re.compile(text, re.MULTILINE),
        max_memory_bytes=(words.max_memory or 0) << 20,
    )
    connects = words.at or any("{socket}" in word or "{port}" in word for word in settings.command)
    if words.keep and not connects:
        raise ValueError("--keep needs {socket} or {port} in COMMAND, or --at ENDPOINT")
    return SocketTrial(settings, signs) if connects else FileTrial(settings, signs)


def _pattern(text: str) -> bytes:
    try:
        re.compile(os.fsencode(text))
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    return os.fsencode(text)
