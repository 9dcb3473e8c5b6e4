"""Pairing of messages in any order, repeated and lost, beside the plain way; and of hostile ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import dns.flags
import dns.message
import pytest
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketProtocol
from dnstap.codec.paired import PairedPayload
from dnstap.pairing import Pairs
from tests.made_messages import DATA, read_frames
from tests.plain_pairs import plain_pairs, times_fit

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_NS = 5 * 10**9
START = 1_795_000_000
HOSTILE = [0, 1, 2**32, 2**34, 2**63, 2**64 - 1]
"""Seconds; the fourth is the year 2514, up to which some count nanoseconds in 64 bits from 1970 (to 2554)."""


class Made(NamedTuple):
    """A message to be made. Attributes: time: nanoseconds after START, or None."""

    type: MessageType
    name: str
    rdtype: int
    identifier: int
    asks: bool
    client: bytes
    port: int | None
    protocol: SocketProtocol
    time: int | None

    @property
    def message(self) -> Message:
        """The message."""
        dns_message = dns.message.make_query(self.name, RdataType.make(self.rdtype), id=self.identifier)
        side = "query"
        if not self.asks:
            dns_message.question.clear()
        if self.type.name.endswith("_RESPONSE"):
            dns_message.flags |= dns.flags.QR
            side = "response"
        made = Message(
            self.type,
            socket_protocol=self.protocol,
            query_address=self.client,
            response_address=b"\x7f\0\0\1",
            query_port=self.port,
            response_port=53,
        )
        setattr(made, f"{side}_message", dns_message.to_wire())
        if self.time is not None:
            setattr(made, f"{side}_time_sec", START + self.time // 10**9)
            setattr(made, f"{side}_time_nsec", self.time % 10**9)
        return made


made = st.builds(
    Made,
    type=st.sampled_from(MessageType)
    | st.sampled_from([MessageType.AUTH_QUERY, MessageType.CLIENT_QUERY, MessageType.CLIENT_RESPONSE]),
    name=st.sampled_from(["a.example.", "A.example.", "b.example.", "."]),
    # HTTPS and the type with a letter in lower case where that has one in upper case.
    rdtype=st.sampled_from([1, 65, 97]),
    identifier=st.sampled_from([0, 1]),
    asks=st.sampled_from([True, True, True, False]),
    client=st.sampled_from([b"\n\0\0\1", b"\n\0\0\2"]),
    port=st.sampled_from([1000, 1001, None]),
    protocol=st.sampled_from([SocketProtocol.UDP, SocketProtocol.TCP]),
    time=st.none() | st.integers(0, 10) | st.integers(0, TIMEOUT_NS),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Message]:
    """Draw messages: queries with their responses, in any order, some repeated or lost, and strangers among them."""
    messages = []
    for query in draw(st.lists(made, max_size=8)):
        if not query.type.name.endswith("_QUERY"):
            messages.append(query)
            continue
        name = query.type.name.replace("_QUERY", "_RESPONSE")
        response = query._replace(
            type=MessageType[name], time=draw(st.none() | st.integers(query.time or 0, TIMEOUT_NS))
        )
        messages += [query] * draw(st.integers(0, 2)) + [response] * draw(st.integers(0, 2))
    return [each.message for each in draw(st.permutations(messages) | st.just(messages))]


def payload_of(message: Message, number: int) -> bytes:
    """Return a payload with a number, by which it is found again."""
    return Dnstap(message=message, type=DnstapType.MESSAGE, extra=b"%d" % number).encode()


def number_of(payload: bytes) -> int:
    """Return the number of a payload."""
    return int(Dnstap.parse(payload).extra or b"")


def in_batches(pairs: Pairs, payloads: list[bytes], sizes: list[int]) -> list[bytes]:
    """Pair payloads in batches of these sizes, and the rest in one."""
    out: list[bytes] = []
    for size in sizes:
        out += pairs(payloads[:size])
        payloads = payloads[size:]
    return out + pairs(payloads)


batch_sizes = st.lists(st.integers(0, 5), max_size=5)


@given(streams(), batch_sizes, st.booleans())
def test_as_the_plain_way(messages: list[Message], sizes: list[int], hold: bool) -> None:
    """Both find the same pairs where nothing can expire, and what is held comes right before its response."""
    payloads = [payload_of(message, number) for number, message in enumerate(messages)]
    pairs = Pairs(TIMEOUT_NS / 1e9, hold_queries=hold)
    out = in_batches(pairs, payloads, sizes)
    expected = plain_pairs([Dnstap.parse(payload) for payload in payloads], TIMEOUT_NS)
    queries = [number for number, message in enumerate(messages) if message.is_query]
    counts = pairs.counts
    assert counts.paired == len(expected)
    assert (counts.queries, counts.responses) == (len(queries), len(messages) - len(queries))
    assert counts.outstanding == len(queries) - len(expected)
    assert counts.orphaned + counts.early == counts.responses - len(expected)
    assert pairs.held == (counts.outstanding if hold else 0)
    out += pairs.finish()
    assert pairs.counts.unanswered == counts.outstanding
    assert pairs.counts.orphaned == counts.responses - len(expected)
    assert sorted(out) == sorted(payloads)
    if not hold:
        assert out == payloads
    query_of = {response: query for query, response in expected}
    answered = {query for query, _ in expected}
    for position, payload in enumerate(out):
        number = number_of(payload)
        carried = payload if isinstance(payload, PairedPayload) else PairedPayload()
        if number in queries:
            assert carried.answered is ((number in answered) if hold else None)
            assert carried.query_time is None
            continue
        query = query_of.get(number)
        # A response that came before its query has gone on without its time.
        if query is None or query > number or messages[query].query_time_sec is None:
            assert carried.query_time is None
        else:
            assert carried.query_time == (messages[query].query_time_sec, messages[query].query_time_nsec)
        if hold and query is not None and query < number:
            assert number_of(out[position - 1]) == query


times = st.none() | st.sampled_from(HOSTILE) | st.integers(START, START + 30)


@given(
    st.lists(st.tuples(made, times), max_size=30),
    batch_sizes,
    st.booleans(),
    st.integers(1, 5),
    st.lists(st.binary(max_size=20), max_size=3),
)
def test_any_times(
    messages: list[tuple[Made, int | None]], sizes: list[int], hold: bool, most: int, junk: list[bytes]
) -> None:
    """Each payload is passed on once and each count adds up, for any times, and with hardly any room."""
    payloads = []
    for number, (each, seconds) in enumerate(messages):
        message = each.message
        side = "query" if message.is_query else "response"
        setattr(message, f"{side}_time_sec", seconds)
        payloads.append(payload_of(message, number))
    for position, payload in enumerate(junk):
        payloads.insert(position * 7, payload)
    pairs = Pairs(TIMEOUT_NS / 1e9, max_queries=most, hold_queries=hold)
    out: list[bytes] = []
    for size in [*sizes, len(payloads)]:
        batch, payloads = payloads[:size], payloads[size:]
        passed = pairs(batch)
        out += passed
        _, responses, paired, unanswered, given_up, outstanding, orphaned, early = pairs.counts
        assert pairs.counts.queries == paired + unanswered + given_up + outstanding
        assert responses == paired + orphaned + early
        assert outstanding <= most
    out += pairs.finish()
    assert pairs.held == pairs.counts.outstanding == pairs.counts.early == 0
    by_number = {}
    for payload in out:
        if payload in junk:
            continue
        by_number[number_of(payload)] = payload
    assert sorted(by_number) == list(range(len(messages)))
    assert len(out) == len(messages) + len(junk)
    for payload in by_number.values():
        if isinstance(payload, PairedPayload) and payload.query_time is not None:
            response = Dnstap.parse(payload).message
            assert response is not None
            seconds, nanoseconds = payload.query_time
            query = Message(MessageType.CLIENT_QUERY, query_time_sec=seconds, query_time_nsec=nanoseconds)
            assert times_fit(query, response, TIMEOUT_NS)


ORPHANS = {"knotd-auth": 16, "knotd-auth-rwq": 16, "named-auth": 5, "named-file": 5, "named-recursor": 5}
"""Responses in the captures of which the server has logged no query, mostly errors about queries that do not parse."""


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures(path: Path) -> None:
    """In the captures of real servers each query that has an answer is paired, given enough time."""
    payloads = [*read_frames(path)]
    messages = [Dnstap.parse(payload) for payload in payloads]
    pairs = Pairs(3600)
    pairs(payloads)
    expected = plain_pairs(messages, 3600 * 10**9)
    assert pairs.counts.paired == len(expected) == pairs.counts.responses - ORPHANS.get(path.stem, 0)
    assert pairs.counts.outstanding == pairs.counts.queries - len(expected)
