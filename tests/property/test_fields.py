"""The catalogue of fields: what lines, rows, JSON and CSV show and what filters find agree, for any payload."""

from __future__ import annotations

import csv
import json
import re
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapError, DnstapType, Message, MessageType, Style, compile_filter, row_reader
from dnstap.dns import unescaped_bytes
from dnstap.dns.text import FLAGS
from dnstap.fields import kinds
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.kinds import Notation
from dnstap.filters import fields as filters
from dnstap.filters.grammar import parse_expression
from dnstap.rendering.formats import decoder_for, renderer
from dnstap.strategies import dnstaps, hostile_payloads, server_payloads
from tests.plain_filters import captured, evaluate, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

    from dnstap import Filter

# Strategies are made anew for each example, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

WITHOUT_SENDER = [name for name in FIELDS if name != "peer"]
"""Fields that a message has by itself."""

LISTS = (kinds.NUMBERS, kinds.TEXTS, kinds.TYPES, kinds.CLASSES)
"""Kinds with several values."""

ROUNDED = (kinds.DURATION,)
"""Kinds of which a text does not say the whole value."""

STYLE = Style("utc", date=True, fields=tuple(WITHOUT_SENDER))

QUESTION = b"\7example\3org\0\0\1\0\1"


@st.composite
def edns_payloads(draw: DrawFn) -> bytes:
    """Draw messages with records in all sections and options of EDNS, good and bad ones."""
    options = b""
    codes = st.sampled_from([3, 8, 8, 10, 11, 12, 15, 15])
    for code, data in draw(st.lists(st.tuples(codes, OPTION_DATA), max_size=4)):
        options += struct.pack(">HH", code, len(data)) + data
    ttl = draw(st.sampled_from([0, 0x8000, 1 << 24, 0xFFFFFFFF]))
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, ttl, len(options)) + options
    sections = [draw(RECORDS) for _ in range(3)]
    questions, opts = draw(st.sampled_from([1, 2])), draw(st.sampled_from([0, 1, 2]))
    answers, authorities, additionals = map(len, sections)
    counts = questions, answers, authorities, additionals + opts
    header = struct.pack(">6H", 7, draw(st.integers(0, 65535)), *counts)
    wire = header + QUESTION * questions + b"".join([record for records in sections for record in records]) + opt * opts
    message = Message(draw(st.sampled_from(MessageType)), query_message=wire, response_message=wire)
    return bytes(Dnstap(type=DnstapType.MESSAGE, message=message))


OPTION_DATA = st.binary(max_size=12) | st.sampled_from(
    [
        b"",
        b"\0\1\x18\0\xc0\0\2",
        b"\0\2\x20\0\x20\1\x0d\xb8",
        b"\0\2\x78\0" + bytes(10) + b"\xff\xff\xc0\0\2",
        b"\0\x16no, \x1bway",
        b"\0\x16no way",
        b"\0\x64",
    ]
)
RDATA = (
    st.tuples(st.just(1), st.binary(min_size=4, max_size=4))
    | st.tuples(st.just(16), st.binary(max_size=9).map(lambda text: bytes([len(text)]) + text))
    | st.tuples(st.sampled_from([1, 2, 5, 46, 65, 999]), st.binary(max_size=9))
)
OWNERS = st.sampled_from([b"\xc0\x0c", b"\0", b"\4a, \n\xc0\x0c", b"\1*\3Org\0"])
RECORDS = st.lists(
    st.builds(
        lambda owner, rdata, rrclass, ttl: (
            owner + struct.pack(">HHIH", rdata[0], rrclass, ttl, len(rdata[1])) + rdata[1]
        ),
        OWNERS,
        RDATA,
        st.sampled_from([1, 1, 255, 999]),
        st.sampled_from([0, 60, 0xFFFFFFFF]),
    ),
    max_size=3,
)

payloads = st.one_of(
    edns_payloads(),
    edns_payloads(),
    hostile_payloads(edns_payloads()),
    hostile_payloads(),
    hostile_payloads(),
    server_payloads(),
    dnstaps(nameless=True).map(bytes),
    st.integers(0, 399).map(lambda index: captured()[index]),
    st.integers(0, 399).map(lambda index: bytes(replace(made()[index], type=DnstapType.MESSAGE))),
)


@cache
def line() -> Callable[[Dnstap], str]:
    return renderer("quiet", STYLE)


@cache
def has(name: str) -> Filter:
    return compile_filter(f"has {name}")


def values(dnstap: Dnstap) -> dict[str, str]:
    """Return the texts of all fields by name."""
    return dict(zip(WITHOUT_SENDER, line()(dnstap).split(), strict=True))


def parsed(payload: bytes) -> Dnstap | None:
    try:
        return Dnstap.parse(payload)
    except DnstapError:
        return None


