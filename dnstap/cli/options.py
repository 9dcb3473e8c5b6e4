"""Options of the command: parsed, checked, and turned into the objects that they name."""

from __future__ import annotations

import argparse
import os
import re
import stat
import sys
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, cast

from dnstap import __version__
from dnstap.rendering.formats import FORMATS, TABLES, renderer, time_zone
from dnstap.rendering.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.anonymize import Anonymizer
    from dnstap.filters.selecting import Filter
    from dnstap.pipeline.rotation import FileLimits
    from framestream.endpoints import Endpoint, TcpEndpoint, Tls
    from framestream.streams import Deadlines, Limits

__all__ = [
    "QUEUE_BYTES",
    "RULES",
    "Options",
    "Written",
    "address",
    "duration",
    "endpoint",
    "parse_options",
    "parser",
    "size",
    "tcp_endpoint",
]

_EPILOG = """\
An ENDPOINT is unix:PATH, tcp:HOST:PORT or tls:HOST:PORT.
dnstap check FILE says what is missing or odd there: see dnstap check --help.

-q prints time, type, address, transport, length and question. The types are:
  AQ AUTH_QUERY    AR AUTH_RESPONSE    RQ RESOLVER_QUERY   RR RESOLVER_RESPONSE
  CQ CLIENT_QUERY  CR CLIENT_RESPONSE  FQ FORWARDER_QUERY  FR FORWARDER_RESPONSE
  TQ TOOL_QUERY    TR TOOL_RESPONSE    UQ UPDATE_QUERY     UR UPDATE_RESPONSE
STUB_QUERY and STUB_RESPONSE are printed as [unhandled Message.Type].

examples:
  dnstap -r capture.fstrm
        print a file, one line per message
  dnstap -r capture.fstrm -j --filter 'rcode = NXDOMAIN'
        print the messages about names that do not exist as JSON
  dnstap -r capture.fstrm --fields time,client,qname,rcode --format csv
        print a table for spreadsheets and databases
  dnstap -u /run/dnstap.sock -a -w log.fstrm
        record what a server sends; without -a the old file is emptied
  dnstap -l :6000 -T 192.0.2.1:6000 --anonymize truncate
        forward what servers send, with truncated addresses

INT and TERM end the command once everything received has been written. HUP
reopens the output files, USR1 rotates them.
Exit status: 0; 1 if an input or output failed; 2 for an invalid command line;
130 or 143 if INT or TERM came before regular files were read to their end.
"""

QUEUE_BYTES = 1 << 26
"""Default of --queue. It is that of Collector, which takes long to import."""

_DECIMAL = r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Written(NamedTuple):
    """A file to write.

    Attributes:
        path: its path; "-" is standard output.
        format: name of a text format; None to write frames.
        compression: name of a compression for what is written; None for none.
    """

    path: str
    format: str | None
    compression: str | None = None


class Options(NamedTuple):
    """Options of a run. A NamedTuple, because importing dataclasses would take a tenth of the time to start.

    Attributes:
        read: paths of files; "-" is standard input.
        follow: wait for these to grow.
        listen, connect: endpoints of the other inputs.
        limits, deadlines, max_connections, max_handshakes, verbose, overload, queue_bytes: see Collector.
        files_only: whether the inputs are regular files and the outputs files or standard output.
        write: the files to write; none if there are only relays.
        append: keep what is in these files.
        rotate: limits at which a new file is started.
        compress: name of a compression, for old files.
        rotate_command: command for these files, as one text.
        relay: endpoints of the other outputs.
        pair: timeout of pairing in seconds; 0 for the default, None for no pairing.
        filter, sample, head, anonymizer: further stages, applied in this order.
        style: of the text.
        jobs: number of processes that render text.
        metrics: host and port to serve metrics on.
        progress: show progress if there is a terminal for it.
        stats: print statistics at the end.
        warnings: lines to print before anything else.
    """

    read: tuple[str, ...]
    follow: bool
    listen: tuple[Endpoint, ...]
    connect: tuple[Endpoint, ...]
    limits: Limits
    deadlines: Deadlines
    max_connections: int | None
    max_handshakes: int | None
    verbose: bool
    overload: Literal["wait", "drop"] | None
    queue_bytes: int
    files_only: bool
    write: tuple[Written, ...]
    append: bool
    rotate: FileLimits | None
    compress: str | None
    rotate_command: str
    relay: tuple[Endpoint, ...]
    pair: float | None
    filter: Filter | None
    sample: int | None
    head: int | None
    anonymizer: Anonymizer | None
    style: Style
    jobs: int
    metrics: tuple[str, int] | None
    progress: bool
    stats: bool
    warnings: tuple[str, ...]


