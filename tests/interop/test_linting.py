"""The linter beside real programs: readers do what its rules say of them, and servers have the findings they should."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import dns.message
import pytest

from dnstap import CONTENT_TYPE, MessageType
from dnstap.linting.catalogue import RULES
from framestream import open_writer, read_file
from framestream.control import ControlFrame, ControlType
from framestream.frames import encode_control_frame, encode_data_frames
from tests.dnstap.linting.payloads import CASES, payload
from tests.interop.command import running
from tests.interop.coredns import coredns
from tests.interop.go_build import BUILD_S
from tests.interop.peers import require
from tests.interop.servers import ask, dnsdist, knotd, named, nsd, unbound
from tests.wait import DEADLINE_S, listens, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120 + 2 * BUILD_S)
"""Longer than for other tests, because CoreDNS may have to be built."""

READERS = {
    "go": "dnstap -r FILE -q",
    "go -y": "dnstap -r FILE -y",
    "go -j": "dnstap -r FILE -j",
    "read": "dnstap-read FILE",
    "read -y": "dnstap-read -y FILE",
    "ldns": "dnstap-ldns -r FILE -q",
    "ldns -y": "dnstap-ldns -r FILE -y",
    "dump": "fstrm_dump FILE OUT",
}

AFTER = payload(response_message=dns.message.make_response(dns.message.make_query("after.example", "A")).to_wire())


class Claim(NamedTuple):
    """A reader's treatment of a stream with a fault, before a message for after.example.

    Attributes:
        status: its exit status; None for a crash.
        goes_on: whether it shows the message after the fault.
        shows: a text that it shows for the fault; "" for none of its own.
        hides: a text that it does not show.
    """

    reader: str
    status: int | None = 0
    goes_on: bool = True
    shows: str = ""
    hides: str = "\0"


def lines(shows: str, *, hides: str = "example.org") -> tuple[Claim, ...]:
    """Return claims that three readers show a text in their lines."""
    return tuple([Claim(reader, shows=shows, hides=hides) for reader in ("go", "read", "ldns")])


LOST = (
    *[Claim(reader, goes_on=False, hides="example.org") for reader in ("go", "go -y", "go -j")],
    Claim("read", hides="example.org"),
    Claim("read -y", hides="example.org"),
    Claim("ldns", 1, goes_on=False),
    Claim("ldns -y", 1, goes_on=False),
)

NO_QUESTION = (Claim("go", shows=" X "), Claim("read", shows="?/?/?"), Claim("ldns", shows="? ? ?"))

READ_UDP = Claim("read", shows=" UDP ")

ENDS_LDNS_Y = Claim("ldns -y", 1, goes_on=False)

PAYLOAD_CLAIMS = {
    "undecodable": LOST,
    "no-type": LOST,
    "no-message-type": LOST,
    "unknown-dnstap-type": (Claim("go", goes_on=False), ENDS_LDNS_Y, Claim("read", hides="example.org")),
    "no-message": (
        *[Claim(reader, None, goes_on=False) for reader in ("go", "go -y", "go -j", "read", "read -y")],
        Claim("ldns"),
    ),
    "misplaced-field": (
        Claim("ldns", 1, goes_on=False),
        Claim("read", hides="example.org"),
        Claim("go -y", shows="example.org"),
    ),
    "unknown-field": lines("example.org", hides="\0"),
    "frame-over-96k": (Claim("go", goes_on=False), Claim("read", shows="example.org")),
    "unknown-message-type": (
        Claim("go", shows="[unhandled Message.Type]"),
        Claim("read", hides="example.org"),
        ENDS_LDNS_Y,
    ),
    "stub-or-update-type": (Claim("go", shows=" UR "), ENDS_LDNS_Y),
    "unknown-family": (ENDS_LDNS_Y,),
    "no-protocol": (READ_UDP, Claim("go", shows="192.0.2.1  29b")),
    "unknown-protocol": (READ_UDP, ENDS_LDNS_Y),
    "newer-protocol": (READ_UDP, ENDS_LDNS_Y),
    "address-length": (Claim("go -j", goes_on=False), Claim("read", hides="example.org")),
    "empty-address": (Claim("read -y", None, goes_on=False),),
    "address-family": tuple(
        [Claim(reader, shows="192.0.2.2") for reader in ("go -y", "read", "read -y", "ldns -y")]
    ),
    "no-query-address": (
        Claim("go", shows="MISSING_ADDRESS"),
        Claim("ldns", shows="MISSING_ADDRESS"),
        Claim("read", shows=" ? "),
    ),
    "no-response-address": (Claim("read", shows=" ? "),),
    "no-query-port": (Claim("read", shows="192.0.2.1:0 "),),
    "no-response-port": (Claim("read", shows="192.0.2.2:0 "),),
    "port-range": (Claim("go -y", shows="65536"), Claim("read", shows=":65536"), Claim("ldns -y", shows="65536")),
    "no-time": lines("??:??:??", hides="\0"),
    "half-time": (
        Claim("go", shows="22:13:20.??????"),
        Claim("read", shows="??:??:??.???"),
        Claim("ldns", shows="??:??:??.??????"),
    ),
    "nanoseconds-range": (
        Claim("read", None, goes_on=False),
        Claim("go", shows="22:13:20.1000000"),
        Claim("ldns", shows="22:13:20.1000000"),
    ),
    "no-dns-message": NO_QUESTION,
    "empty-dns-message": NO_QUESTION,
    "malformed-dns": NO_QUESTION,
    "query-with-response": (
        *lines("example.org", hides="AR 192.0.2.1 UDP 29b \"example.org"),
        Claim("read -y", shows="query_message: |", hides="type: AUTH_QUERY\n  response"),
    ),
    "qr-bit": lines("AR ", hides="AQ "),
    "question-mismatch": lines("example.org", hides="example.net"),
    "dns-over-64k": lines("65536b", hides="\0"),
    "no-question": (Claim("read", hides="example.org"),),
    "malformed-zone": (Claim("go -y", shows="query_zone: parse failed"), Claim("ldns -y", shows='query_zone: "."')),
}  # fmt: skip
"""Rule -> what readers make of its payload of CASES. Rules that say nothing of a program here are left out."""


def start(*content_types: bytes) -> bytes:
    """Return START."""
    return encode_control_frame(ControlFrame(ControlType.START, content_types))


STOP = encode_control_frame(ControlFrame(ControlType.STOP))
TYPED = start(CONTENT_TYPE)
BEFORE, REST = encode_data_frames([payload()]), encode_data_frames([AFTER])
TOOLS = ("go", "read", "ldns")


def refused(*readers: str) -> tuple[Claim, ...]:
    """Return claims that readers show nothing of a stream."""
    # dnstap-read has status 0 even then.
    return tuple([Claim(reader, 0 if reader == "read" else 1, goes_on=False) for reader in readers])


STREAM_CLAIMS = {
    "content-type": (start(b"x") + REST + STOP, refused(*TOOLS)),
    "no-content-type": (start() + REST + STOP, (*refused("read", "ldns"), Claim("go"))),
    "several-streams": (
        TYPED + BEFORE + STOP + TYPED + REST + STOP,
        tuple([Claim(reader, goes_on=False) for reader in (*TOOLS, "dump")]),
    ),
    "unfinished-stream": (TYPED + BEFORE + TYPED + REST + STOP, tuple([Claim(reader) for reader in TOOLS])),
    "unknown-control-frame": (
        TYPED + BEFORE + encode_control_frame(ControlFrame(9)) + REST + STOP,
        (*refused("read", "ldns", "dump"), Claim("go")),
    ),
    "frame-over-1m": (
        TYPED + (1048577).to_bytes(4, "big") + bytes(1048577) + REST + STOP,
        (Claim("go", goes_on=False), *refused("read", "ldns", "dump")),
    ),
    "truncated": (
        TYPED + BEFORE + REST[:-1],
        tuple([Claim(reader, goes_on=False) for reader in (*TOOLS, "dump")]),
    ),
    "no-stop": (TYPED + BEFORE + REST, tuple([Claim(reader) for reader in (*TOOLS, "dump")])),
    "broken-stream": (
        TYPED + BEFORE + bytes(4) + (600).to_bytes(4, "big") + bytes(600) + REST + STOP,
        (Claim("go", goes_on=False), *refused("read", "ldns", "dump")),
    ),
    "compressed": (gzip.compress(TYPED + REST + STOP), refused(*TOOLS, "dump")),
}  # fmt: skip
"""Rule -> a file that breaks it, and what readers make of it."""


@pytest.mark.parametrize("rule", PAYLOAD_CLAIMS)
def test_readers_make_of_payloads_what_the_rule_says(tmp_path: Path, rule: str) -> None:
    stream = TYPED + encode_data_frames([CASES[rule].bad]) + REST + STOP
    for claim in PAYLOAD_CLAIMS[rule]:
        check(claim, stream, tmp_path)


@pytest.mark.parametrize("rule", STREAM_CLAIMS)
def test_readers_make_of_streams_what_the_rule_says(tmp_path: Path, rule: str) -> None:
    stream, claims = STREAM_CLAIMS[rule]
    for claim in claims:
        check(claim, stream, tmp_path)
    found = json.loads(checked(tmp_path / "file.fstrm", tmp_path))
    assert rule in {finding["rule"] for finding in found["findings"]}


def test_address_of_a_server_that_is_absent(tmp_path: Path) -> None:
    fault = payload(type=MessageType.RESOLVER_RESPONSE, response_address=None)
    for claim in (
        Claim("go", shows="MISSING_ADDRESS"),
        Claim("ldns", shows="MISSING_ADDRESS"),
        Claim("read", shows=" ? "),
    ):
        check(claim, TYPED + encode_data_frames([fault]) + REST + STOP, tmp_path)


def test_stub_types_are_unhandled_by_the_go_tool(tmp_path: Path) -> None:
    stream = TYPED + encode_data_frames([payload(type=MessageType.STUB_RESPONSE)]) + REST + STOP
    check(Claim("go", shows="[unhandled Message.Type]"), stream, tmp_path)


COLLECTORS = {
    "fstrm_capture": f"fstrm_capture -t {CONTENT_TYPE.decode()} -u SOCKET -w OUT",
    "go": "dnstap -u SOCKET -w OUT",
}


@contextmanager
def collecting(collector: str, workdir: Path) -> Iterator[Path]:
    """Run a collector that writes workdir/out, and its log; yield the path of its socket."""
    path = workdir / "in.sock"
    program, *words = COLLECTORS[collector].replace("SOCKET", str(path)).replace("OUT", str(workdir / "out")).split()
    with (workdir / "log").open("wb") as log:
        process = subprocess.Popen([require(program), *words], stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(path), "the socket")
        yield path
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()


def test_fstrm_capture_leaves_frames_over_256k_out(tmp_path: Path) -> None:
    with (
        collecting("fstrm_capture", tmp_path) as path,
        open_writer(f"unix:{path}", [CONTENT_TYPE]) as writer,
    ):
        writer.write_many([CASES["frame-over-256k"].bad, CASES["frame-over-256k"].good, AFTER])
    assert [*read_file(tmp_path / "out")] == [CASES["frame-over-256k"].good, AFTER]


def test_collectors_refuse_connections_that_begin_with_start(tmp_path: Path) -> None:
    with collecting("fstrm_capture", tmp_path) as path, socket.socket(socket.AF_UNIX) as sender:
        sender.settimeout(DEADLINE_S)
        sender.connect(str(path))
        sender.sendall(TYPED)
        with contextlib.suppress(ConnectionResetError):
            assert sender.recv(1) == b""
    (tmp_path / "in.sock").unlink(missing_ok=True)
    with collecting("go", tmp_path) as path, socket.socket(socket.AF_UNIX) as sender:
        sender.connect(str(path))
        sender.sendall(TYPED + REST + STOP)
        wait_for(lambda: b"open input failed" in (tmp_path / "log").read_bytes(), "its error")
        sender.setblocking(False)
        # Nothing came, and it is still open.
        with pytest.raises(BlockingIOError):
            sender.recv(1)


def test_claims_are_about_rules() -> None:
    assert {*PAYLOAD_CLAIMS, *STREAM_CLAIMS} <= {*RULES}


def check(claim: Claim, stream: bytes, workdir: Path) -> None:
    """Check what a reader makes of a file."""
    path, out = workdir / "file.fstrm", workdir / "out"
    path.write_bytes(stream)
    out.unlink(missing_ok=True)
    program, *words = READERS[claim.reader].replace("FILE", str(path)).replace("OUT", str(out)).split()
    done = subprocess.run(
        [require(program), *words],
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        cwd=workdir,
    )
    text = done.stdout.decode(errors="replace")
    if claim.status is None:
        # A panic of Go has status 2.
        assert done.returncode < 0 or done.returncode == 2, claim
    else:
        assert done.returncode == claim.status, (claim, done.stderr)
    found = b"after" in out.read_bytes() if out.exists() else "after.example" in text
    assert found == claim.goes_on, (claim, text)
    assert claim.shows in text, (claim, text)
    assert claim.hides not in text, (claim, text)


def checked(path: Path, workdir: Path) -> str:
    """Return the report of our command about a file as JSON."""
    with running(workdir, "check", "--json", path) as command:
        command.process.wait(DEADLINE_S)
        return command.stdout.read_text()


SERVERS = {
    "nsd": {"no-identity", "no-query-time"},
    "knotd": {"no-query-time"},
    "named": {"no-query-time"},
    "unbound": {"no-query-time"},
    "dnsdist": set[str](),
    "coredns": {"no-dns-message", "no-response-address", "no-response-port"},
}
"""Server -> its findings. Whether frames are in the order of time depends on how busy the machine is."""

NAMES = ("www.example.test", "www.plain.test", "nx.plain.test")


@pytest.mark.parametrize(
    ("server", "count"), [*[(server, 10) for server in SERVERS], ("nsd", 0), ("knotd", 0), ("named", 0)]
)
def test_findings_of_servers(tmp_path: Path, server: str, count: int) -> None:
    """The command ends after some frames, or else when the server has ended with STOP."""
    words = ["--count", str(count)] if count else []
    tap = f"unix:{tmp_path}/tap.sock"
    with running(tmp_path, "check", "--json", "--ignore", "time-order", *words, tap) as command:
        wait_for(lambda: b"opened input socket" in command.stderr.read_bytes(), "the socket")
        with serving(server, tmp_path, tap) as port:
            for name in NAMES:
                query = dns.message.make_query(name, "A").to_wire()
                ask(port, query)
                ask(port, query, tcp=True)
            if count:
                status = command.process.wait(DEADLINE_S)
        if not count:
            status = command.process.wait(DEADLINE_S)
        report = json.loads(command.stdout.read_text())
    assert report["frames"] == count if count else report["frames"] > 10
    assert report["streams"] == 1
    assert {finding["rule"] for finding in report["findings"]} == SERVERS[server]
    assert status == 0


@contextmanager
def serving(server: str, workdir: Path, tap: str) -> Iterator[int]:
    """Run a server that logs to an endpoint; yield its port."""
    if server == "coredns":
        # Without "full", which is its default, frames have no DNS message.
        with coredns(workdir, f"dnstap {tap.removeprefix('unix:')}") as core:
            yield core.port
    elif server in ("nsd", "knotd"):
        with {"nsd": nsd, "knotd": knotd}[server](workdir, tap) as port:
            yield port
    else:
        with (
            nsd(workdir) as upstream,
            {"named": named, "dnsdist": dnsdist, "unbound": unbound}[server](workdir, tap, upstream) as port,
        ):
            yield port
