"""The dnstap command: opens what its command line names, and runs from inputs to outputs."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, NoReturn

from dnstap.cli.options import endpoint, parser, tcp_endpoint
from dnstap.rendering.formats import renderer
from dnstap.rendering.style import Style

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from dnstap.anonymize import Anonymizer
    from dnstap.cli.progress import Progress
    from dnstap.pipeline.collector import Collector
    from dnstap.pipeline.file_runner import FileRunner
    from dnstap.pipeline.outputs.base import FileOutput, Output
    from dnstap.pipeline.outputs.relay import Relay
    from dnstap.pipeline.stages import Stage
    from framestream.endpoints import Endpoint
    from framestream.streams import Deadlines, Limits

__all__ = ["main", "run"]


GATHER_S = 0.0003
"""How long a busy server is let write before it is read again: it writes more than is read in that time."""


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
    args = _arguments(argv)
    try:
        return _run(args)
    except _CommandError as error:
        _say(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does.
        return 128 + signal.SIGPIPE


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, found to be right, with what follows from it."""
    made = parser()
    args = made.parse_args(argv)
    relays = args.relay_unix or args.relay_tcp or args.relay
    sockets = args.listen_unix or args.listen_tcp or args.listen or args.connect
    if not (args.read or sockets):
        made.error("no input: give -r FILE, -u SOCKET, -l HOST:PORT, --listen or --connect ENDPOINT")
    if args.write is None and not relays:
        args.write = "-"
    if args.fields and args.format not in (None, "quiet"):
        made.error("--fields: is for lines, not for documents")
    if args.fields or (args.format is None and args.write == "-"):
        args.format = "quiet"
    if args.append and args.write in (None, "-"):
        made.error("-a: there is no file to append to; give -w FILE")
    if args.rotate and args.write in (None, "-"):
        made.error("--rotate: there is no file; give -w FILE")
    if (args.compress or args.rotate_command) and not args.rotate:
        made.error("--compress and --rotate-command: are for old files; give --rotate LIMITS")
    if args.rotate:
        from dnstap.pipeline.rotation import parse_limits

        try:
            args.rotate = parse_limits(args.rotate)
        except ValueError as error:
            made.error(f"--rotate: {error}")
    args.style = Style(args.time_zone, args.date, not args.raw, args.fields, _wants_colour(args))
    if args.format:
        try:
            renderer(args.format, args.style)
        except ValueError as error:
            made.error(str(error))
    if args.filter is not None:
        from dnstap.errors import FilterError
        from dnstap.filters.selecting import compile_filter

        try:
            args.filter = compile_filter(args.filter)
        except FilterError as error:
            made.error(f"--filter: {error}")
    if args.anonymize is not None:
        args.anonymize = _anonymizer(args, made)
    elif args.anonymize_answers or args.anonymize_ports:
        made.error("--anonymize-answers and --anonymize-ports: how? give --anonymize METHOD")
    args.files_only = not (relays or sockets or args.follow or args.metrics) and all(map(_is_regular, args.read))
    if args.jobs > 1 and not args.format:
        made.error("--jobs: is for text; give -q, -y, -j, --format or --fields")
    if args.jobs > 1 and not args.files_only:
        made.error(
            "--jobs: is for what is read of regular files only (-r FILE), without --follow, relays and --metrics"
        )
    if not args.files_only:
        try:
            _parse_endpoints(args)
        except ValueError as error:
            made.error(str(error))
    return args


def _anonymizer(args: argparse.Namespace, made: argparse.ArgumentParser) -> Anonymizer:
    from dnstap.anonymize import Anonymizer
    from dnstap.anonymize.methods import parse_method
    from dnstap.errors import KeyFileError
    from framestream.errors import MissingLibraryError

    try:
        method = parse_method(args.anonymize)
    except OSError as error:
        made.error(f"--anonymize: {error.filename}: {error.strerror}")
    except (KeyFileError, MissingLibraryError, ValueError) as error:
        made.error(f"--anonymize: {error}")
    _, _, key = args.anonymize.partition("crypto-pan=")
    if key and os.stat(key).st_mode & stat.S_IROTH:
        _say(f"--anonymize: {key}: all users of this machine can read the key, and so undo what it does")
    return Anonymizer(method, answers=args.anonymize_answers, ports=args.anonymize_ports)