def parse_options(argv: Sequence[str] | None = None) -> Options:
    """Parse and check the command line.

    Args: argv: arguments after the name of the command; None for those of the process.
    Raises: SystemExit: the command line is invalid, or asks for the help or the version.
    """
    made = parser()
    words = made.parse_args(argv, _Words())
    try:
        return _options(words, made.given(words))
    except ValueError as error:
        made.error(str(error))


class _Words:
    """Values that argparse finds on the command line, before options are looked at together."""

    read: list[str]
    listen_unix: list[str]
    listen_tcp: list[str]
    listen: list[str]
    connect: list[str]
    follow: bool
    overload: Literal["wait", "drop"] | None
    queue: int | None
    max_frame: int | None
    write: list[str]
    append: bool
    rotate: str | None
    compress: str | None
    rotate_command: str | None
    relay_unix: list[str]
    relay_tcp: list[str]
    relay: list[str]
    pair: float | None
    filter: list[str]
    sample: int | None
    count: int | None
    anonymize: str | None
    anonymize_answers: bool
    anonymize_ports: bool
    metrics: tuple[str, int] | None
    no_progress: bool
    stats: bool
    format: str | None
    fields: tuple[str, ...]
    time_zone: str | None
    date: bool
    raw: bool
    jobs: int
    colour: str
    timeout: float
    keepalive: float | None
    max_connections: int | None
    max_handshakes: int | None
    verbose: bool
    tls_cert: str | None
    tls_key: str | None
    tls_ca: str | None
    tls_server_name: str | None
    tls_skip_verify: bool
    socket_mode: int | None
    socket_owner: str | None


class _Run(NamedTuple):
    """The run that a command line asks for, as far as other options depend on it.

    Attributes:
        words: the command line.
        write: the files to write.
        listen, connect, relay: the endpoints.
        files_only: see Options.
    """

    words: _Words
    write: tuple[Written, ...]
    listen: tuple[Endpoint, ...]
    connect: tuple[Endpoint, ...]
    relay: tuple[Endpoint, ...]
    files_only: bool

    @property
    def to_file(self) -> bool:
        return any(_is_regular(written.path) for written in self.write)

    @property
    def format(self) -> str | None:
        """The name of the text format, the same for all outputs of text; None if there are none."""
        return next((written.format for written in self.write if written.format), None)

    def tls(self, endpoints: Sequence[Endpoint]) -> bool:
        """Return whether one of these endpoints uses TLS."""
        return any(str(where).startswith("tls:") for where in endpoints)


class _Rule(NamedTuple):
    """Options that would do nothing in some runs, and are refused there.

    Options that only ask for something to be left out, such as --no-progress, need no rule: scripts give them always.

    Attributes:
        options: their attributes in _Words, separated by blanks.
        has_effect: function that returns whether they do something in a run.
        needs: what the run lacks otherwise; the error says "no effect without" it.
    """

    options: str
    has_effect: Callable[[_Run], object]
    needs: str


