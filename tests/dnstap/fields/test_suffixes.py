"""dnstap.fields.suffixes: public suffixes and registered domains, and what happens without the list."""

from __future__ import annotations

import csv
import struct
import sys
from typing import Any

import pytest

import dnstap
from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.dns.names import name_octets
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.kinds import name_text
from dnstap.fields.suffixes import is_installed, suffix_reader
from framestream import MissingLibraryError


@pytest.mark.parametrize(
    ("name", "suffix", "domain"),
    [
        ("www.example.org", "org.", "example.org."),
        ("example.org", "org.", "example.org."),
        ("a.b.example.co.uk", "co.uk.", "example.co.uk."),
        # A suffix itself, and the root.
        ("org", "org.", None),
        ("co.uk", "co.uk.", None),
        (".", None, None),
        # No rule fits: the last label is a suffix.
        ("printer.lan", "lan.", "printer.lan."),
        ("lan", "lan.", None),
        # A wildcard, the name above it, and an exception.
        ("a.b.ck", "b.ck.", "a.b.ck."),
        ("b.ck", "b.ck.", None),
        ("ck", "ck.", None),
        ("a.www.ck", "ck.", "www.ck."),
        ("a.city.kawasaki.jp", "kawasaki.jp.", "city.kawasaki.jp."),
        # What owners of a domain share with others is no suffix.
        ("user.github.io", "io.", "github.io."),
        # Names that are not ASCII are sent as A-labels; as UTF-8 they are other names.
        ("a.xn--55qx5d.cn", "xn--55qx5d.cn.", "a.xn--55qx5d.cn."),
        ("\\229\\133\\172\\229\\143\\184.cn", "cn.", "\\229\\133\\172\\229\\143\\184.cn."),
        ("1.2.0.192.in-addr.arpa", "in-addr.arpa.", "192.in-addr.arpa."),
        # A dot in a label parts no labels, and marks of the list are none in a name.
        ("a.x\\.co.uk", "uk.", "x\\.co.uk."),
        ("x.co\\.uk", "co\\.uk.", "x.co\\.uk."),
        ("city\\.kawasaki.jp", "jp.", "city\\.kawasaki.jp."),
        ("a.*.ck", "*.ck.", "a.*.ck."),
        ("a.!www.ck", "!www.ck.", "a.!www.ck."),
        ("\\000\\255.org", "org.", "\\000\\255.org."),
    ],
)
def test_names(name: str, suffix: str | None, domain: str | None) -> None:
    read = suffix_reader()
    # A second time, since names are remembered.
    for _ in range(2):
        found = read(name_octets(name))
        assert tuple([part and name_text(part) for part in found]) == (suffix, domain)


def test_without_a_name() -> None:
    assert suffix_reader()(None) == (None, None)


def payload(wire: bytes) -> bytes:
    return bytes(Dnstap(type=DnstapType.MESSAGE, message=Message(MessageType.CLIENT_QUERY, query_message=wire)))


QUERY = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\3WWW\7exaMple\2Co\2uK\0\0\1\0\1"


def test_fields() -> None:
    read = dnstap.row_reader(["qname", "tld", "registered_domain"])
    assert read(payload(QUERY)) == ("WWW.exaMple.Co.uK.", "co.uk.", "example.co.uk.")
    style = Style(fields=("tld", "registered_domain"))
    # Absent: the root has neither. Bad: there is no name.
    for wire, line in ((QUERY[:12] + bytes(5), "- -\n"), (QUERY[:20], "X X\n"), (QUERY, "co.uk. example.co.uk.\n")):
        assert dnstap.render("quiet", Dnstap.parse(payload(wire)), style) == line
    chosen = dnstap.compile_filter("registered_domain = EXAMPLE.co.uk and tld under uk and not tld = uk")
    assert chosen.select([payload(QUERY), payload(QUERY[:20])]) == [payload(QUERY)]


@pytest.mark.parametrize("name", ["tld", "registered_domain"])
def test_without_the_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    assert not is_installed()
    calls: list[Any] = [
        lambda: dnstap.row_reader([name]),
        lambda: dnstap.renderer("quiet", Style(fields=(name,))),
        lambda: dnstap.renderer("csv", Style(fields=("all", name))),
        lambda: dnstap.compile_filter(f"qname = a or has {name}"),
    ]
    expected = rf"^field '{name}' needs a library that is not installed; .*pip install '\.\[psl\]'$"
    for call in calls:
        with pytest.raises(MissingLibraryError, match=expected):
            call()


def test_all_fields_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    names = [name for name in FIELDS if name not in ("tld", "registered_domain")]
    assert len(names) == len(FIELDS) - 2
    row = dnstap.row_reader(["all"])(payload(QUERY))
    assert list(row._fields) == names
    message = Dnstap.parse(payload(QUERY))
    for fields in ((), ("all",)):
        (cells,) = csv.reader([dnstap.renderer("csv", Style(fields=fields))(message)])
        assert len(cells) == len(names)
    assert len(dnstap.renderer("quiet", Style(fields=("all",)))(message).split()) == len(names)
