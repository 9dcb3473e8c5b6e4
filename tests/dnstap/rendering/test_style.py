"""dnstap.rendering.style: options that change the text of a format."""

from __future__ import annotations

from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, render, renderer
from dnstap.rendering.style import DEFAULT

MESSAGE = Dnstap(
    b"ns 1\x1b",
    type=DnstapType.MESSAGE,
    message=Message(MessageType.CLIENT_QUERY, query_time_sec=1_751_371_200, query_time_nsec=0),
)


@pytest.mark.parametrize(
    ("style", "line"),
    [
        (Style("utc"), "12:00:00.000000 CQ MISSING_ADDRESS  0b X \n"),
        (Style("Asia/Kathmandu"), "17:45:00.000000 CQ MISSING_ADDRESS  0b X \n"),
        (Style("utc", date=True), "2025-07-01 12:00:00.000000 CQ MISSING_ADDRESS  0b X \n"),
        (Style("utc", fields=("time", "identity")), "12:00:00.000000 ns\\0321\\027\n"),
        (Style("utc", fields=("time", "identity"), date=True), "2025-07-01T12:00:00.000000 ns\\0321\\027\n"),
        (Style("utc", fields=("identity",), escape=False), "ns\\0321\x1b\n"),
        (Style("utc", fields=("qr",), colour=True), "\x1b[36mQ\x1b[0m\n"),
    ],
)
def test_each_option_of_a_line(style: Style, line: str) -> None:
    assert render("quiet", MESSAGE, style) == line


def test_none_is_utc_in_documents() -> None:
    for name in ("yaml", "json", "json-full", "yaml-full"):
        assert render(name, MESSAGE) == render(name, MESSAGE, Style("utc"))


def test_default_is_a_style_without_options() -> None:
    assert Style() == DEFAULT
    assert renderer("yaml")(MESSAGE) == renderer("yaml", DEFAULT)(MESSAGE)


def test_options_of_lines_do_not_change_documents() -> None:
    style = Style(date=True, escape=False, fields=("time",), colour=True)
    for name in ("yaml", "json-full", "yaml-full"):
        assert render(name, MESSAGE, style) == render(name, MESSAGE)
    assert render("json", MESSAGE, style._replace(fields=())) == render("json", MESSAGE)
    assert render("json", MESSAGE, style) == render("json", MESSAGE, Style(fields=("time",)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fields": "time,qname"}, "fields: expected a tuple of names, got 'time,qname' of type str"),
        ({"fields": (5,)}, "fields: expected a tuple of names, got 5 of type int"),
        ({"fields": None}, "fields: expected a tuple of names, got None of type NoneType"),
        ({"time_zone": 5}, "time_zone: expected text, got 5 of type int"),
        ({"date": "yes"}, "date: expected True or False, got 'yes' of type str"),
    ],
)
def test_wrong_types(options: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as caught:
        Style(**options)
    assert str(caught.value) == text


def test_a_list_of_fields() -> None:
    fields: Any = ["qname"]
    assert Style(fields=fields) == Style(fields=("qname",))