RULES = (
    # Inputs.
    _Rule("follow", lambda run: run.words.read, "a file to read: -r FILE"),
    _Rule(
        "overload", lambda run: run.listen or run.connect, "a socket as input: -u, -l, --listen or --connect ENDPOINT"
    ),
    # Outputs.
    _Rule(
        "queue", lambda run: not run.files_only, "a socket or a pipe: regular files are only read as fast as written"
    ),
    _Rule("append rotate", lambda run: run.to_file, "a file to write: -w FILE"),
    _Rule("compress", lambda run: any(written.path != "-" for written in run.write), "a file to write: -w FILE"),
    _Rule("rotate_command", lambda run: run.words.rotate, "--rotate LIMITS"),
    _Rule("anonymize_answers anonymize_ports", lambda run: run.words.anonymize is not None, "--anonymize METHOD"),
    # Text.
    _Rule("format fields", lambda run: run.write, "an output for text: -w FILE, or -w - for standard output"),
    _Rule("time_zone jobs", lambda run: run.format, "text: -q, -y, -j, --format NAME or --fields NAMES"),
    _Rule("jobs", lambda run: run.files_only, "regular files alone: -r FILE, no --follow, relays or --metrics"),
    _Rule("jobs", lambda run: len(run.write) == 1, "a single output of text"),
    _Rule("date", lambda run: run.format == "quiet", "lines: -q or --fields NAMES"),
    _Rule(
        "colour",
        lambda run: run.words.colour == "never" or run.format == "quiet",
        "lines: -q or --fields NAMES",
    ),
    _Rule("raw", lambda run: run.words.fields and run.format == "quiet", "lines of --fields NAMES"),
    # Sockets.
    _Rule(
        "timeout",
        lambda run: run.listen or run.connect or run.relay,
        "a socket: -u, -l, -U, -T, --listen, --connect or --relay ENDPOINT",
    ),
    _Rule(
        "max_connections max_handshakes", lambda run: run.listen, "a socket to listen on: -u, -l or --listen ENDPOINT"
    ),
    _Rule(
        "verbose", lambda run: run.listen or run.connect, "a socket as input: -u, -l, --listen or --connect ENDPOINT"
    ),
    _Rule(
        "keepalive",
        lambda run: any(not str(where).startswith("unix:") for where in (*run.listen, *run.connect, *run.relay)),
        "TCP: -l, -T, or --listen, --connect or --relay tcp:HOST:PORT or tls:HOST:PORT",
    ),
    _Rule(
        "socket_mode socket_owner",
        lambda run: any(str(where).startswith("unix:") for where in run.listen),
        "a unix socket to listen on: -u SOCKET or --listen unix:PATH",
    ),
    _Rule(
        "tls_cert tls_key tls_ca",
        lambda run: run.tls((*run.listen, *run.connect, *run.relay)),
        "TLS: --listen, --connect or --relay tls:HOST:PORT",
    ),
    _Rule(
        "tls_server_name tls_skip_verify",
        lambda run: run.tls((*run.connect, *run.relay)),
        "a connection to make with TLS: --connect or --relay tls:HOST:PORT",
    ),
    _Rule("tls_key", lambda run: run.words.tls_cert, "its certificate: --tls-cert FILE"),
    _Rule(
        "tls_ca",
        lambda run: run.tls(run.listen) or not run.words.tls_skip_verify,
        "a peer to verify: --tls-skip-verify verifies none",
    ),
)
"""Each option that has an effect in some runs only. All rules of an option must hold."""


def _check(given: dict[str, str], run: _Run) -> None:
    """Refuse options that would do nothing.

    Args: given: see _Parser.given.
    Raises: ValueError.
    """
    for rule in RULES:
        flags = [given[name] for name in rule.options.split() if name in given]
        if flags and not rule.has_effect(run):
            raise ValueError(f"{' and '.join(flags)}: no effect without {rule.needs}")


