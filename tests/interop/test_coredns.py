"""A real CoreDNS that logs into our command, in each way it can: it connects to us, or we to it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import dns.message
import pytest
import trustme

from dnstap import CONTENT_TYPE, DecodeError, Dnstap, MessageType, SocketProtocol
from framestream import ContentTypeError, TruncatedStreamError, listen_reader, open_reader, read_file
from tests.interop.command import connecting, listening
from tests.interop.command import run as run_ours
from tests.interop.coredns import coredns, named
from tests.interop.go_build import BUILD_S
from tests.interop.peers import require
from tests.interop.servers import ask, free_port
from tests.threads import Threads, start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.interop.command import Command
    from tests.interop.coredns import CoreDns

pytestmark = pytest.mark.timeout(120 + 2 * BUILD_S)
"""Longer than for other tests, because the first test of a session builds CoreDNS."""

CQ, CR = MessageType.CLIENT_QUERY, MessageType.CLIENT_RESPONSE
FQ, FR = MessageType.FORWARDER_QUERY, MessageType.FORWARDER_RESPONSE

NAMES = [
    "example.test.",
    "www.plain.test.",
    "nx.example.test.",
    "txt.perf.plain.test.",
    "whoami.example.",
    "Mixed.CASE.plain.test.",
    "sp\\ ace.example.test.",
    ".",
]
TYPES = ["A", "TXT", "SOA"]

PROBE_NAME = "x" * 63 + "." + "y" * 63 + "." + "z" * 63 + ".probe."
PROBE = dns.message.make_query(PROBE_NAME, "A", id=0).to_wire()
"""Long, to fill the frame of arbitrary length that a broken stream seems to begin."""


def questions() -> list[bytes]:
    """Return different queries in wire format."""
    return [
        dns.message.make_query(name, rdtype, want_dnssec=number % 2 == 0, id=number * len(TYPES) + index + 1).to_wire()
        for number, name in enumerate(NAMES)
        for index, rdtype in enumerate(TYPES)
    ]


def ask_all(server: CoreDns) -> list[tuple[bytes, bytes]]:
    """Send all queries, one after the other, by UDP and by TCP; return each with its response."""
    return [(query, server.ask(query, tcp=index % 3 == 0)) for index, query in enumerate(questions())]


def payloads(recording: Path) -> list[bytes]:
    """Return the payloads in a recording by now."""
    found: list[bytes] = []
    # There is no file yet; it lacks STOP as yet.
    with contextlib.suppress(FileNotFoundError, TruncatedStreamError), read_file(recording, [CONTENT_TYPE]) as reader:
        found.extend(reader)
    return found


def messages(recording: Path) -> list[Dnstap]:
    """Return the messages in a recording by now, without probes."""
    return [dnstap for dnstap in map(Dnstap.parse, payloads(recording)) if not asks(dnstap, PROBE_NAME)]


def asks(dnstap: Dnstap, name: str) -> bool:
    """Return whether the DNS message in a payload is about a name."""
    return bool(dnstap.message and dnstap.message.question and dnstap.message.question.name == name)


def types(records: Iterable[Dnstap]) -> Counter[MessageType | int | None]:
    """Count messages by type."""
    return Counter(record.message.type if record.message else None for record in records)


def expected(server: CoreDns) -> dict[MessageType, int]:
    """Return the expected number of messages by type, according to the server's log."""
    answered = server.answered() - server.answered(PROBE_NAME)
    forwarded = server.answered("plain.test.")
    assert answered % len(questions()) == 0, "the server counts otherwise than we do"
    assert forwarded % (3 * len(TYPES)) == 0
    return {CQ: answered, CR: answered, FQ: forwarded, FR: forwarded}


def texts(wires: Iterable[bytes | None]) -> list[str]:
    """Return the texts of DNS messages, because CoreDNS encodes them again, and not always to the same bytes."""
    return [dns.message.from_wire(wire or b"").to_text() for wire in wires]


