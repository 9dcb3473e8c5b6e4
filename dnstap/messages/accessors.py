"""Accessors of Message: times, addresses, the DNS message that it is about, its header and its question.

Each is computed when it is read, and a Message keeps none. dnspython is loaded by the first use of `dns`, and the
readers of DNS messages by the first use of a property that needs them. Fields of the catalogue have here the value that
they have in a row, read by the same code; only times, latency and flags have types of their own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from dnstap.messages.readers import of_thread
from dnstap.schema.fields import MessageFields
from dnstap.schema.meaning import is_query, own_time, own_wire

if TYPE_CHECKING:
    from dnstap.dns.dnspython import DnspythonMessage
    from dnstap.dns.message import Question

__all__ = ["Accessors", "Found"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Accessors(MessageFields):
    """Properties of Message that are not fields of the schema. They are None where the fields they read are absent."""

    __slots__ = ()

    @property
    def is_query(self) -> bool:
        """True if the type logs a query; False for responses, and for an absent type or one that has no name."""
        return is_query(self.type) is True

    @property
    def is_response(self) -> bool:
        """True if the type logs a response; False for queries, and for an absent type or one that has no name."""
        return is_query(self.type) is False

    @property
    def time_ns(self) -> int | None:
        """The time of the DNS message that this is about, as `wire` is, in nanoseconds since 1970 UTC.

        Where the type does not say, that of the response if it is there, else that of the query.
        """
        return _time_ns(*own_time(self))

    @property
    def query_time_ns(self) -> int | None:
        """The time of the query in nanoseconds since 1970 UTC; absent nanoseconds count as 0."""
        return _time_ns(self.query_time_sec, self.query_time_nsec)

    @property
    def response_time_ns(self) -> int | None:
        """The time of the response in nanoseconds since 1970 UTC; absent nanoseconds count as 0."""
        return _time_ns(self.response_time_sec, self.response_time_nsec)

    @property
    def latency_ns(self) -> int | None:
        """The nanoseconds from query to response, if both times are there; negative if the response is earlier."""
        latency: int | None = of_thread.read["latency"](self)
        return latency

    @property
    def time(self) -> datetime | None:
        """The time of the DNS message that this is about, in UTC, rounded down to microseconds; see `time_ns`.

        None also after the year 9999, the last of datetime.
        """
        try:
            return _time("time", self.time_ns)
        except ValueError:
            return None

    @property
    def query_time(self) -> datetime | None:
        """The time of the query in UTC, rounded down to microseconds.

        Raises: ValueError: the time is after the year 9999, the last of datetime.
        """
        return _time("query_time", self.query_time_ns)

    @property
    def response_time(self) -> datetime | None:
        """The time of the response in UTC, rounded down to microseconds.

        Raises: ValueError: the time is after the year 9999, the last of datetime.
        """
        return _time("response_time", self.response_time_ns)

    @property
    def latency(self) -> timedelta | None:
        """The time from query to response, rounded down to microseconds; see `latency_ns`.

        None also if it has more than the 999,999,999 days of timedelta.
        """
        latency_ns = self.latency_ns
        try:
            return None if latency_ns is None else timedelta(microseconds=latency_ns // 1000)
        except OverflowError:
            return None

    @property
    def client(self) -> str | None:
        """The address that the query came from, as text; None also if it has neither 4 nor 16 bytes."""
        address: str | None = of_thread.read["query_address"](self)
        return address

    @property
    def server(self) -> str | None:
        """The address that the response came from, as text; None also if it has neither 4 nor 16 bytes."""
        address: str | None = of_thread.read["response_address"](self)
        return address

    @property
    def query_ip(self) -> IPv4Address | IPv6Address | None:
        """The address that the query came from. Its length decides the family, not socket_family.

        Raises: ValueError: query_address has neither 4 nor 16 bytes.
        """
        return _ip("query_address", self.query_address)

    @property
    def response_ip(self) -> IPv4Address | IPv6Address | None:
        """The address that the response came from. Its length decides the family, not socket_family.

        Raises: ValueError: response_address has neither 4 nor 16 bytes.
        """
        return _ip("response_address", self.response_address)

    @property
    def wire(self) -> bytes | None:
        """The DNS message that this is about, in wire format: query_message or response_message, by the type.

        Where the type does not say, the response if it is there, else the query.
        """
        return own_wire(self)

    @property
    def id(self) -> int | None:
        """The identifier in the header of `wire`; None also if the header is cut off."""
        number: int | None = of_thread.read["id"](self)
        return number

    @property
    def opcode(self) -> str | None:
        """The opcode in the header of `wire`, as text: QUERY, NOTIFY, OPCODE7; None also if the header is cut off."""
        text: str | None = of_thread.read["opcode"](self)
        return text

    @property
    def rcode(self) -> str | None:
        """The rcode of a response with the upper bits of EDNS, as text: NOERROR, NXDOMAIN, RCODE3841.

        None for queries, and if a part of `wire` does not parse.
        """
        text: str | None = of_thread.read["rcode"](self)
        return text

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags in the header of `wire` that are set, in its order: qr, aa, tc, rd, ra, z, ad, cd.

        Empty without flags, and where the header is absent or cut off.
        """
        names: tuple[str, ...] | None = of_thread.read["flags"](self)
        return names or ()

    @property
    def qname(self) -> str | None:
        """The name of the first question of `wire`, as text with the last dot; None if there is none that parses."""
        text: str | None = of_thread.read["qname"](self)
        return text

    @property
    def qtype(self) -> str | None:
        """The type of the first question of `wire`, as text: A, HTTPS, TYPE65280; None as for `qname`."""
        text: str | None = of_thread.read["qtype"](self)
        return text

    @property
    def qclass(self) -> str | None:
        """The class of the first question of `wire`, as text: IN, CH, CLASS7; None as for `qname`."""
        text: str | None = of_thread.read["qclass"](self)
        return text

    @property
    def question(self) -> Question | None:
        """The first question of `wire`, of which no more is read; None also if it has none.

        Raises: DnsMessageError: the header or the question does not parse.
        """
        wire = self.wire
        if wire is None:
            return None
        from dnstap.dns.message import unpack_question

        return unpack_question(wire)

    @property
    def dns(self) -> DnspythonMessage | None:
        """`wire` as dnspython parses it, a new dns.message.Message at each use.

        Records of the same owner, type and class are one RRset. Bytes after the last record are ignored, signatures
        (TSIG) are not checked, and a message with the TC flag is accepted.

        Raises: dns.exception.DNSException, as dns.message.from_wire does.
        """
        wire = self.wire
        if wire is None:
            return None
        from dnstap.dns.dnspython import parse

        return parse(wire)


class Found:
    """Attributes of Dnstap that are no part of its payload.

    Attributes: answered: of a query, whether its response was seen, if Pairs has found that out; otherwise None.
    """

    __slots__ = ()

    # Not in Dnstap itself, where it would be a field.
    answered: bool | None = None


def _time_ns(seconds: int | None, nanoseconds: int | None) -> int | None:
    """Return the time in nanoseconds. A billion nanoseconds or more, which no sender should write, carry over."""
    return None if seconds is None else seconds * 1_000_000_000 + (nanoseconds or 0)


def _time(name: str, time_ns: int | None) -> datetime | None:
    if time_ns is None:
        return None
    try:
        # In integers: a float, which datetime.fromtimestamp takes, does not hold every microsecond up to the year 9999.
        return _EPOCH + timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        raise ValueError(f"{name}: expected a time before the year 10000, got {time_ns} ns after 1970") from None


def _ip(name: str, address: bytes | None) -> IPv4Address | IPv6Address | None:
    if address is None:
        return None
    if len(address) == 4:
        return IPv4Address(address)
    if len(address) == 16:
        return IPv6Address(address)
    raise ValueError(f"{name}: expected 4 or 16 bytes, got {len(address)}")
