"""Rules about streams: about a payload and the one before it, and about all that is not a data frame.

What a rule says of readers was seen with the versions that frame_rules.py names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from dnstap.content_type import CONTENT_TYPE
from dnstap.dns.escapes import escaped_text
from dnstap.linting.rules import Rule
from dnstap.linting.shapes import NANOSECONDS
from framestream.errors import RemoteProtocolError, TruncatedStreamError
from framestream.reporting import error_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from framestream.errors import FrameStreamError

    OrderCheck = Callable[["Origin", "Origin"], str | None]
    EventCheck = Callable[["Event"], str | None]

__all__ = ["EVENT_RULES", "ORDER_RULES", "Event", "Origin"]


class Origin(NamedTuple):
    """The properties by which payloads of one stream are compared.

    Attributes:
        identity, version: of the server, None where absent.
        time: seconds and nanoseconds of the message's own time; None without seconds.
    """

    identity: bytes | None
    version: bytes | None
    time: tuple[int, int] | None


def _change(name: str, before: bytes | None, now: bytes | None) -> str | None:
    return None if before == now else f"{name} {_shown(now)} after {_shown(before)}"


def _shown(text: bytes | None) -> str:
    # A frame may have a megabyte of it.
    return "absent" if text is None else f'"{escaped_text(text[:60])}"{"..." if len(text) > 60 else ""}'


def _time_order(before: Origin, now: Origin) -> str | None:
    if before.time is None or now.time is None or now.time >= before.time:
        return None
    late = NANOSECONDS * (before.time[0] - now.time[0]) + before.time[1] - now.time[1]
    seconds, nanoseconds = divmod(late, NANOSECONDS)
    return f"{seconds}.{nanoseconds:09} s before the frame before it"


ORDER_RULES: tuple[Rule[OrderCheck], ...] = (
    Rule(
        "identity-changes",
        "note",
        "another identity than that of the frame before",
        "readers that take the identity of the first frame for that of the stream are wrong",
        lambda before, now: _change("identity", before.identity, now.identity),
    ),
    Rule(
        "version-changes",
        "note",
        "another version than that of the frame before",
        "readers that take the version of the first frame for that of the stream are wrong",
        lambda before, now: _change("version", before.version, now.version),
    ),
    Rule(
        "time-order",
        "note",
        "time before that of the frame before",
        "readers print frames as they come: the text must be sorted by time",
        _time_order,
    ),
)
"""Rules about a payload and the one before it in the same stream."""


class Event(NamedTuple):
    """An event in a stream, other than a data frame of a length that every reader takes.

    Attributes:
        kind: "start": START; "control": a control frame of unknown type; "oversize": a data frame over the limit of
            this package, which is skipped; "end": the end of the input, or an error.
        live: whether the input is a connection.
        compression: name of the compression of the input, or "".
        stream: number of the stream, counted from 1; 0 before the first START.
        unfinished: at a START, whether the stream before has no STOP.
        content_type: at a START, that of it; None if it has none.
        answered: at a START, whether the sender has waited for an answer, as it does after READY.
        number: type of a control frame, or length of a data frame.
        frames: at the end, number of data frames in the last stream.
        stopped: at the end, whether the last stream has had its STOP.
        error: at the end, the one that ended the input.
    """

    kind: Literal["start", "control", "oversize", "end"]
    live: bool = False
    compression: str = ""
    stream: int = 0
    unfinished: bool = False
    content_type: bytes | None = None
    answered: bool = True
    number: int = 0
    frames: int = 0
    stopped: bool = True
    error: FrameStreamError | OSError | None = None


def _content_type(event: Event) -> str | None:
    if event.kind != "start" or event.content_type in (None, CONTENT_TYPE):
        return None
    return f"content type {_shown(event.content_type)}"


def _no_content_type(event: Event) -> str | None:
    return "START without a content type" if event.kind == "start" and event.content_type is None else None


def _further_stream(event: Event) -> str | None:
    return f"stream {event.stream}" if event.kind == "start" and event.stream > 1 else None


def _unfinished(event: Event) -> str | None:
    return f"stream {event.stream} begins" if event.kind == "start" and event.unfinished else None


def _unanswered(event: Event) -> str | None:
    return "START without READY" if event.kind == "start" and event.live and not event.answered else None


def _unknown_control(event: Event) -> str | None:
    if event.kind != "control":
        return None
    # The length word of an empty payload is the escape word, and the frame after it is read as a control frame.
    hint = ": the frame after an empty payload looks like this" if event.number >= 1 << 24 else ""
    return f"type {event.number}{hint}"


def _oversize(event: Event) -> str | None:
    return f"{event.number} bytes" if event.kind == "oversize" else None


def _fault(error: RemoteProtocolError) -> str:
    """Return the text of an error without its place."""
    return f"expected {error.expected}, got {error.got}{f'; {error.hint}' if error.hint else ''}"


def _truncated(event: Event) -> str | None:
    error = event.error
    if not isinstance(error, TruncatedStreamError):
        return None
    # After STOP it is the compressed data that is cut off.
    return _fault(error) if error.inside_frame or (event.stream and event.stopped) else None


def _no_stop(event: Event) -> str | None:
    if event.kind != "end" or not event.stream or event.stopped:
        return None
    if event.error is None:
        return "the input ends"
    error = event.error
    return _fault(error) if isinstance(error, TruncatedStreamError) and not error.inside_frame else None


def _broken(event: Event) -> str | None:
    error = event.error
    if not isinstance(error, RemoteProtocolError):
        return None
    # A stream that was cut off, or ends where it could end, is the matter of the rules before.
    if isinstance(error, TruncatedStreamError) and (event.stream or error.inside_frame):
        return None
    return _fault(error)


def _connection(event: Event) -> str | None:
    return error_text(event.error) if isinstance(event.error, OSError) else None


def _no_frames(event: Event) -> str | None:
    return f"stream {event.stream}" if event.kind == "end" and event.stream and not event.frames else None


def _compressed(event: Event) -> str | None:
    return event.compression if event.kind == "end" and event.compression else None


EVENT_RULES: tuple[Rule[EventCheck], ...] = (
    Rule(
        "content-type",
        "error",
        "content type other than protobuf:dnstap.Dnstap",
        "the Go tool, dnstap-read and dnstap-ldns refuse the stream",
        _content_type,
    ),
    Rule(
        "no-content-type",
        "error",
        "START without a content type",
        "dnstap-read and dnstap-ldns refuse the stream, the Go tool reads it",
        _no_content_type,
    ),
    Rule(
        "several-streams",
        "warning",
        "another stream in the same file",
        "the Go tool, dnstap-read, dnstap-ldns and fstrm_dump read the first stream alone if it has a STOP",
        _further_stream,
    ),
    Rule(
        "unfinished-stream",
        "warning",
        "START where the stream before has no STOP",
        "what the writer of the stream before had in memory is missing, and no reader says so but this command",
        _unfinished,
    ),
    Rule(
        "no-handshake",
        "warning",
        "connection that begins with START, without READY",
        "fstrm_capture closes it, the Go tool stops reading it and leaves it open",
        _unanswered,
    ),
    Rule(
        "unknown-control-frame",
        "warning",
        "control frame of a type that Frame Streams does not have",
        "dnstap-read, dnstap-ldns and fstrm_dump stop reading there; the Go tool ignores it",
        _unknown_control,
    ),
    Rule(
        "frame-over-1m",
        "error",
        "frame over 1,048,576 bytes",
        "the Go tool, dnstap-read, dnstap-ldns and fstrm_dump stop reading there, this command leaves it out",
        _oversize,
    ),
    Rule(
        "truncated",
        "error",
        "end inside a frame",
        "the frame is lost; the Go tool reports it and ends with status 0, dnstap-read, dnstap-ldns and fstrm_dump do"
        " not report it",
        _truncated,
    ),
    Rule(
        "no-stop",
        "warning",
        "file that ends without STOP",
        "the Go tool, dnstap-read, dnstap-ldns and fstrm_dump take it for complete; its writer may have had more",
        lambda event: None if event.live else _no_stop(event),
    ),
    Rule(
        "closed-without-stop",
        "note",
        "connection that ends without STOP",
        "a receiver cannot tell the end of the server from a failure",
        lambda event: _no_stop(event) if event.live else None,
    ),
    Rule(
        "broken-stream",
        "error",
        "bytes that Frame Streams does not allow there",
        "nothing after them can be read; the cause may be an empty payload, which cannot be written as a data frame",
        _broken,
    ),
    Rule(
        "connection-lost",
        "warning",
        "connection that failed or fell silent",
        "frames on their way are lost",
        _connection,
    ),
    Rule("no-frames", "note", "stream without data frames", "there is nothing to print", _no_frames),
    Rule(
        "compressed",
        "note",
        "compressed file",
        "the Go tool, dnstap-read, dnstap-ldns and fstrm_dump refuse it; this command reads it",
        _compressed,
    ),
)
"""Rules about streams."""
