"""Short programs of examples/ with real servers, senders and receivers on the other end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message
import pytest

from dnstap import CONTENT_TYPE, Dnstap, SocketProtocol
from framestream import open_writer, write_file
from tests.interop.accounting import payloads
from tests.interop.go_recording import STOP, recorded_by_go
from tests.interop.peers import require
from tests.interop.servers import ask, free_port, nsd
from tests.interop.test_fstrm import peer
from tests.wait import DEADLINE_S, listens, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SAMPLE = EXAMPLES / "coredns.fstrm"
BAD = [b"\x78\1", b"\xff"]
"""Payloads without a message, and not of dnstap."""


class Program:
    """A running program of examples/."""

    def __init__(self, workdir: Path, name: str, arguments: tuple[str | Path | int, ...]) -> None:
        self.out, self.err = workdir / f"{name}.out", workdir / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *map(str, arguments)],
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def end(self, number: signal.Signals | None = None) -> str:
        """Wait for the end, after a signal if there is one; return what was printed."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.wait(DEADLINE_S) == 0, self.err.read_text()
        assert "Traceback" not in self.err.read_text()
        return self.out.read_text()


@contextmanager
def program(workdir: Path, name: str, *arguments: str | Path | int) -> Iterator[Program]:
    """Run a program of examples/ during the body."""
    running = Program(workdir, name, arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def answers(port: int) -> bool:
    """Return whether a server answers within a moment."""
    query = dns.message.make_query("www.example.test", "A").to_wire()
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(0.2)
        datagrams.connect(("127.0.0.1", port))
        datagrams.send(query)
        return datagrams.recv(65535)[:2] == query[:2]
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_tap_logs_to_the_go_tool(tmp_path: Path, number: signal.Signals) -> None:
    """Queries that are hostile cost no other its answer, and are logged as they are."""
    recording, port = tmp_path / "log.fstrm", free_port()
    queries = [dns.message.make_query(f"{name}.example.test", "A").to_wire() for name in ("www", "nothing", "mail")]
    with ExitStack() as stack:
        upstream = stack.enter_context(nsd(tmp_path))
        go = stack.enter_context(peer(require("dnstap"), "-u", tmp_path / "tap", "-w", recording, out=tmp_path / "go"))
        wait_for(lambda: listens(tmp_path / "tap"), "the receiver")
        to = (port, "127.0.0.1", upstream, f"unix:{tmp_path}/tap")
        tap = stack.enter_context(program(tmp_path, "tap", *to))
        wait_for(lambda: answers(port), "the first answer")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            for garbage in (b"", b"\x78\1", bytes(12), b"\xff" * 500):
                datagrams.sendto(garbage, ("127.0.0.1", port))
        exchanged = [wire for query in queries for wire in (query, ask(port, query))]
        counts = tap.end(number)
        found = recorded_by_go(go, recording, 1 + len(exchanged))
    messages = [d.message for d in map(Dnstap.parse, found) if d.message is not None]
    wires = [message.wire for message in messages]
    assert f"sent={len(found)}, " in counts
    assert sorted(wire for wire in wires if wire in exchanged) == sorted(exchanged)
    assert {message.socket_protocol for message in messages} == {SocketProtocol.UDP}
    assert {str(message.query_ip) for message in messages} == {"127.0.0.1"}
    assert all(message.response_time_ns for message in messages if message.is_response)
    assert b"\xff" * 500 in wires


def test_the_tap_answers_without_a_receiver(tmp_path: Path) -> None:
    port = free_port()
    with nsd(tmp_path) as upstream, program(tmp_path, "tap", port, "127.0.0.1", upstream, f"unix:{tmp_path}/no") as tap:
        wait_for(lambda: answers(port), "the first answer")
        assert "sent=0, " in tap.end(signal.SIGINT)


def with_bad(tmp_path: Path) -> Path:
    """Write a recording of CoreDNS with payloads that do not decode at both ends."""
    path = tmp_path / "bad.fstrm"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([*BAD, *payloads(SAMPLE), *BAD])
    return path


def cut(path: Path) -> Path:
    """Cut a recording before its STOP, as one that is still being written."""
    path.write_bytes(path.read_bytes().removesuffix(STOP))
    return path


@pytest.mark.parametrize("waits", [False, True])
def test_the_sender_sends_to_the_go_tool(tmp_path: Path, waits: bool) -> None:
    """A receiver that is not there yet is waited for."""
    recording, port, expected = tmp_path / "log.fstrm", free_port(), payloads(SAMPLE)
    receiver: list[str | Path] = [require("dnstap"), "-l", f"127.0.0.1:{port}", "-w", recording]
    with ExitStack() as stack:
        if not waits:
            go = stack.enter_context(peer(*receiver, out=tmp_path / "go"))
            wait_for(lambda: accepts(port), "the receiver")
        sender = stack.enter_context(program(tmp_path, "sender", f"tcp:127.0.0.1:{port}", cut(with_bad(tmp_path))))
        if waits:
            wait_for(lambda: b"no reader: " in sender.err.read_bytes(), "an attempt to connect")
            go = stack.enter_context(peer(*receiver, out=tmp_path / "go"))
        assert sender.end() == "36 of 40 payloads sent, 4 bad ones, 1 broken files\n"
        assert recorded_by_go(go, recording, len(expected)) == expected


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), DEADLINE_S):
        return True
    return False