def check_messages(records: list[Dnstap], asked: list[tuple[bytes, bytes]], server: CoreDns) -> None:
    """Check that these are the messages that a server logs, with whole DNS messages, for these queries."""
    found = [record.message for record in records if record.message]
    assert texts(one.query_message for one in found if one.type is CQ) == texts(query for query, _ in asked)
    assert texts(one.response_message for one in found if one.type is CR) == texts(answer for _, answer in asked)
    passed_on = [query for query, _ in asked if ".plain.test." in str(dns.message.from_wire(query).question[0].name)]
    forwarded = [one for one in found if one.type in (FQ, FR)]
    assert texts(one.query_message for one in forwarded if one.type is FQ) == texts(passed_on)
    # Each pair beside each other, and of the same exchange.
    for query, response in zip(forwarded[::2], forwarded[1::2], strict=True):
        assert (query.type, response.type) == (FQ, FR)
        assert query.question == response.question
        assert (query.query_time_ns, query.query_port) == (response.query_time_ns, response.query_port)
        assert (str(response.response_ip), response.response_port) == ("127.0.0.1", server.upstream_port)
    protocols = [SocketProtocol.UDP if index % 3 else SocketProtocol.TCP for index in range(len(asked))]
    assert [one.socket_protocol for one in found if one.type is CQ] == protocols


def check_extras(records: list[Dnstap], server: CoreDns) -> None:
    """Check addresses and ports: those of the client, and the upstream server's once it has been asked."""
    other = f"127.0.0.1:{server.upstream_port}"
    for record in records:
        if record.identity != b"ns1.example":
            assert record.extra is None
            continue
        assert record.message
        assert record.extra
        port, server_asked = record.extra.decode().split(" via ")
        if record.message.type in (CQ, CR):
            assert port == f"port {record.message.query_port}"
            assert server_asked == "-" or (server_asked == other and record.message.type is CR)
        else:
            assert server_asked == other


