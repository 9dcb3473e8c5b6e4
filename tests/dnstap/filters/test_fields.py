"""dnstap.filters.fields: each field by its name, with all of its operators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dnstap import Dnstap, DnstapType, compile_filter
from dnstap.fields.catalogue import FIELDS as CATALOGUE
from dnstap.fields.catalogue import NAMES, schema_field
from dnstap.filters.fields import EITHER_FIELD, FIELDS, FLAG, LIST_KINDS, MESSAGE_TYPES, filter_field
from dnstap.schema.enums import HttpProtocol
from dnstap.schema.fields import Row
from tests.dnstap.filters.examples import EMPTY, PASSED, matches


def test_every_field_of_the_catalogue_is_usable() -> None:
    assert set(FIELDS) == set(NAMES)
    tested = {FIELDS[name].field.name for name in PASSED if name not in EITHER_FIELD}
    # No payload has its sender or says if it was answered, and this one neither an error nor a second question; every
    # message has its type. Flags have tests of their own.
    others = {"answered", "dnstap_type", "error", "flags", "further_questions", "peer"}
    assert {field.field.name for field in FIELDS.values()} == tested | others


def test_the_type_of_the_dnstap() -> None:
    for test in ("= MESSAGE", "= 1", "!= 2", "in (message, 7)", "not in (2, 3)"):
        assert matches(f"dnstap_type {test}")
        assert not compile_filter(f"dnstap_type {test}").matches(Dnstap())
    assert not matches("dnstap_type = MESSAGE", Dnstap(type=DnstapType(7)))
    assert matches("dnstap_type = 7", Dnstap(type=DnstapType(7)))


def test_every_field_is_documented_with_its_operators() -> None:
    """In the table of docs/filters.md, by one of its names; it says that all have =, !=, in and not in."""
    page = (Path(__file__).parents[3] / "docs" / "filters.md").read_text()
    section = page[page.index("## Fields\n") : page.index("\n- `flag AA`")]
    documented: dict[str, set[str]] = {}
    for names, operators, _ in re.findall(r"^\| (`.+?) \|(.*?)\| (.*) \|$", section, re.MULTILINE):
        for name in re.findall("`(.+?)`", names):
            assert name not in documented
            documented[name] = {*re.findall("`(.+?)`", operators), "=", "!=", "in"}
    assert {name: documented.pop(name) for name in EITHER_FIELD} == {
        name: set(FIELDS[either].operators) for name, (either, _) in EITHER_FIELD.items()
    }
    for field in CATALOGUE.values():
        found = [name for name in (field.name, *field.aliases) if name in documented]
        assert len(found) == (field is not FLAG.field), f"{field.name} in the table of docs/filters.md: {found}"
        for name in found:
            assert documented.pop(name) == set(FIELDS[name].operators), name
    assert documented == {}


def test_aliases_are_the_same_field() -> None:
    assert matches("answers = 1 and ancount = 1 and query_zone = example.org and zone = example.org")
    assert matches(
        "query_address = 192.0.2.1 and response_port = 53 and socket_protocol = DOQ and policy_action = drop"
    )
    assert FIELDS["answers"].field is FIELDS["ancount"].field


@pytest.mark.parametrize("name", PASSED)
def test_every_test_of_a_field(name: str) -> None:
    for test in PASSED[name]:
        assert matches(f"{name} {test}"), test
        assert not matches(f"not {name} {test}"), test
        # An absent field passes no test, not even !=.
        for absent in (EMPTY, Dnstap(type=DnstapType.MESSAGE)):
            assert matches(f"{name} {test}", absent) is (name in ("type", "qr") and absent is EMPTY), test
    assert matches(f"has {name}")
    assert not matches(f"has {name}", Dnstap(type=DnstapType.MESSAGE))


@pytest.mark.parametrize("name", [name for name in PASSED if name not in EITHER_FIELD])
def test_every_operator_of_a_field(name: str) -> None:
    """With the value that DNSTAP has, the first of the examples with =."""
    value = next(test for test in PASSED[name] if test.startswith("= ")).removeprefix("= ")
    several = FIELDS[name].kind in LIST_KINDS
    answers = {
        "=": True, "==": True, "!=": False, "in": True, "not in": False, "<=": True, ">=": True, "<": False, ">": False,
        "under": True, "like": True, "~": True,
    }  # fmt: skip
    for operator in ("==", "not in", *FIELDS[name].operators):
        if operator in ("<", ">") and several:
            continue  # Another of the values can be less or greater.
        # What a text has a backslash for is any character of a pattern.
        any_character = {"~": ".", "like": "?"}.get(operator)
        wanted = re.sub(r"\\.", any_character, value) if any_character else value
        text = f"{name} {operator} {f'({wanted})' if operator.endswith('in') else wanted}"
        assert matches(text) is answers[operator], text


@pytest.mark.parametrize("name", PASSED)
def test_every_field_has_values_in_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "values of a test"
    found = [re.fullmatch(r"(=|in|not in|under) \(?([^\0]*?)\)?", test) for test in PASSED[name]]
    for test in filter(None, found):
        operator = test[1].replace("=", "in")
        path.write_bytes("\n".join(test[2].split(", ")).encode())
        for text in (f'{name} {operator} @"{path}"', f'{name} {operator} (@"{path}", @"{path}")'):
            assert matches(text), test
            assert not matches(f"not {text}"), test
    path.write_text("# nothing\n")
    assert not matches(f'{name} in @"{path}"')
    assert matches(f'{name} not in @"{path}"')


def test_names_in_wire_format() -> None:
    parse = FIELDS["qname"].parse_value
    for text, wire in {
        "www.Example.org": b"\3www\7example\3org\0",
        "www.Example.org.": b"\3www\7example\3org\0",
        "_dmarc.x-1": b"\6_dmarc\3x-1\0",
        ".": b"\0",
        r"a\.b\032c\*": b"\x06a.b c*\0",
        "a" * 63: b"\x3f" + b"a" * 63 + b"\0",
        ".".join(["a"] * 127): b"\1a" * 127 + b"\0",
        "\N{KELVIN SIGN}": b"\3\xe2\x84\xaa\0",
    }.items():
        assert parse(text) == wire, text
    for text in ("", "..", "a..b", ".a", "a" * 64, ".".join(["a"] * 128), "a b", "a\n", "*.a", "a\x7f", "a\\"):
        with pytest.raises(ValueError):  # noqa: PT011 (the grammar makes the error that a user sees)
            parse(text)


@pytest.mark.parametrize(
    ("name", "word", "hint"),
    [
        ("size", "big", ""),
        ("type", "CLIENT_QUERRY", "did you mean CLIENT_QUERY?"),
        ("client", "192.0.2.1/24", "for a network: client in 192.0.2.0/24"),
        ("client", "ns1", ""),
        ("time", "1d", "for a time before now: -1d"),
        ("time", "2026", "seconds since 1970 have 9 to 11 digits; of a year, the first day is meant by 2026-01-01"),
        ("time", "noon", ""),
        ("qname", "*.org", r"for all names below a name: qname under org; for the name with a star: \*.org"),
        ("qname", "a*", r"for a pattern: qname like a*; for the name with a star: \*"),
        ("qname", "a..b", ""),
    ],
)
def test_hints(name: str, word: str, hint: str) -> None:
    assert FIELDS[name].hint(word) == hint


def test_message_types_have_the_letters_of_quiet() -> None:
    assert {name: number for name, number in MESSAGE_TYPES.items() if len(name) == 2} == {
        "AQ": 1, "AR": 2, "RQ": 3, "RR": 4, "CQ": 5, "CR": 6, "FQ": 7, "FR": 8, "SQ": 9, "SR": 10,
        "TQ": 11, "TR": 12, "UQ": 13, "UR": 14,
    }  # fmt: skip


def test_fields_for_rows_that_are_added_to_the_schema() -> None:
    number = filter_field("size", schema_field(Row("size", 17, "uint32", int)))
    assert (number.name, number.parse_value("77"), "<" in number.operators) == ("size", 77, True)
    enum = filter_field("version", schema_field(Row("version", 17, "enum", HttpProtocol)))
    assert (enum.parse_value("http2"), enum.parse_value("9"), "<" in enum.operators) == (2, 9, False)
    assert enum.expected == "HTTP1, HTTP2, HTTP3 or a number"
    text = filter_field("note", schema_field(Row("note", 17, "bytes", bytes)))
    assert (text.parse_value("a"), "<" in text.operators) == (b"a", False)
