"""dnstap.rendering.tables: chosen fields as JSON, CSV and TSV."""

from __future__ import annotations

import csv
import io
import json

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, render, renderer, row_reader
from dnstap.fields.catalogue import FIELDS
from dnstap.peer import CurrentPeer
from dnstap.rendering.tables import header, json_renderer, separated_renderer
from dnstap.schema.enums import SocketProtocol
from framestream.sockets import PeerAddress
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING

MESSAGE = Message(
    MessageType.CLIENT_QUERY,
    socket_protocol=SocketProtocol(99),
    query_address=b"\xc0\0\2\1",
    query_port=53,
    query_time_sec=5,
    query_message=bytes.fromhex("0007 0100 0001 0000 0000 0000 0561226c6f2c036f726700 001c 0001"),
)
DNSTAP = Dnstap('say "ä,\tb"\n'.encode(), b"\xff", type=DnstapType.MESSAGE, message=MESSAGE)
NAMES = ("time", "client", "query_port", "protocol", "rd", "qname", "flags", "identity", "version", "rcode", "ede")
STYLE = Style(fields=NAMES)
VALUES = [
    "1970-01-01T00:00:05.000000000Z",
    "192.0.2.1",
    53,
    "99",
    True,
    'a\\"lo,.org.',
    ["rd"],
    'say "ä,\\009b"\\010',
    "\\255",
    None,
    None,
]


def test_json() -> None:
    text = render("json", DNSTAP, STYLE)
    assert text.isascii()
    assert text.endswith("}\n")
    found = json.loads(text)
    assert list(found) == list(NAMES)
    assert list(found.values()) == VALUES
    assert json.loads(json_renderer(STYLE)(Dnstap())) == dict.fromkeys(NAMES)


def records(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv(name: str, delimiter: str) -> None:
    text = header(name, STYLE) + render(name, DNSTAP, STYLE) + render(name, Dnstap(), STYLE)
    assert text.count("\n") == 3
    names, values, absent = records(text, delimiter)
    assert names == list(NAMES)
    expected = ["" if value is None else str(value) for value in VALUES]
    expected[4], expected[6] = "true", "rd"
    assert values == expected
    assert absent == [""] * len(NAMES)


def test_what_is_quoted() -> None:
    style = Style(fields=("identity", "version"))
    assert separated_renderer("csv", style)(Dnstap(b"a b", b"a,b")) == 'a b,"a,b"\n'
    assert separated_renderer("csv", style)(Dnstap(b'"', b"a\tb")) == '"""",a\\009b\n'
    assert separated_renderer("tsv", style)(Dnstap(b"a,b", b'a"b')) == 'a,b\t"a""b"\n'


def test_a_record_of_one_column_is_not_an_empty_line() -> None:
    render = separated_renderer("csv", Style(fields=("identity",)))
    assert records(render(Dnstap()) + render(Dnstap(b"a"))) == [[""], ["a"]]


def test_all_fields() -> None:
    style = Style()
    assert header("csv", style) == ",".join(FIELDS) + "\n"
    (values,) = records(separated_renderer("csv", style)(EVERYTHING))
    found = json.loads(json_renderer(Style(fields=("all",)))(EVERYTHING))
    row = row_reader(["all"])(bytes(EVERYTHING))
    for name, cell, value in zip(FIELDS, values, row, strict=True):
        assert (cell == "") == (value is None) == (found[name] is None), name
    assert found["ede"] == list(row.ede)
    assert values[list(FIELDS).index("ede")] == ",".join(map(str, row.ede))


def test_the_time_zone() -> None:
    style = Style("Europe/Prague", fields=("time",))
    assert render("csv", DNSTAP, style) == "1970-01-01T01:00:05.000000000+01:00\n"
    with pytest.raises(ValueError, match="unknown time zone"):
        renderer("csv", Style("nowhere"))


def test_the_sender() -> None:
    peer = CurrentPeer()
    peer.set(PeerAddress("192.0.2.1", 4711))
    style = Style(fields=("peer",))
    assert json_renderer(style, peer=peer)(Dnstap()) == '{"peer":"192.0.2.1:4711"}\n'
    assert separated_renderer("csv", style, peer=peer)(Dnstap()) == "192.0.2.1:4711\n"


def test_names_that_come_twice() -> None:
    for name in "json", "csv":
        with pytest.raises(ValueError, match="field 'qname' is given more than once"):
            renderer(name, Style(fields=("qname", "qname")))