@given(payloads)
def test_a_filter_finds_what_a_line_shows(payload: bytes) -> None:
    dnstap = parsed(payload)
    if dnstap is None:
        for name in WITHOUT_SENDER:
            assert not has(name).select([payload])
        return
    shown = values(dnstap)
    assert line()(decoder_for("quiet", STYLE)(payload)) == line()(dnstap)
    for name, text in shown.items():
        # A text of the sender may be one of these characters itself.
        if FIELDS[name].kind not in (kinds.BYTES, kinds.TEXTS):
            assert has(name).matches(dnstap) is (text not in ("-", "X")), (name, text)
        assert has(name).select([payload]) == [payload] * has(name).matches(dnstap)


@given(payloads, st.data())
def test_a_filter_takes_what_a_line_shows(payload: bytes, data: st.DataObject) -> None:
    """A text of a line is a value for a filter, and it is equal to it and to nothing that differs."""
    dnstap = parsed(payload)
    if dnstap is None:
        return
    shown = values(dnstap)
    some = [name for name in WITHOUT_SENDER if has(name).matches(dnstap) and FIELDS[name].kind not in ROUNDED]
    for name in data.draw(st.lists(st.sampled_from(some), max_size=4, unique=True)) if some else ():
        test = equal(name, shown[name])
        assert test is None or compile_filter(test).matches(dnstap), test


def equal(name: str, text: str) -> str | None:
    """Return the test that a field has the value of a text; None if there is none."""
    if FIELDS[name].kind is kinds.FLAGS:
        return " and ".join([f"flag {flag}" for flag in text.split(",")])
    value = written(name, text)
    return None if value is None else f"{name} = {value}"


def written(name: str, text: str) -> str | None:
    """Return a value for a filter from the text of a line; None if there is none."""
    kind = FIELDS[name].kind
    if kind is kinds.NAME:
        # A star without a backslash is refused in filters.
        text = text.replace("*", "\\*")
    elif kind in LISTS:
        # One of several values; a comma in a text is escaped.
        text = text.split(",")[-1]
    if kind in (kinds.BYTES, kinds.TEXTS) and "\\" in text:
        # A backslash of the sender, or an escape, which filters do not have.
        return None
    if kind is kinds.PORT and int(text) > 65535:
        # No port, but the sender wrote it.
        return None
    if kind is kinds.TIME and not re.match("(19[7-9]|[2-9][0-9]{2})[0-9]-", text):
        # After the year 9999, which has no notation, or a number of seconds that is shown as a negative one, as in Go.
        return None
    return f'"{quoted(text)}"'


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_every_operator_gives_the_answer_of_ordinary_functions(some: list[bytes], data: st.DataObject) -> None:
    dnstaps = [dnstap for payload in some if (dnstap := parsed(payload))]
    choices = {name: shown for name in OTHERS if (shown := texts(name, dnstaps))}
    if not choices:
        return
    name = data.draw(st.sampled_from(sorted(choices)))
    operator = data.draw(st.sampled_from([*filters.FIELDS[name].operators, "not in"]))
    values = data.draw(st.lists(st.sampled_from(choices[name]), min_size=1, max_size=2))
    if operator == "~":
        value = f'"{quoted(re.escape(values[0].strip(chr(34))[:4]))}"'
    elif operator in ("in", "not in", "under"):
        value = f"({', '.join(values)})"
    else:
        value = values[0]
    expression = f"{name} {operator} {value}"
    chosen, tree = compile_filter(expression), parse_expression(expression)
    # A second time, since values of the first are remembered.
    for dnstap in dnstaps + dnstaps:
        assert chosen.matches(dnstap) is evaluate(tree, dnstap), expression
        assert chosen.select([bytes(dnstap)]) == [bytes(dnstap)] * chosen.matches(dnstap)


OTHERS = [name for name in WITHOUT_SENDER if FIELDS[name].kind is not kinds.FLAGS]
"""Fields with operators."""


def texts(name: str, dnstaps: list[Dnstap]) -> list[str]:
    """Return the values for filters of a field in some messages."""
    found = [dnstap for dnstap in dnstaps if has(name).matches(dnstap)]
    return [value for dnstap in found if (value := written(name, values(dnstap)[name]))]


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@cache
def row() -> Callable[[bytes], Any]:
    return row_reader(WITHOUT_SENDER)


@cache
def table(name: str) -> Callable[[Dnstap], str]:
    return renderer(name, STYLE)


LAST_SECOND = 253_402_300_799
"""The last second of the year 9999."""

NO_YEAR = b"r\r\x08\x00`\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01x\x00"
"""A payload whose time of the response is 2^63 s."""