def _options(words: _Words, given: dict[str, str]) -> Options:
    """Check options together.

    Args: given: see _Parser.given.
    Raises: ValueError: they do not fit together, or one of them is invalid; its text is for the user.
    """
    from framestream.streams import DEADLINES, LIMITS, Deadlines, Limits  # Not for --help and --version.

    relays = [*words.relay_unix, *words.relay_tcp, *words.relay]
    sockets = [*words.listen_unix, *words.listen_tcp, *words.listen, *words.connect]
    if not (words.read or sockets):
        raise ValueError("no input: give -r FILE, -u SOCKET, -l HOST:PORT, --listen or --connect ENDPOINT")
    # With relays and without -w nothing is printed (docs/collecting.md).
    write = _written(words, words.write or ([] if relays else ["-"]))
    # Such a run needs no event loop, and loading asyncio takes longer than printing many a file.
    files_only = not (relays or sockets or words.follow or words.metrics) and all(map(_is_regular, words.read))
    # Runs over files do not load the modules of endpoints and TLS.
    listen, connect, relay = _endpoints(words) if relays or sockets else ((), (), ())
    run = _Run(words, write, listen, connect, relay, files_only)
    _check(given, run)
    if not files_only:
        _check_tls(run)
    terminal = _is_terminal(words.write)
    style = Style(
        words.time_zone, words.date, not words.raw, words.fields, _wants_colour(words.colour, terminal), terminal
    )
    # Checked here, because opening the output truncates the old file, which a mistyped field must not cost.
    if run.format:
        _check_style(run.format, style)
    # A time is read as it is printed.
    wanted = _filter(words.filter, time_zone(run.format, style) if run.format else "utc")
    _check_pairing(words, wanted)
    anonymizer, warnings = _anonymizer(words)
    # -t is one duration for each of the four waits: connecting, the handshake, a write, and FINISH.
    deadlines = Deadlines(*[words.timeout] * 4) if words.timeout else DEADLINES
    if words.keepalive is not None:
        deadlines = deadlines._replace(keepalive_s=words.keepalive or None)
    if words.jobs > (processors := _processors()):
        warnings += (f"--jobs: {words.jobs} processes asked for, {processors} used: there are no more processors",)
    return Options(
        read=tuple(words.read),
        follow=words.follow,
        listen=listen,
        connect=connect,
        limits=Limits(words.max_frame) if words.max_frame else LIMITS,
        deadlines=deadlines,
        max_connections=words.max_connections,
        max_handshakes=words.max_handshakes,
        verbose=words.verbose,
        overload=words.overload,
        queue_bytes=words.queue or QUEUE_BYTES,
        files_only=files_only,
        write=write,
        append=words.append,
        rotate=_file_limits(words.rotate),
        compress=words.compress,
        rotate_command=_command(words.rotate_command),
        relay=relay,
        pair=words.pair,
        filter=wanted,
        sample=words.sample,
        head=words.count,
        anonymizer=anonymizer,
        style=style,
        jobs=min(words.jobs, processors),
        metrics=words.metrics,
        progress=not words.no_progress,
        stats=words.stats,
        warnings=warnings,
    )


def _check_pairing(words: _Words, wanted: Filter | None) -> None:
    """Check the options that need --pair, or exclude it.

    Raises: ValueError.
    """
    if words.pair is not None:
        if words.jobs > 1:
            raise ValueError("--jobs: not with --pair, because worker processes are given the bytes of frames alone")
        return
    for flag, used in (("--filter", wanted and wanted.reads_answered), ("--fields", "answered" in words.fields)):
        if used:
            raise ValueError(f"{flag}: answered: expected --pair, which finds out which queries were answered")


def _written(words: _Words, paths: Sequence[str]) -> tuple[Written, ...]:
    """Return the files to write, all in the format that was asked for.

    Without one, files get frames, and standard output lines.

    Raises: ValueError.
    """
    if words.fields and words.format not in (None, "quiet", "json", *TABLES):
        raise ValueError("--fields: only for -q, -j and --format csv or tsv, not with -y or another --format")
    seen: set[str] = set()
    for path in paths:
        if not path:
            raise ValueError("-w: expected a file, or - for standard output, got ''")
        # The second of two outputs would truncate what the first has written.
        name = path if path == "-" else os.path.realpath(path)
        if name in seen:
            raise ValueError(f"-w: {path} is given more than once")
        seen.add(name)
    lines = words.format or ("quiet" if words.fields else None)
    frames = lines == "frames"
    return tuple(
        [
            Written(
                path,
                None if frames else lines or ("quiet" if path == "-" else None),
                None if path == "-" else _compression(path, words),
            )
            for path in paths
        ]
    )


def _compression(path: str, words: _Words) -> str | None:
    """Return the compression of what is written to a file: by its name, or all of it if there are no old files.

    Raises: ValueError.
    """
    from framestream.compression import compression_by_name

    by_name = compression_by_name(path)
    if by_name and words.compress and words.compress != by_name:
        raise ValueError(f"--compress {words.compress}: by its name {path} is compressed with {by_name}")
    return by_name or (None if words.rotate else words.compress)


def _file_limits(text: str | None) -> FileLimits | None:
    if text is None:
        return None
    from dnstap.pipeline.rotation import parse_limits

    try:
        return parse_limits(text)
    except ValueError as error:
        raise ValueError(f"--rotate: {error}") from None


def _command(text: str | None) -> str:
    """Check the command of --rotate-command."""
    if text is None:
        return ""
    import shlex

    try:
        found = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"--rotate-command: {error} in {text!r}") from None
    if not found:
        raise ValueError(f"--rotate-command: expected a command, got {text!r}")
    return text


