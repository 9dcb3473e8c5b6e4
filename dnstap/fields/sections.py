"""Readers of the questions and records of DNS messages, for the catalogue.

A record has the same place in all fields of its section. The texts of one field are together no longer than limits.py
allows; otherwise there are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.dns.limits import TextBudget
from dnstap.dns.message import DnsMessage, Question, Record, unpack
from dnstap.dns.names import without_blanks
from dnstap.dns.registry import class_text, type_text
from dnstap.dns.text import data_text, last_opt
from dnstap.errors import DnsMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnstap.fields.wires import Outcome

__all__ = ["read_classes", "read_data", "read_names", "read_questions", "read_sections", "read_ttls", "read_types"]

_NOTHING = DnsMessage(0, 0, (), (), (), ())

Records = tuple[Record, ...]
Texts = tuple[str, ...] | None
Numbers = tuple[int, ...] | None


def read_sections(wire: bytes | None, outcome: Outcome) -> DnsMessage:
    """Return a message without its first question, and without the OPT record that the fields of EDNS are about.

    They have fields of their own. A message that does not parse is empty.

    Args: outcome: that of the message, which says whether it parses.
    """
    if wire is None or outcome[0] is None:
        return _NOTHING
    message = unpack(wire)
    opt = last_opt(message)
    # By identity, as in json-full: further OPT records, which RFC 6891 forbids, stay.
    additionals = tuple([record for record in message.additionals if record is not opt])
    return message._replace(questions=message.questions[1:], additionals=additionals)


def read_questions(questions: tuple[Question, ...], wire: bytes) -> Texts:
    """Return the texts of questions: `example.org. IN A`. None without any, and if they are too long."""
    return _texts(
        (f"{without_blanks(name)} {class_text(rrclass)} {type_text(rrtype)}" for name, rrtype, rrclass in questions),
        wire,
    )


def read_names(records: Records, wire: bytes) -> Texts:
    """Return the names of records. None without any, and if they are too long."""
    return _texts((without_blanks(record.owner) for record in records), wire)


def read_data(records: Records, wire: bytes) -> Texts:
    """Return the texts of the rdata of records. None without any, and if they are too long."""
    # Text that would be empty is that of no octets (RFC 3597, 5), so that it is seen which record it belongs to.
    return _texts((data_text(record) or "\\# 0" for record in records), wire)


def _texts(texts: Iterable[str], wire: bytes) -> Texts:
    try:
        return tuple(map(TextBudget(len(wire)).take, texts)) or None
    except DnsMessageError:
        return None


def read_types(records: Records) -> Numbers:
    """Return the types of records, None without any."""
    return tuple([record.rrtype for record in records]) or None


def read_classes(records: Records) -> Numbers:
    """Return the classes of records, None without any."""
    return tuple([record.rrclass for record in records]) or None


def read_ttls(records: Records) -> Numbers:
    """Return the TTLs of records, None without any."""
    return tuple([record.ttl for record in records]) or None
