"""framestream.endpoints: what a text names, and what TLS needs to know."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from framestream.endpoints import FileEndpoint, TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint, parse_endpoint
from framestream.errors import LocalProtocolError
from tests.framestream.nets import pem

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint

GOOD: list[tuple[str, Endpoint]] = [
    ("unix:/run/x.sock", UnixEndpoint("/run/x.sock")),
    ("unix:///run/x.sock", UnixEndpoint("/run/x.sock")),
    ("/run/x.sock", UnixEndpoint("/run/x.sock")),
    ("/run/tcp:host:1", UnixEndpoint("/run/tcp:host:1")),
    ("./x", UnixEndpoint("./x")),
    ("../x", UnixEndpoint("../x")),
    ("unix:x", UnixEndpoint("x")),
    ("unix:tcp:host:1", UnixEndpoint("tcp:host:1")),
    ("unix:////x", UnixEndpoint("//x")),
    ("tcp:host:1", TcpEndpoint("host", 1)),
    ("tcp://host:1", TcpEndpoint("host", 1)),
    ("tcp:192.0.2.1:65535", TcpEndpoint("192.0.2.1", 65535)),
    ("tcp:[2001:db8::1]:6000", TcpEndpoint("2001:db8::1", 6000)),
    ("tcp://[::]:0", TcpEndpoint("::", 0)),
    ("tcp:[fe80::1%eth0]:00080", TcpEndpoint("fe80::1%eth0", 80)),
    ("tls:host:1", TlsEndpoint("host", 1)),
    ("tls://[::1]:1", TlsEndpoint("::1", 1)),
    ("file:name", FileEndpoint("name")),
    ("file:///name", FileEndpoint("/name")),
    ("file:////name", FileEndpoint("//name")),
    ("-", FileEndpoint("-")),
]

BAD = [
    "", ":", "x", "x.sock", "unix:", "unix://", "file:", "file://", "--", "udp:host:1", "UNIX:/x", "TCP:host:1",
    "tcp:", "tcp:host", "tcp:host:", "tcp::1", "tcp:host:65536", "tcp:host:100000", "tcp:host:-1", "tcp:host:1x",
    "tcp:host:\u0661", "tcp:host:1:2", "tcp:::1:80", "tcp:[::1]", "tcp:[]:1", "tcp:[::1:1", "tcp:host]:1", "tcp:a/b:1",
    "tcp:///host:1", "tls:host", "http://host:1", "tcp:host:1\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "endpoint"), GOOD)
def test_good(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint
    assert parse_endpoint(endpoint) is endpoint


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse_endpoint(text)
    assert repr(text) in str(caught.value)


def test_paths_are_unix_sockets() -> None:
    assert parse_endpoint(Path("-")) == UnixEndpoint("-")
    assert parse_endpoint(Path("tcp:host:1")) == UnixEndpoint("tcp:host:1")


@pytest.mark.parametrize(
    "host", [".example", "a..b", f"{'a' * 64}.example", "\N{LATIN SMALL LETTER O WITH DIAERESIS}" * 64]
)
def test_hosts_that_no_name_can_be(host: str) -> None:
    for scheme in "tcp", "tls":
        with pytest.raises(LocalProtocolError, match="expected a host name in "):
            parse_endpoint(f"{scheme}:{host}:1")


def test_tls_is_for_tls() -> None:
    tls = Tls(server_name="name")
    assert parse_endpoint("tls:host:1", tls) == TlsEndpoint("host", 1, tls)
    assert parse_endpoint("tcp:host:1", tls) == TcpEndpoint("host", 1)
    own = TlsEndpoint("host", 1)
    assert parse_endpoint(own, tls) is own


class TestContext:
    def test_who_listens(self) -> None:
        context = Tls(certificate=pem("good-here")).context(listening=True)
        assert context.verify_mode is ssl.CERT_NONE
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.num_tickets == 0
        assert context.get_ca_certs() == []

    def test_who_listens_and_asks_for_a_certificate(self) -> None:
        context = Tls(certificate=pem("good-here"), ca=pem("good-ca"), verify=False).context(listening=True)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) == 1

    def test_who_connects(self) -> None:
        context = Tls(ca=pem("good-ca")).context(listening=False)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert len(context.get_ca_certs()) == 1

    def test_who_connects_and_trusts_the_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem("evil-ca")))
        context = Tls().context(listening=False)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) >= 1

    def test_who_connects_and_takes_any(self) -> None:
        context = Tls(verify=False).context(listening=False)
        assert context.verify_mode is ssl.CERT_NONE
        assert not context.check_hostname

    @pytest.mark.parametrize("tls", [Tls(), Tls(ca=pem("good-ca")), Tls(key=pem("good-here-key"))])
    def test_who_listens_without_a_certificate(self, tls: Tls) -> None:
        with pytest.raises(LocalProtocolError, match="a listener with TLS needs a certificate"):
            tls.context(listening=True)

    def test_a_key_without_a_certificate(self) -> None:
        with pytest.raises(LocalProtocolError, match="a key needs a certificate"):
            Tls(key=pem("good-here-key")).context(listening=False)

    @pytest.mark.parametrize(
        ("tls", "missing"),
        [
            (Tls(certificate="missing.pem"), "missing.pem"),
            (Tls(certificate=pem("good-here-certificate"), key="missing.pem"), "missing.pem"),
            (Tls(certificate=pem("good-here"), ca="missing.pem"), "missing.pem"),
        ],
    )
    def test_missing_files_are_named(self, tls: Tls, missing: str) -> None:
        with pytest.raises(FileNotFoundError, match=missing) as caught:
            tls.context(listening=True)
        assert caught.value.filename.endswith(missing)

    @pytest.mark.parametrize("role", ["certificate", "key", "ca"])
    @pytest.mark.parametrize("label", ["", "X509 CRL", "CERTIFICATE", "PRIVATE KEY"])
    def test_files_that_are_something_else_are_named(self, tmp_path: Path, role: str, label: str) -> None:
        other = tmp_path / "other.pem"
        other.write_text(f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n" if label else "")
        files = {"certificate": pem("good-here-certificate"), "key": pem("good-here-key"), role: other}
        tls = Tls(certificate=files["certificate"], key=files["key"], ca=files.get("ca"))
        with pytest.raises(ssl.SSLError, match=r"other\.pem: expected .* in PEM, got ") as caught:
            tls.context(listening=True)
        assert caught.value.filename == str(other)

    @pytest.mark.parametrize("role", ["certificate", "key", "ca"])
    def test_a_directory_is_named(self, tmp_path: Path, role: str) -> None:
        files = {"certificate": pem("good-here-certificate"), "key": pem("good-here-key"), role: tmp_path}
        tls = Tls(certificate=files["certificate"], key=files["key"], ca=files.get("ca"))
        with pytest.raises(IsADirectoryError) as caught:
            tls.context(listening=True)
        assert str(caught.value.filename) == str(tmp_path)

    def test_a_certificate_without_its_key(self) -> None:
        with pytest.raises(ssl.SSLError, match=r"good-here-certificate\.pem: expected a private key in PEM"):
            Tls(certificate=pem("good-here-certificate")).context(listening=True)

    @pytest.mark.parametrize("kind", ["same", "other"])
    def test_the_key_of_another(self, kind: str, tmp_path: Path) -> None:
        key = pem("evil-here-key")
        if kind == "other":
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key = tmp_path / "rsa-key.pem"
            key.write_bytes(
                made.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        with pytest.raises(ssl.SSLError, match=r"the key of the certificate .*good-here-certificate") as caught:
            Tls(certificate=pem("good-here-certificate"), key=key).context(listening=True)
        assert caught.value.filename == str(key)

    def test_a_key_with_a_password(self, tmp_path: Path) -> None:
        """There is no prompt: a server would wait at its terminal forever."""
        key = serialization.load_pem_private_key(pem("good-here-key").read_bytes(), None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
        (tmp_path / "key.pem").write_bytes(locked)
        with pytest.raises(LocalProtocolError, match=r"key\.pem: expected a key without a password"):
            Tls(certificate=pem("good-here-certificate"), key=tmp_path / "key.pem").context(listening=True)


def test_wrong_types() -> None:
    anything: Any = parse_endpoint
    for endpoint in (None, 5, b"/run/s", ["unix:/s"]):
        with pytest.raises(TypeError, match=r"^endpoint: expected text, a path of pathlib or an endpoint"):
            anything(endpoint)
    with pytest.raises(TypeError, match=r"^tls: expected Tls, got 'ca.pem'"):
        anything("tls:host:1", "ca.pem")


def test_where_there_are_no_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framestream.endpoints.UNIX_SOCKETS", False)
    for text in ("unix:/run/s", "/run/s", Path("s")):
        with pytest.raises(LocalProtocolError, match=r"^this system has no unix sockets"):
            parse_endpoint(text)
    assert parse_endpoint("tcp:host:1") == TcpEndpoint("host", 1)
