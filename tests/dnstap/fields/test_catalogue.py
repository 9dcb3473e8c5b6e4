"""dnstap.fields.catalogue: names, aliases, and the choice of fields."""

from __future__ import annotations

import json
import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from dnstap.fields import kinds
from dnstap.fields.catalogue import ALL, FIELDS, NAMES, chosen, columns, reads, schema_field
from dnstap.filters import fields as filters
from dnstap.schema.enums import HttpProtocol
from dnstap.schema.fields import MessageFields, Row, rows
from framestream import MissingLibraryError

DOCS = Path(__file__).parents[3] / "docs"


def test_names_and_aliases_are_words_and_unique() -> None:
    names = [name for field in FIELDS.values() for name in (field.name, *field.aliases)]
    assert len(names) == len(set(names)) == len(NAMES)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)
    assert ALL not in names
    # Words of the filter grammar.
    assert not {"and", "or", "not", "has", "flag", "in", "under", "address", "port"} & set(names)


def test_every_field_has_a_meaning() -> None:
    assert all(field.meaning for field in FIELDS.values())


def rows_of(document: str, heading: str) -> list[list[str]]:
    """Return the cells of each row of the table with a heading."""
    text = (DOCS / document).read_text()
    table = text[text.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_documented_fields_are_those_of_the_catalogue() -> None:
    expected = [
        [f"`{field.name}`", ", ".join([f"`{alias}`" for alias in field.aliases]), field.kind.name, field.meaning]
        for field in FIELDS.values()
    ]
    assert rows_of("formats.md", "| field | alias | value | |") == expected


def test_the_documented_operators_are_those_of_filters() -> None:
    documented = {}
    for names, operators, _ in rows_of("filters.md", "| field | more operators | values |"):
        for name in re.findall(r"`(\w+)`", names):
            fields = [filters.FIELDS[each] for each in filters.EITHER_FIELD.get(name, (name,))]
            for field in fields:
                assert tuple(re.findall("`([^`]+)`", operators)) == field.operators[3:], name
                documented[field.field.name] = field
    assert documented.keys() == FIELDS.keys() - {"flags"}


def test_every_row_of_the_schema_is_read_by_a_field() -> None:
    read = {"type", *[name for field in FIELDS.values() for name in field.reads.split()]}
    assert {row.name for row in rows(MessageFields)} <= read


RECORDS = [f"{section}_{{}}" for section in ("answer", "authority", "additional")]

SHOWN_BY = {
    "": {"type": ["dnstap_type"]},
    "message": {
        **{f"query_time_{unit}": ["query_time"] for unit in ("sec", "nsec")},
        **{f"response_time_{unit}": ["response_time"] for unit in ("sec", "nsec")},
    },
    "policy": {key: [f"policy_{key}"] for key in ("type", "rule", "action", "match", "value")},
    "dns": {"wire": ["query_message", "response_message"]},
    "question": {
        "name": ["qname", "further_questions"],
        "type": ["qtype", "further_questions"],
        "class": ["qclass", "further_questions"],
    },
    "record": {
        "name": [name.format("names") for name in RECORDS],
        "type": [name.format("types") for name in RECORDS],
        "class": [name.format("classes") for name in RECORDS],
        "ttl": [name.format("ttls") for name in RECORDS],
        "rdata": [name.format("data") for name in RECORDS],
    },
    "edns": {"version": ["edns_version"], "do": ["edns_do"], "udp_size": ["edns_udp_size"]},
    "option": {
        "code": ["edns_options"],
        "name": ["edns_options"],
        **{key: ["ecs"] for key in ["address", "family", "source_prefix"]},
        "scope_prefix": ["ecs_scope"],
        **{key: ["ede"] for key in ["info_code", "purpose"]},
        "text": ["ede_text"],
        "client": ["edns_client_cookie"],
        "server": ["edns_server_cookie"],
        "timeout_ms": ["edns_keepalive"],
        "octets": ["edns_padding"],
    },
}
"""The fields that have what a key of json-full has, where they are not named as it is."""

NOT_IN_A_FIELD = {
    # Bytes that no field of the schema has.
    **{key: {"unknown_fields"} for key in ["", "message", "policy"]},
    # The contents of options that few senders have: LLQ, UL, EXPIRE and those without a name here. Their codes are in
    # edns_options, and their octets in query_message and response_message.
    "option": {"data", "error", "id", "key_lease", "lease", "lease_life", "opcode", "seconds", "version"},
}


def test_everything_of_json_full_is_in_a_field() -> None:
    """Except records' rdata by its parts, which has its text in one field."""
    schema = json.loads((files("dnstap.rendering") / "json-full.schema.json").read_text())
    definitions = {"": schema, **schema["$defs"]}
    inner = {"message", "policy", "question", "answer", "authority", "additional", "edns", "options", "fields"}
    keys = {name: set(definition.get("properties", ())) for name, definition in definitions.items() if name != "fields"}
    seen = set()
    for name, found in keys.items():
        left = NOT_IN_A_FIELD.get(name, set())
        assert left <= found, name
        assert SHOWN_BY.get(name, {}).keys() <= found, name
        for key in found - left:
            if key in inner:
                continue
            shown_by = SHOWN_BY.get(name, {}).get(key, [key])
            assert FIELDS.keys() >= set(shown_by), (name, key)
            seen.update(shown_by)
    # The rest are parts of others, made of them, or known by pairing only.
    assert FIELDS.keys() - seen == {
        "time", "latency", "qr", "size", "query_size", "response_size", "tld", "registered_domain", "edns",
        "edns_cookie", "aa", "tc", "rd", "ra", "z", "ad", "cd", "answered",
    }  # fmt: skip


def test_a_choice_of_fields() -> None:
    found = chosen(["answers", "qname"])
    assert [(name, field.name) for name, field in found] == [("answers", "ancount"), ("qname", "qname")]
    assert chosen(["all"]) == list(FIELDS.items())
    assert [name for name, _ in chosen(["client", "all"])] == ["client", *FIELDS]
    with pytest.raises(ValueError, match=r"unknown field 'nonsense': expected one of all, time, query_time, "):
        chosen(["time", "nonsense"])
    with pytest.raises(
        ValueError, match=r"unknown field 'client_prot' \(did you mean client_port\?\): expected one of "
    ):
        chosen(["client_prot"])


def test_fields_for_rows_that_are_added_to_the_schema() -> None:
    number = schema_field(Row("size", 17, "uint32", int))
    assert (number.name, number.kind, number.source) == ("size", kinds.NUMBER, "message.size")
    enum = schema_field(Row("version", 17, "enum", HttpProtocol))
    assert (enum.kind.enum, enum.reads) == (HttpProtocol, "version")
    text = schema_field(Row("note", 17, "bytes", bytes))
    assert (text.kind, text.source) == (kinds.BYTES, "(message.note or None)")


def test_fields_that_need_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for name, field in FIELDS.items() if field.extra} == {"tld", "registered_domain"}
    assert reads(["tld"]) == reads(["qname"])
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    assert [name for name, _ in chosen([ALL])] == [name for name, field in FIELDS.items() if not field.extra]
    for choose in chosen, columns, reads:
        with pytest.raises(MissingLibraryError) as caught:
            choose(["qname", "tld"])
        assert (caught.value.what, caught.value.extra) == ("field 'tld'", "psl")


def test_columns_have_names_of_their_own() -> None:
    assert columns(["answers", "ancount"]) == chosen(["answers", "ancount"])
    with pytest.raises(ValueError, match=r"^field 'qname' is given more than once$"):
        columns(["qname", "all"])
    with pytest.raises(ValueError, match=r"^expected the name of a field, got none$"):
        columns([])
    with pytest.raises(ValueError, match="unknown field"):
        columns(["nonsense"])


def test_attributes_that_are_decoded() -> None:
    texts = {"identity", "version", "extra"}
    assert reads(("qr", "client", "identity")) == {"query_address", "response_address", *texts}
