"""The sender of payloads, as filters and formats see it."""

from __future__ import annotations

import json

import pytest
import yaml

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, compile_filter
from dnstap.peer import CurrentPeer
from dnstap.rendering.formats import renderer_of_peer, shows_peer
from framestream.sockets import PeerAddress

DNSTAP = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY))

PEERS = [
    (PeerAddress("192.0.2.1", 4711), b"\xc0\0\2\1", "192.0.2.1:4711"),
    (PeerAddress("2001:db8::1", 6), b"\x20\1\x0d\xb8" + bytes(11) + b"\1", "[2001:db8::1]:6"),
    (PeerAddress("fe80::1%eth0", 6), b"\xfe\x80" + bytes(13) + b"\1", "[fe80::1%eth0]:6"),
    (PeerAddress(pid=12, uid=53, path="/run/s"), None, "/run/s[12]"),
    (PeerAddress(path="/run/s"), None, "/run/s"),
    (PeerAddress(), None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("peer", "address", "text"), PEERS)
def test_address_and_text(peer: PeerAddress | None, address: bytes | None, text: str | None) -> None:
    current = CurrentPeer()
    assert (current.address, current.text) == (None, None)
    current.set(PeerAddress("198.51.100.1", 1))
    current.set(peer)
    assert (current.address, current.text) == (address, text)


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("peer = 192.0.2.1", [0]),
        ("peer != 192.0.2.1", [1, 2]),
        ("peer in 192.0.2.0/24", [0]),
        ("peer in (192.0.2.1, fe80::1)", [0, 2]),
        ("peer in (10.0.0.0/9, 2001:db8::/32)", [1]),
        ("peer not in 2001:db8::/32", [0, 2]),
        ("has peer", [0, 1, 2]),
        ("not has peer or peer = fe80::1", [2, 3, 4, 5, 6]),
        ("qr = Q and peer = 192.0.2.1", [0]),
        ("qr = R and peer = 192.0.2.1", []),
    ],
)
def test_in_filters(text: str, matching: list[int]) -> None:
    wanted = compile_filter(text)
    assert wanted.reads_peer
    payload = DNSTAP.encode()
    found = []
    for number, (peer, _, _) in enumerate(PEERS):
        wanted.peer.set(peer)
        if wanted.matches(DNSTAP):
            found.append(number)
        assert wanted.select([payload] * 2) == [payload] * 2 * wanted.matches(DNSTAP)
    assert found == matching


def test_filters_that_do_not_ask() -> None:
    assert not compile_filter("type = CQ and not (qname under example.org or client = 192.0.2.1)").reads_peer


def test_in_formats() -> None:
    peer = CurrentPeer()
    render = {
        name: renderer_of_peer(name, Style(), peer) for name in ("json-full", "yaml-full", "json", "yaml", "quiet")
    }
    lines = renderer_of_peer("quiet", Style(fields=("peer", "qr")), peer)
    assert "peer" not in json.loads(render["json-full"](DNSTAP))
    assert lines(DNSTAP) == "- Q\n"
    peer.set(PeerAddress("192.0.2.1", 4711))
    assert json.loads(render["json-full"](DNSTAP))["peer"] == "192.0.2.1:4711"
    assert yaml.safe_load(render["yaml-full"](DNSTAP))["peer"] == "192.0.2.1:4711"
    assert lines(DNSTAP) == "192.0.2.1:4711 Q\n"
    for name in ("json", "yaml", "quiet"):
        assert "4711" not in render[name](DNSTAP)
    # The path of a socket may have any characters but is one word, and is escaped for terminals.
    peer.set(PeerAddress(pid=7, path="/tmp/a b\x1b\udcff"))
    assert lines(DNSTAP) == "/tmp/a\\032b\\027\\255[7] Q\n"
    text = render["json-full"](DNSTAP)
    assert text.isascii()
    assert "\\u001b" not in text


def test_which_formats_show_it() -> None:
    shown = [shows_peer(name, Style()) for name in ("json-full", "yaml-full", "json", "yaml", "quiet")]
    assert shown == [True, True, False, False, False]
    assert shows_peer("quiet", Style(fields=("time", "peer")))
    assert shows_peer("quiet", Style(fields=("all",)))
    assert not shows_peer("quiet", Style(fields=("time",)))