def test_the_sender_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    with program(tmp_path, "sender", f"unix:{tmp_path}/nobody", SAMPLE) as sender:
        wait_for(lambda: b"no reader: " in sender.err.read_bytes(), "an attempt to connect")
        assert sender.end(signal.SIGINT).startswith("0 of ")
    assert "unix:" in sender.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_proxy_rewrites_between_fstrm_replay_and_the_go_tool(tmp_path: Path, number: signal.Signals) -> None:
    recording, place, expected = tmp_path / "log.fstrm", tmp_path / "proxy", []
    for d in map(Dnstap.parse, payloads(SAMPLE)):
        d.identity, d.extra = b"fra1/" + (d.identity or b""), None
        expected.append(bytes(d))
    with ExitStack() as stack:
        to = (f"unix:{place}", f"unix:{tmp_path}/tap", "fra1")
        proxy = stack.enter_context(program(tmp_path, "rewriting_proxy", *to))
        wait_for(lambda: listens(place), "the proxy")
        replay: list[str | Path] = [require("fstrm_replay"), "-t", CONTENT_TYPE.decode(), "-u", place, "-r"]
        subprocess.run([*replay, with_bad(tmp_path)], check=True, timeout=DEADLINE_S)
        wait_for(lambda: b"no reader: " in proxy.err.read_bytes(), "an attempt to connect")
        go = stack.enter_context(peer(require("dnstap"), "-u", tmp_path / "tap", "-w", recording, out=tmp_path / "go"))
        subprocess.run([*replay, SAMPLE], check=True, timeout=DEADLINE_S)
        assert proxy.end(number) == "72 messages sent, 0 dropped, 4 payloads did not decode\n"
        assert recorded_by_go(go, recording, 72) == [*expected, *expected]
    assert "4 of 76 payloads do not decode and were left out" in proxy.err.read_text()


def test_the_proxy_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    """Received frames that were not sent are counted."""
    place = tmp_path / "proxy"
    with program(tmp_path, "rewriting_proxy", f"unix:{place}", f"unix:{tmp_path}/nobody", "fra1") as proxy:
        wait_for(lambda: listens(place), "the proxy")
        with open_writer(place, [CONTENT_TYPE]) as writer:
            writer.write_many(payloads(SAMPLE))
        wait_for(lambda: b"no reader: " in proxy.err.read_bytes(), "an attempt to connect")
        assert proxy.end(signal.SIGTERM).startswith("0 messages sent, ")
    assert "36 of 36 frames were not written" in proxy.err.read_text()
