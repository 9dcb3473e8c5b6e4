"""Accounting of queries and responses of servers against what they have logged: nothing missing, nothing extra."""

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
"""Few enough for a server's queue, of 512 frames in most, to hold everything if its sending thread gets no turn."""

TYPES = ["A", "AAAA", "MX", "TXT", "SOA", "DNSKEY", "ANY"]

LAST = b"\x04last\x04perf"
"""Part of the last question that a recursive server asks."""

RECURSIVE = ("named", "unbound")
"""Servers that log the queries they send; their upstream Knot logs the queries it receives."""


class Entry(NamedTuple):
    """A DNS message that a server has logged, or should have.

    Attributes:
        server: identity of the server.
        type: QUERY or RESPONSE between the server and its clients, which it logs as CLIENT or as AUTH; RESOLVER_QUERY
            or RESOLVER_RESPONSE between it and its upstream, which it may log as FORWARDER.
        wire: the message in wire format.
    """

    server: str
    type: str
    wire: bytes


class Exchange:
    """Queries to a server, one after the other, every fifth over TCP, some again with another ID; and its responses.

    Args: step: with 5, send every fifth question.
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
        """Return the entries that the server should have logged."""
        return Counter(
            [
                *(Entry(server, "QUERY", wire) for wire in self.queries),
                *(Entry(server, "RESPONSE", wire) for wire in self.responses),
            ]
        )


def payloads(recording: Path) -> list[bytes]:
    """Return the payloads of a finished recording."""
    with read_file(recording, [CONTENT_TYPE]) as reader:
        return list(reader)


def so_far(recording: Path) -> list[bytes]:
    """Return the payloads of a recording that may still be written to."""
    found: list[bytes] = []
    with suppress(FileNotFoundError, FrameStreamError), read_file(recording, [CONTENT_TYPE]) as reader:
        found.extend(reader)
    return found


def logged(recorded: Iterable[bytes]) -> Counter[Entry]:
    """Return the entries of payloads, without the probes that were sent until the server answered."""
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
    """Return the missing and the extra entries of a server, and of the upstream Knot of a recursive one; {} if none.

    Queries that the server sends are those that Knot receives, and the same holds for responses. But if a query was
    repeated because of a timeout, the server may not log a late response, or log a query that is not sent.
    """
    log = logged(recorded)
    expected = exchange.entries(server)
    if server in RECURSIVE:
        upstream = [entry for entry in log.elements() if entry.server == "knotd"]
        expected.update(upstream)
        expected.update(Entry(server, f"RESOLVER_{type_}", wire) for _, type_, wire in upstream)
        if not any(type_ == "RESPONSE" and LAST in wire for _, type_, wire in upstream):
            expected[Entry("knotd", "RESPONSE", LAST)] += 1
    missing, extra = expected - log, log - expected
    times = Counter(_question(wire) for _, type_, wire in (expected | log).elements() if type_ == "RESOLVER_QUERY")
    for entry in [*missing, *extra]:
        if entry.type.startswith("RESOLVER") and times[_question(entry.wire)] > 1:
            del missing[entry], extra[entry]
    return {kind: [*entries] for kind, entries in (("missing", missing), ("extra", extra)) if entries}


def _question(wire: bytes) -> bytes:
    """Return the bytes of the first question: name, type and class."""
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
    """Check that --stats shows this number of connections or files, and that everything received was recorded."""
    lines = command.stderr.read_text().splitlines()
    first, second = [line for line in lines if not line.startswith("dnstap: opened input socket ")]
    recorded = payloads(recording)
    # Any other number there counts faults, except that dnsdist never sends STOP.
    faults = re.sub(r"\d+ ended without STOP", "", first)
    assert [int(number) for number in re.findall(r"\b[1-9]\d*\b", faults)] == [
        len(recorded),
        sum(map(len, recorded)),
        sources,
    ]
    count = len(recorded)
    assert second == f"dnstap: {recording}: {count} frames: {count} written, 0 rejected, 0 dropped, 0 left"
