"""framestream.sockets: addresses, and listening on them; through both front ends where it shows there."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from framestream.endpoints import FileEndpoint, TcpEndpoint, TlsEndpoint, UnixEndpoint
from framestream.errors import LocalProtocolError
from framestream.sockets import ListeningSocket, addresses
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


@pytest.mark.parametrize("front", FRONTS)
class TestFronts:
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
                with dial(listener.endpoint, first=STREAM), listener.accept(DEADLINE_S) as reader:
                    assert reader.peer == f"{listener.endpoint} connection {number}"

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
