"""dnstap.rendering.structure: everything that is in a message, and nothing else."""

from __future__ import annotations

import ipaddress
import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dns.message
import dns.rdatatype
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Policy
from dnstap.codec.tables import ENUM, MESSAGE, table_of
from dnstap.dns import unescaped_bytes
from dnstap.dns.records import RECORDS
from dnstap.rendering import FORMATS
from dnstap.rendering.structure import RDATA_FIELDS, structure_builder
from dnstap.rendering.style import Style
from dnstap.schema.enums import PolicyMatch
from dnstap.schema.fields import Row
from dnstap.strategies import dnstaps
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from pathlib import Path

structure = structure_builder(Style())


def to_bytes(text: str) -> bytes:
    r"""Return the bytes of `\# 2 abcd`."""
    kind, length, *digits = text.split(" ")
    data = bytes.fromhex("".join(digits))
    assert (kind, int(length)) == (r"\#", len(data))
    return data


def rebuilt(cls: type[Any], values: dict[str, Any]) -> Any:
    """Return the message that has this structure."""
    message = cls()
    for field in table_of(cls).fields:
        value = values.get(field.name)
        if value is None:
            continue
        if field.kind == MESSAGE:
            value = rebuilt(field.python_type, value)
        elif field.kind == ENUM:
            value = field.python_type(int(value)) if value.lstrip("-").isdigit() else field.python_type[value]
        elif field.name in ("query_message", "response_message"):
            value = bytes.fromhex(value["wire"])
        elif field.name.endswith("_address"):
            value = to_bytes(value) if value.startswith(r"\#") else ipaddress.ip_address(value).packed
        elif field.name == "query_zone":
            value = to_bytes(value) if value.startswith(r"\#") else dns.name.from_text(value).to_wire()
        elif field.python_type is str:
            value = unescaped_bytes(value).decode("utf-8", "surrogateescape")
        elif field.python_type is bytes:
            value = unescaped_bytes(value)
        setattr(message, field.name, value)
    message._unknown_fields = bytes.fromhex(values.get("unknown_fields", ""))
    return message


ZONES = st.sampled_from(
    [b"\0", b"\7example\3org\0", b"\4a.\\ \0", b"\2\xff#\0", b"\1\0\xc0\1", b"\xc0\2\0", b"\1a\0\0"]
)
ADDRESSES = st.binary(max_size=17) | st.sampled_from(
    [bytes(10) + b"\xff\xff\xc0\0\2\1", bytes(16), bytes(12) + b"\1\2\3\4"]
)


@given(dnstaps(nameless=True), st.binary(max_size=9), st.none() | ZONES, st.none() | ADDRESSES)
def test_nothing_is_lost(message: Dnstap, unknown: bytes, zone: bytes | None, address: bytes | None) -> None:
    message._unknown_fields = unknown
    if message.message:
        message.message = replace(message.message, query_address=address, query_zone=zone)
    values = structure(message)
    text = FORMATS["json-full"](message)
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text) == values
    assert list(yaml.safe_load_all(FORMATS["yaml-full"](message))) == [values]
    assert rebuilt(Dnstap, values) == message


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures(path: Path) -> None:
    """Compare the DNS messages with the result of dnspython."""
    for payload in list(read_frames(path))[:200]:
        message = Dnstap.parse(payload)
        values = structure(message)
        assert rebuilt(Dnstap, values) == message
        assert yaml.load(FORMATS["yaml-full"](message), yaml.CSafeLoader) == values
        assert message.message is not None
        theirs = dns.message.from_wire(message.message.wire or b"", keyring=False, one_rr_per_rrset=True)
        ours = values["message"]["query_message" if message.message.is_query else "response_message"]
        # dnspython 2.8 has a name for the flag Z, which 2.7 leaves out.
        flags = set(dns.flags.to_text(theirs.flags).lower().split()) - {"flag6"} | (
            {"z"} if theirs.flags & 0x40 else set()
        )
        assert (ours["id"], ours["rcode"], set(ours["flags"])) == (
            theirs.id,
            dns.rcode.to_text(theirs.rcode()),
            flags,
        )
        for section, theirs_of in ("answer", theirs.answer), ("authority", theirs.authority):
            # They differ in what they escape.
            assert [(dns.name.from_text(r["name"]), r["type"], r["ttl"]) for r in ours[section]] == [
                (rrset.name, dns.rdatatype.to_text(rrset.rdtype), rrset.ttl) for rrset in theirs_of
            ]
        assert ("edns" in ours) == (theirs.edns >= 0)


