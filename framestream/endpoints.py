"""Endpoints: sources and destinations of streams, as text or as objects.

| text | endpoint |
|---|---|
| `unix:/run/x.sock`, `unix:///run/x.sock`, `/run/x.sock` | a unix socket |
| `tcp:host:port`, `tcp://host:port` | TCP; a name, an IPv4 address, or an IPv6 address in brackets |
| `tls:host:port`, `tls://host:port` | TLS over TCP |
| `file:name`, `file:///name` | a file or a named pipe |
| `-` | standard input, or standard output |

The same endpoint serves to listen and to connect, to send and to receive.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING

from framestream.arguments import check_type
from framestream.errors import LocalProtocolError
from framestream.platforms import UNIX_SOCKETS

if TYPE_CHECKING:
    import ssl

__all__ = ["Endpoint", "FileEndpoint", "TcpEndpoint", "Tls", "TlsEndpoint", "UnixEndpoint", "parse_endpoint"]

_OP_IGNORE_UNEXPECTED_EOF = 0x80
"""ssl.OP_IGNORE_UNEXPECTED_EOF, which a Python built with OpenSSL 1.1 lacks."""

Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Options for TLS, in version 1.2 or later.

    Attributes:
        certificate, key: PEM files of this side's certificate chain and private key. A listener needs them; a client
            only if the listener asks for a certificate. Without `key`, the key is in the file `certificate`.
        ca: PEM file of the CAs that the peer's certificate must be signed by. Without it, a client trusts those of the
            system, and a listener does not ask for a certificate; with it, clients must present one (mutual TLS).
        server_name: host name expected in the listener's certificate, and sent to it (SNI); None for the host of the
            endpoint.
        verify: whether a client verifies the certificate; False is CoreDNS's `skipverify`.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    server_name: str | None = None
    verify: bool = True

    def context(self, *, listening: bool) -> ssl.SSLContext:
        """Return an SSLContext with these options.

        Raises: OSError: a file cannot be read, or is not what it must be (ssl.SSLError): no PEM, or the key of another
            certificate; LocalProtocolError: there is no certificate, or the key is protected by a password. Each names
            the file.
        """
        import ssl

        if self.certificate is None and (listening or self.key is not None):
            raise LocalProtocolError(f"{'a listener with TLS' if listening else 'a key'} needs a certificate")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if listening else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        # Set by Python 3.11.2, which Debian 12 has: a connection that was cut would look like one that was ended.
        context.options &= ~ssl.Options(_OP_IGNORE_UNEXPECTED_EOF)
        if self.certificate is not None:
            _load_certificate(context, self.certificate, self.key or self.certificate)
        if listening:
            # No session tickets: a writer that never reads would close with them unread, which resets the connection
            # and may destroy data on its way.
            context.num_tickets = 0
            if self.ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
        elif not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.ca is not None:
            _load_authorities(context, self.ca)
        elif context.verify_mode is ssl.CERT_REQUIRED:
            context.load_default_certs()
        return context


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A unix stream socket at a path.

    Attributes:
        mode: permissions of the socket to listen on, such as 0o660; None for those that the umask leaves.
        user, group: names or numbers of its owner and group; None for those of the process.
    Raises: LocalProtocolError: Python has no unix sockets on this system, which is so on Windows.
    """

    path: str
    mode: int | None = field(default=None, kw_only=True)
    user: str | int | None = field(default=None, kw_only=True)
    group: str | int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        # Here, because each call that is given one would fail later, some of them in a thread that tries again.
        if not UNIX_SOCKETS:
            raise LocalProtocolError(f"this system has no unix sockets: expected tcp: or tls:HOST:PORT, got {self}")

    def __str__(self) -> str:
        return f"unix:{_path(self.path)}"


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A TCP port. To listen on, host "" is every address, and port 0 any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:{_host_and_port(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class TlsEndpoint:
    """A TCP port with TLS."""

    host: str
    port: int
    tls: Tls = field(default_factory=Tls)

    def __str__(self) -> str:
        return f"tls:{_host_and_port(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class FileEndpoint:
    """A file, a named pipe, or a standard stream ("-")."""

    path: str

    def __str__(self) -> str:
        return self.path if self.path == "-" else f"file:{_path(self.path)}"


Endpoint = UnixEndpoint | TcpEndpoint | TlsEndpoint | FileEndpoint


def parse_endpoint(text: Path | Endpoint, tls: Tls | None = None) -> Endpoint:
    """Return the endpoint that a text names. An Endpoint is returned unchanged.

    Args: tls: options for a text that begins with "tls:".
    Raises: LocalProtocolError: the text is not an endpoint; TypeError: neither text nor a path.
    """
    if isinstance(text, Endpoint):
        return text
    check_type("tls", tls, (Tls, NoneType), "Tls")
    if not isinstance(text, str):
        check_type("endpoint", text, os.PathLike, "text, a path of pathlib or an endpoint of this package")
        return UnixEndpoint(os.fspath(text))
    if text == "-":
        return FileEndpoint("-")
    scheme, separator, rest = text.partition(":")
    if text.startswith(("/", "./", "../")):
        return UnixEndpoint(text)
    if separator and scheme in ("unix", "file"):
        path = rest.removeprefix("//")
        if path:
            return UnixEndpoint(path) if scheme == "unix" else FileEndpoint(path)
    elif separator and scheme in ("tcp", "tls"):
        match = re.fullmatch(r"(?://)?(?:\[([^]]+)\]|([^:/\[\]]+)):([0-9]{1,5})", rest)
        if match and int(match[3]) < 1 << 16:
            host, port = match[1] or match[2], int(match[3])
            try:
                host.encode("idna")
            except UnicodeError:
                raise LocalProtocolError(f"expected a host name in {text!r}, got {host!r}") from None
            return TcpEndpoint(host, port) if scheme == "tcp" else TlsEndpoint(host, port, tls or Tls())
    raise LocalProtocolError(
        f"an endpoint is unix:PATH, tcp:HOST:PORT, tls:HOST:PORT, file:PATH or -, not {text!r}"
        " (an IPv6 address stands in brackets)"
    )


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load a certificate chain and its private key.

    Raises: as Tls.context.
    """
    import ssl

    def no_password() -> str:
        raise LocalProtocolError(f"{os.fspath(key)}: expected a key without a password, got one that needs a password")

    # OpenSSL names no file, and says the same of several faults.
    _check_pem(certificate, "CERTIFICATE", "a certificate")
    _check_pem(key, "PRIVATE KEY", "a private key")
    try:
        # Without the callback, OpenSSL would ask for the password on the terminal.
        context.load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        # The last two are what OpenSSL says, by version, of an RSA key for an EC certificate.
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            expected = f"the key of the certificate {os.fspath(certificate)}, got that of another"
            raise _file_error(key, expected) from None
        # Loaded as an authority, the certificate shows which of the two is at fault.
        _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, "a certificate")
        raise _file_error(key, f"a private key in PEM, got one that cannot be used: {error.strerror}") from None


def _load_authorities(context: ssl.SSLContext, path: Path, expected: str = "CA certificates") -> None:
    import ssl

    _check_pem(path, "CERTIFICATE", expected)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise _file_error(path, f"{expected} in PEM, got what cannot be read: {error.strerror}") from None


def _check_pem(path: Path, label: str, expected: str) -> None:
    """Check that a file can be read and has a block of PEM whose label ends with `label` (RFC 7468).

    Raises: OSError; ssl.SSLError.
    """
    with open(path, "rb") as file:
        text = file.read()
    if not re.search(rb"-----BEGIN [A-Z0-9 ]*" + label.encode() + b"-----", text):
        raise _file_error(path, f"{expected} in PEM, got none")


def _file_error(path: Path, expected: str) -> ssl.SSLError:
    import ssl

    error = ssl.SSLError(ssl.SSL_ERROR_SSL, f"{os.fspath(path)}: expected {expected}")
    error.filename = os.fspath(path)
    return error


def _path(path: str) -> str:
    """Return a path as it is written after a scheme: two slashes at its start would be taken for those of "unix://"."""
    return f"//{path}" if path.startswith("//") else path


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
