"""One line a message, as the Go tool's `dnstap -q` (0.4.0) prints it, byte for byte.

    12:34:56.123456 CQ 192.0.2.1 UDP 28b "example.com." IN A

The columns are the local time of the message (set by TZ), letters for its type, the address of the other side, the
transport, the size of the DNS message, and its first question, or `X ` if any part of the DNS message does not parse.

Oddities kept from QuietTextFormat.go: an absent transport is an empty column, DOQ and the DNSCrypt transports are
numbers, and the STUB types are "unhandled". Go crashes on a Dnstap without a Message and prints nothing for one whose
type is not MESSAGE; here both get a line.

Source: golang-dnstap 0.4.0, QuietTextFormat.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.rendering.times import MAX_SECONDS, clock_formatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.style import Style

__all__ = ["renderer"]

_MESSAGE = 1  # DnstapType.MESSAGE

MAX_ADDRESSES = 16384
"""Number of addresses whose text is remembered. With `-q` the process stays under 22 MiB, even if every address is new
(docs/performance.md)."""

_TYPES = {
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
"""MessageType -> its letters, whether it is a query, and whether the line shows the query address or the response
address: the switch of textConvertMessage, which has no STUB types."""

# The Go tool's schema ends with DOH; it prints later transports as numbers.
_PROTOCOLS: dict[int | None, str] = {0: "0", 1: "UDP", 2: "TCP", 3: "DOT", 4: "DOH", 5: "5", 6: "6", 7: "7"}


def renderer(
    style: Style, max_seconds: int = MAX_SECONDS, *, peer: CurrentPeer | None = None
) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one line with its line feed.

    It remembers parts of what it has rendered, so use one for a whole stream.

    Args:
        max_seconds: number of seconds whose time of day is remembered.
        peer: the sender of each message that it is called with.
    Raises: ValueError: unknown field or time zone.
    """
    if style.fields:
        from dnstap.rendering import columns

        return columns.renderer(style, peer)
    render = _line_renderer(style, max_seconds)
    return _coloured(render) if style.colour else render


def _line_renderer(style: Style, max_seconds: int) -> Callable[[Dnstap], str]:
    clock = clock_formatter("local" if style.time_zone is None else style.time_zone, date=style.date)
    question = CachedQuestions().read
    clocks: dict[int | None, str] = {}
    addresses: BoundedCache[str] = BoundedCache(MAX_ADDRESSES)

    def render(dnstap: Dnstap) -> str:
        message = dnstap.message
        if dnstap.type != _MESSAGE or message is None:
            return "[no Message]\n" if dnstap.type == _MESSAGE else "[unhandled Dnstap.Type]\n"
        try:
            letters, is_query, shows_query_address = _TYPES[message.type]  # type: ignore[index]
        except KeyError:
            return "[unhandled Message.Type]\n"
        if is_query:
            seconds, nanoseconds, wire = message.query_time_sec, message.query_time_nsec, message.query_message
        else:
            seconds, nanoseconds, wire = message.response_time_sec, message.response_time_nsec, message.response_message
        address = message.query_address if shows_query_address else message.response_address
        # The usual message is complete, and its second and address have been seen: nothing is asked before the line is
        # put together, and what is missing raises.
        try:
            # A second of nanoseconds or more is not carried, as in Go, but gives more than six digits.
            fraction = "%06d" % (nanoseconds // 1000)  # type: ignore[operator]  # noqa: UP031 (twice as fast)
            return (
                f"{clocks[seconds]}.{fraction} {letters} {addresses[address]} {_PROTOCOLS[message.socket_protocol]}"  # type: ignore[index]
                f" {len(wire)}b {question(wire) or 'X '}\n"  # type: ignore[arg-type]
            )
        except (KeyError, TypeError):
            # What was new is remembered, for the next message; this line is then put together part by part.
            if len(clocks) >= max_seconds:
                clocks.clear()
            if seconds is not None:
                clocks[seconds] = clock(seconds)
            if address is not None:
                addresses.store(address, address_text(address))
        fraction = "??????" if nanoseconds is None else f"{nanoseconds // 1000:06d}"
        shown_address = "MISSING_ADDRESS" if address is None else address_text(address)
        protocol = message.socket_protocol
        transport = "" if protocol is None else _PROTOCOLS.get(protocol) or f"{protocol:d}"
        # Go prints the length of nil, 0, for an absent DNS message, and X, as for one without a question.
        wire = wire or b""
        time = clocks.get(seconds, "??:??:??")
        return f"{time}.{fraction} {letters} {shown_address} {transport} {len(wire)}b {question(wire) or 'X '}\n"

    return render


def _coloured(render: Callable[[Dnstap], str]) -> Callable[[Dnstap], str]:
    from dnstap.rendering.columns import paint

    def coloured(dnstap: Dnstap) -> str:
        line = render(dnstap)
        if line.startswith("["):
            return paint(line[:-1], "red") + "\n"
        # Before the first colon stands the hour, or a date, a space and the hour: that space ends no column.
        time, letters, *others = line.replace(" ", "\0", line.count(" ", 0, line.index(":"))).split(" ", 5)
        time = time.replace("\0", " ")
        others[-1] = paint(others[-1][:-1], "red" if others[-1] == "X \n" else "bold")
        letters = paint(letters, "cyan" if letters.endswith("Q") else "green")
        return " ".join([paint(time, "dim"), letters, *others]) + "\n"

    return coloured
