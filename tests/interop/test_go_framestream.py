"""golang-framestream as the peer, in either role, listening or connecting, over every kind of socket."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pytest
import trustme

from framestream import ContentTypeError, RemoteProtocolError, State, Tls, Transport
from tests.framestream.fronts import FRONTS, listen_reader, listen_writer, open_reader, open_writer, using
from tests.interop.go_peer import go_peer
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DNSTAP = b"protobuf:dnstap.Dnstap"
PAYLOADS = [
    b"\0",
    *(f"payload {number}".encode() * (number % 40 + 1) for number in range(1000)),
    bytes(range(256)) * 4096,
]
"""From the shortest payload possible to the longest that the library accepts, 1 MiB."""

ADDRESSES = {"unix": "unix:{folder}/s", "tcp": "tcp:127.0.0.1:0", "tls": "tls:127.0.0.1:0", "mutual": "tls:127.0.0.1:0"}
Mode = Literal["bidirectional", "unidirectional"]


@pytest.fixture(params=FRONTS, autouse=True)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


@dataclass(frozen=True, slots=True)
class Link:
    """Connection of the two ends: address, kind of stream, TLS."""

    address: str
    mode: Mode
    workdir: Path
    listener_tls: Tls | None
    connecting_tls: Tls | None

    @property
    def transport(self) -> Transport:
        return Transport(self.mode)

    @property
    def writers_types(self) -> list[bytes]:
        """Content types of our writer; only a bidirectional reader can choose another than the first."""
        return [b"theirs", DNSTAP] if self.mode == "bidirectional" else [DNSTAP, b"theirs"]

    @property
    def go_readers_types(self) -> list[bytes]:
        """Content types of the library's reader, of which only the first counts in a unidirectional stream."""
        return [b"ours", DNSTAP] if self.mode == "bidirectional" else [DNSTAP]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tls]:
    """Certificates of "listener" and "connecting", which trust each other, and of an unknown "stranger"."""
    authority, found = trustme.CA(), {}
    for name in ("listener", "connecting", "stranger"):
        folder = tmp_path_factory.mktemp(name)
        issuer = trustme.CA() if name == "stranger" else authority
        issued = issuer.issue_cert("127.0.0.1")
        found[name] = Tls(certificate=folder / "certificate", key=folder / "key", ca=folder / "ca")
        issued.cert_chain_pems[0].write_to_path(folder / "certificate")
        issued.private_key_pem.write_to_path(folder / "key")
        issuer.cert_pem.write_to_path(folder / "ca")
    return found


def meeting(over: str, mode: Mode, workdir: Path, certificates: dict[str, Tls]) -> Link:
    """Return a Link of a kind."""
    listener, connecting = certificates["listener"], certificates["connecting"]
    if over == "tls":
        listener, connecting = replace(listener, ca=None), Tls(ca=connecting.ca)
    secure = over in ("tls", "mutual")
    address = ADDRESSES[over].format(folder=workdir)
    return Link(address, mode, workdir, listener if secure else None, connecting if secure else None)


@pytest.fixture(params=ADDRESSES)
def link(request: pytest.FixtureRequest, mode: Mode, tmp_path: Path, certificates: dict[str, Tls]) -> Link:
    return meeting(request.param, mode, tmp_path, certificates)


both_modes = pytest.mark.parametrize("mode", ["bidirectional", "unidirectional"])
two_ways = pytest.mark.parametrize("mode", ["bidirectional"])


@both_modes
def test_go_connects_and_writes(link: Link) -> None:
    with (
        listen_reader(link.address, [b"ours", DNSTAP], tls=link.listener_tls) as listener,
        go_peer(
            link.workdir,
            "writer",
            str(listener.endpoint),
            listen=False,
            mode=link.mode,
            content_types=link.writers_types,
            tls=link.connecting_tls,
            sends=PAYLOADS,
        ) as go,
        listener.accept(DEADLINE_S) as reader,
    ):
        assert list(reader) == PAYLOADS
        assert (reader.protocol.state, reader.protocol.transport) == (State.FINISHED, link.transport)
        assert (reader.content_type, go.content_type) == (DNSTAP, DNSTAP)
        assert (go.wait(), go.problem) == (0, "")


