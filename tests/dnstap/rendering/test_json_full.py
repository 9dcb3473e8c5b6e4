"""dnstap.rendering.json_full: all of a message as one JSON object a line."""

from __future__ import annotations

import json

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.rendering.json_full import renderer
from dnstap.rendering.structure import structure_builder
from tests.made_messages import DATA, read_frames


def test_one_compact_line_in_ascii() -> None:
    message = Message(MessageType.CLIENT_QUERY, query_time_sec=0, query_port=53)
    text = renderer(Style("Europe/Prague"))(Dnstap("caf\xe9 \x85".encode(), "\xe9".encode(), message=message))
    assert text == (
        '{"identity":"caf\\u00e9 \\\\194\\\\133","version":"\\u00e9","message":{"type":"CLIENT_QUERY","query_port":53,'
        '"query_time":"1970-01-01T01:00:00.000000000+01:00","query_time_sec":0}}\n'
    )


def test_nothing_but_a_type() -> None:
    assert renderer(Style())(Dnstap(type=DnstapType.MESSAGE)) == '{"type":"MESSAGE"}\n'


def test_loads_as_the_structure() -> None:
    render, structure = renderer(Style()), structure_builder(Style())
    for payload in read_frames(DATA / "unbound-unix.fstrm"):
        message = Dnstap.parse(payload)
        assert json.loads(render(message)) == structure(message)


def test_unknown_time_zone() -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        renderer(Style("Mars"))
