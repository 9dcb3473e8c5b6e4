"""`dnstap check`: a linter for captures and live senders."""

from __future__ import annotations

import argparse
import contextlib
import selectors
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from dnstap.cli.options import endpoint
from dnstap.content_type import CONTENT_TYPE
from dnstap.dns.escapes import printable
from dnstap.linting.catalogue import chosen
from dnstap.linting.linter import Linter
from dnstap.linting.report import json_report, json_rules, rule_lines, text_report
from dnstap.linting.watching import Watcher
from framestream.errors import FrameStreamError, LocalProtocolError, MissingLibraryError
from framestream.files import FileOutput
from framestream.reporting import error_text
from framestream.sync.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import FrameType

    from framestream.endpoints import Endpoint
    from framestream.sync.listener import Listener
    from framestream.sync.reader import Reader

__all__ = ["main", "parser"]

_EPILOG = """\
exit status: 0 if there is nothing but notes, 1 if there are errors or warnings, 2
for an invalid command line or an input that cannot be opened or read; 130 or 143
if INT or TERM came before files were read to their end. A connection may be ended
by INT or TERM at any time; what was found until then counts.

examples:
  dnstap check capture.fstrm
  dnstap check --ignore no-query-time,time-order --json *.fstrm
  dnstap check --count 1000 unix:/run/dnstap.sock
        listen, and check the first thousand frames that servers send
"""


_FAILED = 2
"""Exit status if an input could not be read. Those over it are of signals."""


class _CheckError(Exception):
    """An input that cannot be opened or read, or an output that cannot be written."""


class _Stopped(BaseException):
    """INT or TERM. Its argument is the number of the signal."""


class _Words:
    """The command line."""

    inputs: list[str]
    connect: list[str]
    count: int | None
    only: list[str]
    ignore: list[str]
    json: bool
    list: bool
    tls_cert: str | None
    tls_key: str | None
    tls_ca: str | None
    tls_server_name: str | None
    tls_skip_verify: bool


def main(argv: Sequence[str]) -> int:
    """Run the subcommand.

    Args: argv: arguments after its name.
    Returns: the exit status.
    """
    made = parser()
    words = made.parse_args(argv, _Words())
    if not (words.inputs or words.connect or words.list):
        made.error("no input: give FILE, - for standard input, or an ENDPOINT to listen on")
    try:
        rules = chosen(_names(words.only), _names(words.ignore))
        sources = _sources(words)
    except (ValueError, LocalProtocolError) as error:
        made.error(str(error))
    worst = 0
    try:
        if words.list:
            _print(json_rules() if words.json else rule_lines())
            return 0
        for source in sources:
            status = _check(source, Linter(rules, words.count), as_json=words.json)
            worst = max(worst, status)
            if status > _FAILED:
                break
    except _CheckError as error:
        _say(str(error))
        return _FAILED
    return worst


def _check(source: _Source, linter: Linter, *, as_json: bool) -> int:
    """Check one input, and print the report; return the exit status.

    Raises: _CheckError: the report cannot be written.
    """
    name, read, live = source
    status = 0
    try:
        with _signals():
            read(linter)
    except _CheckError as error:
        _say(str(error))
        status = _FAILED
    except _Stopped as stopped:
        # A live input ends in no other way, mostly.
        status = 0 if live else 128 + int(stopped.args[0])
    if linter.frames or not status:
        _print([json_report(name, linter)] if as_json else text_report(name, linter))
    return status or int(any(finding.rule.severity != "note" for finding in linter.findings()))


def _print(lines: Iterable[str]) -> None:
    """Write lines to standard output.

    Raises: BrokenPipeError: its reader has read enough; _CheckError.
    """
    # Standard output was closed when the process started.
    if sys.stdout is None:
        raise _CheckError("standard output: cannot write: it is closed")
    try:
        FileOutput("-").write("".join([f"{line}\n" for line in lines]).encode())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _CheckError(f"standard output: cannot write: {error.strerror}") from None


