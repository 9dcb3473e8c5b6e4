"""dnstap.rendering.yaml_documents: the text of `dnstap -y`."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketFamily, SocketProtocol, render
from dnstap.rendering.yaml_documents import quoted
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from pathlib import Path


def rendered(message: Message | None = None, identity: bytes | None = None) -> str:
    return render("yaml", Dnstap(identity, type=DnstapType.MESSAGE, message=message))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_give_the_text_of_the_go_tool(path: Path) -> None:
    text = "".join([render("yaml", Dnstap.parse(payload)) for payload in read_frames(path)])
    assert text.encode("utf-8", "surrogateescape") == gzip.decompress(path.with_suffix(".y.yaml.gz").read_bytes())


def test_keys_are_in_the_order_of_the_go_tool() -> None:
    message = Message(
        type=MessageType.AUTH_RESPONSE,
        socket_family=SocketFamily.INET6,
        socket_protocol=SocketProtocol.DOQ,
        query_address=b"\xc0\0\2\1",
        response_address=b"",
        query_port=0,
        response_port=2,
        query_time_sec=1,
        query_time_nsec=0,
        query_zone=b"\3org\0",
        response_time_sec=2,
        response_time_nsec=500_000_000,
        response_message=b"",
    )
    assert rendered(message, b"") == (
        'type: MESSAGE\nidentity: ""\nmessage:\n  type: AUTH_RESPONSE\n'
        "  query_time: !!timestamp 1970-01-01 00:00:01\n  response_time: !!timestamp 1970-01-01 00:00:02.5\n"
        "  socket_family: INET6\n  socket_protocol: 7\n  query_address: 192.0.2.1\n  response_address: <nil>\n"
        '  query_port: 0\n  response_port: 2\n  query_zone: "org."\n'
        "  # response_message: parse failed: dns: overflow unpacking uint16\n---\n"
    )


def test_absent_enums_are_left_out() -> None:
    assert rendered(Message()) == "type: MESSAGE\nmessage:\n  type: 0\n---\n"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (bytes(15) + b"\1", "::1"),
        (bytes(16), '"::"'),
        (b"\xfe\x80" + bytes(14), '"fe80::"'),
        (bytes.fromhex("00010002000300040005000600070008"), '"1:2:3:4:5:6:7:8"'),
        (bytes.fromhex("00100011001200130014001500160060"), "10:11:12:13:14:15:16:60"),
    ],
)
def test_quotes_addresses_that_yaml_would_misread(address: bytes, text: str) -> None:
    message = Message(type=MessageType.CLIENT_QUERY, query_address=address)
    assert f"  query_address: {text}\n" in rendered(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", '"plain"'),
        ('"\\', '"\\"\\\\"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\0\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("caf\xe9\udcff", '"caf\xe9\\xff"'),
        ("\x85\u2028\U000e0001", '"\\u0085\\u2028\\U000e0001"'),
    ],
)
def test_quotes_as_go_does(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text(max_size=30))
def test_quoted_text_loads_as_itself(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()  # no surrogates
    assert yaml.safe_load(quoted(text)) == text
