"""Helpers for tests of connections: certificates, plain sockets as peers, a check for descriptors left open."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

import framestream.sync
from framestream.endpoints import TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint
from tests.framestream import fronts
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = ["CLIENT", "MUTUAL", "SERVER", "background", "dial", "front_named", "listening", "nothing_left", "own", "pem"]


@functools.cache
def _folder() -> Path:
    """A folder of certificates, which goes when the tests do."""
    kept = tempfile.TemporaryDirectory()
    _folder.kept = kept  # type: ignore[attr-defined]
    folder = Path(kept.name)
    for authority in ("good", "evil"):
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(folder / f"{authority}-ca.pem"))
        for name, hosts in (("here", ("localhost", "127.0.0.1", "::1")), ("elsewhere", ("elsewhere.test",))):
            certificate = ca.issue_cert(*hosts)
            certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{authority}-{name}.pem"))
            certificate.private_key_pem.write_to_path(str(folder / f"{authority}-{name}-key.pem"))
            certificate.cert_chain_pems[0].write_to_path(str(folder / f"{authority}-{name}-certificate.pem"))
    return folder


def pem(name: str) -> Path:
    """A PEM file: "good-ca"; "good-here", with its key, "good-here-certificate" and "good-here-key"; also "evil-" ones,
    of a CA that is not trusted, and "-elsewhere", for another host.
    """
    return _folder() / f"{name}.pem"


SERVER = Tls(certificate=pem("good-here"))
CLIENT = Tls(ca=pem("good-ca"))
MUTUAL = Tls(certificate=pem("good-here-certificate"), key=pem("good-here-key"), ca=pem("good-ca"))


def front_named(name: str) -> ModuleType:
    """A front end with a blocking face; that for asyncio works in `fronts.using("aio")`."""
    return framestream.sync if name == "sync" else fronts


def _state() -> tuple[set[str], set[threading.Thread]]:
    gc.collect()
    return set(os.listdir("/proc/self/fd")), set(threading.enumerate())


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """The front end for asyncio; at the end no descriptor, thread or task may be left that was not there before."""
    before = _state()
    with fronts.using("aio"):
        yield
        wait_for(lambda: len(fronts._run(asyncio.all_tasks)) == 1, "the end of all tasks but the one that asks")
    wait_for(lambda: _state() == before, "the end of all descriptors and threads")


@contextlib.contextmanager
def background(function: Callable[..., Any], *args: Any) -> Iterator[Callable[[], Any]]:
    """The function in another thread; gives what waits for its result."""
    with Threads() as pool:
        running = pool.submit(function, *args)
        yield lambda: running.result(DEADLINE_S)


def dial(endpoint: Any, tls: ssl.SSLContext | None = None, first: bytes = b"") -> socket.socket:
    """A socket connected to an endpoint."""
    match endpoint:
        case UnixEndpoint(path):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
        case TcpEndpoint(host, port) | TlsEndpoint(host, port):
            sock = socket.create_connection((host, port), DEADLINE_S)
    if tls:
        sock = tls.wrap_socket(sock, server_hostname="localhost")
    sock.settimeout(DEADLINE_S)
    sock.sendall(first)
    return sock


@contextlib.contextmanager
def listening(script: Callable[[socket.socket], object], kind: type = TcpEndpoint, tls: Tls = CLIENT) -> Iterator[Any]:
    """The endpoint of a plain socket that listens, and does with its one connection what the script says."""

    def run() -> None:
        sock, _ = server.accept()
        with sock:
            sock.settimeout(DEADLINE_S)
            script(sock)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        options = {"tls": tls} if kind is TlsEndpoint else {}
        with background(run) as finish:
            yield kind("localhost", server.getsockname()[1], **options)
            finish()


def own() -> str:
    """The name that a listener gives a connection of this process to a unix socket."""
    return f"from pid {os.getpid()} uid {os.getuid()}"