def _parse_endpoints(args: argparse.Namespace) -> None:
    """Replace the texts by endpoints.

    Raises: ValueError: one is none.
    """
    from framestream.endpoints import Tls, UnixEndpoint
    from framestream.errors import LocalProtocolError

    tls = Tls(
        certificate=args.tls_cert,
        key=args.tls_key,
        ca=args.tls_ca,
        server_name=args.tls_server_name,
        verify=not args.tls_skip_verify,
    )
    try:
        args.listen = [
            *map(UnixEndpoint, args.listen_unix),
            *map(tcp_endpoint, args.listen_tcp),
            *[endpoint(text, tls) for text in args.listen],
        ]
        args.connect = [endpoint(text, tls) for text in args.connect]
        args.relay = [
            *map(UnixEndpoint, args.relay_unix),
            *map(tcp_endpoint, args.relay_tcp),
            *[endpoint(text, tls) for text in args.relay],
        ]
    except LocalProtocolError as error:
        raise ValueError(str(error)) from None


def _is_regular(path: str) -> bool:
    """Whether to read a file keeps nobody waiting; what is not there is nothing to wait for."""
    try:
        return path != "-" and stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _wants_colour(args: argparse.Namespace) -> bool:
    if args.colour != "auto":
        return bool(args.colour == "always")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or args.write != "-":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


def _run(args: argparse.Namespace) -> int:
    if args.files_only:
        return _copy(args)
    # It takes longer to load than many a file to print.
    import asyncio

    return asyncio.run(_collect(args))


def _copy(args: argparse.Namespace) -> int:
    """From files to a file or standard output."""
    from dnstap.pipeline.file_runner import FileRunner

    files: list[FileOutput] = []
    progress: list[Progress] = []

    def say(line: str) -> None:
        for shown in progress:
            shown.remove()
        _say(line)

    with contextlib.closing(FileRunner(say, limits=_limits(args))) as runner, _signals(runner, files):
        # Before the output: a wrong name of the input must not cost an old recording.
        for path in args.read:
            with _input_errors(path):
                runner.read(path)
            _check_not_written(path, args)
        with _output_errors(args):
            output = _file_output(args, say)
            files.append(output)
            with contextlib.closing(output), contextlib.ExitStack() as stack:
                if _shows_progress(args, output):
                    from dnstap.cli.progress import Progress

                    progress.append(Progress(sys.stderr.fileno(), runner.size, runner.position))
                    stack.callback(progress[0].remove)
                gc.freeze()  # What has been loaded stays.
                stages = _stages(args, runner)
                runner.run(output, stages=[*progress, *stages])
    if args.stats:
        _say_statistics(runner, stages, files)
    return 1 if runner.failed_files else 0


def _shows_progress(args: argparse.Namespace, output: FileOutput) -> bool:
    """Whether there is a terminal for it, to which no text goes: what is on a pipe may come to one, by less or grep."""
    if args.no_progress or os.environ.get("TERM") == "dumb" or output.blocking:
        return False
    return sys.stderr is not None and sys.stderr.isatty()


async def _collect(args: argparse.Namespace) -> int:
    """From any inputs to any outputs."""
    from dnstap.pipeline.collector import Collector

    collector = Collector(
        _say, limits=_limits(args), deadlines=_deadlines(args), overload=args.overload, gather_s=GATHER_S
    )
    files: list[FileOutput] = []
    with _signals(collector, files):
        try:
            await _open_inputs(args, collector)
            with _output_errors(args):
                files += [_file_output(args, _say)] if args.write else []
                relays = _relays(args)
                stages = _stages(args, collector)
                try:
                    gc.freeze()  # What has been loaded stays.
                    with _metrics(args, collector, stages, [*files, *relays]):
                        await collector.run(*files, *relays, stages=stages)
                finally:
                    for relay in relays:
                        await relay.close()
                    for file in files:
                        file.close()
        finally:
            await collector.close()
    if args.stats:
        _say_statistics(collector, stages, [*files, *relays])
    return 1 if collector.failed_files or any(relay.lost for relay in relays) else 0


async def _open_inputs(args: argparse.Namespace, collector: Collector) -> None:
    # Before the output: a wrong name of the input must not cost an old recording.
    for path in args.read:
        with _input_errors(path):
            await collector.read(path, follow=args.follow)
        _check_not_written(path, args)
    for where in args.connect:
        collector.connect(where)
    for where in args.listen:
        try:
            listening = await collector.listen(_with_owner_and_mode(where, args))
            name = getattr(listening, "path", str(listening))
        except (OSError, LookupError) as error:
            reason = getattr(error, "strerror", None) or error
            raise _CommandError(f"{getattr(where, 'path', where)}: cannot listen: {reason}") from None
        _say(f"opened input socket {name}")


