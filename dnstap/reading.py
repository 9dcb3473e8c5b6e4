"""Messages of files, pipes and file objects, in one `for` loop."""

from __future__ import annotations

import errno
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Self, TypeVar, overload

from dnstap._log import log_line
from dnstap.content_type import CONTENT_TYPE
from dnstap.decoding import Decoding
from dnstap.pairing.pairs import NEEDS_PAIRS, Pairs
from dnstap.pipeline.diagnostics import stream_reports
from dnstap.pipeline.inputs.paths import is_pattern, paths_of
from framestream.arguments import check_options, check_type
from framestream.errors import FrameStreamError
from framestream.files import open_input
from framestream.reporting import PERIOD_S, error_text
from framestream.streams import LIMITS, Limits
from framestream.sync.files import read_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import TracebackType

    from dnstap.decoding import DnstapMessage
    from dnstap.errors import DecodeError
    from dnstap.filters.selecting import Filter
    from dnstap.following import Following
    from dnstap.messages import Dnstap
    from dnstap.problems import Problems
    from framestream.endpoints import Path
    from framestream.files import Readable
    from framestream.streams import BaseReader


D = TypeVar("D", covariant=True)

Errors = Literal["raise", "log"]
"""Handling of files that cannot be read to their end."""

__all__ = ["BaseMessageReader", "Errors", "MessageReader", "Reading", "Source", "read", "sources_of"]


class Source(NamedTuple):
    """A file to read. Attributes: name: of the file, for messages."""

    name: str
    file: Path | Readable


class Reading(Decoding):
    """Common part of the blocking reader and the one for asyncio: from payloads to messages, and what was left out.

    Apart from the readers, because generators keep it: a reader that is left without `close` is then freed, and with it
    the generator, which closes its file.

    Attributes: source: name of the file that is being read; "" if it is not known.
    """

    def __init__(
        self,
        condition: str | Filter | None,
        fields: Sequence[str] | None,
        pairs: Pairs | None,
        *,
        lenient: bool,
        errors: Errors,
    ) -> None:
        super().__init__(condition, fields, lenient=lenient)
        check_type("errors", errors, str, "'raise' or 'log'")
        if errors not in ("raise", "log"):
            raise ValueError(f"errors: expected 'raise' or 'log', got {errors!r}")
        self._raises = errors == "raise"
        if pairs is not None:
            check_type("pairs", pairs, Pairs, "Pairs")
            self.expect_paired()
            if self.reads_answered or self.shows_answered:
                pairs.hold_queries = True
        elif self.reads_answered:
            raise ValueError(f"filter: {NEEDS_PAIRS}")
        elif fields is not None and "answered" in fields:
            raise ValueError(f"fields: {NEEDS_PAIRS}")
        self.failed_files = 0
        self.source = ""
        self._first_bad_in = ""
        self._failure: tuple[str, FrameStreamError | OSError] | None = None
        self._report_at = 0.0

    def add_problem(self, number: int, error: DecodeError) -> None:
        if self.problems.first is None:
            self._first_bad_in = f", in {self.source}" if self.source else ""
        super().add_problem(number, error)
        # A stream may go on for ever: its first bad payload is reported at once, and what follows now and then.
        if (now := time.monotonic()) >= self._report_at:
            self._report_at = now + PERIOD_S
            self.report()

    def end_file(self, name: str, reader: BaseReader | None, error: FrameStreamError | OSError | None) -> None:
        """Report what was left out of a file. The first error may be kept, to be raised after all files."""
        if error:
            self.failed_files += 1
            if self._raises and self._failure is None:
                self._failure, error = (name, error), None
        if reader:
            for line in stream_reports(name, reader, error):
                log_line(line)
        elif error:
            log_line(f"{name}: {error_text(error)}")

    def report(self) -> None:
        """Report the payloads that were left out since the last call."""
        for line in self.problems.new_reports(self.payloads):
            log_line(line + self._first_bad_in)

    def end(self) -> None:
        """Raise the first error of a file, if there was one."""
        if self._failure:
            (name, error), self._failure = self._failure, None
            error.add_note(f"in {name}")
            if self.failed_files > 1:
                error.add_note(f"{self.failed_files - 1} more files could not be read to their end")
            raise error

    def close(self) -> None:
        """Report what was not reported or raised, also if files are not read to their end."""
        self.report()
        if self._failure:
            name, error = self._failure
            log_line(f"{name}: {error_text(error)}")


class BaseMessageReader:
    """Common base of the blocking reader and the one for asyncio: their counts."""

    def __init__(self, reading: Reading, following: Following | None) -> None:
        self._reading = reading
        self._following = following
        self._closed = False

    @property
    def payloads(self) -> int:
        """Number of payloads read so far: those of the messages yielded, and of some that follow them."""
        return self._reading.payloads

    @property
    def problems(self) -> Problems:
        """The payloads left out because they do not decode: `count`, and `first`, a number and an error."""
        return self._reading.problems

    @property
    def skipped(self) -> int:
        """Number of payloads left out because they do not decode."""
        return self._reading.problems.count

    @property
    def unmatched(self) -> int:
        """Number of messages that the filter left out."""
        return self._reading.unmatched

    @property
    def failed_files(self) -> int:
        """Number of files that could not be read to their end."""
        return self._reading.failed_files + (self._following.failed_files if self._following else 0)

    def stop(self) -> None:
        """Stop following files: the messages that they have by now are still yielded, then the loop ends.

        May be called by a signal handler or another thread. Files that are not followed are read to their end.
        """
        if self._following:
            self._following.stop()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the reader is closed")