@two_ways
def test_the_order_of_our_reader_decides(link: Link) -> None:
    """The Go writer takes the first of its own that ACCEPT names, so only an ACCEPT of one leaves it no choice."""
    with (
        listen_reader(link.address, [b"wanted", b"second"], tls=link.listener_tls) as listener,
        go_peer(
            link.workdir,
            "writer",
            str(listener.endpoint),
            listen=False,
            mode=link.mode,
            content_types=[b"second", b"wanted"],
            tls=link.connecting_tls,
            sends=PAYLOADS,
        ) as go,
        listener.accept(DEADLINE_S) as reader,
    ):
        assert list(reader) == PAYLOADS
        assert (reader.content_type, go.content_type) == (b"wanted", b"wanted")
        assert (go.wait(), go.problem) == (0, "")


@both_modes
def test_go_listens_and_writes(link: Link) -> None:
    with (
        go_peer(
            link.workdir,
            "writer",
            link.address,
            listen=True,
            mode=link.mode,
            content_types=link.writers_types,
            tls=link.listener_tls,
            sends=PAYLOADS,
        ) as go,
        open_reader(go.listening, [b"ours", DNSTAP], tls=link.connecting_tls) as reader,
    ):
        assert list(reader) == PAYLOADS
        assert (reader.protocol.state, reader.protocol.transport) == (State.FINISHED, link.transport)
        assert (reader.content_type, go.content_type) == (DNSTAP, DNSTAP)
        assert (go.wait(), go.problem) == (0, "")


@both_modes
def test_go_connects_and_reads(link: Link) -> None:
    with (
        listen_writer(link.address, link.writers_types, transport=link.transport, tls=link.listener_tls) as listener,
        go_peer(
            link.workdir,
            "reader",
            str(listener.endpoint),
            listen=False,
            mode=link.mode,
            content_types=link.go_readers_types,
            tls=link.connecting_tls,
        ) as go,
    ):
        with listener.accept(DEADLINE_S) as writer:
            writer.write_many(PAYLOADS)
        assert (go.wait(), go.problem) == (0, "")
        assert (writer.content_type, go.content_type) == (DNSTAP, DNSTAP)
        assert go.payloads == PAYLOADS


@both_modes
def test_go_listens_and_reads(link: Link) -> None:
    with go_peer(
        link.workdir,
        "reader",
        link.address,
        listen=True,
        mode=link.mode,
        content_types=link.go_readers_types,
        tls=link.listener_tls,
    ) as go:
        with open_writer(go.listening, link.writers_types, transport=link.transport, tls=link.connecting_tls) as writer:
            writer.write_many(PAYLOADS)
        assert (go.wait(), go.problem) == (0, "")
        assert (writer.content_type, go.content_type) == (DNSTAP, DNSTAP)
        assert go.payloads == PAYLOADS


@two_ways
def test_sides_without_content_types_match(link: Link) -> None:
    """Neither side names a content type."""
    with (
        listen_reader(link.address, tls=link.listener_tls) as listener,
        go_peer(
            link.workdir, "writer", str(listener.endpoint), listen=False, tls=link.connecting_tls, sends=[b"a"]
        ) as go,
        listener.accept(DEADLINE_S) as reader,
    ):
        assert list(reader) == [b"a"]
        assert (reader.content_type, go.content_type) == (None, b"")
        assert go.wait() == 0


@two_ways
def test_we_refuse_what_it_writes(link: Link) -> None:
    with (
        listen_reader(link.address, [b"ours"], tls=link.listener_tls) as listener,
        go_peer(
            link.workdir,
            "writer",
            str(listener.endpoint),
            listen=False,
            content_types=[DNSTAP],
            tls=link.connecting_tls,
        ) as go,
    ):
        with listener.accept(DEADLINE_S) as reader, pytest.raises(ContentTypeError):
            list(reader)
        assert go.wait() == 1


