"""The list of fields: it is the only one, so a field that is added to it appears everywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dnstap import Dnstap, Message, Policy
from dnstap.messages.constructors import VALUES, message_values
from dnstap.schema.enums import MessageType
from dnstap.schema.fields import DnstapFields, MessageFields, PolicyFields, rows

ROOT = Path(__file__).parents[3]

ROW = '    response_size: int | None = _field(17, "uint32", int, default=None)\n'

PROGRAM = """
import inspect, sys, time
from dnstap import CONTENT_TYPE, Dnstap, DnstapType, Message, MessageType, Style, Tap, compile_filter, render
from dnstap.pipeline.outputs.text_batches import BatchRenderer
from framestream import open_reader

message = Message(MessageType.CLIENT_RESPONSE, response_size=77, response_message=b"wire")
dnstap = Dnstap(message=message, type=DnstapType.MESSAGE)
payload = bytes(dnstap)
assert b"\\x88\\x01\\x4d" in payload
for _ in range(300):  # More than the payloads before the decoder learns.
    assert Dnstap.parse(payload) == dnstap
assert repr(message).endswith("response_size=77)")
assert "response_size: int | None = None" in str(inspect.signature(Message))

made = Message.client_response(b"wire")
assert made.response_size is None
made.response_size = 77
assert made == message

with Tap("unix:" + sys.argv[1], listen=True) as tap, open_reader("unix:" + sys.argv[1], [CONTENT_TYPE]) as reader:
    reader.handshake()
    while not tap.connected:
        time.sleep(0.01)
    tap.submit(message)
    tap.client_response(b"wire")
    frames = iter(reader)
    received = [Dnstap.parse(next(frames)).message for _ in range(2)]
    assert tap.counts.not_encodable == 0
assert received[0] == message
assert received[1].response_size is None

assert '"response_size":77' in render("json-full", dnstap).replace(" ", "")
assert "response_size: 77" in render("yaml-full", dnstap)
for text, answer in {"response_size = 77": True, "response_size > 77": False, "has response_size": True}.items():
    wanted = compile_filter(text)
    assert wanted.matches(dnstap) is answer
    assert wanted.select([payload] * 300) == ([payload] * 300 if answer else [])
assert render("quiet", dnstap, Style(fields=("type", "response_size"))) == "CLIENT_RESPONSE 77\\n"
for name in ("quiet", "yaml", "json"):
    assert not BatchRenderer(name).render([payload] * 300).left_out
print("everywhere")
"""


@pytest.mark.parametrize(
    ("fields", "typed"), [(PolicyFields, Policy), (MessageFields, Message), (DnstapFields, Dnstap)]
)
def test_typed_classes_have_the_rows(fields: type, typed: type) -> None:
    assert [row[:3] for row in rows(typed)] == [row[:3] for row in rows(fields)]
    assert [row.name for row in rows(fields)] == list(typed.__match_args__)  # type: ignore[attr-defined]


def test_values_are_those_of_the_first_rows() -> None:
    values = message_values(MessageType.AUTH_QUERY, b"q", b"r", "192.0.2.1", 53, None, None, None, 1, 2)
    first = [row.name for row in rows(MessageFields)][:VALUES]
    assert dict(zip(first, values, strict=True)) == {
        "type": MessageType.AUTH_QUERY,
        "socket_family": 1,
        "socket_protocol": None,
        "query_address": bytes([192, 0, 2, 1]),
        "response_address": None,
        "query_port": 53,
        "response_port": None,
        "query_time_sec": 0,
        "query_time_nsec": 1,
        "query_message": b"q",
        "query_zone": None,
        "response_time_sec": 0,
        "response_time_nsec": 2,
        "response_message": b"r",
    }


def test_a_new_row_appears_everywhere(tmp_path: Path) -> None:
    """One row in a copy of the packages: parsed, encoded, constructed, tapped, shown and filtered."""
    for package in ("framestream", "dnstap"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    schema = tmp_path / "dnstap" / "schema" / "fields.py"
    text = schema.read_text()
    last = "    http_protocol: HttpProtocol | None"
    before, _, after = text.partition(last)
    line, _, rest = after.partition("\n")
    schema.write_text(f"{before}{last}{line}\n{ROW}{rest}")
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "tap")], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    # The tap may complain that the reader closes first.
    assert (process.returncode, process.stdout) == (0, "everywhere\n"), process.stderr
