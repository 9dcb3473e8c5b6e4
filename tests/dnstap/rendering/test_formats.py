"""dnstap.rendering.formats: formats by name, for one message and for many."""

from __future__ import annotations

from typing import Any

import pytest

import dnstap
from dnstap import FORMATS, Dnstap, DnstapType, Message, MessageType, Style
from dnstap.messages.classes import Policy
from dnstap.rendering import formats, renderer
from dnstap.rendering.formats import decoder_for, header, time_zone
from tests.made_messages import DATA, read_frames

MESSAGE = Dnstap(
    b"ns1", type=DnstapType.MESSAGE, message=Message(MessageType.CLIENT_QUERY, query_time_sec=0, query_time_nsec=0)
)

CHOSEN = ("quiet", "json", "csv", "tsv")
"""Formats of chosen fields."""


@pytest.mark.parametrize("name", FORMATS)
def test_one_message_and_many_have_the_same_text(name: str) -> None:
    assert renderer(name)(MESSAGE) == FORMATS[name](MESSAGE) == dnstap.render(name, MESSAGE)
    # dnstap.render is the function, though a package could have that name.
    assert dnstap.render is formats.render


@pytest.mark.parametrize("name", FORMATS)
def test_time_zones(name: str) -> None:
    text = dnstap.render(name, MESSAGE, Style(time_zone="Asia/Kathmandu", date=True))
    assert "1970-01-01 05:30:00" in text or "1970-01-01T05:30:00" in text
    assert ("+05:30" in text) == (name != "quiet")
    with pytest.raises(ValueError, match="time zone"):
        renderer(name, Style(time_zone="nowhere"))


def test_unknown_format() -> None:
    with pytest.raises(
        ValueError, match="unknown format 'xml': expected one of quiet, yaml, json, json-full, yaml-full, csv, tsv"
    ):
        renderer("xml")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_decoders_keep_the_fields_of_their_format(path: Any, name: str) -> None:
    """Messages with only the fields that a format shows give the same text as complete ones."""
    payloads = list(read_frames(path)) * 2
    for style in (Style(), Style(fields=("type", "qname"))) if name in CHOSEN else (Style(),):
        decode, render = decoder_for(name, style), renderer(name, style)
        assert [render(decode(p)) for p in payloads] == [dnstap.render(name, Dnstap.parse(p), style) for p in payloads]


def test_decoders_of_unusual_payloads() -> None:
    message = Message(MessageType.CLIENT_QUERY, policy=Policy("RPZ"), query_port=7, query_address=b"abcd")
    payloads = [
        bytes(Dnstap(extra=b"%d" % number, version=b"v", message=message, type=DnstapType.MESSAGE))
        for number in range(40)
    ]
    payloads += [payload + b"\xf8\x7f\x01" for payload in payloads]  # an unknown field
    for name in FORMATS:
        decode, render = decoder_for(name, Style()), renderer(name)
        assert [render(decode(p)) for p in payloads] == [dnstap.render(name, Dnstap.parse(p)) for p in payloads]


def test_wrong_arguments() -> None:
    anything: Any = renderer
    names: list[Any] = [None, 5, []]
    for name in names:
        with pytest.raises(TypeError, match=r"^name: expected the name of a format, got "):
            anything(name)
    with pytest.raises(TypeError, match=r"^style: expected a Style, got 'utc'"):
        anything("quiet", "utc")
    anything = dnstap.render
    for message in (None, b"payload"):
        with pytest.raises(TypeError, match=r"^dnstap: expected a Dnstap, "):
            anything("quiet", message)
    with pytest.raises(TypeError, match=r"^style: expected a Style, got 'utc'"):
        anything("quiet", Dnstap(), "utc")


def test_zones_that_are_not_asked_for() -> None:
    """Lines are in local time, and documents in UTC."""
    assert [time_zone(name, Style()) for name in ("quiet", "yaml", "json-full")] == ["local", "utc", "utc"]
    assert [time_zone(name, Style("Asia/Kathmandu")) for name in ("quiet", "yaml")] == ["Asia/Kathmandu"] * 2


def test_the_lines_that_files_begin_with() -> None:
    style = Style(fields=("time", "client"))
    assert {name: line for name in FORMATS if (line := header(name, style))} == {
        "csv": "time,client\n",
        "tsv": "time\tclient\n",
    }


@pytest.mark.parametrize("name", FORMATS)
def test_formats_that_show_the_sender(name: str) -> None:
    shown = [formats.shows_peer(name, Style(fields=fields)) for fields in ((), ("peer",), ("all",), ("qname",))]
    full = name.endswith("-full")
    assert shown == [full or name in ("csv", "tsv"), full or name in CHOSEN, full or name in CHOSEN, full]


def test_formats_that_show_if_queries_were_answered() -> None:
    chosen = Style(fields=("time", "answered"))
    assert [formats.shows_answered(name, chosen) for name in ("quiet", "csv", "json", "yaml")] == [True] * 3 + [False]
    assert [formats.shows_answered(name, Style()) for name in ("quiet", "csv")] == [False, True]
    assert formats.shows_answered("json", Style(fields=("all",)))