@two_ways
def test_it_refuses_what_we_write(link: Link) -> None:
    with go_peer(
        link.workdir, "reader", link.address, listen=True, content_types=[b"theirs"], tls=link.listener_tls
    ) as go:
        with pytest.raises((RemoteProtocolError, ConnectionError)):
            open_writer(go.listening, [DNSTAP], tls=link.connecting_tls)
        assert (go.wait(), go.problem) == (1, "content type mismatch")


@both_modes
def test_we_stop_without_a_word(link: Link) -> None:
    """It reports a truncated stream, and has every payload.

    With TLS it has those received before the reset with which our kernel answers its unread session tickets.
    """
    with go_peer(link.workdir, "reader", link.address, listen=True, mode=link.mode, tls=link.listener_tls) as go:
        writer = open_writer(go.listening, transport=link.transport, tls=link.connecting_tls)
        writer.write_many(PAYLOADS)
        writer.abort()
        assert go.wait() == 1
        assert re.search("the input ended without STOP|unexpected EOF|connection reset by peer", go.problem)
        assert go.payloads == PAYLOADS[: len(go.payloads)]
        assert link.connecting_tls or go.payloads == PAYLOADS


class TestStrangers:
    """A side with a certificate of an unknown authority gets an error, and no stream begins."""

    def test_go_connects(self, tmp_path: Path, certificates: dict[str, Tls]) -> None:
        stranger = replace(certificates["stranger"], ca=certificates["connecting"].ca)
        with listen_reader(ADDRESSES["tls"], tls=certificates["listener"]) as listener:
            address = str(listener.endpoint)
            with go_peer(tmp_path, "writer", address, listen=False, tls=stranger, sends=[b"a"]) as go:
                with listener.accept(DEADLINE_S) as reader, pytest.raises(ssl.SSLError):
                    list(reader)
                assert (go.wait(), go.content_type) == (1, b"")
                assert "unknown certificate authority" in go.problem

    def test_we_connect(self, tmp_path: Path, certificates: dict[str, Tls]) -> None:
        stranger = replace(certificates["stranger"], ca=certificates["connecting"].ca)
        with go_peer(tmp_path, "reader", ADDRESSES["tls"], listen=True, tls=certificates["listener"]) as go:
            with pytest.raises(ssl.SSLError):
                open_writer(go.listening, tls=stranger)
            assert (go.wait(), go.content_type) == (1, b"")
            assert "unknown authority" in go.problem

    def test_go_listens(self, tmp_path: Path, certificates: dict[str, Tls]) -> None:
        stranger = replace(certificates["stranger"], ca=None)
        with go_peer(tmp_path, "reader", ADDRESSES["tls"], listen=True, tls=stranger) as go:
            with pytest.raises(ssl.SSLCertVerificationError):
                open_writer(go.listening, tls=Tls(ca=certificates["connecting"].ca))
            assert (go.wait(), go.content_type) == (1, b"")
            # OpenSSL says why before it has taken the keys that Go expects it to use: "bad record MAC".
            assert "tls: " in go.problem

    def test_we_listen(self, tmp_path: Path, certificates: dict[str, Tls]) -> None:
        knows_others = Tls(ca=certificates["stranger"].ca)
        with listen_reader(ADDRESSES["tls"], tls=replace(certificates["listener"], ca=None)) as listener:
            address = str(listener.endpoint)
            with go_peer(tmp_path, "writer", address, listen=False, tls=knows_others, sends=[b"a"]) as go:
                with listener.accept(DEADLINE_S) as reader, pytest.raises(ssl.SSLError):
                    list(reader)
                assert (go.wait(), go.content_type) == (1, b"")
                assert "unknown authority" in go.problem