def _with_owner_and_mode(endpoint: Endpoint, args: argparse.Namespace) -> Endpoint:
    from dataclasses import replace

    from framestream.endpoints import UnixEndpoint

    if not isinstance(endpoint, UnixEndpoint):
        return endpoint
    user, _, group = (args.socket_owner or "").partition(":")
    return replace(endpoint, mode=args.socket_mode, user=_name_or_number(user), group=_name_or_number(group))


def _name_or_number(owner: str) -> str | int | None:
    return int(owner) if owner.isdecimal() else owner or None


def _say_statistics(runner: Collector | FileRunner, stages: Sequence[Stage], outputs: Sequence[Output]) -> None:
    _say(str(runner.counts))
    for part in (*stages, *outputs):
        if summary := part.summary():
            _say(summary)


def _limits(args: argparse.Namespace) -> Limits:
    from framestream.streams import Limits

    return Limits(args.max_frame) if args.max_frame else Limits()


def _deadlines(args: argparse.Namespace) -> Deadlines:
    from framestream.streams import Deadlines

    return Deadlines(*[args.timeout] * 4) if args.timeout else Deadlines()


def _stages(args: argparse.Namespace, runner: Collector | FileRunner) -> list[Stage]:
    from dnstap.pipeline.stages import Anonymizing, Head, Matching, Sample

    stages: list[Stage] = [Matching(args.filter)] if args.filter else []
    if args.sample:
        stages.append(Sample(args.sample))
    if args.count:
        stages.append(Head(args.count, runner.stop))
    # Last: what chooses sees the addresses as they are.
    return [*stages, Anonymizing(args.anonymize)] if args.anonymize else stages


def _file_output(args: argparse.Namespace, say: Callable[[str], object]) -> FileOutput:
    if args.write == "-" and sys.stdout is None:
        raise _CommandError("standard output: cannot write: it is closed")
    rotation = None
    if args.rotate:
        from dnstap.pipeline.rotation import Rotation

        rotation = Rotation(args.rotate, say, compression=args.compress, command=args.rotate_command or "")
    if args.jobs > 1:
        from dnstap.pipeline.outputs.parallel_text import ParallelText

        return ParallelText(args.write, args.format, args.style, jobs=args.jobs, append=args.append, rotation=rotation)
    if args.format:
        from dnstap.pipeline.outputs.text import TextOutput

        return TextOutput(args.write, args.format, args.style, append=args.append, rotation=rotation)
    from dnstap.pipeline.outputs.recording import Recording

    return Recording(args.write, append=args.append, rotation=rotation)


def _relays(args: argparse.Namespace) -> list[Relay]:
    if not args.relay:
        return []
    from dnstap.pipeline.outputs.relay import Relay

    return [Relay(where, _say, _deadlines(args)) for where in args.relay]


@contextlib.contextmanager
def _metrics(
    args: argparse.Namespace, collector: Collector, stages: Sequence[Stage], outputs: Sequence[Output]
) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if args.metrics:
            from dnstap.pipeline.prometheus import serving
            from framestream.errors import MissingLibraryError

            host, port = args.metrics
            try:
                port = stack.enter_context(serving(host, port, collector, stages, outputs))
            except (MissingLibraryError, OSError) as error:
                raise _CommandError(f"--metrics: {getattr(error, 'strerror', None) or error}") from None
            _say(f"metrics at port {port}")
        yield


@contextlib.contextmanager
def _input_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _CommandError(f"{path}: expected a Frame Streams file, but: {error.strerror}") from None


def _check_not_written(path: str, args: argparse.Namespace) -> None:
    with contextlib.suppress(OSError):
        if args.write and os.path.samefile(0 if path == "-" else path, args.write):
            raise _CommandError(f"{path}: is both the input and the output")


@contextlib.contextmanager
def _output_errors(args: argparse.Namespace) -> Iterator[None]:
    from framestream.errors import FrameStreamError

    name = "standard output" if args.write == "-" else args.write
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _CommandError(f"{name}: cannot write: {error.strerror}") from None
    except FrameStreamError as error:
        raise _CommandError(f"{name}: cannot write: {error}") from None


@contextlib.contextmanager
def _signals(runner: Collector | FileRunner, files: list[FileOutput]) -> Iterator[None]:
    """INT and TERM stop it, and if they come again do what they do to any process; HUP opens the files again."""
    ending = (signal.SIGINT, signal.SIGTERM)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in ending:
            signal.signal(number, signal.SIG_DFL)
        runner.stop()

    def reopen(_number: int, _frame: FrameType | None) -> None:
        for file in files:
            file.reopen_soon()

    before = [(number, signal.signal(number, stop)) for number in ending]
    before.append((signal.SIGHUP, signal.signal(signal.SIGHUP, reopen)))
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _say(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"dnstap: {line}\n")
        sys.stderr.flush()
