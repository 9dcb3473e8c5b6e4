"""Taps: frames reach other programs and our command, and equal those of a real CoreDNS."""

from __future__ import annotations

import logging
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import dns.rdatatype
import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType, Message, MessageType, Tap, TapCounts
from framestream import TcpEndpoint, Tls, TlsEndpoint, listen_reader, write_file
from tests.interop.command import connecting, listening
from tests.interop.coredns import coredns, named
from tests.interop.go_build import BUILD_S
from tests.interop.go_recording import recorded_by_go
from tests.interop.peers import require
from tests.interop.servers import free_port
from tests.interop.test_coredns import ask_all, certificates, expected, payloads, said, statistics
from tests.interop.test_fstrm import DATA, DNSTAP, peer
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.interop.command import Command

pytestmark = pytest.mark.timeout(120 + 2 * BUILD_S)
"""The first test of a session that asks CoreDNS builds it."""

MESSAGES: list[Message] = [
    dnstap.message
    for path in sorted(DATA.glob("*-a*.fstrm"))
    for dnstap in map(Dnstap.parse, payloads(path))
    if dnstap.message
]
"""Messages of real servers, of several types."""

STOP = bytes.fromhex("00000000 00000004 00000003")


def frame(message: Message) -> bytes:
    """Return the payload that a tap with the identity "ns1" makes of a message."""
    return Dnstap(identity=b"ns1", type=DnstapType.MESSAGE, message=message).encode()


FRAMES = [frame(message) for message in MESSAGES]


def submit_all(tap: Tap) -> None:
    for message in MESSAGES:
        tap.submit(message)


