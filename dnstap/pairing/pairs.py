"""Pairs: finds the query of each response, and the queries without one.

A query and its response have in common: what kind of traffic their types are about, the transport, both addresses and
ports, the id and the question. Three things that servers send are allowed for:

- BIND logs AUTH_QUERY and answers with CLIENT_RESPONSE, so both kinds are one here. If queries of both kinds wait, the
  response belongs to that of its own.
- Unbound writes the port of its latest query into the responses to all that are under way. So of the queries that a
  server itself sends, the port may differ; one with the same port is preferred.
- A response that is an error, such as FORMERR, may have no question. It belongs to the oldest query with its id.

The response must not be earlier than the query, by their own times, and not later than the timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.codec.learned import Decoder
from dnstap.codec.paired import PairedPayload, paired_decoder
from dnstap.codec.projections import for_fields
from dnstap.errors import DnstapError
from dnstap.fields.catalogue import reads
from dnstap.pairing.clock import MessageClock
from dnstap.pairing.outstanding import Outstanding, Waiting
from dnstap.schema.enums import MessageType
from dnstap.schema.meaning import DIRECTIONS
from framestream.arguments import check_callable, check_number, check_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MAX_QUERIES", "NEEDS_PAIRS", "TIMEOUT_S", "PairCounts", "Pairs"]

TIMEOUT_S = 15.0
"""Default of the timeout. BIND gives up after 10 s and answers SERVFAIL; most clients have left by then."""

MAX_QUERIES = 200_000
"""Default number of queries that may wait: 15 s of a server that leaves 13,000 queries a second unanswered."""

MAX_BYTES = 1 << 26
"""Length of the payloads of queries that may wait: more than that of 200,000 usual ones."""

MAX_EARLY = 16384
"""Responses that may wait for a query that comes after them."""

MAX_EARLY_BYTES = 1 << 24
"""Length of their payloads."""

NEEDS_PAIRS = "answered: expected `pairs`, which finds out which queries were answered"
"""Text of the error for what asks for `answered` where nothing is paired, behind the name of the argument."""

_FIELDS = ("time", "protocol", "client", "client_port", "server", "server_port", "qname")
"""Fields of the catalogue that read what is needed here."""

_OWN_PORT = ("RESOLVER", "FORWARDER", "STUB")
"""Kinds of traffic in which the server itself is the client."""


class _Kind(NamedTuple):
    """The meaning of a message type.

    Attributes:
        traffic: number of a type, the same for queries and responses that may belong together.
        own_type: number of the type of query that the name of the type is about.
        by_port: whether the port of the client must be the same.
    """

    is_query: bool
    traffic: int
    own_type: int
    by_port: bool


def _kinds() -> dict[int | None, _Kind]:
    kinds: dict[int | None, _Kind] = {}
    for member in MessageType:
        traffic = member.name.rpartition("_")[0]
        own_type = int(MessageType[f"{traffic}_QUERY"])
        shared = MessageType.CLIENT_QUERY if traffic == "AUTH" else own_type
        kinds[int(member)] = _Kind(DIRECTIONS[member], int(shared), own_type, traffic not in _OWN_PORT)
    return kinds


_KINDS = _kinds()


class PairCounts(NamedTuple):
    """Counts of pairing.

    Each query is one of paired, unanswered, given up and outstanding; each response one of paired, orphaned and early.

    Attributes:
        queries: queries that came.
        responses: responses that came.
        paired: queries with a response.
        unanswered: queries without a response within the timeout, or until the end.
        given_up: queries that there was no room for any longer.
        outstanding: queries that wait for their response now.
        orphaned: responses without a query.
        early: responses without a query so far, whose query may still come.
    """

    queries: int = 0
    responses: int = 0
    paired: int = 0
    unanswered: int = 0
    given_up: int = 0
    outstanding: int = 0
    orphaned: int = 0
    early: int = 0


class Pairs:
    """Pairs queries with their responses (docs/pairing.md). Not for several threads at once.

    It is a function from payloads to payloads with the same bytes, which carry what was found: the time of the query to
    a response that lacks it, and to a query that was held, whether it was answered. `read`, Collector and the functions
    of `decoder` put that into messages.

    Args:
        timeout_s: latest time of a response after its query, in seconds, by the times in the messages.
        max_queries: number of queries that may wait, in 64 MiB of payloads; then the oldest are given up.
        hold_queries: pass a query on only once it is paired, right before its response, or is given up. Otherwise it
            is passed on at once, and `answered` is not known.
    """

    def __init__(
        self, timeout_s: float = TIMEOUT_S, *, max_queries: int = MAX_QUERIES, hold_queries: bool = False
    ) -> None:
        check_number("timeout_s", timeout_s, 0, whole=False)
        if not 0 < timeout_s < 1e9:
            raise ValueError(f"timeout_s: expected a number above 0 and below 1e9, got {timeout_s}")
        check_number("max_queries", max_queries, 1)
        check_type("hold_queries", hold_queries, bool, "True or False")
        self.timeout_s = timeout_s
        self.hold_queries = hold_queries
        self._max_queries = max_queries
        self._timeout = int(timeout_s * 1e9)
        self._clock = MessageClock(self._timeout)
        self._due = self._timeout
        self._queries = Outstanding()
        self._early = Outstanding()
        self._decode = Decoder(for_fields(reads(_FIELDS))).decode
        self._query_count = self._response_count = 0
        self._paired = self._unanswered = self._given_up = self._orphaned = 0
        self._held = 0
        # What is passed on next, and the positions in it of held queries that came from elsewhere.
        self._out: list[bytes] = []
        self._strangers: list[tuple[int, Any]] = []
        self._origin: Any = None

    @property
    def counts(self) -> PairCounts:
        """Counts so far."""
        return PairCounts(
            self._query_count,
            self._response_count,
            self._paired,
            self._unanswered,
            self._given_up,
            self._queries.count,
            self._orphaned,
            self._early.count,
        )

    @property
    def held(self) -> int:
        """Number of payloads that were not passed on yet."""
        return self._held

    def decoder(self, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        """Return a function that decodes payloads as another does, and puts what was found into their messages.

        Args: decode: Dnstap.parse, or the `decode` of a Decoder of Dnstap.
        Raises: TypeError: not callable.
        """
        check_callable("decode", decode, "a function from a payload to a Dnstap")
        return paired_decoder(decode, answered=True)

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        """Return payloads to pass on: these, without queries that are held, and with those that are no longer.

        Raises: TypeError: not a list of bytes.
        """
        check_type("payloads", payloads, (list, tuple), "a list of bytes")
        return [payload for part, _ in self.sorted(payloads, None) for payload in part]

    def finish(self) -> list[bytes]:
        """Count what waits as unanswered and orphaned, and return the payloads that were held."""
        return [payload for part, _ in self.release() for payload in part]

    def sorted(self, payloads: Sequence[bytes], origin: Any) -> list[tuple[list[bytes], Any]]:
        """Return payloads to pass on, in parts of one origin each.

        Args: origin: where these came from, of any type.
        """
        self._origin = origin
        decode, kinds, clock, timeout = self._decode, _KINDS, self._clock, self._timeout
        out, queries = self._out, self._queries
        for payload in payloads:
            try:
                message = decode(payload).message
            except DnstapError:
                out.append(payload)
                continue
            if message is None or (kind := kinds.get(message.type)) is None:
                out.append(payload)
                continue
            is_query, traffic, variant, by_port = kind
            if is_query:
                wire, seconds, nanoseconds = message.query_message, message.query_time_sec, message.query_time_nsec
            else:
                wire = message.response_message
                seconds, nanoseconds = message.response_time_sec, message.response_time_nsec
            port = message.query_port
            if not by_port:
                # These kinds have one type each, so that the port can be what may differ.
                variant, port = port, None
            identifier = question = None
            if wire:
                identifier = wire[:2]
                # To the end of the name, type and class. A zero byte within a label ends it early, in both.
                if len(wire) > 16 and (wire[5] or wire[4]) and (end := wire.find(0, 12)) > 0:
                    question = wire[12 : end + 5]
            key = (
                traffic,
                identifier,
                port,
                message.query_address,
                message.response_address,
                message.response_port,
                message.socket_protocol,
            )
            since, time = clock.now, None
            if seconds is not None:
                time = seconds * 1_000_000_000 + (nanoseconds or 0)
                if not clock.low <= time <= clock.high:
                    since = clock.advance(time)
                    if clock.now > self._due:
                        self._expire(clock.now)
            if is_query:
                self._add_query(Waiting(key, question, time, variant, self._query_count, since, len(payload)), payload)
                continue
            self._response_count += 1
            query = queries.take(key, question, variant, None if time is None else time - timeout, time)
            if query is None:
                if time is None:
                    self._orphaned += 1
                else:
                    self._add_early(Waiting(key, question, time, variant, self._response_count, since, len(payload)))
                out.append(payload)
                continue
            self._paired += 1
            self._let_go(query, answered=True)
            if message.query_time_sec is None and query.time is not None:
                paired = PairedPayload(payload)
                paired.query_time = divmod(query.time, 1_000_000_000)
                payload = paired
            out.append(payload)
        return self._parts()

    def release(self) -> list[tuple[list[bytes], Any]]:
        """Count what waits as unanswered and orphaned, and return the payloads that were held, in parts."""
        self._origin = None
        self._expire(None)
        return self._parts()

    def _add_query(self, query: Waiting, payload: bytes) -> None:
        """Have a query wait for its response, unless that came before it."""
        self._query_count += 1
        time = query.time
        if (
            self._early.count
            and time is not None
            and self._early.take(query.key, query.question, query.variant, time, time + self._timeout)
        ):
            self._paired += 1
            self._out.append(_answered(payload, answered=True) if self.hold_queries else payload)
            return
        if self.hold_queries:
            query.payload, query.origin = payload, self._origin
            self._held += 1
        else:
            self._out.append(payload)
        self._queries.add(query)
        queries = self._queries
        while (queries.count > self._max_queries or queries.size > MAX_BYTES) and (oldest := queries.oldest()):
            queries.remove(oldest)
            self._given_up += 1
            self._let_go(oldest, answered=None)

    def _add_early(self, response: Waiting) -> None:
        """Have a response wait for a query that comes after it."""
        early = self._early
        early.add(response)
        while (early.count > MAX_EARLY or early.size > MAX_EARLY_BYTES) and (oldest := early.oldest()):
            early.remove(oldest)
            self._orphaned += 1

    def _expire(self, now: int | None) -> None:
        """Give up what has waited for longer than the timeout; all if `now` is None."""
        for outstanding in (self._queries, self._early):
            while (oldest := outstanding.oldest()) is not None:
                if now is not None and oldest.since + self._timeout >= now:
                    break
                outstanding.remove(oldest)
                if outstanding is self._queries:
                    self._unanswered += 1
                    self._let_go(oldest, answered=False)
                else:
                    self._orphaned += 1
        first = [oldest.since for waiting in (self._queries, self._early) if (oldest := waiting.oldest())]
        self._due = min(first, default=self._clock.now) + self._timeout

    def _let_go(self, query: Waiting, *, answered: bool | None) -> None:
        """Pass on a query, if it was held."""
        if query.payload is None:
            return
        if query.origin != self._origin:
            self._strangers.append((len(self._out), query.origin))
        self._out.append(_answered(query.payload, answered=answered))
        self._held -= 1

    def _parts(self) -> list[tuple[list[bytes], Any]]:
        """Return what is to be passed on, in parts of one origin each."""
        out, strangers, origin = self._out, self._strangers, self._origin
        self._out, self._strangers, self._origin = [], [], None
        parts: list[tuple[list[bytes], Any]] = []
        start = 0
        for position, stranger in strangers:
            if position > start:
                parts.append((out[start:position], origin))
            if parts and position == start and parts[-1][1] == stranger:
                parts[-1][0].append(out[position])
            else:
                parts.append((out[position : position + 1], stranger))
            start = position + 1
        if start < len(out):
            parts.append((out[start:], origin))
        return parts


def _answered(payload: bytes, *, answered: bool | None) -> PairedPayload:
    paired = PairedPayload(payload)
    paired.answered = answered
    return paired
