"""What servers were asked and have answered, against what they have logged: nothing missing, and nothing more."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import dns.flags
import dns.message

from dnstap import CONTENT_TYPE, Dnstap
from framestream import FrameStreamError, read_file
from tests.interop.servers import PROBES, ask
from tests.wait import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.interop.command import Command

__all__ = ["Entry", "Exchange", "check_summary", "logged", "payloads", "so_far", "unaccounted", "wait_accounted"]

NAMES = [
    *(f"n{number}.perf.plain.test." for number in range(100)),
    *(f"h{number}.example.test." for number in range(100)),
    "example.test.",
    "x.refused.test.",
    "\\000weird.example.test.",
    "sp\\ ace.example.test.",
    "mail.plain.test.",
    "last.perf.plain.test.",
]
"""So few that all frames have room in a server's queue, of 512 mostly, if the thread that sends gets no turn."""

TYPES = ["A", "AAAA", "MX", "TXT", "SOA", "DNSKEY", "ANY"]

LAST = b"\x04last\x04perf"
"""In the question that a recursive server asks last."""

RECURSIVE = ("named", "unbound")
"""The servers that log what they ask; the Knot behind them logs what it is asked."""


class Entry(NamedTuple):
    """A DNS message that a server has logged, or should have.

    Attributes:
        server: its identity.
        type: QUERY and RESPONSE are between the server and whoever asks it, which it logs as CLIENT or as AUTH;
            RESOLVER_QUERY and RESOLVER_RESPONSE between it and whom it asks, which it may log as FORWARDER.
        wire: the message's octets.
    """

    server: str
    type: str
    wire: bytes


class Exchange:
    """Asks a server each question, one after the other, every fifth over TCP, and some again under another id.

    Args: step: 5 takes one of five questions.
    Attributes: queries, responses: DNS messages in wire format.
    """

    def __init__(self, port: int, *, step: int = 1) -> None:
        self.queries: list[bytes] = []
        for index, name in enumerate(NAMES):
            query = dns.message.make_query(name, TYPES[index % len(TYPES)], want_dnssec=index % 3 == 0, id=index + 1)
            if index % 4 == 0:
                query.flags &= ~dns.flags.RD
            self.queries.append(query.to_wire())
        self.queries = self.queries[::step]
        self.queries += [(1000 + index).to_bytes(2) + query[2:] for index, query in enumerate(self.queries[::20])]
        self.responses = [ask(port, query, tcp=index % 5 == 0) for index, query in enumerate(self.queries)]

    def entries(self, server: str) -> Counter[Entry]:
        """What the server should have logged of it."""
        return Counter(
            [
                *(Entry(server, "QUERY", wire) for wire in self.queries),
                *(Entry(server, "RESPONSE", wire) for wire in self.responses),
            ]
        )


def payloads(recording: Path) -> list[bytes]:
    """What a finished recording holds."""
    with read_file(recording, [CONTENT_TYPE]) as reader:
        return list(reader)


def so_far(recording: Path) -> list[bytes]:
    """What a recording holds that may still be written to."""
    found: list[bytes] = []
    with suppress(FileNotFoundError, FrameStreamError), read_file(recording, [CONTENT_TYPE]) as reader:
        found.extend(reader)
    return found


def logged(recorded: Iterable[bytes]) -> Counter[Entry]:
    """What payloads say, without the questions that a server was asked until it was there, and what came of them."""
    entries: Counter[Entry] = Counter()
    for dnstap in map(Dnstap.parse, recorded):
        message = dnstap.message
        assert message is not None
        assert message.type is not None
        assert message.wire is not None
        if not (message.question and message.question.name in PROBES):
            kind = message.type.name.removeprefix("CLIENT_").removeprefix("AUTH_").replace("FORWARDER", "RESOLVER")
            entries[Entry((dnstap.identity or b"").decode().removesuffix(".peer"), kind, message.wire)] += 1
    return entries


def unaccounted(recorded: Iterable[bytes], server: str, exchange: Exchange) -> dict[str, list[Entry]]:
    """What the payloads of a server, and of the Knot behind a recursive one, lack and have too much; {}: nothing.

    What the server asks is what Knot is asked, and so it is with the answers. But of a question that was asked again,
    because no answer came in time, the server may not log an answer that comes late, or not send what it logs.
    """
    log = logged(recorded)
    expected = exchange.entries(server)
    if server in RECURSIVE:
        behind = [entry for entry in log.elements() if entry.server == "knotd"]
        expected.update(behind)
        expected.update(Entry(server, f"RESOLVER_{type_}", wire) for _, type_, wire in behind)
        if not any(type_ == "RESPONSE" and LAST in wire for _, type_, wire in behind):
            expected[Entry("knotd", "RESPONSE", LAST)] += 1
    missing, extra = expected - log, log - expected
    times = Counter(_question(wire) for _, type_, wire in (expected | log).elements() if type_ == "RESOLVER_QUERY")
    for entry in [*missing, *extra]:
        if entry.type.startswith("RESOLVER") and times[_question(entry.wire)] > 1:
            del missing[entry], extra[entry]
    return {what: [*entries] for what, entries in (("missing", missing), ("extra", extra)) if entries}


def _question(wire: bytes) -> bytes:
    """The octets of the first question: name, type and class."""
    end = 12
    while wire[end]:
        end += 1 + wire[end]
    return wire[12 : end + 5]


def wait_accounted(recorded: Callable[[], list[bytes]], server: str, exchange: Exchange) -> None:
    """Wait until nothing is unaccounted for."""
    try:
        wait_for(lambda: not unaccounted(recorded(), server, exchange), "every message")
    except AssertionError as error:
        raise AssertionError(f"{error}: {unaccounted(recorded(), server, exchange)}") from None


def check_summary(command: Command, recording: Path, sources: int) -> None:
    """What a command has said is by --stats: all that came, by so many connections or files, was recorded."""
    lines = command.stderr.read_text().splitlines()
    first, second = [line for line in lines if not line.startswith("dnstap: opened input socket ")]
    recorded = payloads(recording)
    # Whatever else is counted there is a fault.
    assert [int(number) for number in re.findall(r"\b[1-9]\d*\b", first)] == [
        len(recorded),
        sum(map(len, recorded)),
        sources,
    ]
    assert second == f"dnstap: {recording}: {len(recorded)} frames, of which 0 were left out"