def _say(line: str) -> None:
    # Standard error is None if it was closed when the process started.
    if sys.stderr is not None:
        sys.stderr.write(f"dnstap: {printable(line)}\n")
        sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="dnstap check",
        description="Check captures and live senders: what is missing or odd, how often, where first, and what it"
        " breaks for which reader (docs/checking.md).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a file, - for standard input, or unix:PATH, tcp:HOST:PORT or tls:HOST:PORT to listen on until all"
        " connections have ended",
    )
    made.add_argument(
        "--connect", metavar="ENDPOINT", action="append", default=[], help="connect to a server that listens"
    )
    made.add_argument("--count", metavar="N", type=_count, help="check the first N frames of each input")
    made.add_argument("--only", metavar="RULES", action="append", default=[], help="check these rules, a,b,c")
    made.add_argument("--ignore", metavar="RULES", action="append", default=[], help="leave these rules out")
    made.add_argument("--json", action="store_true", help="print a JSON object for each input, or each rule")
    made.add_argument("--list", action="store_true", help="print the rules")
    made.add_argument("--tls-cert", metavar="FILE", help="our certificate (PEM), required to listen on tls:")
    made.add_argument("--tls-key", metavar="FILE", help="its private key, if it is in another file")
    made.add_argument("--tls-ca", metavar="FILE", help="CA certificates that verify the peer")
    made.add_argument("--tls-server-name", metavar="NAME", help="host name expected in the server's certificate")
    made.add_argument("--tls-skip-verify", action="store_true", help="do not verify the server's certificate")
    return made


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not 0 < len(text) <= 18 or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r:.60}")
    return int(text)


def _names(lists: Sequence[str]) -> list[str]:
    return [name for names in lists for name in names.split(",")]


_Source = tuple[str, "Callable[[Linter], object]", bool]
"""An input: its name, a function that checks it to its end, and whether it is live."""


def _sources(words: _Words) -> list[_Source]:
    """Return the inputs of a command line.

    Raises: ValueError, LocalProtocolError: one is no endpoint.
    """
    from framestream.endpoints import Tls

    tls = Tls(
        certificate=words.tls_cert,
        key=words.tls_key,
        ca=words.tls_ca,
        server_name=words.tls_server_name,
        verify=not words.tls_skip_verify,
    )
    sources: list[_Source] = []
    for text in words.inputs:
        if text.startswith(("unix:", "tcp:", "tls:")):
            sources.append((text, partial(_check_listening, endpoint(text, tls)), True))
        else:
            sources.append(("standard input" if text == "-" else text, partial(_check_file, text), False))
    sources += [(text, partial(_check_connection, endpoint(text, tls)), True) for text in words.connect]
    return sources


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Raise _Stopped at INT and TERM."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise _Stopped(number)

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _check_file(path: str, linter: Linter) -> None:
    try:
        with read_file(path) as reader:
            watcher = Watcher(reader, linter)
            try:
                for _ in reader.batches():
                    if linter.full:
                        return
            except MissingLibraryError:
                raise
            except FrameStreamError as error:
                watcher.end(error)
            else:
                watcher.end()
    except (OSError, MissingLibraryError) as error:
        raise _CheckError(f"{path}: cannot read: {error_text(error)}") from None


def _check_connection(server: Endpoint, linter: Linter) -> None:
    from framestream.sync.opening import open_reader

    try:
        reader = open_reader(server, [CONTENT_TYPE])
    except (FrameStreamError, OSError) as error:
        raise _CheckError(f"{server}: cannot connect: {error_text(error)}") from None
    with reader:
        watcher = Watcher(reader, linter, live=True)
        while not _has_ended(reader, watcher, linter):
            pass


def _check_listening(where: Endpoint, linter: Linter) -> None:
    """Check all connections to an endpoint, until each of them has ended."""
    from framestream.sync.opening import listen_reader

    try:
        listener = listen_reader(where, [CONTENT_TYPE])
    except (FrameStreamError, OSError) as error:
        raise _CheckError(f"{where}: cannot listen: {error_text(error)}") from None
    with listener, contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        _say(f"opened input socket {listener.endpoint}")
        selector.register(listener, selectors.EVENT_READ, None)
        while len(selector.get_map()) > 1 or not linter.streams:
            for key, _ in selector.select():
                if key.data is None:
                    _accept(listener, selector, stack, linter)
                    continue
                reader, watcher = key.data
                if _has_ended(reader, watcher, linter):
                    selector.unregister(reader)
                    reader.close()
                if linter.full:
                    return


def _accept(
    listener: Listener[Reader], selector: selectors.BaseSelector, stack: contextlib.ExitStack, linter: Linter
) -> None:
    # A connection may be gone again.
    with contextlib.suppress(OSError):
        reader = stack.enter_context(listener.accept(0))
        selector.register(reader, selectors.EVENT_READ, (reader, Watcher(reader, linter, live=True)))


def _has_ended(reader: Reader, watcher: Watcher, linter: Linter) -> bool:
    """Read once from a connection; return whether it has ended, or enough frames have been checked."""
    try:
        for _ in reader.receive():
            if linter.full:
                return True
    except (FrameStreamError, OSError) as error:
        watcher.end(error)
        return True
    if reader.ended:
        watcher.end()
    return reader.ended
