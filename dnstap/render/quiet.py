"""One line a message, as the Go tool's `dnstap -q` (0.4.0) prints it, byte for byte.

    12:34:56.123456 CQ 192.0.2.1 UDP 28b "example.com." IN A

Local time of the message (by TZ), who logged it and whether it is a query, the address of the other side, the
transport, the size of the DNS message and its first question; `X ` if any part of the DNS message does not parse, so
all of it is unpacked. The oddities are Go's: an absent transport is an empty column, DOQ and the DNSCrypt transports
are digits, the STUB types are not handled. Go crashes without a Message and is silent for a Dnstap type that is not
MESSAGE; we say so.

Source: golang-dnstap 0.4.0, QuietTextFormat.go.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from dnstap.dns.addresses import address_text
from dnstap.dns.message import unpack
from dnstap.dns.registry import class_text, type_text
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from dnstap.messages import Dnstap, Message

__all__ = ["render"]

_MESSAGE = 1  # DnstapType.MESSAGE


class _Kind(NamedTuple):
    """How a message type is shown."""

    letters: str
    is_query: bool
    shows_query_address: bool


_KINDS: dict[int | None, _Kind] = {
    1: _Kind("AQ", True, True),
    2: _Kind("AR", False, True),
    3: _Kind("RQ", True, False),
    4: _Kind("RR", False, False),
    5: _Kind("CQ", True, True),
    6: _Kind("CR", False, True),
    7: _Kind("FQ", True, False),
    8: _Kind("FR", False, False),
    11: _Kind("TQ", True, False),
    12: _Kind("TR", False, False),
    13: _Kind("UQ", True, False),
    14: _Kind("UR", False, False),
}
"""MessageType -> how it is shown; the STUB types are missing, as in Go."""

# The Go tool was made from a schema without the later transports, and prints their numbers.
_PROTOCOLS: dict[int | None, str] = {None: "", 1: "UDP", 2: "TCP", 3: "DOT", 4: "DOH"}

# From 1970 to the year 10000. Farther away, Python's localtime fails, or differs from Go in daylight saving time.
_USUAL_S = 253_402_300_800
_CALENDAR_CYCLE_S = 146_097 * 86_400
"""400 years: whole weeks, so daylight saving time repeats too."""
_GO_YEAR_ONE_S = 9_223_372_028_715_321_600
"""Seconds from Go's absolute year one to 1970; Go counts from there, modulo 2^64."""


def render(dnstap: Dnstap) -> str:
    """The line, with its line feed."""
    if dnstap.type != _MESSAGE:
        return "[unhandled Dnstap.Type]\n"
    message = dnstap.message
    if message is None:
        return "[no Message]\n"
    kind = _KINDS.get(message.type)
    if kind is None:
        return "[unhandled Message.Type]\n"
    if kind.is_query:
        clock = _time_text(message.query_time_sec, message.query_time_nsec)
        wire = message.query_message or b""
    else:
        clock = _time_text(message.response_time_sec, message.response_time_nsec)
        wire = message.response_message or b""
    address = message.query_address if kind.shows_query_address else message.response_address
    address_column = "MISSING_ADDRESS" if address is None else address_text(address)
    return f"{clock} {kind.letters} {address_column} {_protocol_text(message)} {len(wire)}b {_question_text(wire)}\n"


def _protocol_text(message: Message) -> str:
    protocol = message.socket_protocol
    text = _PROTOCOLS.get(protocol)
    return f"{protocol:d}" if text is None else text


def _question_text(wire: bytes) -> str:
    try:
        questions = unpack(wire).questions
    except DnsMessageError:
        return "X "
    if not questions:
        return "X "
    name, rrtype, rrclass = questions[0]
    return f'"{name}" {class_text(rrclass)} {type_text(rrtype)}'


def _time_text(seconds: int | None, nanoseconds: int | None) -> str:
    clock = "??:??:??" if seconds is None else _clock_text(seconds)
    # More than a second of nanoseconds is not carried: it gives more than six digits.
    fraction = "??????" if nanoseconds is None else f"{nanoseconds // 1000:06d}"
    return f"{clock}.{fraction}"


def _clock_text(seconds: int) -> str:
    """The local time of day at these seconds since 1970."""
    if not 0 <= seconds < _USUAL_S:
        return _far_clock_text(seconds)
    hour, minute, second = time.localtime(seconds)[3:6]
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def _far_clock_text(seconds: int) -> str:
    """The same for any uint64, read as int64 as Go does."""
    seconds = (seconds + (1 << 63)) % (1 << 64) - (1 << 63)
    alike = seconds
    if abs(seconds) >= _USUAL_S:
        alike = seconds % _CALENDAR_CYCLE_S + (19 if seconds > 0 else -20) * _CALENDAR_CYCLE_S
    local = (seconds + time.localtime(alike).tm_gmtoff + _GO_YEAR_ONE_S) % (1 << 64)
    return f"{local // 3600 % 24:02d}:{local // 60 % 60:02d}:{local % 60:02d}"