def _check_style(name: str, style: Style) -> None:
    from framestream.errors import MissingLibraryError

    try:
        renderer(name, style)  # Raises ValueError if the style is invalid.
    except MissingLibraryError as error:
        raise ValueError(f"--fields: {error}") from None


def _filter(texts: list[str], zone: str) -> Filter | None:
    if not texts:
        return None
    from dnstap.cli.expressions import compile_expressions

    return compile_expressions(texts, zone)


def _anonymizer(words: _Words) -> tuple[Anonymizer | None, tuple[str, ...]]:
    """Return the anonymizer, and warnings."""
    if words.anonymize is None:
        return None, ()
    from dnstap.anonymize import Anonymizer
    from dnstap.anonymize.methods import parse_method
    from dnstap.errors import KeyFileError
    from framestream.errors import MissingLibraryError

    try:
        method = parse_method(words.anonymize)
    except OSError as error:
        raise ValueError(f"--anonymize: {error.filename}: {error.strerror}") from None
    except (KeyFileError, MissingLibraryError, ValueError) as error:
        raise ValueError(f"--anonymize: {error}") from None
    anonymizer = Anonymizer(method, answers=words.anonymize_answers, ports=words.anonymize_ports)
    _, _, key = words.anonymize.partition("crypto-pan=")
    if key and os.stat(key).st_mode & stat.S_IROTH:
        warning = f"--anonymize: {key}: any user of this machine can read the key and undo the anonymization"
        return anonymizer, (warning,)
    return anonymizer, ()


def _endpoints(words: _Words) -> tuple[tuple[Endpoint, ...], ...]:
    """Return the endpoints to listen on, to connect to for input, and to send to.

    Raises: ValueError: one is invalid.
    """
    from framestream.endpoints import Tls, UnixEndpoint
    from framestream.errors import LocalProtocolError

    tls = Tls(
        certificate=words.tls_cert,
        key=words.tls_key,
        ca=words.tls_ca,
        server_name=words.tls_server_name,
        verify=not words.tls_skip_verify,
    )

    def parse(flag: str, texts: Sequence[str], parser: Callable[[str], Endpoint]) -> list[Endpoint]:
        try:
            return [parser(text) for text in texts]
        except LocalProtocolError as error:
            raise ValueError(f"{flag}: {error}") from None

    any_endpoint = partial(endpoint, tls=tls)
    # Mode and owner are for the sockets that this command makes, not for those that it connects to.
    user, _, group = (words.socket_owner or "").partition(":")
    owned = partial(UnixEndpoint, mode=words.socket_mode, user=_name_or_number(user), group=_name_or_number(group))
    listen = [
        *parse("-u", words.listen_unix, UnixEndpoint),
        *parse("-l", words.listen_tcp, tcp_endpoint),
        *parse("--listen", words.listen, any_endpoint),
    ]
    connect = parse("--connect", words.connect, any_endpoint)
    relay = [
        *parse("-U", words.relay_unix, UnixEndpoint),
        *parse("-T", words.relay_tcp, tcp_endpoint),
        *parse("--relay", words.relay, any_endpoint),
    ]
    return (
        tuple([owned(where.path) if isinstance(where, UnixEndpoint) else where for where in listen]),
        tuple(connect),
        tuple(relay),
    )


def _check_tls(run: _Run) -> None:
    """Check the files and names of TLS now: later, they would be tried for ever, or blamed on something else.

    Raises: ValueError: a file is missing or does not fit, or a name is invalid.
    """
    from framestream.endpoints import TlsEndpoint
    from framestream.errors import LocalProtocolError

    for where in (*run.listen, *run.connect, *run.relay):
        if not isinstance(where, TlsEndpoint):
            continue
        from framestream.tls import connecting_session

        try:
            if where in run.connect or where in run.relay:
                connecting_session(where)
            elif run.words.tls_cert:
                where.tls.context(listening=True)
            else:
                raise ValueError(f"--listen {where}: expected a certificate, --tls-cert FILE")
        except LocalProtocolError as error:
            raise ValueError(f"{where}: {error}") from None
        except OSError as error:
            # An ssl.SSLError has the name in its text.
            name = f"{error.filename}: "
            raise ValueError(f"{where}: {name}{str(error.strerror).removeprefix(name)}") from None


def _processors() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Only Linux can give a process some of them.
        return os.cpu_count() or 1


