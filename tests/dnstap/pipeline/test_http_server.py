"""The HTTP server of metrics: silent and slow clients hold nothing for long."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline import http_server
from dnstap.pipeline.http_server import MAX_CLIENTS, LimitedServer
from framestream.sockets import RETRY_ACCEPT_S
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(BaseHTTPRequestHandler):
    """Answers every request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"answer")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Failing(Handler):
    """Fails at every request."""

    def do_GET(self) -> None:
        raise ZeroDivisionError


@contextmanager
def serving(handler: type[Handler] = Handler) -> Iterator[LimitedServer]:
    before = len(os.listdir("/proc/self/fd"))
    server = LimitedServer("127.0.0.1", 0, handler)
    running = start(server.serve_forever, 0.01)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        running.result(DEADLINE_S)
    wait_for(lambda: server.connections.number == 0, "the end of all clients")
    wait_for(lambda: len(os.listdir("/proc/self/fd")) == before, "the end of all descriptors")


def dial(server: LimitedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), DEADLINE_S)


def answer(server: LimitedServer) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=DEADLINE_S) as response:
        return bytes(response.read())


def test_silent_clients_make_room() -> None:
    with serving() as server, ExitStack() as stack:
        silent = [stack.enter_context(dial(server)) for _ in range(3 * MAX_CLIENTS)]
        assert answer(server) == b"answer"
        assert server.connections.number <= MAX_CLIENTS
        assert silent[0].recv(1) == b""
        assert sum("process_request" in thread.name for thread in threading.enumerate()) <= MAX_CLIENTS


def test_slow_clients_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request has a time in all, which no byte extends."""
    monkeypatch.setattr(http_server, "CLIENT_S", 0.1)
    with serving() as server, dial(server) as slow:

        def refused() -> bool:
            try:
                slow.sendall(b"G")
            except ConnectionError:
                return True
            return False

        wait_for(refused, "the end of the connection")


def test_clients_that_do_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one is refused, and the server goes on."""
    monkeypatch.setattr(http_server, "LEAVING_S", 0.05)
    going_on = threading.Event()

    class Stuck(Handler):
        def do_GET(self) -> None:
            going_on.wait(DEADLINE_S)
            super().do_GET()

    with serving(Stuck) as server, ExitStack() as stack:
        for _ in range(MAX_CLIENTS):
            stack.enter_context(dial(server)).sendall(b"GET / HTTP/1.0\r\n\r\n")
        wait_for(lambda: server.connections.number == MAX_CLIENTS, "all clients")
        with dial(server) as refused:
            assert refused.recv(1) == b""
        going_on.set()
        assert answer(server) == b"answer"


def test_a_handler_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(Failing) as server, dial(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(1) == b""
    assert capfd.readouterr() == ("", "")


def test_without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not spin, and the oldest client makes room."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server = LimitedServer("127.0.0.1", 0, Handler)
    with dial(server) as silent, dial(server):
        sock, address = server.get_request()
        server.process_request(sock, address)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                server.get_request()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert pauses == [RETRY_ACCEPT_S]
        assert silent.recv(1) == b""
        server.shutdown_request(server.get_request()[0])
    server.server_close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        server.get_request()
    assert len(pauses) == 1
