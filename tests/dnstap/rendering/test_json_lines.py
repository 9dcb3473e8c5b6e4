"""dnstap.rendering.json_lines: the text of `dnstap -j`."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, render
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from pathlib import Path


def rendered(message: Message | None = None, identity: bytes | None = None) -> str:
    return render("json", Dnstap(identity, type=DnstapType.MESSAGE, message=message))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_give_the_text_of_the_go_tool(path: Path) -> None:
    text = "".join([render("json", Dnstap.parse(payload)) for payload in read_frames(path)])
    assert text.encode() == gzip.decompress(path.with_suffix(".j.jsonl.gz").read_bytes())


def test_keys_are_in_the_order_of_the_go_tool() -> None:
    message = Message(
        type=MessageType.AUTH_RESPONSE,
        query_address=b"\xc0\0\2\1",
        response_address=b"",
        query_port=1,
        response_port=2,
        query_time_sec=1,
        query_time_nsec=0,
        query_zone=b"\3org\0",
        response_time_sec=2,
        response_time_nsec=500_000_000,
        response_message=b"",
    )
    assert rendered(message, b"ns1") == (
        '{"type":"MESSAGE","identity":"ns1","message":{"type":"AUTH_RESPONSE","query_time":"1970-01-01T00:00:01Z",'
        '"response_time":"1970-01-01T00:00:02.5Z","socket_family":"\\u003cnil\\u003e",'
        '"socket_protocol":"\\u003cnil\\u003e","query_address":"192.0.2.1","response_address":"","query_port":1,'
        '"response_port":2,"query_zone":"org.",'
        '"response_message":"parse failed: dns: overflow unpacking uint16"}}\n'
    )


def test_omits_what_go_takes_for_empty() -> None:
    message = Message(type=MessageType.CLIENT_QUERY, query_port=0, response_port=0)
    loaded = json.loads(rendered(message, b""))
    assert "identity" not in loaded
    assert set(loaded["message"]) == {"type", "socket_family", "socket_protocol"}


@pytest.mark.parametrize(
    ("identity", "escaped"),
    [
        (b"plain ~", "plain ~"),
        (b'"\\\n\r\t', '\\"\\\\\\n\\r\\t'),
        (b"\0\x1f\x7f", "\\u0000\\u001f\x7f"),
        (b"\b\f", "\\u0008\\u000c"),
        (b"<a>&", "\\u003ca\\u003e\\u0026"),
        ("\u2028\u2029".encode(), "\\u2028\\u2029"),
        ("caf\xe9 \U0001f600".encode(), "caf\xe9 \U0001f600"),
        (b"\xff\xc3", "\\ufffd\\ufffd"),
    ],
)
def test_escapes_of_go(identity: bytes, escaped: str) -> None:
    assert rendered(identity=identity) == f'{{"type":"MESSAGE","identity":"{escaped}"}}\n'


@given(st.binary(min_size=1, max_size=30))
def test_any_identity_loads_as_its_characters(identity: bytes) -> None:
    text = rendered(identity=identity)
    # As many replacement characters as there are bytes that belong to no character.
    expected = "".join(
        ["\ufffd" if "\udc80" <= one <= "\udcff" else one for one in identity.decode("utf-8", "surrogateescape")]
    )
    assert json.loads(text)["identity"] == expected


@pytest.mark.parametrize("identity", ["\x7f\x85\x9b", "caf\xe9 \u202e\u2066", "\U000e0001\u2028", "plain"])
def test_a_terminal_gets_nothing_that_cannot_be_seen(identity: str) -> None:
    dnstap = Dnstap(identity.encode(), type=DnstapType.MESSAGE)
    text = render("json", dnstap, Style(terminal=True))
    assert text[:-1].isprintable()
    assert json.loads(text) == json.loads(render("json", dnstap))
    assert identity.isprintable() == (text == render("json", dnstap))


def test_a_zone_that_does_not_parse_is_a_text() -> None:
    loaded = json.loads(rendered(Message(type=MessageType.CLIENT_QUERY, query_zone=b"\3or")))
    assert loaded["message"]["query_zone"].startswith("parse failed: dns: ")
