"""dnstap.fields.generated: every expression of the catalogue reads what an ordinary function reads."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import Dnstap, DnstapType, HttpProtocol, Message, MessageType, Policy, PolicyAction
from dnstap._generated import compile_function
from dnstap.dns import unpack_name
from dnstap.fields import kinds
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.generated import beginning, namespace
from dnstap.schema.fields import DnstapFields, MessageFields, rows
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING
from tests.plain_filters import captured, labels, made, value

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.fields.catalogue import Field


@cache
def messages() -> list[Dnstap]:
    found = [Dnstap.parse(payload) for payload in captured()] + made()
    for action, http in (PolicyAction.DROP, HttpProtocol.HTTP2), (PolicyAction.PASS, None), (None, HttpProtocol.HTTP3):
        message = Message(MessageType(99), policy=Policy(action=action), http_protocol=http, query_time_sec=1)
        found.append(Dnstap(b"", extra=b"x", type=DnstapType.MESSAGE, message=message))
    return [*found, EVERYTHING, Dnstap(type=DnstapType.MESSAGE), Dnstap(version=b"1", message=Message())]


def reader(source: str, field: Field) -> Callable[[Dnstap], Any]:
    """Return the function that evaluates an expression."""
    body = f"    return {source}\n"
    return compile_function("read", beginning("read", body, field.reads.split()) + body, namespace(None))


WITHOUT_MESSAGE = ("peer", "answered")
"""Fields that no payload has."""


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in WITHOUT_MESSAGE])
def test_reads_what_an_ordinary_function_reads(name: str) -> None:
    read = reader(FIELDS[name].source, FIELDS[name])
    expected = [value(name, dnstap) for dnstap in messages()]
    assert any(found is not None for found in expected), "no message has the field"
    # A second time, since values of the first are remembered.
    for _ in range(2):
        assert [plain(name, read(dnstap)) for dnstap in messages()] == expected


def plain(name: str, found: Any) -> Any:
    """Return a value as the ordinary functions give it."""
    kind = FIELDS[name].kind
    if found is None:
        return None
    if kind is kinds.NAME:
        return labels(unpack_name(found, 0, len(found))[0])
    if kind is kinds.ADDRESS:
        address = ip_address(found)
        return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
    return found


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_what_is_shown_is_there_with_the_value(field: Field) -> None:
    """The expression for output gives a value where that for filters gives one, and both need the same attributes."""
    read, show, bad = (reader(source or "None", field) for source in (field.source, field.shown, field.bad))
    for dnstap in messages():
        if field.shown:
            assert (show(dnstap) is None) == (read(dnstap) is None)
        # What does not parse is there, and has no value; without a message nothing is there.
        if not dnstap.message:
            assert not bad(dnstap)


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_all_attributes_that_are_read_are_named(field: Field) -> None:
    names = {row.name for row in (*rows(MessageFields), *rows(DnstapFields))} | {"answered"}
    reads = set(field.reads.split())
    assert names.issuperset(reads)
    for source in (field.source, field.shown, field.bad):
        assert {*re.findall(r"\b(?:message|dnstap)\.(\w+)", source)} <= reads | {"type"}
        assert "query_message" in reads or not re.search(r"\b(wire|outcome|question)\b", source)


def test_a_message_without_fields() -> None:
    read = reader("(message.type, is_query)", FIELDS["type"])
    assert read(Dnstap()) == (None, None)
    assert read(Dnstap(message=Message(MessageType.CLIENT_QUERY))) == (5, True)


def test_a_function_of_a_message() -> None:
    body = "    return is_query, read_question(wire)[1]\n"
    source = beginning("read", body, ["query_message"], of="message") + body
    read = compile_function("read", source, namespace(None))
    assert read(EVERYTHING.message) == reader("(is_query, read_question(wire)[1])", FIELDS["qtype"])(EVERYTHING)