def test_every_value_of_rdata_has_a_name() -> None:
    assert {rrtype: len(names) for rrtype, names in RDATA_FIELDS.items()} == {
        rrtype: len(RECORDS[rrtype].fields) for rrtype in RDATA_FIELDS
    }


def response(*records: bytes, additional: bytes = b"") -> dict[str, Any]:
    """The structure of a response with these answers, each a type and its rdata."""
    parts = [b"\0" + octets[:2] + struct.pack(">HIH", 1, 60, len(octets) - 2) + octets[2:] for octets in records]
    wire = struct.pack(">6H", 7, 0x8183, 0, len(records), 0, bool(additional)) + b"".join(parts) + additional
    message: dict[str, Any] = structure(Dnstap(type=DnstapType.MESSAGE, message=Message(response_message=wire)))
    found: dict[str, Any] = message["message"]["response_message"]
    return found


def test_records() -> None:
    found = response(
        b"\0\1\xc0\0\2\1",
        b"\0\1",
        b"\0\x0f\0\x0a\2mx\0",
        b"\0\x10\4text\3\0\xff\1",
        b"\0\x2b\x12\x34\x0d\2\xab\xcd",
        b"\0\x41\0\1\0\0\3\0\2\1\xbb",
        b"\0\x2f\1a\0\0\1\x40",
        b"\x03\xe7\xab",
        b"\0\x29\0\x0c\0\1\0",
        b"\0\x0a\x1b",
    )
    assert [(record["type"], record["rdata"], record.get("fields")) for record in found["answer"]] == [
        ("A", "192.0.2.1", {"address": "192.0.2.1"}),
        ("A", "", {"address": ""}),
        ("MX", "10 mx.", {"preference": 10, "exchange": "mx."}),
        ("TXT", '"text" "\\000\\255\\001"', {"strings": ["text", r"\000\255\001"]}),
        ("DS", "4660 13 2 ABCD", {"key_tag": 4660, "algorithm": 13, "digest_type": 2, "digest": "abcd"}),
        ("HTTPS", '1 . port="443"', {"priority": 1, "target": ".", "params": ['port="443"']}),
        ("NSEC", "a. A", {"next_name": "a.", "types": ["A"]}),
        ("TYPE999", "\\# 1 ab", None),
        ("OPT", "PADDING: 00", None),
        ("NULL", "\\027", None),
    ]
    assert "edns" not in found


def test_options() -> None:
    options = {
        1: bytes(18),
        2: b"\0\0\0\5",
        3: b"ns1",
        8: b"\0\1\x18\0\xc0\0\2",
        9: b"\0\0\0\7",
        10: bytes(range(24)),
        11: b"\0\x0a",
        12: bytes(3),
        15: b"\0\x0fblocked",
        99: b"\1",
    }
    rdata = b"".join(struct.pack(">HH", code, len(data)) + data for code, data in options.items())
    rdata += b"\0\x0c\0\1a\0\x0f\0\3\0\xff\xff"
    found = response(additional=b"\0\0\x29" + struct.pack(">HIH", 1232, 0x01008000, len(rdata)) + rdata)
    assert found["additional"] == []
    assert found["rcode"] == "BADMODE"
    assert found["edns"] == {
        "version": 0,
        "do": True,
        "udp_size": 1232,
        "options": [
            {"code": 1, "name": "LLQ", "version": 0, "opcode": 0, "error": 0, "id": 0, "lease_life": 0},
            {"code": 2, "name": "UL", "lease": 5, "key_lease": 0},
            {"code": 3, "name": "NSID", "nsid": "ns1"},
            {
                "code": 8,
                "name": "SUBNET",
                "family": 1,
                "source_prefix": 24,
                "scope_prefix": 0,
                "address": "192.0.2.0",
            },
            {"code": 9, "name": "EXPIRE", "seconds": 7},
            {"code": 10, "name": "COOKIE", "client": "0001020304050607", "server": bytes(range(8, 24)).hex()},
            {"code": 11, "name": "KEEPALIVE", "timeout_ms": 1000},
            {"code": 12, "name": "PADDING", "octets": 3},
            {"code": 15, "name": "EDE", "info_code": 15, "purpose": "Blocked", "text": "blocked"},
            {"code": 99, "data": "01"},
            {"code": 12, "name": "PADDING", "data": "61"},
            {"code": 15, "name": "EDE", "info_code": 255, "text": r"\255"},
        ],
    }


