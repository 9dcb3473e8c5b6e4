"""Orders of fields in the captures of real servers, and the servers that wrote them."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dnstap import Dnstap, Message, MessageType
from dnstap.codec.tables import table_of
from dnstap.strategies import WireField, fields_of
from framestream import TruncatedStreamError, read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Form", "captured", "form_of", "real_payloads"]

ROOT = Path(__file__).parents[3]

SERVERS = {
    "dnsdist": "dnsdist",
    "knotd": "Knot DNS",
    "named": "BIND",
    "nsd": "NSD",
    "unbound": "Unbound",
    "coredns": "CoreDNS",
}
"""Names in SENDERS by the first word of a capture's name."""


class Form(NamedTuple):
    """Form of one payload: the names of its fields in order."""

    dnstap: tuple[str, ...]
    type: MessageType
    message: tuple[str, ...]


def names(cls: type[Dnstap | Message], fields: Sequence[WireField]) -> tuple[str, ...]:
    """Return the names of fields."""
    known = {field.number: field.name for field in table_of(cls).fields}
    return tuple(known[field.number] for field in fields)


def form_of(payload: bytes) -> Form:
    """Return the form of a payload with a Message."""
    outer = fields_of(payload)
    (inner,) = (field.value for field in outer if isinstance(field.value, tuple))
    parsed = Dnstap.parse(payload).message
    assert parsed is not None
    assert parsed.type is not None
    return Form(names(Dnstap, outer), parsed.type, names(Message, inner))


@cache
def real_payloads() -> list[tuple[str, bytes]]:
    """Yield each payload of tests/data and examples, with the server that wrote it."""
    found = []
    for path in sorted([*ROOT.glob("tests/data/*.fstrm"), *ROOT.glob("examples/*.fstrm")]):
        with read_file(path) as reader, contextlib.suppress(TruncatedStreamError):  # one is cut
            found += [(SERVERS[path.stem.partition("-")[0]], payload) for payload in reader]
    return found


@cache
def captured() -> list[tuple[str, Form]]:
    """Return each form in which a server has written payloads, once."""
    return sorted({(server, form_of(payload)) for server, payload in real_payloads()})
