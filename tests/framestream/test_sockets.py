"""framestream.sockets: addresses, and listening on them; through both front ends where it shows there."""

from __future__ import annotations

import errno
import os
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import FileEndpoint, TcpEndpoint, TlsEndpoint, UnixEndpoint
from framestream.errors import LocalProtocolError
from framestream.protocol import Transport
from framestream.sockets import ListeningSocket, PeerAddress, addresses, for_stream, peer_address, unread
from framestream.streams import Deadlines
from tests.framestream.fronts import FRONTS
from tests.framestream.nets import SERVER, dial, front_named, nothing_left
from tests.framestream.wire import START, STOP, data
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from framestream.sockets import Address

STREAM = START + data(b"a") + STOP


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


def only_local(*found: Address) -> Any:
    return lambda endpoint, passive=False: list(found)


class TestAddresses:
    def test_unix(self) -> None:
        assert addresses(UnixEndpoint("x")) == [(socket.AF_UNIX, "x")]

    def test_host(self) -> None:
        assert addresses(TcpEndpoint("192.0.2.1", 1)) == [(socket.AF_INET, ("192.0.2.1", 1))]
        assert addresses(TlsEndpoint("2001:db8::1", 1), passive=True) == [(socket.AF_INET6, ("2001:db8::1", 1, 0, 0))]

    def test_file(self) -> None:
        with pytest.raises(LocalProtocolError, match="file:x is not a socket"):
            addresses(FileEndpoint("x"))

    def test_what_no_host_can_be_called(self) -> None:
        with pytest.raises(LocalProtocolError, match="is not a host name"):
            addresses(TcpEndpoint("x" * 64, 1))


class TestListeningSocket:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
    def test_any_port(self, host: str) -> None:
        for endpoint in (TcpEndpoint(host, 0), TlsEndpoint(host, 0, SERVER)):
            listening = ListeningSocket(endpoint)
            port = listening.socket.getsockname()[1]
            assert port > 0
            assert listening.endpoint == replace(endpoint, port=port)
            listening.close()
            listening.close()

    def test_port_in_use(self) -> None:
        listening = ListeningSocket(TcpEndpoint("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use") as caught:
            ListeningSocket(listening.endpoint)
        assert caught.value.errno == errno.EADDRINUSE
        listening.close()
        ListeningSocket(listening.endpoint).close()

    def test_addresses_of_others_are_passed_over(self) -> None:
        """A name may have one that this host does not: of IPv6, where that is turned off."""
        found: list[Address] = [(socket.AF_INET, ("192.0.2.1", 0)), (socket.AF_INET, ("127.0.0.1", 0))]
        listening = ListeningSocket(TcpEndpoint("name", 0), found)
        assert listening.socket.getsockname()[0] == "127.0.0.1"
        listening.close()
        with pytest.raises(OSError, match="annot assign") as caught:
            ListeningSocket(TcpEndpoint("name", 0), found[:1])
        assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("address", "text", "origin"),
    [
        (PeerAddress("192.0.2.1", 4711), "192.0.2.1:4711", "192.0.2.1"),
        (PeerAddress("2001:db8::1", 4711), "[2001:db8::1]:4711", "2001:db8::/64"),
        (PeerAddress("fe80::1%eth0", 4711), "[fe80::1%eth0]:4711", "fe80::/64"),
        (PeerAddress(pid=12, uid=53), "pid 12 uid 53", "uid 53"),
        (PeerAddress(uid=0), "uid 0", "uid 0"),
        (PeerAddress(), "", "uid None"),
    ],
)
def test_text_of_peers(address: PeerAddress, text: str, origin: str) -> None:
    assert (str(address), address.origin) == (text, origin)


def test_text_for_output() -> None:
    texts = [address.text for address in (PeerAddress("192.0.2.1", 5), PeerAddress(pid=3, path="/s"), PeerAddress())]
    assert texts == ["192.0.2.1:5", "/s[3]", None]
    assert PeerAddress(path="/s").text == "/s"
    assert [address.packed for address in (PeerAddress("192.0.2.1", 5), PeerAddress(path="/s"))] == [
        b"\xc0\0\2\1",
        None,
    ]


