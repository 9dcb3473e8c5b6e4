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

from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.cached_questions import Questions
from dnstap.dns.memo import Memo
from dnstap.rendering.times import clock_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.rendering.style import Style

__all__ = ["renderer"]

_MESSAGE = 1  # DnstapType.MESSAGE

MAX_CLOCKS = 4096
"""Seconds whose time of day is remembered."""

_KINDS = {
    1: ("AQ", True, True),
    2: ("AR", False, True),
    3: ("RQ", True, False),
    4: ("RR", False, False),
    5: ("CQ", True, True),
    6: ("CR", False, True),
    7: ("FQ", True, False),
    8: ("FR", False, False),
    11: ("TQ", True, False),
    12: ("TR", False, False),
    13: ("UQ", True, False),
    14: ("UR", False, False),
}
"""MessageType -> its letters, whether it is a query, whether the query address is shown. No STUB types, as in Go."""

# The Go tool was made from a schema without the later transports, and prints their numbers.
_PROTOCOLS: dict[int | None, str] = {0: "0", 1: "UDP", 2: "TCP", 3: "DOT", 4: "DOH", 5: "5", 6: "6", 7: "7"}


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """The function to the line of a message, with its line feed. It is faster the more it has seen.

    Raises: ValueError: there is no such time zone.
    """
    if style.fields:
        from dnstap.rendering import columns

        return columns.renderer(style)
    render = _lines(style)
    return _coloured(render) if style.colour else render


def _lines(style: Style) -> Callable[[Dnstap], str]:
    clock = clock_texts(style.time_zone or "local", date=style.date)
    question = Questions().text
    clocks: dict[int | None, str] = {}
    addresses: Memo[str] = Memo(16384)

    def render(dnstap: Dnstap) -> str:
        m = dnstap.message
        if dnstap.type != _MESSAGE or m is None:
            return "[no Message]\n" if dnstap.type == _MESSAGE else "[unhandled Dnstap.Type]\n"
        try:
            letters, is_query, shows_query_address = _KINDS[m.type]  # type: ignore[index]
        except KeyError:
            return "[unhandled Message.Type]\n"
        if is_query:
            seconds, nanoseconds, wire = m.query_time_sec, m.query_time_nsec, m.query_message
        else:
            seconds, nanoseconds, wire = m.response_time_sec, m.response_time_nsec, m.response_message
        octets = m.query_address if shows_query_address else m.response_address
        try:
            # More than a second of nanoseconds is not carried: it gives more than six digits.
            fraction = "%06d" % (nanoseconds // 1000)  # type: ignore[operator]  # noqa: UP031 (twice as fast)
            return (
                f"{clocks[seconds]}.{fraction} {letters} {addresses[octets]} {_PROTOCOLS[m.socket_protocol]}"  # type: ignore[index]
                f" {len(wire)}b {question(wire) or 'X '}\n"  # type: ignore[arg-type]
            )
        except (KeyError, TypeError):
            # Something is absent, or has not been seen before.
            if len(clocks) >= MAX_CLOCKS:
                clocks.clear()
            if seconds is not None:
                clocks[seconds] = clock(seconds)
            if octets is not None:
                addresses.keep(octets, address_text(octets))
        fraction = "??????" if nanoseconds is None else f"{nanoseconds // 1000:06d}"
        address = "MISSING_ADDRESS" if octets is None else address_text(octets)
        protocol = m.socket_protocol
        transport = "" if protocol is None else _PROTOCOLS.get(protocol) or f"{protocol:d}"
        wire = wire or b""
        time = clocks.get(seconds, "??:??:??")
        return f"{time}.{fraction} {letters} {address} {transport} {len(wire)}b {question(wire) or 'X '}\n"

    return render


def _coloured(render: Callable[[Dnstap], str]) -> Callable[[Dnstap], str]:
    from dnstap.rendering.columns import paint

    def coloured(dnstap: Dnstap) -> str:
        line = render(dnstap)
        if line.startswith("["):
            return paint(line[:-1], "red") + "\n"
        # A date is before the time.
        time, letters, *others = line.replace(" ", "\0", line.count(" ", 0, line.index(":"))).split(" ", 5)
        time = time.replace("\0", " ")
        others[-1] = paint(others[-1][:-1], "red" if others[-1] == "X \n" else "bold")
        letters = paint(letters, "cyan" if letters.endswith("Q") else "green")
        return " ".join([paint(time, "dim"), letters, *others]) + "\n"

    return coloured
