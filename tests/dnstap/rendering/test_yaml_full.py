"""dnstap.rendering.yaml_full: all of a message as one YAML document."""

from __future__ import annotations

import struct

import pytest
import yaml

from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.rendering.structure import structure_builder
from dnstap.rendering.yaml_full import renderer
from tests.made_messages import DATA, read_frames

OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 4) + b"\0\3\0\0"
MX = b"\0" + struct.pack(">HHIHH", 15, 1, 60, 5, 10) + b"\1m\0"
WIRE = struct.pack(">6H", 7, 0x8180, 0, 1, 0, 1) + MX + OPT


def test_mappings_sequences_and_scalars() -> None:
    message = Message(MessageType.CLIENT_RESPONSE, response_message=WIRE)
    text = renderer(Style())(Dnstap(b"true", b"\x1b", type=DnstapType.MESSAGE, message=message))
    assert text == (
        '---\ntype: "MESSAGE"\nidentity: "true"\nversion: "\\\\027"\nmessage:\n  type: "CLIENT_RESPONSE"\n'
        '  response_message:\n    id: 7\n    opcode: "QUERY"\n    rcode: "NOERROR"\n    flags:\n      - "qr"\n'
        '      - "rd"\n      - "ra"\n    qdcount: 0\n    ancount: 1\n    nscount: 0\n    arcount: 1\n'
        '    question: []\n    answer:\n      - name: "."\n        type: "MX"\n'
        '        class: "IN"\n        ttl: 60\n        rdata: "10 m."\n        fields:\n          preference: 10\n'
        '          exchange: "m."\n    authority: []\n    additional: []\n    edns:\n      version: 0\n      do: true\n'
        f'      udp_size: 1232\n      options:\n        - code: 3\n          name: "NSID"\n          nsid: ""\n'
        f'    wire: "{WIRE.hex()}"\n'
    )
    assert yaml.safe_load(text)["identity"] == "true"


def test_empty_mapping() -> None:
    assert renderer(Style())(Dnstap(message=Message())) == "---\nmessage: {}\n"


def test_loads_as_the_structure() -> None:
    render, structure = renderer(Style()), structure_builder(Style())
    for payload in read_frames(DATA / "knotd-auth.fstrm"):
        message = Dnstap.parse(payload)
        assert yaml.load(render(message), yaml.CSafeLoader) == structure(message)


def test_unknown_time_zone() -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        renderer(Style("Mars"))
