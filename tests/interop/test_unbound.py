"""A real Unbound that logs into our command, which records and prints; the Go tool reads a recording."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dns.message
import pytest
import trustme

from dnstap import Dnstap, MessageType
from tests.interop.accounting import Exchange, check_summary, payloads, so_far, unaccounted, wait_accounted
from tests.interop.command import listening
from tests.interop.command import run as run_ours
from tests.interop.peers import require
from tests.interop.servers import ask, knotd, nsd, unbound
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls", "unix, unidirectional", "tcp, unidirectional"])
def test_every_message_is_recorded(tmp_path: Path, transport: str) -> None:
    recording, behind = tmp_path / "unbound.fstrm", tmp_path / "behind.sock"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    where = {"unix": f"unix:{tmp_path}/tap.sock", "tcp": "tcp:127.0.0.1:0", "tls": "tls:127.0.0.1:0"}
    options: list[str | Path] = ["--listen", f"unix:{behind}", "--stats"]
    options += ["--tls-cert", tmp_path / "cert.pem"] if transport == "tls" else []
    with listening(where[transport.partition(",")[0]], tmp_path, "-w", recording, *options) as command:
        wait_for(behind.exists, "the second socket")
        with (
            knotd(tmp_path, f"unix:{behind}") as upstream,
            unbound(
                tmp_path,
                command.endpoint,
                upstream,
                bidirectional="unidirectional" not in transport,
                ca=tmp_path / "ca.pem",
            ) as port,
        ):
            exchange = Exchange(port)
            # Unbound sends when 32 frames wait, or once a second, and drops what waits when it ends.
            wait_accounted(lambda: so_far(recording), "unbound", exchange)
            assert command.stop() == 0
    recorded = payloads(recording)
    assert unaccounted(recorded, "unbound", exchange) == {}
    types = Counter(dnstap.message.type for dnstap in map(Dnstap.parse, recorded) if dnstap.message)
    assert types[MessageType.RESOLVER_RESPONSE] > 50
    assert types[MessageType.FORWARDER_RESPONSE] > 50
    check_summary(command, recording, sources=2)
    # The servers are still connected when the recording ends, so STOP is ours.
    assert recording.read_bytes().endswith(bytes.fromhex("00000000 00000004 00000003"))

    if transport == "unix":  # What is printed is the same by all of them.
        check_formats(recording, len(recorded))


def check_formats(recording: Path, frames: int) -> None:
    """Check that our command prints a recording as the Go tool does."""
    for flag in "-q", "-y", "-j":
        go = subprocess.run(
            [require("dnstap"), "-r", recording, flag], capture_output=True, env={**os.environ, "TZ": "UTC"}, check=True
        )
        assert go.stderr.decode().splitlines() == [f"dnstap: opened input file {recording}"]
        ours = run_ours("-r", recording, flag)
        assert (ours.returncode, ours.stderr) == (0, b"")
        assert ours.stdout == go.stdout
        assert flag == "-y" or ours.stdout.count(b"\n") == frames


def test_text_while_the_server_runs(tmp_path: Path) -> None:
    tap = tmp_path / "tap.sock"
    with (
        listening(tap, tmp_path) as command,
        nsd(tmp_path) as upstream,
        unbound(tmp_path, command.endpoint, upstream) as port,
    ):
        ask(port, dns.message.make_query("now.perf.plain.test.", "TXT").to_wire())
        question = rb' 127\.0\.0\.1 UDP \S+ "now\.perf\.plain\.test\." IN TXT\n'
        both = re.compile(b" CQ" + question + b"(.*\n)*.* CR" + question)
        wait_for(lambda: both.search(command.stdout.read_bytes()), "the lines of the query and the response")
        assert command.stop() == 0
    assert command.stderr.read_text() == f"dnstap: opened input socket {tap}\n"
    assert not tap.exists()


@contextmanager
def forgetful_server() -> Iterator[int]:
    """Run a DNS server that never answers about names that begin with "lost"; yield its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                wire, client = sock.recvfrom(65535)
                if not wire:
                    return
                query = dns.message.from_wire(wire)
                if not query.question[0].name.to_text().startswith("lost"):
                    sock.sendto(dns.message.make_response(query).to_wire(), client)

        serving = start(serve)
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"", sock.getsockname())
            serving.result(DEADLINE_S)


def test_answers_that_are_lost(tmp_path: Path) -> None:
    """By pairing, the queries of clients without an answer are found, and the latency of all others."""
    recording, tap = tmp_path / "unbound.fstrm", tmp_path / "tap.sock"
    names = [f"{kind}{number}.plain.test." for number in range(40) for kind in ("found", "lost")[: 1 + (number < 5)]]
    found = {name for name in names if name.startswith("found")}
    expected = {(MessageType.CLIENT_QUERY, name) for name in names}
    expected |= {(MessageType.CLIENT_RESPONSE, name) for name in found}
    with listening(tap, tmp_path, "-w", recording) as command:
        with (
            forgetful_server() as upstream,
            unbound(tmp_path, f"unix:{tap}", upstream) as port,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            for name in names:
                query = dns.message.make_query(name, "A").to_wire()
                if name in found:
                    ask(port, query)
                else:
                    client.sendto(query, ("127.0.0.1", port))

            def logged() -> bool:
                messages = [Dnstap.parse(payload).message for payload in so_far(recording)]
                seen = {(message.type, message.qname) for message in messages if message}
                return seen >= expected

            wait_for(logged, "what Unbound logs")
        assert command.stop() == 0
    lost = run_ours("-r", recording, "--pair", "--filter", "answered = no and type = CQ", "--fields", "qname")
    assert sorted(lost.stdout.decode().split()) == sorted({*names} - found)
    words = ["--pair", "--filter", "type = CR and qname like found*", "--fields", "qname,latency"]
    latencies = dict(line.split() for line in run_ours("-r", recording, *words).stdout.decode().splitlines())
    assert latencies.keys() == found
    assert "-" not in latencies.values()
