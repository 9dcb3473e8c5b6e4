"""A real Unbound logs into our command, which records and prints; the Go tool reads the recording."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import dns.message
import pytest
import trustme

from dnstap import Dnstap, MessageType
from framestream import read_file
from tests.interop.command import listening
from tests.interop.command import run as run_ours
from tests.interop.peers import require
from tests.interop.servers import ask, nsd, unbound
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    *(f"n{number}.perf.plain.test." for number in range(120)),
    *(f"h{number}.example.test." for number in range(120)),
    "example.test.",
    "x.refused.test.",
    "\\000weird.example.test.",
    "sp\\ ace.example.test.",
]
TYPES = ["A", "AAAA", "MX", "TXT", "SOA", "DNSKEY", "ANY"]


def questions() -> list[bytes]:
    """Queries in wire format, no two the same."""
    return [
        dns.message.make_query(name, TYPES[index % len(TYPES)], want_dnssec=index % 3 == 0, id=index + 1).to_wire()
        for index, name in enumerate(NAMES)
    ]


def messages(recording: Path) -> list[Dnstap]:
    """What a finished recording holds."""
    with read_file(recording, [b"protobuf:dnstap.Dnstap"]) as reader:
        return [Dnstap.parse(payload) for payload in reader]


def wires(records: list[Dnstap], message_type: MessageType) -> list[bytes | None]:
    """The DNS messages of one type."""
    return [
        record.message.query_message if message_type % 2 else record.message.response_message
        for record in records
        if record.message and record.message.type == message_type
    ]


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls", "unix, unidirectional", "tcp, unidirectional"])
def test_every_query_is_in_the_recording(tmp_path: Path, transport: str) -> None:
    recording = tmp_path / "unbound.fstrm"
    asked = questions()
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    where = {"unix": f"unix:{tmp_path}/tap.sock", "tcp": "tcp:127.0.0.1:0", "tls": "tls:127.0.0.1:0"}
    options: list[str | Path] = ["--tls-cert", tmp_path / "cert.pem"]
    with (
        listening(where[transport.partition(",")[0]], tmp_path, "-w", recording, *options) as command,
        nsd(tmp_path) as upstream,
        unbound(
            tmp_path,
            command.endpoint,
            upstream,
            bidirectional="unidirectional" not in transport,
            ca=tmp_path / "ca.pem",
        ) as port,
    ):
        answers = [ask(port, query, tcp=index % 5 == 0) for index, query in enumerate(asked)]
        # Unbound sends when 32 frames wait, or once a second, and drops what waits when it ends.
        wait_for(lambda: recording.read_bytes().count(answers[-1]) > 0, "the last answer")
        assert command.stop() == 0
    records = messages(recording)
    queries, responses = wires(records, MessageType.CLIENT_QUERY), wires(records, MessageType.CLIENT_RESPONSE)
    assert [query for query in asked if query not in queries] == []
    assert [answer for answer in answers if answer not in responses] == []
    assert len(wires(records, MessageType.RESOLVER_RESPONSE)) > 100
    assert len(wires(records, MessageType.FORWARDER_RESPONSE)) > 100
    # The server is still connected when the recording ends, so STOP is ours.
    assert recording.read_bytes().endswith(bytes.fromhex("00000000 00000004 00000003"))

    for flag in "-q", "-y", "-j":
        go = subprocess.run(
            [require("dnstap"), "-r", recording, flag], capture_output=True, env={**os.environ, "TZ": "UTC"}, check=True
        )
        assert go.stderr.decode().splitlines() == [f"dnstap: opened input file {recording}"]
        ours = run_ours("-r", recording, flag)
        assert (ours.returncode, ours.stderr) == (0, b"")
        assert ours.stdout == go.stdout
        assert flag == "-y" or ours.stdout.count(b"\n") == len(records)


def test_text_while_the_server_runs(tmp_path: Path) -> None:
    tap = tmp_path / "tap.sock"
    with (
        listening(tap, tmp_path) as command,
        nsd(tmp_path) as upstream,
        unbound(tmp_path, command.endpoint, upstream) as port,
    ):
        ask(port, dns.message.make_query("now.perf.plain.test.", "TXT").to_wire())
        line = rb' C%b 127\.0\.0\.1 UDP \d+b "now\.perf\.plain\.test\." IN TXT\n'
        wait_for(lambda: re.search(line % b"R", command.stdout.read_bytes()), "the line of the response")
        assert re.search(line % b"Q", command.stdout.read_bytes())
        assert command.stop() == 0
    assert command.stderr.read_text() == f"dnstap: opened input socket {tap}\n"
    assert not tap.exists()
