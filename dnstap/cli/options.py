"""The command line: what it takes, and what its words mean."""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import TYPE_CHECKING, cast

from dnstap import __version__
from dnstap.rendering.formats import FORMATS

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint, Tls

__all__ = ["address", "duration", "endpoint", "parser", "tcp_endpoint"]

_EPILOG = """\
An ENDPOINT is unix:PATH, tcp:HOST:PORT or tls:HOST:PORT.

-q prints time, who and which way, address, transport, size, question. Who and which way:
  AQ: AUTH_QUERY       AR: AUTH_RESPONSE       RQ: RESOLVER_QUERY   RR: RESOLVER_RESPONSE
  CQ: CLIENT_QUERY     CR: CLIENT_RESPONSE     FQ: FORWARDER_QUERY  FR: FORWARDER_RESPONSE
  SQ: STUB_QUERY       SR: STUB_RESPONSE       TQ: TOOL_QUERY       TR: TOOL_RESPONSE
  UQ: UPDATE_QUERY     UR: UPDATE_RESPONSE

INT and TERM end it: what has been received by then is written, and STOP. HUP opens the output file again.
Exit status: 0; 1 if an input or an output failed; 2 for a wrong command line.
"""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds, of what Go takes for a duration ("1m30s", "250ms"), or of a bare number of seconds."""
    if re.fullmatch(r"\d+(?:\.\d*)?|\.\d+", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, such as 5s or 250ms")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def endpoint(text: str, tls: Tls) -> Endpoint:
    """The endpoint of --listen, --connect and --relay.

    Raises: LocalProtocolError: it is none, or a file.
    """
    from framestream.endpoints import FileEndpoint, parse_endpoint
    from framestream.errors import LocalProtocolError

    parsed = parse_endpoint(text, tls)
    if isinstance(parsed, FileEndpoint):
        raise LocalProtocolError(f"{text!r} is a file; unix:PATH, tcp:HOST:PORT or tls:HOST:PORT expected")
    return parsed


def tcp_endpoint(text: str) -> Endpoint:
    """The endpoint of -l and -T, written as Go does: HOST:PORT, or :PORT for all addresses.

    Raises: LocalProtocolError: it is none.
    """
    from framestream.endpoints import TcpEndpoint, parse_endpoint

    if text.startswith(":"):
        return TcpEndpoint("", cast("TcpEndpoint", parse_endpoint(f"tcp:all{text}")).port)
    return parse_endpoint(f"tcp:{text}")


def address(text: str) -> tuple[str, int]:
    """The host and port of --metrics."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _number(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least}")
    return int(text)


def _share(text: str) -> int:
    return _number(text.removeprefix("1/"))