def check_arrival(tap: Tap, recording: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Check that a recording has the frames of all MESSAGES in order, and that nothing was logged or dropped."""
    assert len(MESSAGES) > 1000
    assert tap.counts == TapCounts(submitted=len(MESSAGES), sent=len(MESSAGES))
    assert payloads(recording) == FRAMES
    assert recording.read_bytes().endswith(STOP)
    assert not caplog.records, caplog.text


@pytest.mark.parametrize("receiver", ["fstrm_capture", "Go"])
@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_frames_reach_other_receivers(
    tmp_path: Path, receiver: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "received"
    port = free_port()
    there = f"unix:{tmp_path}/sock" if transport == "unix" else f"tcp:127.0.0.1:{port}"
    place = ["-u", str(tmp_path / "sock")]
    command: list[str | Path]
    if receiver == "fstrm_capture":
        place = place if transport == "unix" else ["-a", "127.0.0.1", "-p", str(port)]
        command = [require("fstrm_capture"), "-t", DNSTAP.decode(), *place, "-w", out]
    else:
        place = place if transport == "unix" else ["-l", f"127.0.0.1:{port}"]
        command = [require("dnstap"), *place, "-w", out]
    with peer(*command, out=tmp_path / "log") as process:
        with Tap(there, identity="ns1") as tap:
            wait_for(lambda: tap.connected, "the connection")
            caplog.clear()  # It may not have listened at once.
            submit_all(tap)
        if receiver == "Go":
            found = recorded_by_go(process, out, len(FRAMES))
            with write_file(out, [CONTENT_TYPE]) as writer:
                writer.write_many(found)
        else:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)
    check_arrival(tap, out, caplog)


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls", "tls, mutual", "tls, skip-verify"])
def test_frames_reach_our_command(tmp_path: Path, transport: str, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    certificates(tmp_path)
    where = f"unix:{tmp_path}/s" if transport == "unix" else f"{transport[:3]}:127.0.0.1:0"
    options: list[str | Path] = ["--tls-cert", tmp_path / "cert.pem"] if "tls" in transport else []
    tls = {"tls": Tls(ca=tmp_path / "ca.pem"), "tls, skip-verify": Tls(verify=False)}.get(transport)
    if "mutual" in transport:
        options += ["--tls-ca", tmp_path / "ca.pem"]
        tls = Tls(ca=tmp_path / "ca.pem", certificate=tmp_path / "cert.pem")
    with listening(where, tmp_path, "-w", out, "--stats", *options) as command:
        with Tap(command.endpoint, identity="ns1", tls=tls) as tap:
            submit_all(tap)
        assert command.stop() == 0
    check_arrival(tap, out, caplog)
    assert statistics(command) == (len(MESSAGES), 1, 0)


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls"])
def test_frames_reach_our_command_that_connects(
    tmp_path: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Over TLS, both ends present a certificate."""
    out = tmp_path / "out"
    certificates(tmp_path)
    where = f"unix:{tmp_path}/s" if transport == "unix" else f"{transport}:127.0.0.1:0"
    options: list[str | Path] = []
    tls = None
    if transport == "tls":
        options = ["--tls-cert", tmp_path / "cert.pem", "--tls-ca", tmp_path / "ca.pem"]
        tls = Tls(ca=tmp_path / "ca.pem", certificate=tmp_path / "cert.pem")
    with Tap(where, identity="ns1", listen=True, tls=tls) as tap:
        assert not isinstance(tap.endpoint, TcpEndpoint | TlsEndpoint) or tap.endpoint.port
        with connecting(str(tap.endpoint), tmp_path, "-w", out, "--stats", *options) as command:
            wait_for(lambda: tap.connected, "the sink")
            submit_all(tap)
            assert tap.close() == 0
            # The stream is over; it tries again, and nobody is there.
            wait_for(lambda: said(command), "the line that it has gone")
            assert command.stop() == 0
    check_arrival(tap, out, caplog)
    check_connections(command, len(MESSAGES))


def check_connections(command: Command, frames: int) -> None:
    """Check that all frames came over one connection; while the tap closes, another without frames may be made."""
    told = statistics(command)
    assert told.frames == frames
    assert told.connections in (1, 2)
    assert told.broken <= told.connections - 1  # The second may end before anything is sent on it.


def test_sinks_that_connect_one_after_the_other_get_all_later_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each sink gets every frame from the one that it receives first."""
    everything: list[bytes] = []
    recordings = [tmp_path / str(number) / "out" for number in range(4)]

    def submit(messages: Sequence[Message]) -> None:
        for message in messages:
            tap.submit(message)
            everything.append(frame(message))

    def reaches(recording: Path) -> bool:
        before = len(payloads(recording))
        submit(MESSAGES[:1])
        return len(payloads(recording)) > before

    with Tap(f"unix:{tmp_path}/s", identity="ns1", listen=True, queue=100_000) as tap, ExitStack() as stack:
        since = []
        for recording in recordings:
            recording.parent.mkdir()
            begun = len(everything)
            command = stack.enter_context(connecting(str(tap.endpoint), recording.parent, "-w", recording, "--stats"))
            wait_for(lambda recording=recording: reaches(recording), "a frame")  # type: ignore[misc]
            since.append((command, begun))
            submit(MESSAGES)
        assert tap.close() == 0
        for command, _ in since:
            wait_for(lambda command=command: said(command), "the line that it has gone")  # type: ignore[misc]
            assert command.stop() == 0
    for recording, (command, begun) in zip(recordings, since, strict=True):
        found = payloads(recording)
        assert found == everything[-len(found) :]
        assert len(MESSAGES) < len(found) <= len(everything) - begun
        check_connections(command, len(found))
    counts = tap.counts
    assert counts.submitted == len(everything)
    assert counts.sent == counts.submitted + counts.copies - counts.not_connected
    assert counts.sent == sum(len(payloads(recording)) for recording in recordings)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING], caplog.text


SETTINGS = {
    "full": 'dnstap {} full {{\nidentity ns1.example\nversion "Our DNS 1"\n}}',
    "bare": "dnstap {} {{\nidentity bare\nversion 1\n}}",
    "extra": 'dnstap {} full {{\nidentity extra\nversion 1\nextra "{{type}} over {{proto}}"\n}}',
    "extra of frames without messages": 'dnstap {} {{\nidentity ex\nversion 1\nextra "{{type}} over {{proto}}"\n}}',
    "empty texts": 'dnstap {} full {{\nidentity ""\nversion ""\n}}',
}
"""Lines of a Corefile, by the name of the setting."""


def taps(there: str) -> dict[str, Callable[[], Tap]]:
    """Return functions that make our taps with the same settings."""

    def extra(message: Message) -> str:
        assert message.question
        assert message.socket_protocol
        return (
            f"{dns.rdatatype.RdataType.make(message.question.rrtype).name} over {message.socket_protocol.name.lower()}"
        )

    return {
        "full": partial(Tap, there, identity="ns1.example", version="Our DNS 1"),
        "bare": partial(Tap, there, identity="bare", version="1", full=False),
        "extra": partial(Tap, there, identity="extra", version="1", extra=extra),
        "extra of frames without messages": partial(Tap, there, identity="ex", version="1", extra=extra, full=False),
        "empty texts": partial(Tap, there, identity="", version=""),
    }


def test_frames_are_those_of_coredns(tmp_path: Path) -> None:
    """Byte for byte, for the same events: the same fields in the same order, with the same encoding.

    Our tap gets what a server has: addresses as text, times in nanoseconds, and the bytes of the DNS message. Where
    CoreDNS leaves out the DNS message, it is taken from the frame of another of its taps for the same event.
    """
    recording = tmp_path / "theirs"
    with listening(f"unix:{tmp_path}/s", tmp_path, "-w", recording) as command:
        lines = "\n".join(line.format(named(command.endpoint)) for line in SETTINGS.values())
        with coredns(tmp_path, lines) as server:
            ask_all(server)
            total = sum(expected(server).values())
            wait_for(lambda: len(payloads(recording)) >= len(SETTINGS) * total, "all frames")
            assert command.stop() == 0
    theirs = by_identity(payloads(recording))
    told = [Dnstap.parse(payload).message for payload in theirs[b"ns1.example"]]
    assert len(told) == total

    def receive() -> list[bytes]:
        with listener.accept(DEADLINE_S) as reader:
            return list(reader)

    with listen_reader(tmp_path / "ours", [CONTENT_TYPE]) as listener, Threads() as pool:
        for (setting, make), identity in zip(
            taps(f"unix:{tmp_path}/ours").items(), (b"ns1.example", b"bare", b"extra", b"ex", b""), strict=True
        ):
            ours = pool.submit(receive)
            with make() as tap:
                for message, payload in zip(told, theirs[identity], strict=True):
                    its = Dnstap.parse(payload).message
                    assert message
                    assert its
                    assert its.type is message.type
                    submit_raw(tap, message, its)
            assert ours.result(DEADLINE_S) == theirs[identity], setting
    types = {message.type for message in told if message}
    assert types == {
        MessageType.CLIENT_QUERY,
        MessageType.CLIENT_RESPONSE,
        MessageType.FORWARDER_QUERY,
        MessageType.FORWARDER_RESPONSE,
    }


def by_identity(found: list[bytes]) -> dict[bytes | None, list[bytes]]:
    """Return the frames of each tap, by its identity, in order."""
    result: dict[bytes | None, list[bytes]] = {}
    for payload in found:
        result.setdefault(Dnstap.parse(payload).identity, []).append(payload)
    return result


def submit_raw(tap: Tap, message: Message, its: Message) -> None:
    """Send a message from raw values, with the times and addresses of another frame."""
    assert message.type
    submit = getattr(tap, MessageType(message.type).name.lower())
    submit(
        message.wire,
        query_address=its.query_ip and str(its.query_ip),
        query_port=its.query_port,
        response_address=its.response_ip and str(its.response_ip),
        response_port=its.response_port,
        socket_protocol=its.socket_protocol,
        query_time=its.query_time_ns,
        response_time=its.response_time_ns,
    )