def test_damaged_messages() -> None:
    question = b"\1a\0\0\1\0\1"
    good = struct.pack(">6H", 7, 0x2903, 1, 2, 3, 4) + question
    header = {
        "id": 7,
        "opcode": "UPDATE",
        "rcode": "NXDOMAIN",
        "flags": ["rd"],
        "qdcount": 1,
        "ancount": 2,
        "nscount": 3,
        "arcount": 4,
    }
    wires: dict[bytes, dict[str, Any]] = {
        b"": {},
        good[:11]: {},
        good + b"\xc0": {**header, "question": [{"name": "a.", "type": "A", "class": "IN"}]},
        good[:12] + b"\xc0": header,
        good.ljust(65_536, b"\0"): header,
    }
    for wire, expected in wires.items():
        found = structure(Dnstap(message=Message(query_message=wire)))["message"]["query_message"]
        assert found.pop("error").startswith("dns: ")
        assert found == {**expected, "wire": wire.hex()}


def test_numbers_without_a_name() -> None:
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0xAB << 24, 0)
    message = structure(
        Dnstap(
            type=DnstapType(2),
            message=Message(
                type=MessageType(99),
                response_message=struct.pack(">6H", 0, 0x9805, 0, 0, 0, 1) + opt,
                query_message=bytes(12),
            ),
        )
    )
    assert (message["type"], message["message"]["type"]) == ("2", "99")
    found = message["message"]["response_message"]
    assert (found["opcode"], found["rcode"]) == ("3", str(0xAB5))
    # The counts of a header alone mean nothing, but are what it has.
    assert message["message"]["query_message"] == {
        "id": 0,
        "opcode": "QUERY",
        "rcode": "NOERROR",
        "flags": [],
        "qdcount": 0,
        "ancount": 0,
        "nscount": 0,
        "arcount": 0,
        "question": [],
        "answer": [],
        "authority": [],
        "additional": [],
        "wire": bytes(12).hex(),
    }


def test_other_values() -> None:
    policy = Policy(type="\udcff", rule=b"\x1b", value=b"")
    m = Message(
        query_address=b"abc",
        response_address=b"",
        query_time_sec=2**63,
        response_time_sec=1,
        response_time_nsec=10**9,
        query_zone=b"\0\0",
        policy=policy,
    )
    assert structure(Dnstap(message=m, extra=b"rtt=39\n", version="C:\\\t\u202e\u00e9".encode() + b"\x85")) == {
        "version": "C:\\\\\t\\226\\128\\174\u00e9\\133",
        "extra": "rtt=39\n",
        "message": {
            "query_address": r"\# 3 616263",
            "response_address": r"\# 0",
            "query_time_sec": 2**63,
            "response_time_sec": 1,
            "response_time_nsec": 10**9,
            "query_zone": r"\# 2 0000",
            "policy": {"type": r"\255", "rule": r"\027", "value": ""},
        },
    }
    assert structure(Dnstap(message=Message(query_zone=b"\1"))) == {"message": {"query_zone": r"\# 1 01"}}
    assert list(yaml.safe_load_all(FORMATS["yaml-full"](Dnstap(message=Message())))) == [{"message": {}}]


class NewerPolicy(Policy):
    """A Policy of a schema with three more rows."""

    ROWS = (
        *Policy.ROWS,
        Row("note", 6, "bytes", bytes),
        Row("level", 7, "uint32", int),
        Row("trigger", 8, "enum", PolicyMatch),
        Row("absent", 9, "uint32", int),
    )
    note, level, trigger, absent = b"\x1b", 7, PolicyMatch.QNAME, None


def test_rows_that_are_added_to_the_schema_come_last() -> None:
    found = structure(Dnstap(message=Message(policy=NewerPolicy(rule=b"r"))))["message"]["policy"]
    assert list(found.items()) == [("rule", "r"), ("note", r"\027"), ("level", 7), ("trigger", "QNAME")]