def _mode(text: str) -> int:
    if not re.fullmatch("[0-7]{3,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no mode, such as 0660")
    return int(text, 8)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    made = argparse.ArgumentParser(
        prog="dnstap",
        description="Read, record, print and pass on dnstap, the binary log of DNS servers.",
        epilog=_EPILOG,
        # Asked for the width of the terminal, it would load what only help needs.
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=0),
    )
    _add_inputs(made)
    _add_outputs(made)
    _add_text(made)
    _add_sockets(made)
    made.add_argument("--version", action="version", version=f"dnstap {__version__}")
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def _add_inputs(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("inputs, any number of each")
    several = partial(group.add_argument, action="append", default=[])
    several("-r", dest="read", metavar="FILE", help="read a file, or standard input as -")
    several("-u", dest="listen_unix", metavar="SOCKET", help="listen on a unix socket for servers")
    several("-l", dest="listen_tcp", metavar="HOST:PORT", help="listen on TCP for servers")
    several("--listen", metavar="ENDPOINT", help="listen there for servers")
    several("--connect", metavar="ENDPOINT", help="connect to a server that listens, and again when it has gone")
    group.add_argument("--follow", action="store_true", help="wait for files to grow, and for those that replace them")
    group.add_argument(
        "--overload",
        choices=("wait", "drop"),
        default="wait",
        help="while outputs are behind: do not read sockets (wait), or count and drop what they cannot hold (drop)",
    )
    group.add_argument("--max-frame", metavar="BYTES", type=_number, help="longest frame that is taken (1048576)")


def _add_outputs(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("outputs")
    several = partial(group.add_argument, action="append", default=[])
    group.add_argument(
        "-w", dest="write", metavar="FILE", help="write frames, or text with -q, -y, -j; to standard output as -"
    )
    group.add_argument("-a", dest="append", action="store_true", help="append to the file of -w")
    group.add_argument(
        "--rotate",
        metavar="LIMITS",
        help="begin a new file at these limits: size=100M,time=1h,count=1000000; the old one's name gets the time",
    )
    group.add_argument("--compress", choices=("gzip", "bzip2", "xz", "zstd"), help="compress the old files")
    group.add_argument("--rotate-command", metavar="COMMAND", help="run this, with the name of each old file behind it")
    several("-U", dest="relay_unix", metavar="SOCKET", help="send frames to who listens on a unix socket")
    several("-T", dest="relay_tcp", metavar="HOST:PORT", help="send frames to who listens on TCP")
    several("--relay", metavar="ENDPOINT", help="send frames to who listens there")
    group.add_argument(
        "--filter",
        metavar="EXPR",
        help="only messages that match, e.g. 'type = CQ and qname under example.org' (docs/filters.md)",
    )
    group.add_argument("--sample", metavar="1/N", type=_share, help="only one of every N frames")
    group.add_argument("--count", metavar="N", type=_number, help="end after N frames")
    group.add_argument(
        "--anonymize",
        metavar="METHOD",
        help="other addresses in all outputs: truncate, truncate=V4,V6 (bits that are kept; 24,48), or crypto-pan=FILE"
        " with a key of 32 octets or 64 hexadecimal digits (docs/anonymizing.md)",
    )
    group.add_argument("--anonymize-answers", action="store_true", help="in the records of DNS messages, too")
    group.add_argument("--anonymize-ports", action="store_true", help="and ports become 0")
    group.add_argument(
        "--metrics", metavar="HOST:PORT", type=address, help="answer Prometheus there, or on all addresses at :PORT"
    )
    group.add_argument("--no-progress", action="store_true", help="do not show on a terminal how far files are read")
    group.add_argument("--stats", action="store_true", help="say at the end how much came, and what became of it")


def _add_text(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("text")
    formats = group.add_mutually_exclusive_group()
    for flag, name, what in (
        ("-q", "quiet", "text, one line a message, also into a file; the default for standard output"),
        ("-y", "yaml", "text, one YAML document a message"),
        ("-j", "json", "text, one JSON object a line for each message"),
    ):
        formats.add_argument(flag, dest="format", action="store_const", const=name, help=what)
    formats.add_argument(
        "--format",
        metavar="NAME",
        choices=tuple(FORMATS),
        help="the same by name; or json-full, yaml-full: everything that is in a message, its DNS message taken apart",
    )
    group.add_argument(
        "--fields",
        metavar="NAMES",
        type=lambda names: tuple(names.split(",")),
        default=(),
        help="lines of these fields instead of -q's, e.g. time,qr,client,qname,qtype,rcode,latency (docs/formats.md)",
    )
    group.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="utc, local, or e.g. Europe/Prague; lines are local, documents UTC",
    )
    group.add_argument("--date", action="store_true", help="the date before the time in lines")
    group.add_argument(
        "--raw", action="store_true", help="texts of the sender as they are, control characters too (--fields)"
    )
    group.add_argument(
        "--jobs", metavar="N", type=_number, default=1, help="so many processes make the text of files (1)"
    )
    group.add_argument(
        "--color",
        "--colour",
        dest="colour",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours in lines; auto: on a terminal, unless NO_COLOR is set",
    )


def _add_sockets(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("sockets")
    group.add_argument(
        "-t", dest="timeout", metavar="DURATION", type=duration, default=0.0, help="I/O timeout, e.g. 5s; 0: the usual"
    )
    group.add_argument("--tls-cert", metavar="FILE", help="our certificate, PEM; who listens on tls: needs one")
    group.add_argument("--tls-key", metavar="FILE", help="its key, if it is not in the same file")
    group.add_argument("--tls-ca", metavar="FILE", help="authorities that the other side's certificate must come from")
    group.add_argument("--tls-server-name", metavar="NAME", help="that a listener's certificate must be for")
    group.add_argument("--tls-skip-verify", action="store_true", help="take any certificate of who listens")
    group.add_argument("--socket-mode", metavar="MODE", type=_mode, help="of the unix sockets that we make, e.g. 0660")
    group.add_argument("--socket-owner", metavar="USER[:GROUP]", help="of the unix sockets that we make")
