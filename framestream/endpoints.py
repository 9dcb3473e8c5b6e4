"""Where a stream comes from or goes to, as text or as an object: a unix socket, TCP, TLS, a file, a standard stream.

| text | what |
|---|---|
| `unix:/run/x.sock`, `unix:///run/x.sock`, `/run/x.sock` | a unix socket |
| `tcp:host:port`, `tcp://host:port` | TCP; a name, an IPv4 address, or an IPv6 address in brackets |
| `tls:host:port`, `tls://host:port` | TLS over TCP |
| `file:name`, `file:///name` | a file or a named pipe |
| `-` | standard input, or standard output |

Who listens and who connects, who sends and who receives, is not part of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from framestream.errors import LocalProtocolError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["Endpoint", "FileEndpoint", "TcpEndpoint", "Tls", "TlsEndpoint", "UnixEndpoint", "parse_endpoint"]

Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How TLS is spoken; version 1.2 at least.

    Attributes:
        certificate, key: PEM files of our own certificate chain and its key. Who listens needs them; who connects
            needs them where the other side asks for them. Without `key` it is looked for in `certificate`.
        ca: PEM file of the authorities that the other side's certificate must come from. Who connects checks with
            those of the system if there is none; who listens asks for a certificate only if there is one (mutual TLS).
        server_name: that the listener's certificate must be for, and that it is told (SNI); None: the host connected
            to.
        verify: False: who connects takes any certificate, as CoreDNS's `skipverify`.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    server_name: str | None = None
    verify: bool = True

    def context(self, *, listening: bool) -> ssl.SSLContext:
        """What the standard library needs to know.

        Raises: OSError: a file that cannot be read, or that is no PEM (ssl.SSLError); LocalProtocolError: no
            certificate, or a key that a password protects.
        """
        import ssl

        def no_password() -> str:
            raise LocalProtocolError(f"{self.key or self.certificate}: a key that needs a password cannot be used")

        if self.certificate is None and (listening or self.key is not None):
            raise LocalProtocolError(f"{'who listens with TLS' if listening else 'a key'} needs a certificate")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if listening else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        if self.certificate is not None:
            with _named(self.certificate, self.key):
                # Without a callback, OpenSSL asks for the password at the terminal.
                context.load_cert_chain(self.certificate, self.key, no_password)
        if listening:
            # A writer that only sends would never read them, and lose data by closing with something unread.
            context.num_tickets = 0
            if self.ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
        elif not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.ca is not None:
            with _named(self.ca):
                context.load_verify_locations(self.ca)
        elif context.verify_mode is ssl.CERT_REQUIRED:
            context.load_default_certs()
        return context


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A unix stream socket at a path.

    Attributes:
        mode: permissions of the socket to listen on, such as 0o660; None: as the umask leaves them.
        user, group: names or numbers of its owner and group; None: those of the process.
    """

    path: str
    mode: int | None = field(default=None, kw_only=True)
    user: str | int | None = field(default=None, kw_only=True)
    group: str | int | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        return f"unix:{_path(self.path)}"


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A TCP port; port 0, to listen on, is any that is free; host "", every address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:{_host_and_port(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class TlsEndpoint:
    """A TCP port with TLS on it."""

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
    """The endpoint that a text names; an endpoint is given back as it is.

    Args: tls: for one that begins with "tls:".
    Raises: LocalProtocolError: no endpoint.
    """
    if isinstance(text, Endpoint):
        return text
    if not isinstance(text, str):
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
            return TcpEndpoint(host, port) if scheme == "tcp" else TlsEndpoint(host, port, tls or Tls())
    raise LocalProtocolError(
        f"an endpoint is unix:PATH, tcp:HOST:PORT, tls:HOST:PORT, file:PATH or -, not {text!r}"
        " (an IPv6 address stands in brackets)"
    )


@contextlib.contextmanager
def _named(*paths: Path | None) -> Iterator[None]:
    """Have an OSError say which file it is about: OpenSSL does not."""
    try:
        yield
    except OSError as error:
        names = " or ".join(os.fspath(path) for path in paths if path is not None)
        error.filename = names
        if names not in str(error):  # An ssl.SSLError leaves it out.
            error.strerror = f"{error.strerror}: {names}"
        raise


def _path(path: str) -> str:
    """As it stands behind a scheme, which two slashes may follow that are no part of it."""
    return f"//{path}" if path.startswith("//") else path


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
