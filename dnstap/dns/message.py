"""Parsing of whole DNS messages from wire format.

The counts of the header are not trusted: records missing at the end of the message are not an error, and octets after
the last record are ignored. A missing question is an error, but a question without its class, or without type and
class, is not. Any octets give a message or a DnsMessageError.

Octets longer than any DNS message are not parsed at all (`limits.MAX_MESSAGE`), whatever Go makes of them. The time is
linear in the length of the message, since the names of a message share one memo (`names.NameMemo`).

Source: miekg/dns 1.1.50, Msg.Unpack (msg.go) and unpackHeader (msg_helpers.go).
"""

import struct
from typing import Any, NamedTuple

from dnstap.dns.limits import check_length
from dnstap.dns.names import NameMemo, unpack_name
from dnstap.dns.records import unpack_rdata
from dnstap.errors import DnsMessageError
from framestream.arguments import check_type

__all__ = ["DnsMessage", "Question", "Record", "unpack", "unpack_question"]

_HEADER = struct.Struct(">6H")
_RECORD_HEADER = struct.Struct(">HHIH")


class Question(NamedTuple):
    """One question. The name is text with its final dot."""

    name: str
    rrtype: int
    rrclass: int


class Record(NamedTuple):
    """One record. An OPT record is not a special one: its class is the UDP payload size, its TTL holds flags.

    rdata has one value for each field of the type's row in dnstap.dns.records.RECORDS.
    """

    owner: str
    rrtype: int
    rrclass: int
    ttl: int
    rdata: tuple[Any, ...]


class DnsMessage(NamedTuple):
    """A DNS message. The counts of its header are not kept: a section has the records that were there.

    Attributes:
        id: the message identifier.
        flags: the second word of the header, with opcode and rcode.
    """

    id: int
    flags: int
    questions: tuple[Question, ...]
    answers: tuple[Record, ...]
    authorities: tuple[Record, ...]
    additionals: tuple[Record, ...]


_WIRE = (bytes, bytearray, memoryview)


def unpack(wire: bytes) -> DnsMessage:
    """Parse a message.

    Raises: DnsMessageError.
    """
    check_type("wire", wire, _WIRE, "bytes")
    message_id, flags, question_count, *record_counts = _unpack_header(wire)
    memo: NameMemo = {}
    questions, offset = _unpack_questions(wire, _HEADER.size, question_count, memo)
    sections = []
    for count in record_counts:
        records, offset = _unpack_records(wire, offset, count, memo)
        sections.append(records)
    return DnsMessage(message_id, flags, questions, *sections)


def unpack_question(wire: bytes) -> Question | None:
    """Return the first question of a message, None if it has none. The rest of the message is not parsed.

    Raises: DnsMessageError: the header or this question does not parse.
    """
    check_type("wire", wire, _WIRE, "bytes")
    question_count = _unpack_header(wire)[2]
    questions, _ = _unpack_questions(wire, _HEADER.size, min(question_count, 1), {})
    return questions[0] if questions else None


def _unpack_header(wire: bytes) -> tuple[int, ...]:
    """Return the six words: identifier, flags, and the counts of the four sections."""
    check_length(wire)
    if len(wire) < _HEADER.size:
        raise DnsMessageError("dns: overflow unpacking uint16")
    words = _HEADER.unpack_from(wire)
    # Servers send a bare header with an error code; its counts mean nothing, not even that of the questions.
    return words if len(wire) > _HEADER.size else (*words[:2], 0, 0, 0, 0)


def _unpack_questions(wire: bytes, offset: int, count: int, memo: NameMemo) -> tuple[tuple[Question, ...], int]:
    questions = []
    for _ in range(count):
        name, start = unpack_name(wire, offset, len(wire), memo)
        offset = start + 4
        left = wire[start:offset]
        if len(left) == 1:
            raise DnsMessageError("dns: overflow unpacking uint16")
        if len(left) < 4:
            # The message ends within the question. Go then takes the type if it is whole, and 0 for the rest.
            left = left[:2].ljust(4, b"\0")
            offset = len(wire)
        questions.append(Question(name, left[0] << 8 | left[1], left[2] << 8 | left[3]))
    return tuple(questions), offset


def _unpack_records(wire: bytes, offset: int, count: int, memo: NameMemo) -> tuple[tuple[Record, ...], int]:
    records = []
    for _ in range(count):
        if offset == len(wire):
            break
        owner, offset = unpack_name(wire, offset, len(wire), memo)
        start = offset + _RECORD_HEADER.size
        if start > len(wire):
            raise _record_header_error(len(wire) - offset)
        rrtype, rrclass, ttl, length = _RECORD_HEADER.unpack_from(wire, offset)
        offset = start + length
        if offset > len(wire):
            raise DnsMessageError("dns: overflowing header size")
        records.append(Record(owner, rrtype, rrclass, ttl, unpack_rdata(rrtype, wire, start, offset, memo)))
    return tuple(records), offset


def _record_header_error(octets: int) -> DnsMessageError:
    """Return Go's error, naming the field that is cut off, for a message that ends this many octets after an owner."""
    # Type and class are uint16, then comes the TTL, then the length.
    return DnsMessageError("dns: overflow unpacking uint32" if 4 <= octets < 8 else "dns: overflow unpacking uint16")