def certificates(folder: Path) -> trustme.CA:
    """Make an authority, with its certificate in ca.pem, and a certificate and key for 127.0.0.1 in cert.pem."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "cert.pem")
    return authority


def until_connected(server: CoreDns, recording: Path) -> None:
    """Send queries until one is recorded: the only sign that the server and our command are connected."""
    before = len(payloads(recording))
    wait_for(lambda: server.ask(PROBE) and len(payloads(recording)) > before, "a frame")


def descriptors(command: Command) -> int:
    """Return the number of files that a process has open."""
    return len(os.listdir(f"/proc/{command.process.pid}/fd"))


def said(command: Command) -> list[str]:
    """Return the lines of standard error of a command."""
    return [line.removeprefix("dnstap: ") for line in command.stderr.read_text().splitlines()]


class Statistics(NamedTuple):
    """Return the lines of --stats."""

    frames: int
    connections: int
    broken: int


def statistics(command: Command) -> Statistics:
    """Return the lines of --stats of a command that has ended."""
    line = r"(\d+) frames of \d+ bytes from 0 files and (\d+) connections; (\d+) streams were .*, 0 frames over .*"
    found = re.fullmatch(line, said(command)[-2])
    assert found
    return Statistics(*map(int, found.groups()))


# It connects to us.


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls", "tls, skipverify"])
def test_it_connects(tmp_path: Path, transport: str) -> None:
    """Both with DNS messages and without, which is its default."""
    recording = tmp_path / "out"
    certificates(tmp_path)
    where = f"unix:{tmp_path}/s" if transport == "unix" else f"{transport[:3]}:127.0.0.1:0"
    skip = "skipverify" if "skipverify" in transport else ""
    trusted = {"SSL_CERT_FILE": "/dev/null" if skip else str(tmp_path / "ca.pem")}
    tls: list[str | Path] = ["--tls-cert", tmp_path / "cert.pem"] if "tls" in transport else []
    with listening(where, tmp_path, "-w", recording, "--stats", *tls) as command:
        there = named(command.endpoint)
        taps = f"dnstap {there} full {{\nidentity full\n{skip}\n}}\ndnstap {there} {{\nidentity bare\n{skip}\n}}"
        with coredns(tmp_path, taps, environment=trusted) as server:
            asked = ask_all(server)
            total = sum(expected(server).values())
            # It sends once a second what is less than 4096 bytes.
            wait_for(lambda: len(payloads(recording)) >= 2 * total, "all frames")
            assert command.stop() == 0
    records = messages(recording)
    assert len(records) == 2 * total
    full, bare = ([record for record in records if record.identity == identity] for identity in (b"full", b"bare"))
    assert types(full) == types(bare) == expected(server)
    check_messages(full, asked, server)
    assert {record.message and record.message.wire for record in bare} == {None}
    assert statistics(command) == (2 * total, 2, 0)
    assert len(said(command)) == 3


def test_a_certificate_that_it_refuses(tmp_path: Path) -> None:
    certificates(tmp_path)
    with (
        listening("tls:127.0.0.1:0", tmp_path, "--tls-cert", tmp_path / "cert.pem", "--stats") as command,
        coredns(
            tmp_path, f"dnstap {named(command.endpoint)} full", environment={"SSL_CERT_FILE": "/dev/null"}
        ) as server,
    ):
        assert "certificate signed by unknown authority" in server.log()
        wait_for(lambda: len(said(command)) > 1, "a line about it")
        server.ask(PROBE)
        assert command.stop() == 0
    name, _, text = said(command)[1].partition(" from ")
    assert name == f"{command.endpoint} connection 1"
    assert text.endswith(": TLS refused by the other side: bad certificate")
    assert statistics(command).broken > 0


def test_what_it_calls_itself_and_what_it_leaves_out(tmp_path: Path) -> None:
    """Identity, version and extra, set and empty, and each output of frames without DNS message."""
    recording = tmp_path / "out"
    with listening(f"unix:{tmp_path}/s", tmp_path, "-w", recording) as command:
        there, extra = named(command.endpoint), "port {port} via {/forward/upstream}"
        taps = (
            f'dnstap {there} {{\nidentity ns1.example\nversion "Our DNS 1"\nextra "{extra}"\n}}\n'
            f'dnstap {there} {{\nidentity ""\nversion ""\n}}\n'
            f"dnstap {there}"
        )
        with coredns(tmp_path, taps) as server:
            ask_all(server)
            total = sum(expected(server).values())
            wait_for(lambda: len(payloads(recording)) >= 3 * total, "all frames")
            assert command.stop() == 0
    records = messages(recording)
    senders = Counter((record.identity, record.version) for record in records)
    host = socket.gethostname().encode()
    assert senders == {(b"ns1.example", b"Our DNS 1"): total, (b"", b""): total, (host, b"CoreDNS-1.15.0"): total}
    check_extras(records, server)

    for flag in "-q", "-y", "-j":
        go = subprocess.run(
            [require("dnstap"), "-r", recording, flag], capture_output=True, env={**os.environ, "TZ": "UTC"}, check=True
        )
        ours = run_ours("-r", recording, flag)
        assert (ours.returncode, ours.stderr) == (0, b"")
        assert ours.stdout == go.stdout
    for options, lines in (
        (["--format", "json-full"], 3 * total),
        (["--fields", "time,client,qname,qtype,rcode,latency"], 3 * total),
        (["-q", "--filter", 'type = CR and identity = "ns1.example"'], server.answered()),
        (["-q", "--filter", "not qname under example.test"], 3 * total),
        (["-q", "--filter", "rcode = NOERROR"], 0),
    ):
        ours = run_ours("-r", recording, *options)
        assert (ours.returncode, ours.stderr, ours.stdout.count(b"\n")) == (0, b"", lines), options


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_restarted(tmp_path: Path, number: int) -> None:
    recording = tmp_path / "out"
    port = free_port()
    with listening(f"unix:{tmp_path}/s", tmp_path, "-w", recording, "--stats") as command:
        for _ in range(2):
            with coredns(tmp_path, f"dnstap {named(command.endpoint)} full", port=port) as server:
                ask_all(server)
                wait_for(lambda: types(messages(recording)) == expected(server), "all frames")
                server.process.send_signal(number)
        total = sum(expected(server).values())
        assert command.stop() == 0
    assert types(messages(recording)) == expected(server)
    assert statistics(command) == (total, 2, 0)
    assert len(said(command)) == 3


def test_a_reader_of_another_content_type(tmp_path: Path) -> None:
    """It gives up but leaves its end open, so our command must close; and it answers queries."""
    with listen_reader(f"unix:{tmp_path}/s", [b"protobuf:other"]) as listener, Threads() as pool:

        def handshake() -> None:
            with listener.accept() as reader:
                reader.handshake()

        refused = pool.submit(handshake)
        with coredns(tmp_path, f"dnstap {named(str(listener.endpoint))}") as server:
            server.ask(PROBE)
        with pytest.raises(ContentTypeError, match=r"got b'protobuf:dnstap\.Dnstap' in state IDLE"):
            refused.result(DEADLINE_S)
    assert "No connection to dnstap endpoint: EOF" in server.log()


# We connect to it.


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls"])
def test_we_connect(tmp_path: Path, transport: str) -> None:
    recording = tmp_path / "out"
    certificates(tmp_path)
    where = f"unix:{tmp_path}/s" if transport == "unix" else f"{transport}:127.0.0.1:{free_port()}"
    tls = f"tls {tmp_path}/cert.pem {tmp_path}/cert.pem {tmp_path}/ca.pem" if transport == "tls" else ""
    options: list[str | Path] = ["--tls-cert", tmp_path / "cert.pem", "--tls-ca", tmp_path / "ca.pem"] if tls else []
    with connecting(where, tmp_path, "-w", recording, "--stats", *options) as command:
        with coredns(tmp_path, f"dnstap listen {named(where)} full {{\n{tls}\n}}") as server:
            until_connected(server, recording)
            asked = ask_all(server)
            wait_for(lambda: types(messages(recording)) == expected(server), "all frames")
            before = len(said(command))
        # It has said STOP, and has waited for our FINISH.
        wait_for(lambda: len(said(command)) > before, "the line that it has gone")
        assert command.stop() == 0
    check_messages(messages(recording), asked, server)
    assert types(messages(recording)) == expected(server)
    assert statistics(command) == (len(payloads(recording)), 1, 0)


def test_readers_of_other_content_types(tmp_path: Path) -> None:
    """A reader of any type is told the type; one that wants another does not delay the next."""
    with coredns(tmp_path, f"dnstap listen {tmp_path}/s"):
        with (
            open_reader(f"unix:{tmp_path}/s", [b"protobuf:other"]) as reader,
            pytest.raises(ContentTypeError, match=r"got b'protobuf:dnstap\.Dnstap' in state IDLE"),
        ):
            reader.handshake()
        for content_types in [b"protobuf:other", CONTENT_TYPE], []:
            with open_reader(f"unix:{tmp_path}/s", content_types) as reader:
                reader.handshake()
                assert reader.content_type == CONTENT_TYPE


def test_a_silent_client_before_us(tmp_path: Path) -> None:
    """It does one handshake after the other, with a time limit of four seconds each."""
    recording, tap = tmp_path / "out", tmp_path / "s"
    with coredns(tmp_path, f"dnstap listen {tap}") as server, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(tap))
        with connecting(f"unix:{tap}", tmp_path, "-t", "30s", "-w", recording, "--stats") as command:
            until_connected(server, recording)
            assert command.stop() == 0
    assert statistics(command) == (len(payloads(recording)), 1, 0)
    assert len(said(command)) == 2


def test_it_refuses_us(tmp_path: Path) -> None:
    """Without a certificate, our command gets the error at its first read, and retries at growing intervals."""
    certificates(tmp_path)
    where = f"tls:127.0.0.1:{free_port()}"
    tls = f"tls {tmp_path}/cert.pem {tmp_path}/cert.pem {tmp_path}/ca.pem"
    with coredns(tmp_path, f"dnstap listen {named(where)} {{\n{tls}\n}}") as server:
        began = time.monotonic()
        with connecting(where, tmp_path, "--tls-ca", tmp_path / "ca.pem", "--stats") as command:
            wait_for(lambda: server.log().count("Error creating encoder for dnstap client") >= 8, "eight attempts")
            # Seven waits of 20 ms that double up to a second, each shortened by chance to no less than its half.
            assert time.monotonic() - began > 0.9 * sum(min(0.01 * 2**wait, 0.5) for wait in range(7))
            server.ask(PROBE)
            assert command.stop() == 0
    lines = said(command)[:-2]
    assert set(lines) == {f"{where}: TLS refused by the other side: certificate required"}


def test_it_goes_and_comes_back(tmp_path: Path) -> None:
    recording = tmp_path / "out"
    where, port = f"tcp:127.0.0.1:{free_port()}", free_port()
    with connecting(where, tmp_path, "-w", recording, "--stats") as command:
        for number in signal.SIGKILL, signal.SIGTERM, signal.SIGKILL:
            with coredns(tmp_path, f"dnstap listen {named(where)} full", port=port) as server:
                until_connected(server, recording)
                ask_all(server)
                wait_for(lambda: types(messages(recording)) == expected(server), "all frames")
                server.process.send_signal(number)
        assert command.stop() == 0
    assert types(messages(recording)) == expected(server)
    numbers = statistics(command)
    # A process that is killed closes one socket after the other: another connection may have been made to it.
    assert numbers.connections - numbers.broken == 3


@pytest.mark.parametrize("direction", ["it connects", "we connect"])
def test_it_is_reloaded(tmp_path: Path, direction: str) -> None:
    """After FINISH it leaves its end open, and our command has closed its own."""
    recording, where = tmp_path / "out", f"unix:{tmp_path}/s"
    starting, listen = (listening, "") if direction == "it connects" else (connecting, "listen ")
    with (
        starting(where, tmp_path, "-w", recording, "--stats") as command,
        coredns(tmp_path, f"dnstap {listen}{named(where)} full") as server,
    ):
        until_connected(server, recording)
        before = descriptors(command)
        for reloads in range(1, 4):
            server.process.send_signal(signal.SIGUSR1)
            wait_for(lambda: server.log().count("Reloading complete") == reloads, "the reload")  # noqa: B023
            until_connected(server, recording)
            ask_all(server)
            wait_for(lambda: types(messages(recording)) == expected(server), "all frames")
            wait_for(lambda: descriptors(command) == before, "the descriptors as they were")
        assert command.stop() == 0
    assert statistics(command) == (len(payloads(recording)), 4, 0)


def test_its_stream_breaks(tmp_path: Path) -> None:
    """Concurrent queries corrupt its stream: good frames are kept, and each break is reported and counted."""
    recording, where = tmp_path / "out", f"unix:{tmp_path}/s"
    with (
        connecting(where, tmp_path, "-w", recording, "--stats", "--max-frame", "70000") as command,
        coredns(tmp_path, f"dnstap listen {named(where)} full") as server,
    ):
        until_connected(server, recording)
        enough = threading.Event()

        def keep_asking(chance: random.Random) -> None:
            while not enough.is_set():
                name = "x" * chance.randrange(1, 60) + ".example."
                ask(server.port, dns.message.make_query(name, "A").to_wire())

        asking = [start(keep_asking, random.Random(seed)) for seed in range(4)]
        try:
            # Before it listens there is no connection, which is said too.
            wait_for(lambda: sum("no connection" not in line for line in said(command)) >= 5, "five breaks")
        finally:
            enough.set()
        for each in asking:
            each.result(DEADLINE_S)
        # Nothing waits for what will never come, and from now on nothing is lost.
        until_connected(server, recording)
        server.ask(dns.message.make_query("last.example.", "A").to_wire())
        wait_for(lambda: b"\4last\7example" in payloads(recording)[-1], "the last frame")
        assert command.stop() == 0
    numbers, found = statistics(command), payloads(recording)
    bad = 0
    for payload in found:
        try:
            Dnstap.parse(payload)
        except DecodeError:
            bad += 1
    text = run_ours("-r", recording, "-q", "-w", tmp_path / "text", "--stats").stderr.decode()
    written = len(found) - bad
    expected = f"{tmp_path}/text: {len(found)} frames: {written} written, {bad} rejected, 0 dropped, 0 left\n"
    assert text.endswith(expected)
    assert numbers.frames == len(found)
    # A stream may also end between two frames, which is no break.
    assert numbers.connections > numbers.broken >= 5
