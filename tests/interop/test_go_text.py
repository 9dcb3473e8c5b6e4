"""Text of generated payloads, some of them damaged, compared with that of the Go tool.

DNSTAP_FUZZ_FRAMES sets the number of payloads for each test, DNSTAP_FUZZ_SEED the seed of the generator.
"""

import os
import re
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, Message
from dnstap.rendering import FORMATS, render
from tests.interop.peers import require
from tests.made_messages import Generator

DATA = Path(__file__).parents[1] / "data"
FRAMES = int(os.environ.get("DNSTAP_FUZZ_FRAMES", "3000"))
SEED = int(os.environ.get("DNSTAP_FUZZ_SEED", "1"))

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
START_FRAME = struct.pack(">5I", 0, 12 + len(CONTENT_TYPE), 2, 1, len(CONTENT_TYPE)) + CONTENT_TYPE
STOP_FRAME = struct.pack(">3I", 0, 4, 3)

# The number and the protobuf wire type of the fields of a Message that the tool shows.
MESSAGE_FIELDS = {
    "type": (1, 0),
    "socket_family": (2, 0),
    "socket_protocol": (3, 0),
    "query_address": (4, 2),
    "response_address": (5, 2),
    "query_port": (6, 0),
    "response_port": (7, 0),
    "query_time_sec": (8, 0),
    "query_time_nsec": (9, 5),
    "query_message": (10, 2),
    "query_zone": (11, 2),
    "response_time_sec": (12, 0),
    "response_time_nsec": (13, 5),
    "response_message": (14, 2),
}


def varint(number: int) -> bytes:
    number %= 1 << 64
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def protobuf_field(number: int, wire_type: int, value: Any) -> bytes:
    tag = varint(number << 3 | wire_type)
    if wire_type == 0:
        return tag + varint(value)
    if wire_type == 5:
        return tag + struct.pack("<I", value)
    return tag + varint(len(value)) + bytes(value)


def payload(fields: dict[str, Any], sender: dict[str, bytes]) -> bytes:
    """Encode a Dnstap with a Message of these fields, by hand so that our codec is not part of the comparison."""
    message = b"".join([protobuf_field(*MESSAGE_FIELDS[name], value) for name, value in fields.items()])
    head = b"".join([protobuf_field(1 + (name == "version"), 2, value) for name, value in sender.items()])
    return head + protobuf_field(15, 0, 1) + protobuf_field(14, 2, message)


# Control characters, surrogates, the byte order mark, noncharacters, and the line breaks that only YAML 1.1 has.
NOT_IN_YAML = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def escaped(found: re.Match[str]) -> str:
    return "".join([f"\\{byte:03d}" for byte in found[0].encode("utf-8", "surrogateescape")])


def go_text(tmp_path: Path, payloads: list[bytes], flag: str, zone: str = "UTC") -> str:
    """Return the output of the Go tool for a file of these payloads."""
    path = tmp_path / "made.fstrm"
    frames = b"".join([struct.pack(">I", len(one)) + one for one in payloads])
    path.write_bytes(START_FRAME + frames + STOP_FRAME)
    command = [require("dnstap"), "-r", str(path), flag]
    go = subprocess.run(command, capture_output=True, check=True, env=os.environ | {"TZ": zone})
    return go.stdout.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_lines_are_those_of_the_go_tool(zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator(SEED)
    made = [generator.fields() for _ in range(FRAMES)]
    expected = go_text(tmp_path, [payload(fields, {}) for fields in made], "-q", zone).splitlines(keepends=True)

    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        ours = [render("quiet", Dnstap(type=DnstapType.MESSAGE, message=Message(**fields))) for fields in made]
    time.tzset()

    differing = [
        (fields, line, go_line) for fields, line, go_line in zip(made, ours, expected, strict=True) if line != go_line
    ]
    assert not differing, f"{len(differing)} of {FRAMES} frames differ, the first is {differing[0]}"
    broken = sum(line.endswith(" X \n") for line in ours)
    assert FRAMES / 20 < broken < FRAMES * 19 / 20, "the generator gives too few good or bad messages"


@pytest.mark.parametrize("name", ["yaml", "json"])
def test_documents_are_those_of_the_go_tool(name: str, tmp_path: Path) -> None:
    """Compared after applying the differences that docs/formats.md lists to the text of the Go tool."""
    generator = Generator(SEED + 1)
    made = [(generator.more_fields(), generator.sender()) for _ in range(FRAMES)]
    if name == "json":
        for fields, _ in made:
            for side in "query_address", "response_address":
                if len(fields.get(side, b"")) == 3:  # the tool would print nothing from here on
                    del fields[side]
    text = go_text(tmp_path, [payload(*one) for one in made], f"-{name[0]}")
    expected = re.split("(?<=\n)" if name == "json" else "(?<=\n---\n)", text)[:-1]
    if name == "yaml":
        expected = [NOT_IN_YAML.sub(escaped, document) for document in expected]
        quoted = re.compile(r"(_address: )(.*:|[1-9]\d*(?::[0-5]?\d)+)$", re.MULTILINE)
        expected = [quoted.sub(r'\1"\2"', document) for document in expected]
        # The tool's years have a sign, and more or fewer than four digits.
        odd_year = re.compile(r"!!timestamp ((?:-\d+|0000|\d{5,})-\d\d-.*)$", re.MULTILINE)
        expected = [odd_year.sub(r'"\1"', document) for document in expected]
    ours = [
        FORMATS[name](Dnstap(type=DnstapType.MESSAGE, message=Message(**fields), **sender)) for fields, sender in made
    ]
    assert len(ours) == len(expected)
    differing = [(one, text, go) for one, text, go in zip(made, ours, expected, strict=True) if text != go]
    assert not differing, f"{len(differing)} of {FRAMES} differ, the first is {differing[0]}"
    good = sum(";; opcode: " in text for text in ours)
    assert FRAMES / 20 < good < FRAMES * 19 / 20, "the generator gives too few good or bad messages"