def test_addresses_of_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        assert peer_address(sock, ("::ffff:192.0.2.1", 6000, 0, 0)) == PeerAddress("192.0.2.1", 6000)
        assert peer_address(sock, ("2001:db8::1", 6000, 0, 0)) == PeerAddress("2001:db8::1", 6000)
    one, other = socket.socketpair()
    with one, other:
        assert peer_address(one, "") == PeerAddress(pid=os.getpid(), uid=os.getuid())
        assert peer_address(one, "", UnixEndpoint("/s")) == PeerAddress(pid=os.getpid(), uid=os.getuid(), path="/s")
        monkeypatch.setattr("framestream.sockets._PEER_CREDENTIALS", None)
        assert peer_address(one, "") == PeerAddress()


def test_replaced_addresses() -> None:
    peer = PeerAddress("192.0.2.1", 4711)
    assert peer.replaced(b"\xc0\0\2\0", 0) == PeerAddress("192.0.2.0", 0)
    assert peer.replaced(bytes(15) + b"\1", 5) == PeerAddress("::1", 5)


class TestKeepalive:
    def options(self, keepalive_s: float | None) -> list[int]:
        """Return whether there are probes, the time before the first one, the interval, and the number."""
        with socket.socket() as sock:
            for_stream(sock, keepalive_s)
            return [
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                *[
                    sock.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                ],
            ]

    def test_a_host_is_given_up_in_time(self) -> None:
        probes, idle_s, interval_s, count = self.options(120.0)
        assert (probes, idle_s + interval_s * count) == (1, 120)
        assert self.options(0.5) == [1, 1, 1, 6]  # Seconds are the least that the system takes.
        assert self.options(1e12) == self.options(float("inf")) == [1, 32767, 32767, 6]

    def test_none(self) -> None:
        assert self.options(None)[0] == 0

    def test_a_system_without_these_options(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("framestream.sockets._KEEPALIVE_OPTIONS", [None, None, None])
        probes, idle_s, *_ = self.options(120.0)
        assert probes == 1
        assert idle_s != 60


@pytest.mark.parametrize("front", FRONTS)
class TestFronts:
    def test_keepalive(self, front: str) -> None:
        """On both sides of a connection."""

        def idle_s(end: Any) -> int:
            with socket.socket(fileno=os.dup(end.fileno())) as sock:
                return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)

        named = front_named(front)
        options = {"deadlines": Deadlines(keepalive_s=50.0)}
        with (
            named.listen_writer("tcp:localhost:0", transport=Transport.UNIDIRECTIONAL, **options) as listener,
            named.open_reader(str(listener.endpoint), **options) as reader,
            listener.accept(DEADLINE_S) as writer,
        ):
            assert [idle_s(reader), idle_s(writer)] == [25, 25]
            writer.handshake()

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_all_addresses(self, front: str, host: str) -> None:
        """ "::" is every address, of IPv4 too."""
        with (
            front_named(front).listen_reader("tcp:[::]:0") as listener,
            dial(TcpEndpoint(host, listener.endpoint.port), first=STREAM),
            listener.accept(DEADLINE_S) as reader,
        ):
            assert list(reader) == [b"a"]

    def test_text(self, front: str) -> None:
        with front_named(front).listen_reader("tcp:localhost:0") as listener:
            assert str(listener.endpoint) == f"tcp:localhost:{listener.endpoint.port}"
            for number in (1, 2):
                with dial(listener.endpoint, first=STREAM) as sock, listener.accept(DEADLINE_S) as reader:
                    host, port, *_ = sock.getsockname()
                    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                    assert reader.peer == f"{listener.endpoint} connection {number} from {address}"

    def test_addresses(self, front: str, tmp_path: Path) -> None:
        """Both sides know the other one, at which endpoint soever."""
        named = front_named(front)
        for endpoint in ("tcp:127.0.0.1:0", tmp_path / "s"):
            with (
                named.listen_writer(endpoint, transport=Transport.UNIDIRECTIONAL) as listener,
                named.open_reader(listener.endpoint) as reader,
                listener.accept(DEADLINE_S) as writer,
            ):
                writer.handshake()
                if isinstance(listener.endpoint, UnixEndpoint):
                    ours = PeerAddress(pid=os.getpid(), uid=os.getuid(), path=str(endpoint))
                    assert reader.address == writer.address == ours
                else:
                    assert reader.address == PeerAddress("127.0.0.1", listener.endpoint.port)
                    assert writer.address.host == "127.0.0.1"

    def test_one_that_has_gone_already(self, front: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> PeerAddress:
            raise OSError(errno.ENOTCONN, "not connected")

        for name in FRONTS:
            monkeypatch.setattr(f"framestream.{name}.channels.peer_address", fail)
        named = front_named(front)
        with named.listen_writer("tcp:127.0.0.1:0") as listener, named.open_reader(listener.endpoint) as reader:
            assert reader.address is None

    def test_files_are_not_listened_on(self, front: str) -> None:
        for text in ("-", "file:x"):
            with pytest.raises(LocalProtocolError, match="not a socket"):
                front_named(front).listen_reader(text)

    def test_unknown_host(self, front: str) -> None:
        for open_it in (front_named(front).open_reader, front_named(front).listen_reader):
            with pytest.raises(socket.gaierror):
                open_it("tcp:host.invalid:1")
            with pytest.raises(LocalProtocolError, match="host name"):
                open_it(f"tcp:{'x' * 64}:1")

    def test_no_listener(self, front: str) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionRefusedError):
                front_named(front).open_writer(TcpEndpoint("localhost", bound.getsockname()[1]))

    def test_the_next_address(self, front: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a name with several, the first that answers is taken; or the error of the last raised."""
        with front_named(front).listen_reader("tcp:127.0.0.1:0") as listener, socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            dead, unknown = (socket.AF_INET, bound.getsockname()), (99, ("x", 1))
            alive = (socket.AF_INET, ("127.0.0.1", listener.endpoint.port))
            for name in FRONTS:
                monkeypatch.setattr(f"framestream.{name}.channels.addresses", only_local(unknown, dead, alive))
            with front_named(front).open_reader("tcp:name:1"):
                listener.accept(DEADLINE_S).close()
            for name in FRONTS:
                monkeypatch.setattr(f"framestream.{name}.channels.addresses", only_local(unknown, dead))
            with pytest.raises(ConnectionRefusedError):
                front_named(front).open_reader("tcp:name:1")

    def test_stale_unix_socket(self, tmp_path: Path, front: str) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(os.fspath(path))
        with (
            front_named(front).listen_reader(path) as listener,
            dial(listener.endpoint, first=STREAM),
            listener.accept(DEADLINE_S) as reader,
        ):
            assert list(reader) == [b"a"]
        assert not path.exists()

    def test_gone_when_closed(self, front: str) -> None:
        with front_named(front).listen_writer("tcp:127.0.0.1:0") as listener:
            with dial(listener.endpoint), listener.accept(DEADLINE_S) as writer:
                assert not writer.gone()
            assert writer.gone()


@pytest.mark.parametrize("windows", [False, True])
def test_unread(monkeypatch: pytest.MonkeyPatch, windows: bool) -> None:
    """On Windows, bytes are counted by looking at them."""
    if windows:
        monkeypatch.setitem(sys.modules, "fcntl", None)
    one, other = socket.socketpair()
    with one, other:
        assert unread(other) == 0
        one.sendall(b"12345")
        assert unread(other) == 5
        assert other.recv(9) == b"12345"


def test_all_addresses_of_this_host() -> None:
    """The one that includes IPv4 comes first."""
    families = [family for family, _ in addresses(TcpEndpoint("", 0), passive=True)]
    assert families == sorted(families, key=lambda family: family != socket.AF_INET6)
