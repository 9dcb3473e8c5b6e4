"""dnstap.rendering.structure_text: the same text as that of the structure, for any message, a second time too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Policy, Style
from dnstap.peer import CurrentPeer
from dnstap.rendering import json_full, yaml_full
from dnstap.rendering.structure import structure_builder
from dnstap.rendering.structure_text import structure_renderer
from dnstap.rendering.style import DEFAULT
from dnstap.schema.fields import Row
from dnstap.strategies import dnstaps, server_payloads
from tests.dnstap.dns.test_cached_texts import UNUSUAL, USUAL, message, record
from tests.made_messages import DATA, Generator, captured_messages, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dnstap.rendering.structure_text import Notation

NOTATIONS = pytest.mark.parametrize("notation", [json_full.NOTATION, yaml_full.NOTATION], ids=["json", "yaml"])


class Twins:
    """The fast way and the plain one, whose texts must be the same."""

    def __init__(self, notation: Notation, style: Style = DEFAULT, peer: CurrentPeer | None = None) -> None:
        self.render = structure_renderer(notation, style, peer)
        self._document = notation.document
        self._build = structure_builder(style, peer)

    def check(self, messages: Iterable[Dnstap]) -> None:
        for dnstap in messages:
            assert self.render(dnstap) == self._document(self._build(dnstap))


def about(wire: bytes) -> Dnstap:
    """Return a message with this DNS message."""
    return Dnstap(type=DnstapType.MESSAGE, message=Message(MessageType.CLIENT_RESPONSE, response_message=wire))


@NOTATIONS
@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures(path: Path, notation: Notation) -> None:
    messages = [Dnstap.parse(payload) for payload in list(read_frames(path))[:300]]
    Twins(notation).check([*messages, *messages[::-1]])


@NOTATIONS
def test_made_dns_messages(notation: Notation) -> None:
    generator = Generator(9)
    wires = [*USUAL, *UNUSUAL, *captured_messages()[::3], *[generator.dns_message() for _ in range(800)]]
    wires.append(message(record(28, bytes(10) + b"\xff\xff\1\2\3\4"), record(28, bytes(12) + b"\1\2\3\4")))
    # Texts that look like what the text around them is cut at.
    wires.append(message(record(16, b'\x0a<>"<#>"\xc3\xa9\\')))
    wires.append(message(record(5, b"\2<>\2\xc3\xa9\0"), name=b'\x06"<#>"\\\0'))
    Twins(notation).check(map(about, [*wires, *wires[::-1]]))


JSON = Twins(json_full.NOTATION)
YAML = Twins(yaml_full.NOTATION)


@given(dnstaps(nameless=True) | server_payloads().map(Dnstap.parse), st.sampled_from([b"", b"\x88\1\7"]))
def test_any_message(dnstap: Dnstap, unknown: bytes) -> None:
    dnstap._unknown_fields = unknown
    for twins in (JSON, YAML):
        twins.check([dnstap])


@NOTATIONS
def test_times(notation: Notation) -> None:
    times = [None, 0, 999_999_999, 10**9, 5]
    twins = Twins(notation, Style("Europe/Prague"))
    for seconds in (None, 0, 1_795_000_000, 2**63):
        for nanoseconds in times:
            changed = Message(MessageType.CLIENT_QUERY, query_time_sec=seconds, query_time_nsec=nanoseconds)
            changed.response_time_sec, changed.response_time_nsec = seconds, nanoseconds
            twins.check([Dnstap(type=DnstapType.MESSAGE, message=changed)])


@NOTATIONS
def test_messages_that_are_not_usual(notation: Notation) -> None:
    whole = Message(MessageType.CLIENT_QUERY, query_port=53)
    nameless = replace(whole)
    nameless._unknown_fields = b"\x88\1\7"
    Twins(notation).check(
        [
            Dnstap(),
            Dnstap(type=DnstapType.MESSAGE),
            Dnstap(message=whole),
            Dnstap(type=DnstapType.MESSAGE, message=Message()),
            Dnstap(type=DnstapType.MESSAGE, message=replace(whole, policy=Policy("RPZ"))),
            Dnstap(type=DnstapType.MESSAGE, message=nameless),
            Dnstap(type=DnstapType(7), message=replace(whole, type=MessageType(99))),
        ]
    )


@NOTATIONS
def test_the_sender(notation: Notation) -> None:
    peer = CurrentPeer()
    twins = Twins(notation, peer=peer)
    for text in (None, "192.0.2.1:53", '/run/\udcff"[7]'):
        peer.text = text
        twins.check([about(b"")])


class NewerMessage(Message):
    """A Message of a schema with one more row."""

    ROWS = (*Message.ROWS, Row("note", 99, "bytes", bytes))
    note = b"new"


def test_a_row_that_is_added_to_the_schema_is_shown() -> None:
    render = structure_renderer(json_full.NOTATION, DEFAULT, None, schema=(Dnstap, NewerMessage))
    text = render(Dnstap(type=DnstapType.MESSAGE, message=NewerMessage(MessageType.CLIENT_QUERY)))
    assert text == '{"type":"MESSAGE","message":{"type":"CLIENT_QUERY","note":"new"}}\n'
