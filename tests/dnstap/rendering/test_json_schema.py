"""json-full.schema.json: the one type of each key, held against every capture and hostile payloads."""

from __future__ import annotations

import json
import re
import struct
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dnstap import Dnstap, DnstapError, DnstapType, Message, MessageType, Policy
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.rendering import FORMATS
from dnstap.rendering.structure import OPTION_NAMES, RDATA_FIELDS, structure_builder
from dnstap.rendering.style import Style
from dnstap.schema.fields import rows
from dnstap.strategies import dnstaps, hostile_payloads
from tests.made_messages import DATA, Generator, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA: dict[str, Any] = json.loads((files("dnstap.rendering") / "json-full.schema.json").read_text())
DEFINITIONS = SCHEMA["$defs"]
VALIDATOR = Draft202012Validator(SCHEMA)

structure = structure_builder(Style())

TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


def misfits(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of values of another type than the schema's, and of keys that it does not have.

    jsonschema would do for the types, but takes 20 times as long, and has nothing against other keys.
    """
    if "$ref" in schema:
        schema = DEFINITIONS[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{path}: {value!r}"
    elif type(value) is not TYPES[schema["type"]]:
        yield f"{path}: {value!r}"
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in schema["properties"]:
                yield f"{path}.{key}"
            else:
                yield from misfits(item, schema["properties"][key], f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from misfits(item, schema["items"], f"{path}[]")
    elif isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r}"


def check(dnstap: Dnstap) -> None:
    assert [*misfits(structure(dnstap), SCHEMA)] == []


def test_the_schema_is_one_and_gives_each_key_one_type() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    def types(schema: dict[str, Any]) -> Iterator[object]:
        if "$ref" not in schema and "enum" not in schema:
            yield schema["type"]
        for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
            yield from types(inner)

    for schema in (SCHEMA, *DEFINITIONS.values()):
        assert set(types(schema)) <= set(TYPES)


def test_it_has_all_names() -> None:
    assert list(DEFINITIONS["fields"]["properties"]) == sorted(
        {name for names in RDATA_FIELDS.values() for name in names}
    )
    assert set(SCHEMA["properties"]) == {row.name for row in rows(Dnstap)} | {"peer", "unknown_fields"}
    for definition, cls, more in (
        ("message", Message, {"query_time", "response_time", "unknown_fields"}),
        ("policy", Policy, {"unknown_fields"}),
    ):
        assert set(DEFINITIONS[definition]["properties"]) == {row.name for row in rows(cls)} | more


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures(path: Path) -> None:
    for number, payload in enumerate(read_frames(path)):
        dnstap = Dnstap.parse(payload)
        check(dnstap)
        if number % 50 == 0:
            VALIDATOR.validate(json.loads(FORMATS["json-full"](dnstap)))
            VALIDATOR.validate(yaml.load(FORMATS["yaml-full"](dnstap), yaml.CSafeLoader))


@given(hostile_payloads() | dnstaps(nameless=True).map(bytes))
def test_hostile_payloads(payload: bytes) -> None:
    try:
        dnstap = Dnstap.parse(payload, lenient=True)
    except DnstapError:
        return
    check(dnstap)


def with_response(wire: bytes) -> Dnstap:
    message = Message(MessageType.CLIENT_RESPONSE, response_message=wire)
    return Dnstap(identity=wire[:40], extra=wire[-20:], message=message, type=DnstapType.MESSAGE)


@pytest.mark.parametrize("seed", range(4))
def test_made_dns_messages(seed: int) -> None:
    """All types of records and options, with any values, and messages that are damaged."""
    generator = Generator(seed)
    for _ in range(500):
        check(with_response(generator.dns_message()))


@given(st.sampled_from(sorted(RDATA_FIELDS)), st.binary(max_size=40))
def test_rdata(rrtype: int, rdata: bytes) -> None:
    record = b"\0" + struct.pack(">HHIH", rrtype, 1, 0, len(rdata)) + rdata
    check(with_response(struct.pack(">6H", 0, 0x8180, 0, 1, 0, 0) + record))


@given(st.sampled_from([*OPTION_NAMES, 65001]), st.binary(max_size=24))
def test_options(code: int, data: bytes) -> None:
    options = struct.pack(">HH", code, len(data)) + data
    record = b"\0" + struct.pack(">HHIH", TYPE_NUMBERS["OPT"], 1232, 0, len(options)) + options
    check(with_response(struct.pack(">6H", 0, 0x8180, 0, 0, 0, 1) + record))


@pytest.mark.parametrize(
    "change",
    [
        {"extra": {"hex": "00"}},
        {"type": 2},
        {"identity": "\\"},
        {"version": "\x1b"},
        {"message": {"query_address": "?00"}},
        {"message": {"query_message": {"wire": "0"}}},
        {"message": {"query_message": {"wire": "", "flags": ["xx"]}}},
    ],
)
def test_what_it_refuses(change: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(change)
    assert [*misfits(change, SCHEMA)]


def test_keys_that_later_versions_add_are_valid() -> None:
    VALIDATOR.validate({"new": 1, "message": {"new": {}}})
    assert [*misfits({"new": 1}, SCHEMA)] == [".new"]