def _name_or_number(owner: str) -> str | int | None:
    return int(owner) if owner.isdecimal() else owner or None


def _owner(text: str) -> str:
    """Check USER, USER:GROUP or :GROUP, names or numbers."""
    # 2^32 - 1 is the number by which chown() leaves an owner as it is.
    if any(part.isdecimal() and int(part[:11]) >= (1 << 32) - 1 for part in text.split(":")):
        raise argparse.ArgumentTypeError(f"expected numbers of users below 4294967295, got {text!r}")
    if not re.fullmatch("[^:]+(:[^:]*)?|:[^:]+", text):
        raise argparse.ArgumentTypeError(f"expected USER, USER:GROUP or :GROUP, got {text!r}")
    return text


def _is_regular(path: str) -> bool:
    """Return whether a path is a regular file (or missing), so that reading it never waits for another program."""
    try:
        return path != "-" and stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        # A missing file is reported when it is opened, which the runner of files can do as well.
        return True


def _is_terminal(write: list[str]) -> bool:
    """Return whether text goes to a terminal."""
    return write in ([], ["-"]) and sys.stdout is not None and sys.stdout.isatty()


def _wants_colour(when: str, terminal: bool) -> bool:
    if when != "auto":
        return when == "always"
    # The convention of no-color.org: any value but the empty one switches colours off.
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it ("1m30s", "250ms"), or of a plain number of seconds."""
    if re.fullmatch(_DECIMAL, text):
        return float(text)
    # findall skips what does not match, so the parts must also add up to the whole text.
    parts = re.findall(f"({_DECIMAL})(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"expected a duration such as 5s or 250ms, got {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _timeout(text: str) -> float:
    if not 0 < (seconds := duration(text)) < 1e9:
        raise argparse.ArgumentTypeError(f"expected a duration above 0s and below 1e9s, got {text!r}")
    return seconds


def endpoint(text: str, tls: Tls) -> Endpoint:
    """Return the endpoint of --listen, --connect or --relay.

    Raises: LocalProtocolError: it is invalid, or a file.
    """
    from framestream.endpoints import FileEndpoint, parse_endpoint
    from framestream.errors import LocalProtocolError

    parsed = parse_endpoint(text, tls)
    if isinstance(parsed, FileEndpoint):
        raise LocalProtocolError(f"expected unix:PATH, tcp:HOST:PORT or tls:HOST:PORT, got a file, {text!r}")
    return parsed


def tcp_endpoint(text: str) -> Endpoint:
    """Return the endpoint of -l or -T, written as for Go: HOST:PORT, or :PORT for all addresses.

    Raises: LocalProtocolError: it is invalid.
    """
    from framestream.endpoints import TcpEndpoint, parse_endpoint
    from framestream.errors import LocalProtocolError

    # Go's net.Listen takes an empty host for all addresses.
    if re.fullmatch(r":[0-9]{1,5}", text) and int(text[1:]) < 1 << 16:
        return TcpEndpoint("", int(text[1:]))
    try:
        return parse_endpoint(f"tcp:{text}")
    except LocalProtocolError:
        brackets = "; an IPv6 address stands in brackets, [::1]:6000" if text.count(":") > 1 else ""
        raise LocalProtocolError(f"expected HOST:PORT, or :PORT for all addresses, got {text!r}{brackets}") from None


def address(text: str) -> tuple[str, int]:
    """Return the host and port of --metrics, which are written as for -l."""
    from framestream.errors import LocalProtocolError

    try:
        endpoint = cast("TcpEndpoint", tcp_endpoint(text))
    except LocalProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return endpoint.host, endpoint.port


def size(text: str) -> int:
    """Return the bytes of a size such as 500k, 64M or 1G."""
    match = re.fullmatch(r"([1-9][0-9]{0,11})([kMG]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected a size such as 500k, 64M or 1G, got {text!r}")
    return int(match[1]) << {"": 0, "k": 10, "M": 20, "G": 30}[match[2]]


def _number(text: str) -> int:
    # No number that anything here counts to has more digits.
    if not re.fullmatch("-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def _share(text: str) -> int:
    return _number(text.removeprefix("1/"))


def _mode(text: str) -> int:
    if not re.fullmatch("[0-7]{3,4}", text):
        raise argparse.ArgumentTypeError(f"expected an octal mode such as 0660, got {text!r}")
    return int(text, 8)


class _Parser(argparse.ArgumentParser):
    """The parser of the command line."""

    def given(self, words: _Words) -> dict[str, str]:
        """Return the options whose values are not their defaults: flags by the attributes of `words`."""
        flags: dict[str, str] = {}
        for action in self._actions:
            value = vars(words).get(action.dest, action.default)
            # Several flags for one attribute, as -q and -j, have a constant each.
            if value != action.default and action.const in (None, value):
                flags.setdefault(action.dest, action.option_strings[0])
        return flags

    def error(self, message: str) -> NoReturn:
        """End the command. Without the synopsis of argparse, whose 15 lines hide the message."""
        self.exit(2, f"dnstap: error: {message}\nsee dnstap --help\n")


def parser() -> _Parser:
    """Return the parser of the command line."""
    made = _Parser(
        prog="dnstap",
        description="Read, record, print and forward dnstap, the binary log of DNS servers.",
        epilog=_EPILOG,
        # argparse asks for the width of the terminal at each option; for that it loads modules that only help needs.
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=0),
    )
    _add_inputs(made)
    _add_outputs(made)
    _add_selection(made)
    _add_text(made)
    _add_sockets(made)
    made.add_argument("--version", action="version", version=f"dnstap {__version__}")
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def _add_inputs(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("inputs, any number of each")
    several = partial(group.add_argument, action="append", default=[])
    several("-r", dest="read", metavar="FILE", help="read a file, or standard input as -")
    several("-u", dest="listen_unix", metavar="SOCKET", help="listen on a unix socket")
    several("-l", dest="listen_tcp", metavar="HOST:PORT", help="listen on TCP; :PORT is all addresses")
    several("--listen", metavar="ENDPOINT", help="listen on an endpoint")
    several("--connect", metavar="ENDPOINT", help="connect to a server that listens; reconnect when its stream ends")
    group.add_argument(
        "--follow",
        action="store_true",
        help="wait for files to grow, and continue with files that replace them; -r DIRECTORY or -r 'PATTERN' reads"
        " all files there and those that come",
    )
    group.add_argument("--max-frame", metavar="BYTES", type=_number, help="maximum length of a frame (1048576)")


def _add_outputs(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("outputs, any number of -w, -U, -T and --relay")
    several = partial(group.add_argument, action="append", default=[])
    several(
        "-w",
        dest="write",
        metavar="FILE",
        help="write frames, or text with -q, -y, -j; compressed if the name ends in .gz, .bz2, .xz or .zst; - is"
        " standard output, where lines are the default",
    )
    group.add_argument(
        "-a", dest="append", action="store_true", help="append to the files of -w, behind the last whole frame"
    )
    group.add_argument(
        "--rotate",
        metavar="LIMITS",
        help="start a new file at these limits: size=100M,time=1h,count=1000000; the name of the old one gets the time",
    )
    group.add_argument(
        "--compress",
        choices=("gzip", "bzip2", "xz", "zstd"),
        help="compress the old files of --rotate, or without it the files of -w while they are written",
    )
    group.add_argument(
        "--rotate-command", metavar="COMMAND", help="run a command on each old file; the name is its last argument"
    )
    several("-U", dest="relay_unix", metavar="SOCKET", help="send frames to a unix socket")
    several("-T", dest="relay_tcp", metavar="HOST:PORT", help="send frames over TCP")
    several("--relay", metavar="ENDPOINT", help="send frames to an endpoint")
    group.add_argument(
        "--overload",
        choices=("wait", "drop"),
        help="when the queue of an output is full: do not read the inputs until it has room (wait, the default of files"
        " and standard output), or drop and count its oldest frames (drop, the default when sending)",
    )
    group.add_argument(
        "--queue", metavar="SIZE", type=size, help="memory for frames that wait for an output, e.g. 500k or 1G (64M)"
    )
    group.add_argument(
        "--metrics", metavar="HOST:PORT", type=address, help="serve metrics for Prometheus; :PORT is all addresses"
    )
    group.add_argument("--no-progress", action="store_true", help="do not show progress on a terminal")
    group.add_argument("--stats", action="store_true", help="print statistics at the end")


def _add_selection(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("frames, in this order")
    group.add_argument(
        "--pair",
        metavar="DURATION",
        nargs="?",
        type=_timeout,
        const=0.0,
        help="pair queries with their responses, at most 15s later or this long; then latency is known of all"
        " responses, and answered of queries (docs/pairing.md)",
    )
    group.add_argument(
        "--filter",
        metavar="EXPR",
        action="append",
        default=[],
        help="only messages that match, e.g. 'type = CQ and qname under example.org' (docs/filters.md), or @FILE with"
        " such an expression; several must all match",
    )
    group.add_argument("--sample", metavar="1/N", type=_share, help="only the first of every N frames")
    group.add_argument("--count", metavar="N", type=_number, help="stop after N frames")
    group.add_argument(
        "--anonymize",
        metavar="METHOD",
        help="replace addresses: truncate, truncate=V4,V6 (bits to keep; 24,48), or crypto-pan=FILE with a key of 32"
        " bytes or 64 hexadecimal digits (docs/anonymizing.md)",
    )
    group.add_argument("--anonymize-answers", action="store_true", help="also replace addresses in DNS records")
    group.add_argument("--anonymize-ports", action="store_true", help="also set ports to 0")


def _add_text(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("text")
    formats = group.add_mutually_exclusive_group()
    for flag, name, what in (
        ("-q", "quiet", "one line per message; the default for standard output"),
        ("-y", "yaml", "one YAML document per message"),
        ("-j", "json", "one JSON object per message and line"),
    ):
        formats.add_argument(flag, dest="format", action="store_const", const=name, help=what)
    formats.add_argument(
        "--format",
        metavar="NAME",
        choices=(*FORMATS, "frames"),
        help="quiet, yaml or json as above; json-full or yaml-full with everything in a message, its DNS message too;"
        " csv or tsv, tables of --fields or of all fields with a header; frames, also to standard output",
    )
    group.add_argument(
        "--fields",
        metavar="NAMES",
        type=lambda names: tuple(names.split(",")),
        default=(),
        help="lines of these fields, e.g. time,qr,client,qname,qtype,rcode,latency; with -j as flat"
        " JSON objects, with --format csv or tsv as a table; all shows all, without those that need an extra which is"
        " not installed (docs/formats.md)",
    )
    group.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="utc, local, or a name such as Europe/Prague (local in lines, utc in documents)",
    )
    group.add_argument("--date", action="store_true", help="put the date before the time in lines")
    group.add_argument("--raw", action="store_true", help="do not escape control characters in lines of --fields")
    group.add_argument("--jobs", metavar="N", type=_number, default=1, help="format files with N worker processes (1)")
    group.add_argument(
        "--color",
        "--colour",
        dest="colour",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour lines; auto: on a terminal, unless NO_COLOR is set",
    )


def _add_sockets(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("sockets")
    group.add_argument(
        "-t",
        dest="timeout",
        metavar="DURATION",
        type=duration,
        default=0.0,
        help="I/O timeout, e.g. 5s (0 = default)",
    )
    group.add_argument(
        "--keepalive",
        metavar="DURATION",
        type=duration,
        default=None,
        help="time after which a TCP peer whose host has vanished is given up (2m; 0 = never)",
    )
    group.add_argument(
        "--max-connections",
        metavar="N",
        type=_number,
        help="connections to our sockets at the same time; the oldest silent one makes room (1024)",
    )
    group.add_argument(
        "--max-handshakes",
        metavar="N",
        type=_number,
        help="those of them that have not begun a stream (a quarter)",
    )
    group.add_argument("-v", "--verbose", action="store_true", help="report who connects and leaves")
    group.add_argument("--tls-cert", metavar="FILE", help="our certificate (PEM), required to listen on tls:")
    group.add_argument("--tls-key", metavar="FILE", help="its private key, if it is in another file")
    group.add_argument(
        "--tls-ca", metavar="FILE", help="CA certificates that verify the peer; clients must then present a certificate"
    )
    group.add_argument("--tls-server-name", metavar="NAME", help="host name expected in the server's certificate")
    group.add_argument("--tls-skip-verify", action="store_true", help="do not verify the server's certificate")
    group.add_argument("--socket-mode", metavar="MODE", type=_mode, help="permissions of unix sockets, e.g. 0660")
    group.add_argument("--socket-owner", metavar="USER[:GROUP]", type=_owner, help="owner of unix sockets")
