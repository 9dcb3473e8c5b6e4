"""The dnstap command: opens the inputs and outputs that its options name, and runs from one to the other."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import stat
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from dnstap.cli.options import Options, Written, parse_options
from framestream.platforms import FORK, TIMER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from dnstap.cli.progress import Progress
    from dnstap.pipeline.collector import Collector
    from dnstap.pipeline.file_runner import FileRunner
    from dnstap.pipeline.outputs.base import FileOutput, Output
    from dnstap.pipeline.outputs.relay import Relay
    from dnstap.pipeline.stages import Stage
    from framestream.endpoints import Endpoint

__all__ = ["main", "run"]

GATHER_S = 0.0003
"""Pause before a busy server is read again, in seconds: fewer and larger reads (dnstap/pipeline/coalescing.py)."""


_BROKEN_PIPE = 128 + 13
"""Exit status if the reader of our output has read enough, as `head` does. 13 is the number of SIGPIPE, which Windows
does not have."""

SUBCOMMANDS = {"check": "dnstap.cli.check"}
"""First word of the command line -> the module whose `main` gets the others. It is loaded if the word is there."""

END_S = 5.0
"""Time that outputs have after INT and TERM for what was received, in seconds."""


class _CommandError(Exception):
    """An error that ends the command with one line."""


class _EndedWhileOpening(BaseException):
    """INT or TERM while a named pipe that is opened waits for its other end."""


class _OutputFiles(list["FileOutput"]):
    """The output files that signals are passed on to.

    Attributes: opening: path of the one that is being opened; "" if none is.
    """

    opening = ""

    def open(self, options: Options, written: Written, say: Callable[[str], object]) -> FileOutput:
        """Open an output file, and add it."""
        if _is_pipe(written.path):
            self.opening = written.path
        try:
            with _output_errors(lambda: [_shown_path(written.path)]):
                output = _file_output(options, written, say)
        finally:
            self.opening = ""
        self.append(output)
        return output

    def at_fault(self) -> list[str]:
        """Return the names of the files of which a write has failed, or of all."""
        return [file.name for file in self if file.failed] or [file.name for file in self]


def _shown_path(path: str) -> str:
    return "standard output" if path == "-" else path


def run() -> NoReturn:
    """Run the command as a process. This is the console script."""
    _fill_standard_descriptors()
    # Looking for reference cycles costs time, and neither what is loaded nor messages form any.
    gc.set_threshold(100_000)
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # Before the signal handlers were installed.
        sys.exit(128 + signal.SIGINT)


def _fill_standard_descriptors() -> None:
    """Open closed standard descriptors on /dev/null: the next file opened would get their numbers otherwise.

    An input with number 1 would be written to as standard output.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args: argv: arguments after the name of the command; None for those of the process.
    Returns: the exit status.
    """
    words = sys.argv[1:] if argv is None else argv
    if words and (module := SUBCOMMANDS.get(words[0])):
        return _run_subcommand(module, words[1:])
    options = parse_options(argv)
    for warning in options.warnings:
        _say(warning)
    try:
        if options.files_only:
            return _run_files(options)
        # Loading it takes longer than printing many a file.
        import asyncio

        return asyncio.run(_collect(options))
    except _CommandError as error:
        _say(str(error))
        return 1
    except _EndedWhileOpening as ended:
        number, line = ended.args
        _say(line)
        return 128 + int(number)
    except BrokenPipeError:
        return _BROKEN_PIPE


def _run_subcommand(module: str, words: Sequence[str]) -> int:
    from importlib import import_module

    try:
        status: int = import_module(module).main(words)
    except BrokenPipeError:
        return _BROKEN_PIPE
    return status


def _run_files(options: Options) -> int:
    """Run from regular files to a file or standard output."""
    from dnstap.pipeline.file_runner import FileRunner

    files = _OutputFiles()
    progress: list[Progress] = []

    def say(line: str) -> None:
        # The progress line has no line feed, so a report would be appended to it.
        for shown in progress:
            shown.remove()
        _say(line)

    runner = FileRunner(say, limits=options.limits)
    stages: list[Stage] = []
    received: list[int] = []
    try:
        with contextlib.closing(runner), _signals(runner, files, limit_s=END_S) as received:
            # Inputs first: a mistyped input must not cost an old recording.
            for path in options.read:
                with _input_errors(path):
                    runner.read(path)
                _check_not_written(path, options)
            with _output_errors(files.at_fault), contextlib.ExitStack() as stack:
                for written in options.write:
                    stack.enter_context(contextlib.closing(files.open(options, written, say)))
                if options.progress and _can_show_progress(files):
                    from dnstap.cli.progress import Progress

                    progress.append(Progress(sys.stderr.fileno(), runner.size, runner.position))
                    stack.callback(progress[0].remove)
                stages = _stages(options, runner)
                gc.freeze()  # What is loaded now stays loaded.
                try:
                    runner.run(*files, stages=[*progress, *stages])
                finally:
                    for output in files:
                        output.incomplete = runner.interrupted
    except _CommandError as error:
        if not (received and runner.interrupted):
            raise
        say(str(error))  # The reader of a pipe that stands still, mostly. The run was ended by the signal.
    finally:
        if options.stats and files:
            _say_statistics(runner, stages, files)
    return _exit_status(runner, received, failed=any(file.rotation_failed for file in files))


def _exit_status(runner: Collector | FileRunner, received: Sequence[int], *, failed: bool = False) -> int:
    """Return the exit status of a run.

    Args:
        received: signals that have stopped it.
        failed: whether an output failed.
    """
    if failed or runner.failed_files:
        return 1
    # As the shell has it for a process that was killed by the signal.
    return 128 + received[0] if runner.interrupted else 0


def _can_show_progress(outputs: Sequence[FileOutput]) -> bool:
    """Return whether standard error is a terminal that no text goes to. A pipe may lead to it, through less or grep."""
    if os.environ.get("TERM") == "dumb" or any(output.blocking for output in outputs):
        return False
    return sys.stderr is not None and sys.stderr.isatty()


async def _collect(options: Options) -> int:
    """Run from any inputs to any outputs."""
    from dnstap.pipeline.closing import close_outputs
    from dnstap.pipeline.collector import Collector
    from framestream.descriptors import raise_limit

    raise_limit()
    collector = Collector(
        _say,
        limits=options.limits,
        deadlines=options.deadlines,
        # A longer time to answer STOP, for example, is of use only if the end waits for it.
        drain_s=max(END_S, options.deadlines.finish_s or 0),
        overload=options.overload,
        queue_bytes=options.queue_bytes,
        max_connections=options.max_connections,
        max_handshakes=options.max_handshakes,
        verbose=options.verbose,
        gather_s=GATHER_S,
    )
    files = _OutputFiles()
    outputs: list[Output] = []
    stages: list[Stage] = []
    # The handler of HUP sees each output file from when it is added to the list.
    with _signals(collector, files) as received:
        try:
            await _open_inputs(options, collector, received)
            with _output_errors(files.at_fault):
                outputs = [*_relays(options)]
                stages = _stages(options, collector)
                try:
                    for written in options.write:
                        outputs.insert(len(files), files.open(options, written, _say))
                    gc.freeze()  # What is loaded now stays loaded.
                    with _metrics(options, collector, stages, outputs):
                        await collector.run(*outputs, stages=stages)
                finally:
                    # Whatever ends the run, receivers get STOP, and recordings theirs (docs/collecting.md).
                    for file in files:
                        file.incomplete = collector.interrupted
                    await close_outputs(outputs, collector.time_left)
        finally:
            await collector.close()
            if options.stats and outputs:
                _say_statistics(collector, stages, outputs)
    failed = any(output.counts.left or output.dropped for output in outputs)
    failed = failed or any(file.rotation_failed for file in files)
    return _exit_status(collector, received, failed=failed)


async def _open_inputs(options: Options, collector: Collector, received: Sequence[int]) -> None:
    # Before the outputs: a mistyped input must not cost an old recording.
    for path in options.read:
        with _input_errors(path):
            await collector.read(path, follow=options.follow)
        if received:
            # Before the outputs are opened, which may cost an old recording.
            raise _EndedWhileOpening(received[0], f"{path}: nobody has opened it to write")
        _check_not_written(path, options)
    for server in options.connect:
        collector.connect(server)
    for endpoint in options.listen:
        try:
            listening = await collector.listen(endpoint)
        except OSError as error:
            raise _CommandError(f"{_short_name(endpoint)}: cannot listen: {error.strerror or error}") from None
        except LookupError as error:
            # The user or group of --socket-owner.
            raise _CommandError(f"{_short_name(endpoint)}: cannot listen: {error}") from None
        # As the Go tool prints it (dnstap/main.go).
        _say(f"opened input socket {_short_name(listening)}")


def _short_name(endpoint: Endpoint) -> str:
    """Return the path of a unix socket as it was given, or the text of another endpoint."""
    from framestream.endpoints import UnixEndpoint

    return endpoint.path if isinstance(endpoint, UnixEndpoint) else str(endpoint)


def _stages(options: Options, runner: Collector | FileRunner) -> list[Stage]:
    from dnstap.pipeline.stages import Anonymizing, Head, Matching, Pairing, Sample

    stages: list[Stage] = []
    if options.pair is not None:
        from dnstap.pairing import Pairs

        # First, because filters may ask for what it finds.
        stages.append(Pairing(Pairs(options.pair) if options.pair else Pairs()))
    if options.filter:
        stages.append(Matching(options.filter))
    if options.sample:
        stages.append(Sample(options.sample))
    if options.head:
        stages.append(Head(options.head, partial(runner.stop, complete=True)))
    if options.anonymizer:
        # Last, because filters are about the real addresses.
        stages.append(Anonymizing(options.anonymizer))
    return stages


def _file_output(options: Options, written: Written, say: Callable[[str], object]) -> FileOutput:
    path, append, compression, rotation = (
        written.path,
        options.append and written.path != "-",
        written.compression,
        None,
    )
    # Standard output was closed when the process started, and descriptor 1 is /dev/null now: the text would disappear
    # without an error (_fill_standard_descriptors).
    if path == "-" and sys.stdout is None:
        raise _CommandError("standard output: cannot write: it is closed")
    if path == "-" and written.format is None and sys.stdout.isatty():
        raise _CommandError("standard output: cannot write: expected a pipe or a file for frames, got a terminal")
    # Each output is imported only where it is used, since the time to start counts for small files.
    if options.rotate and path != "-":
        from dnstap.pipeline.rotation import Rotation

        # What is compressed while it is written is not compressed again.
        later = None if compression else options.compress
        rotation = Rotation(options.rotate, say, compression=later, command=options.rotate_command)
    if written.format is None:
        from dnstap.pipeline.outputs.recording import Recording
        from framestream.errors import FrameStreamError, MissingLibraryError

        try:
            recording = Recording(
                path, append=append, compression=compression, rotation=rotation, limits=options.limits
            )
        except MissingLibraryError:
            raise
        except FrameStreamError as error:
            raise _CommandError(f"{path}: cannot append: {error}") from None
        if recording.cut_bytes:
            say(f"{path}: {recording.cut_bytes} bytes of an unfinished frame cut off its end")
        return recording
    if options.jobs > 1:
        if not FORK:
            raise _CommandError("--jobs: expected a system that can fork, which this one cannot; leave it out")
        from dnstap.pipeline.outputs.parallel_text import ParallelText

        return ParallelText(
            path,
            written.format,
            options.style,
            jobs=options.jobs,
            append=append,
            compression=compression,
            rotation=rotation,
        )
    from dnstap.pipeline.outputs.text import TextOutput

    return TextOutput(path, written.format, options.style, append=append, compression=compression, rotation=rotation)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _relays(options: Options) -> list[Relay]:
    if not options.relay:
        return []
    from dnstap.pipeline.outputs.relay import Relay

    # A run over files has an end. What is received live goes on, and relays drop what has no receiver.
    gives_up = not (options.listen or options.connect or options.follow)
    return [Relay(endpoint, _say, options.deadlines, gives_up=gives_up) for endpoint in options.relay]


@contextlib.contextmanager
def _metrics(
    options: Options, collector: Collector, stages: Sequence[Stage], outputs: Sequence[Output]
) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if options.metrics:
            from dnstap.pipeline.prometheus import serving
            from framestream.errors import MissingLibraryError

            host, port = options.metrics
            try:
                port = stack.enter_context(serving(host, port, collector, stages, outputs))
            except MissingLibraryError as error:
                raise _CommandError(f"--metrics: {error}") from None
            except OSError as error:
                raise _CommandError(f"--metrics: {error.strerror or error}") from None
            _say(f"metrics at port {port}")
        yield


def _say_statistics(runner: Collector | FileRunner, stages: Sequence[Stage], outputs: Sequence[Output]) -> None:
    _say(str(runner.counts))
    for part in (*stages, *outputs):
        _say(part.summary())


@contextlib.contextmanager
def _input_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _CommandError(f"{path}: expected a Frame Streams file, but: {error.strerror}") from None


def _check_not_written(path: str, options: Options) -> None:
    # Called before the output is opened, which would truncate the input. If either does not exist, they differ.
    for written in options.write:
        with contextlib.suppress(OSError):
            if os.path.samefile(0 if path == "-" else path, written.path):
                raise _CommandError(f"{path}: is both the input and the output")
        if options.follow and path != "-" and _is_found_in(written.path, path):
            raise _CommandError(f"{written.path}: is an output in the directory that is followed, {path}")


def _is_found_in(written: str, path: str) -> bool:
    """Return whether a file, or one that it becomes by a rotation, is among those of a directory or pattern."""
    from dnstap.pipeline.inputs.paths import is_pattern

    if not is_pattern(path):
        return False
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    return os.path.realpath(folder) == os.path.realpath(os.path.dirname(written))


@contextlib.contextmanager
def _output_errors(names: Callable[[], Sequence[str]]) -> Iterator[None]:
    """End the command by errors of its outputs.

    Args: names: returns the names of those that may have caused an error.
    """
    from framestream.errors import FrameStreamError

    try:
        yield
    # Before OSError, of which it is a subclass: `main` ends the command without a line about it.
    except BrokenPipeError:
        raise
    except OSError as error:
        # Rotation changes other files than those that are written.
        raise _CommandError(f"{error.filename or ' or '.join(names())}: cannot write: {error.strerror}") from None
    except FrameStreamError as error:
        raise _CommandError(f"{' or '.join(names())}: cannot write: {error}") from None


@contextlib.contextmanager
def _signals(
    runner: Collector | FileRunner, files: _OutputFiles, *, limit_s: float | None = None
) -> Iterator[list[int]]:
    """Handle signals: INT and TERM stop the run, and kill the process if they come again.

    HUP reopens the files, and USR1 rotates them. Gives the list of signals that have stopped the run.

    Args: limit_s: time after which a write that blocks raises TimeoutError once the run is stopped. None for a runner
        that sees to it itself.
    """
    ending = (signal.SIGINT, signal.SIGTERM)
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if files.opening:
            # The system call is continued unless its signal handler raises.
            raise _EndedWhileOpening(number, f"{files.opening}: nobody has opened it to read")
        received.append(number)
        # The next INT or TERM ends the process at once, in case an output takes too long to drain.
        for again in ending:
            signal.signal(again, signal.SIG_DFL)
        runner.stop()
        # A write to a pipe that nobody reads would go on for ever: Python repeats it after a signal, unless the handler
        # raises. Regular files end between two writes, so that no text is cut.
        if limit_s is not None and TIMER and any(file.blocking for file in files):
            signal.signal(signal.SIGALRM, late)
            signal.setitimer(signal.ITIMER_REAL, limit_s)

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(errno.ETIMEDOUT, f"its reader did not take everything within {limit_s:g} s")

    def reopen(_number: int, _frame: FrameType | None) -> None:
        for file in files:
            file.reopen_soon()

    def rotate(_number: int, _frame: FrameType | None) -> None:
        for file in files:
            file.rotate_soon()

    handlers = {"SIGINT": stop, "SIGTERM": stop, "SIGHUP": reopen, "SIGUSR1": rotate}
    # Windows has the first two alone.
    known = [(getattr(signal, name), handler) for name, handler in handlers.items() if name in vars(signal)]
    before = [(number, signal.signal(number, handler)) for number, handler in known]
    if limit_s is not None and TIMER:
        before.append((signal.SIGALRM, signal.getsignal(signal.SIGALRM)))
    try:
        yield received
    finally:
        if limit_s is not None and TIMER:
            signal.setitimer(signal.ITIMER_REAL, 0)
        # `main` may be called by a program that goes on afterwards.
        for number, handler in before:
            signal.signal(number, handler)


def _say(line: str) -> None:
    # Standard error is None if it was closed when the process started.
    if sys.stderr is not None:
        sys.stderr.write(f"dnstap: {line}\n")
        sys.stderr.flush()
