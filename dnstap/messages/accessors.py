"""What the fields of a Message mean: times, addresses, the DNS message that it is about, and its question.

Everything is worked out from the fields when it is asked for, and nothing is kept: who does not ask pays nothing, and
dnspython is loaded by the first `dns`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from dnstap.schema.enums import MessageType

if TYPE_CHECKING:
    from dnstap.dns.dnspython import DnspythonMessage
    from dnstap.dns.message import Question

__all__ = ["Reading"]

_QUERIES = frozenset(number for number in MessageType if number % 2)
_RESPONSES = frozenset(MessageType) - _QUERIES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reading:
    """The properties of Message that are no fields of the schema. None where the fields that they read are absent."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: MessageType | None
        query_address: bytes | None
        response_address: bytes | None
        query_time_sec: int | None
        query_time_nsec: int | None
        query_message: bytes | None
        response_time_sec: int | None
        response_time_nsec: int | None
        response_message: bytes | None

    @property
    def is_query(self) -> bool:
        """Whether the type is one of those that log a query; False for a type without a name, or none."""
        return self.type in _QUERIES

    @property
    def is_response(self) -> bool:
        """Whether the type is one of those that log a response; False for a type without a name, or none."""
        return self.type in _RESPONSES

    @property
    def query_time_ns(self) -> int | None:
        """When the query passed, in nanoseconds since 1970 UTC; absent nanoseconds are 0."""
        return _time_ns(self.query_time_sec, self.query_time_nsec)

    @property
    def response_time_ns(self) -> int | None:
        """When the response passed, in nanoseconds since 1970 UTC; absent nanoseconds are 0."""
        return _time_ns(self.response_time_sec, self.response_time_nsec)

    @property
    def query_time(self) -> datetime | None:
        """When the query passed, in UTC; what is less than a microsecond is left out.

        Raises: ValueError: the time is behind the year 9999, where datetime ends.
        """
        return _time("query_time", self.query_time_ns)

    @property
    def response_time(self) -> datetime | None:
        """When the response passed, in UTC; what is less than a microsecond is left out.

        Raises: ValueError: the time is behind the year 9999, where datetime ends.
        """
        return _time("response_time", self.response_time_ns)

    @property
    def query_ip(self) -> IPv4Address | IPv6Address | None:
        """The address that the query came from. Its length decides what it is, not socket_family.

        Raises: ValueError: query_address has neither 4 nor 16 octets.
        """
        return _ip("query_address", self.query_address)

    @property
    def response_ip(self) -> IPv4Address | IPv6Address | None:
        """The address that the response came from. Its length decides what it is, not socket_family.

        Raises: ValueError: response_address has neither 4 nor 16 octets.
        """
        return _ip("response_address", self.response_address)

    @property
    def wire(self) -> bytes | None:
        """The DNS message that this is about, in wire format: query_message or response_message, as the type says.

        Where the type does not say: the response if it is there, else the query.
        """
        if self.is_query:
            return self.query_message
        if self.is_response or self.response_message is not None:
            return self.response_message
        return self.query_message

    @property
    def question(self) -> Question | None:
        """The first question of `wire`, of which no more is read; None also if it asks nothing.

        Raises: DnsMessageError: the header or the question does not parse.
        """
        wire = self.wire
        if wire is None:
            return None
        from dnstap.dns.message import unpack_question

        return unpack_question(wire)

    @property
    def dns(self) -> DnspythonMessage | None:
        """`wire` as dnspython reads it, a new dns.message.Message at each use.

        Records of the same owner, type and class are one RRset. Octets behind the last record are ignored, signatures
        (TSIG) are not checked, and a message that is marked as truncated is good.

        Raises: dns.exception.DNSException, as dns.message.from_wire does.
        """
        wire = self.wire
        if wire is None:
            return None
        from dnstap.dns.dnspython import parse

        return parse(wire)


def _time_ns(seconds: int | None, nanoseconds: int | None) -> int | None:
    """The time in one number. A second of nanoseconds or more, which the schema does not mean, carries."""
    return None if seconds is None else seconds * 1_000_000_000 + (nanoseconds or 0)


def _time(name: str, time_ns: int | None) -> datetime | None:
    if time_ns is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        raise ValueError(f"{name} is {time_ns} ns after 1970; datetime holds the years 1 to 9999") from None


def _ip(name: str, octets: bytes | None) -> IPv4Address | IPv6Address | None:
    if octets is None:
        return None
    if len(octets) == 4:
        return IPv4Address(octets)
    if len(octets) == 16:
        return IPv6Address(octets)
    raise ValueError(f"{name} has {len(octets)} octets; 4 or 16 expected")
