"""Real DNS servers, started for a test: NSD, Knot, BIND, dnsdist, Unbound. Templates and zones are in servers/."""

from __future__ import annotations

import re
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message
import dns.rcode

from framestream import TcpEndpoint, TlsEndpoint, UnixEndpoint, parse_endpoint
from tests.interop.peers import missing, require
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["PROBES", "ZONES", "ask", "configure", "dnsdist", "free_port", "knotd", "named", "nsd", "running", "unbound"]

PROBES = ("ready.example.test.", "ready.plain.test.")
"""Queries sent to a server until it answers for both zones. No test sends them otherwise."""

ZONES = Path(__file__).parent / "servers"

_READY = tuple(dns.message.make_query(name, "A").to_wire() for name in PROBES)


def free_port() -> int:
    """Return a port on 127.0.0.1 that is free for UDP and TCP now, and that no other test process is given.

    Until its server listens, the system may choose the port again; two servers would then answer for each other. An
    abstract unix socket of its number, which is kept to the end of this process, tells the others that it is taken.
    """
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            reservation = socket.socket(socket.AF_UNIX)
            try:
                udp.bind(("127.0.0.1", port))
                reservation.bind(f"\0dnstap tests, port {port}")
            except OSError:
                reservation.close()
                continue
            reservation.detach()
            return port


def ask(port: int, query: bytes, *, tcp: bool = False) -> bytes:
    """Send a query in wire format to the server at 127.0.0.1; return its response in wire format."""
    if tcp:
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as stream:
            stream.sendall(len(query).to_bytes(2, "big") + query)
            with stream.makefile("rb") as file:
                return file.read(int.from_bytes(file.read(2), "big"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(DEADLINE_S)
        datagrams.sendto(query, ("127.0.0.1", port))
        return datagrams.recv(65535)


@contextmanager
def nsd(workdir: Path, tap: str = "") -> Iterator[int]:
    """Run an authoritative server for example.test and plain.test that may log to an endpoint; yield its port."""
    port = free_port()
    config = configure(
        "nsd", workdir, PORT=port, DNSTAP="yes" if tap else "no", SOCKET=_path(tap) if tap else workdir / "unused.sock"
    )
    with running([require("nsd"), "-d", "-c", str(config)], port, workdir / "nsd.log"):
        yield port


@contextmanager
def knotd(workdir: Path, tap: str) -> Iterator[int]:
    """Run an authoritative server for the same zones that logs to an endpoint; yield its port."""
    port = free_port()
    config = configure("knotd", workdir, PORT=port, SINK=tap.removeprefix("file:"))
    program = require("knotd")
    check = subprocess.run([require("knotc"), "-c", config, "conf-check"], capture_output=True, check=False)
    if b"unknown module 'mod-dnstap'" in check.stderr:
        missing("knotd has no mod-dnstap")
    with running([program, "-c", str(config)], port, workdir / "knotd.log"):
        yield port


@contextmanager
def named(workdir: Path, tap: str, upstream_port: int) -> Iterator[int]:
    """Run a server for example.test that asks another about plain.test and logs to an endpoint; yield its port."""
    port = free_port()
    kind, _, path = tap.partition(":")
    config = configure("named", workdir, PORT=port, UPSTREAM_PORT=upstream_port, OUTPUT=f'{kind} "{path}"')
    with running([require("named"), "-g", "-c", str(config)], port, workdir / "named.log"):
        yield port


@contextmanager
def dnsdist(workdir: Path, tap: str, upstream_port: int) -> Iterator[int]:
    """Run a load balancer in front of a server that logs to an endpoint; yield its port."""
    port = free_port()
    endpoint = parse_endpoint(tap)
    tcp = isinstance(endpoint, TcpEndpoint)
    config = configure(
        "dnsdist",
        workdir,
        PORT=port,
        UPSTREAM_PORT=upstream_port,
        LOGGER="Tcp" if tcp else "Unix",
        ADDRESS=tap.removeprefix("tcp:") if tcp else _path(tap),
    )
    command = [require("dnsdist"), "--supervised", "--disable-syslog", "-C", str(config)]
    with running(command, port, workdir / "dnsdist.log"):
        yield port


@contextmanager
def unbound(
    workdir: Path, tap: str, upstream_port: int, *, bidirectional: bool = True, ca: Path | None = None
) -> Iterator[int]:
    """Run a resolver that logs to an endpoint, whose certificate is for localhost; yield its port."""
    port = free_port()
    endpoint = parse_endpoint(tap)
    address = f"{endpoint.host}@{endpoint.port}" if isinstance(endpoint, TcpEndpoint | TlsEndpoint) else ""
    config = configure(
        "unbound",
        workdir,
        PORT=port,
        UPSTREAM_PORT=upstream_port,
        SOCKET=endpoint.path if isinstance(endpoint, UnixEndpoint) else "",
        IP=address,
        TLS="yes" if isinstance(endpoint, TlsEndpoint) else "no",
        SERVER_NAME="localhost" if isinstance(endpoint, TlsEndpoint) else "",
        CERT_BUNDLE=ca or "",
        BIDIRECTIONAL="yes" if bidirectional else "no",
    )
    with running([require("unbound"), "-d", "-p", "-c", str(config)], port, workdir / "unbound.log"):
        yield port


def _path(tap: str) -> str:
    endpoint = parse_endpoint(tap)
    assert isinstance(endpoint, UnixEndpoint), tap
    return endpoint.path


def configure(name: str, workdir: Path, **values: object) -> Path:
    """Write the configuration of a server from its template; return its path."""
    known = {"WORKDIR": workdir, "ZONES": ZONES, **values}
    template = (ZONES / f"{name}.conf.in").read_text()
    config = workdir / f"{name}.conf"
    config.write_text(re.sub(r"@([A-Z_]+)@", lambda match: str(known[match[1]]), template))
    return config


@contextmanager
def running(
    command: list[str], port: int, log: Path, *, query: bytes = b"", environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground during the body, which begins when it answers the query, or else all probes."""

    def ready() -> bool:
        if query:
            return _answers(port, query, range(16))
        return all(_answers(port, probe, (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)) for probe in _READY)

    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    with process:
        try:
            wait_for(lambda: ready() or process.poll() is not None, f"an answer of {command[0]}")
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _answers(port: int, query: bytes, rcodes: Container[int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(0.2)
        try:
            datagrams.connect(("127.0.0.1", port))
            datagrams.send(query)
            answer = datagrams.recv(65535)
            return answer[:2] == query[:2] and answer[3] & 15 in rcodes
        except OSError:
            return False
