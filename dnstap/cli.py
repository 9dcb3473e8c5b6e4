"""The dnstap command: picks inputs, an output and a format, and runs the collector between them."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from dnstap import __version__
from dnstap.content_type import CONTENT_TYPE
from dnstap.render.formats import FORMATS, renderer
from dnstap.render.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from dnstap.collector import Collector

__all__ = ["main", "run"]

_MNEMONICS = """\
-q prints time, who and which way, address, transport, size, question. Who and which way:
  AQ: AUTH_QUERY       AR: AUTH_RESPONSE       RQ: RESOLVER_QUERY   RR: RESOLVER_RESPONSE
  CQ: CLIENT_QUERY     CR: CLIENT_RESPONSE     FQ: FORWARDER_QUERY  FR: FORWARDER_RESPONSE
  TQ: TOOL_QUERY       TR: TOOL_RESPONSE       UQ: UPDATE_QUERY     UR: UPDATE_RESPONSE

INT and TERM end a recording: what has been received by then is written, and STOP.
Exit status: 0; 1 if an input or the output failed; 2 for a wrong command line.
"""


class _CommandError(Exception):
    """Ends the command with one line."""


def run() -> NoReturn:
    """The console script."""
    _fill_standard_descriptors()
    # Neither what is loaded nor messages are in circles that would have to be looked for.
    gc.set_threshold(100_000)
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before the handlers were in place
        sys.exit(128 + signal.SIGINT)


def _fill_standard_descriptors() -> None:
    """Where a standard file is closed, the next file opened gets its number: an input would be written to as output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args: argv: the arguments behind the command's name; None: those of the process.
    Returns: the exit status.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.read and not args.listen:
        parser.error("no input: give -r FILE or -u SOCKET")
    if args.fields and args.format not in (None, "quiet"):
        parser.error("--fields: is for lines, not for documents")
    if args.fields or (args.format is None and args.write in (None, "-")):
        args.format = "quiet"
    args.style = Style(args.time_zone, args.date, not args.raw, args.fields, _wants_colour(args))
    if args.format:
        try:
            renderer(args.format, args.style)
        except ValueError as error:
            parser.error(str(error))
    try:
        return _collect(args)
    except _CommandError as error:
        _say(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does.
        return 128 + signal.SIGPIPE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dnstap",
        description="Read and record dnstap, the binary log of DNS servers.",
        epilog=_MNEMONICS,
        # Asked for the width of the terminal, it would load what only help needs.
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=0),
    )
    parser.add_argument(
        "-r", dest="read", metavar="FILE", action="append", default=[], help="read a file, or standard input as -"
    )
    parser.add_argument(
        "-u", dest="listen", metavar="SOCKET", action="append", default=[], help="listen on a unix socket for servers"
    )
    parser.add_argument(
        "-w",
        dest="write",
        metavar="FILE",
        help="write frames, or text with -q, -y, -j; to standard output as -",
    )
    text = parser.add_mutually_exclusive_group()
    for flag, name, what in (
        ("-q", "quiet", "text, one line a message, also into a file; the default for standard output"),
        ("-y", "yaml", "text, one YAML document a message"),
        ("-j", "json", "text, one JSON object a line for each message"),
    ):
        text.add_argument(flag, dest="format", action="store_const", const=name, help=what)
    text.add_argument(
        "--format",
        metavar="NAME",
        choices=tuple(FORMATS),
        help="the same by name; or json-full, yaml-full: everything that is in a message, its DNS message taken apart",
    )
    style = parser.add_argument_group("of text")
    style.add_argument(
        "--fields",
        metavar="NAMES",
        type=lambda names: tuple(names.split(",")),
        default=(),
        help="lines of these fields instead of -q's, e.g. time,qr,client,qname,qtype,rcode,latency (docs/formats.md)",
    )
    style.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="utc, local, or e.g. Europe/Prague; lines are local, documents UTC",
    )
    style.add_argument("--date", action="store_true", help="the date before the time in lines")
    style.add_argument(
        "--raw", action="store_true", help="texts of the sender as they are, control characters too (--fields)"
    )
    style.add_argument(
        "--color",
        "--colour",
        dest="colour",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours in lines; auto: on a terminal, unless NO_COLOR is set",
    )
    parser.add_argument("--version", action="version", version=f"dnstap {__version__}")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _wants_colour(args: argparse.Namespace) -> bool:
    if args.colour != "auto":
        return bool(args.colour == "always")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or args.write not in (None, "-"):
        return False
    return sys.stdout is not None and sys.stdout.isatty()


def _collect(args: argparse.Namespace) -> int:
    # What decodes, and the library that its classes stand on, is loaded when it is certain to be used.
    from dnstap.collector import Collector

    with contextlib.closing(Collector(_say)) as collector, _stopped_by_signals(collector):
        # Before the output: a wrong name of the input must not cost an old recording.
        _open_inputs(args, collector)
        if args.format:
            _write_text(args, collector)
        else:
            _record(args, collector)
    return 1 if collector.failed_files else 0


def _open_inputs(args: argparse.Namespace, collector: Collector) -> None:
    for path in args.read:
        try:
            collector.read(path)
        except OSError as error:
            raise _CommandError(f"{path}: expected a Frame Streams file, but: {error.strerror}") from None
        with contextlib.suppress(OSError):
            if args.write and os.path.samefile(0 if path == "-" else path, args.write):
                raise _CommandError(f"{path}: is both the input and the output")
    for path in args.listen:
        try:
            collector.listen(path)
        except OSError as error:
            raise _CommandError(f"{path}: cannot listen: {error.strerror or error}") from None
        _say(f"opened input socket {path}")


def _write_text(args: argparse.Namespace, collector: Collector) -> None:
    from dnstap.outputs import TextOutput

    if args.write in (None, "-") and sys.stdout is None:
        raise _CommandError("standard output: cannot write: it is closed")
    to_file = args.write not in (None, "-")
    with _output_errors(args), open(args.write if to_file else 1, "wb", 0, closefd=to_file) as file:
        output = TextOutput(file, args.format, args.style)
        gc.freeze()  # What has been loaded stays.
        try:
            collector.run(output.write_many)
        finally:
            if output.first_bad:
                number, error = output.first_bad
                _say(f"{output.bad} of {output.payloads} payloads left out; the first was payload {number}: {error}")


def _record(args: argparse.Namespace, collector: Collector) -> None:
    from framestream import write_file

    with _output_errors(args), write_file(args.write, [CONTENT_TYPE]) as output:
        collector.run(output.write_many)


@contextlib.contextmanager
def _output_errors(args: argparse.Namespace) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _CommandError(f"{args.write or 'standard output'}: cannot write: {error.strerror}") from None


@contextlib.contextmanager
def _stopped_by_signals(collector: Collector) -> Iterator[None]:
    """INT and TERM stop the collector; if they come again, they do what they do to any process."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        collector.stop()

    before = [signal.signal(number, stop) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _say(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"dnstap: {line}\n")
        sys.stderr.flush()
