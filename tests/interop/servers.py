"""Real DNS servers, started for a test: Unbound, and the NSD that answers it. Templates and zones are in servers/."""

from __future__ import annotations

import re
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message
import dns.rdatatype

from framestream import TcpEndpoint, TlsEndpoint, UnixEndpoint, parse_endpoint
from tests.interop.peers import require
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ZONES", "ask", "free_port", "nsd", "running", "unbound"]

ZONES = Path(__file__).parent / "servers"

_READY = dns.message.make_query("ready.refused.test.", dns.rdatatype.A).to_wire()


def free_port() -> int:
    """A port on 127.0.0.1 that is free for UDP and TCP just now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def ask(port: int, query: bytes, *, tcp: bool = False) -> bytes:
    """The octets of the answer of the server at 127.0.0.1 to the octets of a query."""
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
def nsd(workdir: Path) -> Iterator[int]:
    """An authoritative server for example.test and plain.test; its port."""
    port = free_port()
    config = _configure("nsd", workdir, PORT=port, ZONES=ZONES)
    with running([require("nsd"), "-d", "-c", str(config)], port, workdir / "nsd.log"):
        yield port


@contextmanager
def unbound(
    workdir: Path, tap: str, upstream_port: int, *, bidirectional: bool = True, ca: Path | None = None
) -> Iterator[int]:
    """A resolver that logs to an endpoint, whose certificate is for localhost; its port."""
    port = free_port()
    endpoint = parse_endpoint(tap)
    address = f"{endpoint.host}@{endpoint.port}" if isinstance(endpoint, TcpEndpoint | TlsEndpoint) else ""
    config = _configure(
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


def _configure(name: str, workdir: Path, **values: object) -> Path:
    """Fill the template in."""
    known = {"WORKDIR": workdir, **values}
    template = (ZONES / f"{name}.conf.in").read_text()
    config = workdir / f"{name}.conf"
    config.write_text(re.sub(r"@([A-Z_]+)@", lambda match: str(known[match[1]]), template))
    return config


@contextmanager
def running(
    command: list[str], port: int, log: Path, *, query: bytes = _READY, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground while the body runs, which starts when it answers the query."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    with process:
        try:
            wait_for(lambda: _answers(port, query) or process.poll() is not None, f"an answer of {command[0]}")
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _answers(port: int, query: bytes) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(0.2)
        try:
            datagrams.connect(("127.0.0.1", port))
            datagrams.send(query)
            return datagrams.recv(65535)[:2] == query[:2]
        except OSError:
            return False