@given(payloads)
@example(NO_YEAR)
def test_rows_json_and_csv_agree_with_lines(payload: bytes) -> None:
    dnstap = parsed(payload)
    if dnstap is None:
        with pytest.raises(DnstapError):
            row()(payload)
        return
    found = row()(payload)._asdict()
    objects, cells = json.loads(table("json")(dnstap)), table("csv")(dnstap)
    records = [*csv.reader([cells], strict=True), *csv.reader([table("tsv")(dnstap)], delimiter="\t", strict=True)]
    assert records[0] == records[1]
    # The same from a message with only the attributes that are read.
    assert table("csv")(decoder_for("csv", STYLE)(payload)) == cells
    assert list(found) == list(objects) == WITHOUT_SENDER
    for (name, text), cell in zip(values(dnstap).items(), records[0], strict=True):
        kind, value, member = FIELDS[name].kind, found[name], objects[name]
        if value is None:
            assert (member, cell) == (None, "")
            assert text in ("-", "X")
            continue
        assert type(value) is kind.python_type
        if isinstance(value, int) and kind is kinds.TIME:
            assert member == cell
            # Of a second that Go takes for a negative one, lines show the time of day that Go makes of it.
            assert member.startswith(text) or value >= 10**9 << 63
            assert member.endswith(f".{value % 10**9:09d}Z")
            continue
        assert member == (list(value) if isinstance(value, tuple) else value)
        assert type(member) is (list if isinstance(value, tuple) else type(value))
        assert cell == in_csv(value)
        assert text == in_line(kind, value)


@given(payloads)
def test_accessors_and_dicts_agree_with_rows(payload: bytes) -> None:
    dnstap = parsed(payload)
    if dnstap is None:
        return
    found = row()(payload)._asdict()
    assert dnstap.as_dict(WITHOUT_SENDER) == found
    # Some of them, in another order; True is not 1 here, as it is for ==.
    assert repr(dnstap.as_dict(WITHOUT_SENDER[::-5])) == repr({name: found[name] for name in WITHOUT_SENDER[::-5]})
    message = dnstap.message
    if message is None:
        return
    for name in ("id", "opcode", "rcode", "qname", "qtype", "qclass"):
        assert getattr(message, name) == found[name]
    assert (message.client, message.server) == (found["query_address"], found["response_address"])
    assert message.flags == (found["flags"] or ())
    assert message.latency_ns == found["latency"]
    if message.latency is not None:
        assert message.latency // timedelta(microseconds=1) == found["latency"] // 1000
    assert (message.time_ns, message.query_time_ns) == (found["time"], found["query_time"])
    assert message.response_time_ns == found["response_time"]


@given(payloads)
@example(NO_YEAR)
def test_a_filter_takes_every_value_of_a_row(payload: bytes) -> None:
    """Each value is equal to that of the row, to the last nanosecond and the last byte, and does not differ from it."""
    dnstap = parsed(payload)
    if dnstap is None:
        return
    found = row()(payload)._asdict()
    equal = [test for name, value in found.items() if value is not None for test in equalities(name, value)]
    different = [test.replace(" = ", " != ", 1) for test in equal if " = " in test]
    if not equal:
        return
    all_equal, one_differs = compile_filter(" and ".join(equal)), compile_filter(" or ".join(different or ["rd != 0"]))
    if not all_equal.matches(dnstap) or one_differs.matches(dnstap):
        # Name the one.
        assert [test for test in equal if not compile_filter(test).matches(dnstap)] == []
        assert [test for test in different if compile_filter(test).matches(dnstap)] == []
    assert all_equal.select([payload]) == [payload]
    assert one_differs.select([payload]) == [] or not different


def equalities(name: str, value: Any) -> list[str]:
    """Return the tests that a field has the value of a row; none where filters have no notation for it."""
    kind = FIELDS[name].kind
    if kind is kinds.FLAGS:
        return [f"{'' if flag in value else 'not '}flag {flag}" for _, flag in FLAGS]
    if kind is kinds.TIME:
        seconds, nanoseconds = divmod(value, 10**9)
        # Years after 9999 have no notation.
        if seconds > LAST_SECOND:
            return []
        return [f"{name} = {datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"]
    if kind is kinds.DURATION:
        return [f"{name} = {value}ns"] if abs(value) < 10**12 else []
    if kind is kinds.PORT and value > 65535:
        # No port, but the sender wrote it.
        return []
    if kind is kinds.NAME:
        # A star without a backslash is refused in filters.
        value = value.replace("*", "\\*")
    if kind is kinds.BYTES:
        value = unescaped_bytes(value).decode("utf-8", "surrogateescape")
    values = value if kind in LISTS else (value,)
    # A text of a sender is shown with escapes, which filters do not have.
    return [f'{name} = "{quoted(str(one))}"' for one in values if name != "ede_text" or "\\" not in one]


def in_csv(value: Any) -> str:
    """Return the text of a value of a row in CSV, without quotes."""
    if isinstance(value, tuple):
        return ",".join([str(one).replace(",", "\\044") for one in value])
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_line(kind: kinds.Kind, value: Any) -> str:
    """Return the text of a value of a row in a line."""
    if kind is kinds.BYTES:
        return kind.texts(Notation(str))(unescaped_bytes(value))
    if kind in (kinds.SIZE, kinds.DURATION):
        return kind.texts(Notation(str))(value)
    return in_csv(value).replace(" ", "\\032")