class MessageReader(BaseMessageReader, Generic[D]):
    """The messages of files, to iterate over. Made by `read`.

    A loop that was left can be continued by another one. `close` it, or use it in `with`, if it is not read to its end.
    """

    def __init__(
        self, messages: Generator[D, None, None], reading: Reading, following: Following | None = None
    ) -> None:
        super().__init__(reading, following)
        self._messages = messages

    def __iter__(self) -> Iterator[D]:
        """Yield the messages.

        Raises: FrameStreamError, OSError: of the first file that could not be read to its end, after the messages of
            all files; unless errors are logged.
        """
        self._check_open()
        return self._messages

    def __next__(self) -> D:
        """Return the next message."""
        return next(iter(self))

    def close(self) -> None:
        """Close the file that is being read."""
        self._closed = True
        self._messages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: None = None,
    pairs: Pairs | None = None,
    lenient: Literal[False] = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[DnstapMessage]: ...


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: None = None,
    pairs: Pairs | None = None,
    lenient: bool,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Dnstap]: ...


@overload
def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: Sequence[str],
    pairs: Pairs | None = None,
    lenient: bool = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Any]: ...


def read(
    file: Path | Readable,
    *more_files: Path | Readable,
    filter: str | Filter | None = None,
    fields: Sequence[str] | None = None,
    pairs: Pairs | None = None,
    lenient: bool = False,
    follow: bool = False,
    errors: Errors = "raise",
    limits: Limits = LIMITS,
) -> MessageReader[Any]:
    """Return the messages of files, one file after the other: `for dnstap in dnstap.read("log.fstrm")`.

    Files may be compressed with gzip, bzip2, xz or zstd. Each message has its `message`. Payloads that do not decode,
    or have none, are left out and counted (`problems`), and reported by the logger `dnstap`. A file that cannot be read
    to its end costs none of its messages before the fault and none of the other files. It is counted (`failed_files`),
    and its error is raised after all of them; further ones are reported by the logger.

    Args:
        file, more_files: paths, "-" for standard input, or binary file objects, which are left open. A directory is all
            its files, and a pattern all files that match, both sorted by name.
        filter: yield only messages that match an expression (docs/filters.md), or a Filter of `compile_filter`.
        fields: yield named tuples of these fields, by their names or aliases, and not messages (see row_reader).
        pairs: put the time of its query into each response, and if queries are held, into each query whether it was
            answered; a filter or fields with `answered` have them held (docs/pairing.md).
        lenient: yield also messages without their required `type`, and those without a `message`.
        follow: wait for the files to grow, or to be made, and go on with files that replace them, until `stop()`. A
            directory or pattern is all files there, in the order of their last change, and those that come.
        errors: "log" has errors of files reported by the logger and none raised. Those of followed files always are.
    Raises: OSError: FileNotFoundError if there is no such file; FilterError; TypeError; ValueError: a field is unknown,
        comes twice, or there is none; a filter or fields with `answered` without pairs; MissingLibraryError: a field
        needs a library that is not installed.
    """
    reading = Reading(filter, fields, pairs, lenient=lenient, errors=errors)
    check_options("limits", limits, Limits)
    following = None
    if follow:
        # It loads asyncio and sockets, without which other files are read.
        from dnstap.following import Following

        following = Following((file, *more_files), limits, log_line)
        batches = following.blocking_batches()
    else:
        batches = _payloads(sources_of((file, *more_files)), reading, limits)
    if pairs is not None:
        batches = _paired(batches, pairs)
    return MessageReader(_messages(batches, reading), reading, following)


def _paired(batches: Generator[list[bytes], None, None], pairs: Pairs) -> Generator[list[bytes], None, None]:
    """Yield paired payloads. Those that were held come before an error that is raised after all files."""
    try:
        with closing(batches):
            for payloads in batches:
                yield pairs(payloads)
    except (FrameStreamError, OSError):
        yield pairs.finish()
        raise
    yield pairs.finish()


def _messages(batches: Generator[list[bytes], None, None], reading: Reading) -> Generator[Any, None, None]:
    """Yield the messages or rows in payloads, and report what was left out of them."""
    try:
        with closing(batches):
            for payloads in batches:
                yield from reading.messages(payloads)
    finally:
        reading.close()


def _payloads(sources: list[Source], reading: Reading, limits: Limits) -> Generator[list[bytes], None, None]:
    """Yield the payloads of files.

    Raises: FrameStreamError, OSError: the first of them, after all files.
    """
    for source in sources:
        reader = error = None
        reading.source = source.name
        try:
            with read_file(source.file, [CONTENT_TYPE], limits=limits) as reader:
                yield from reader.batches()
        except (FrameStreamError, OSError) as caught:
            error = caught
        reading.end_file(source.name, reader, error)
    reading.end()


def sources_of(files: Sequence[Path | Readable]) -> list[Source]:
    """Return the files that paths, patterns, directories and file objects stand for.

    Raises: OSError: FileNotFoundError if there is no such file; TypeError: neither a path nor a file object.
    """
    sources = []
    for file in files:
        if not isinstance(file, str | os.PathLike):
            open_input(file)  # Checks the object.
            sources.append(Source(str(file), file))
            continue
        path = os.fspath(file)
        if path == "-":
            sources.append(Source("standard input", path))
        elif is_pattern(path):
            found = sorted(filter(os.path.isfile, paths_of(path)))
            if not found:
                raise FileNotFoundError(errno.ENOENT, "no file there", path)
            sources += [Source(name, name) for name in found]
        else:
            os.stat(path)  # Raises now, not after the files before it.
            sources.append(Source(path, path))
    return sources
