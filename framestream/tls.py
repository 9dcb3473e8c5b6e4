"""TLS without I/O, for both front ends: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import re
import ssl
from typing import TYPE_CHECKING

from framestream.endpoints import TlsEndpoint
from framestream.errors import LocalProtocolError, TruncatedStreamError, UnexpectedFrameError
from framestream.recognition import FIRST_BYTES, recognise

if TYPE_CHECKING:
    from framestream.endpoints import Endpoint
    from framestream.errors import RemoteProtocolError

__all__ = ["TlsSession", "connecting_session"]

_RECORD_BYTES = 1 << 14
"""Most plaintext bytes in one record (RFC 8446, 5.1)."""


class TlsSession:
    """TLS for one connection: bytes of the socket on one side, plaintext on the other.

    An error is final: each further call raises the same one.

    Attributes: established: whether the handshake is complete, as far as this side can tell.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """Begin a session.

        Args: server_name: host name to verify; None on the listening side.
        Raises: LocalProtocolError: it is not a valid host name.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._listened = server_name is None
        try:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_side=self._listened, server_hostname=server_name
            )
        except ValueError as error:
            raise LocalProtocolError(f"{server_name!r} is not a server name: {error}") from None
        self.established = False
        self._first = b""
        self._received = 0
        # Whether plaintext was sent, whether any was received, and whether close_notify was.
        self._sent = self._answered = self._ended = False
        self._error: ssl.SSLError | RemoteProtocolError | None = None

    @property
    def unsettled(self) -> bool:
        """True if data was sent while the peer may not have completed the handshake.

        With TLS 1.3, the connecting side sends before the peer has answered. If it then closes the socket, the session
        tickets, or the refusal of its certificate, that arrive later are answered with a reset, and the peer loses all
        data that it has not read yet.
        """
        return self._sent and not (self._answered or self._listened) and self._tls.version() == "TLSv1.3"

    def receive_data(self, data: bytes) -> None:
        """Accept bytes received from the socket; b"" for the end of its input."""
        if not data:
            self._incoming.write_eof()
            return
        if len(self._first) < 2:
            # Checked before OpenSSL sees them: its errors differ from one protocol to another, and name none.
            self._first = (self._first + data)[:FIRST_BYTES]
            # A record of type alert (21) or handshake (22), then version 3.x (RFC 8446, 5.1).
            if not re.match(rb"[\x15\x16](?:\x03|\Z)", self._first):
                expected = "a TLS ClientHello" if self._listened else "a TLS ServerHello"
                got = f"{recognise(self._first) or 'no TLS'}, {self._first!r}"
                self._error = self._error or UnexpectedFrameError(expected, got, 0)
        self._received += len(data)
        self._incoming.write(data)

    def data_to_send(self) -> bytes:
        """Return the bytes to send over the socket now, and forget them."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Continue the handshake, and return whether it is complete.

        Afterwards you must send `data_to_send()`.

        Raises: UnexpectedFrameError: the peer does not use TLS; TruncatedStreamError; ssl.SSLError.
        """
        self._check()
        if not self.established:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLError as error:
                self._fail(error, "a TLS handshake")
                self._check()
            self.established = True
        return True

    def read(self) -> bytes | None:
        """Return plaintext received, b"" after close_notify, or None if more bytes are needed.

        Afterwards you must send `data_to_send()`.

        Raises: TruncatedStreamError: the connection ended without close_notify; ssl.SSLError.
        """
        pieces = []
        while not (self._error or self._ended):
            try:
                piece = self._tls.read(_RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:  # The peer's close_notify, after ours.
                self._ended = True
            except ssl.SSLError as error:
                self._fail(error, "the end of TLS (close_notify)")
            else:
                # Plaintext, or b"" for close_notify: see `unsettled`.
                self._answered = True
                self._ended = not piece
                pieces.append(piece)
        if data := b"".join(pieces):
            return data  # Good data before the error; the next call raises it.
        self._check()
        return b"" if self._ended else None

    def write(self, data: bytes) -> None:
        """Encrypt plaintext.

        Afterwards you must send `data_to_send()`.

        Raises: ssl.SSLError.
        """
        self._check()
        self._sent = True
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def end(self) -> None:
        """Send close_notify: no more plaintext follows. Afterwards you must send `data_to_send()`."""
        if self.established:
            with contextlib.suppress(ssl.SSLError):  # The peer has not sent its own yet, or the session has failed.
                self._tls.unwrap()

    def refusal(self, last: bytes) -> ssl.SSLError | None:
        """Return the TLS error that the peer reported before it broke the connection, None if it did not.

        Args: last: the last bytes received from the socket.
        """
        self.receive_data(last)
        with contextlib.suppress(ssl.SSLError, TruncatedStreamError):
            self.read()
        return self._error if isinstance(self._error, ssl.SSLError) else None

    def _check(self) -> None:
        if self._error:
            # Each raise adds to the traceback.
            raise self._error.with_traceback(None)

    def _fail(self, error: ssl.SSLError, expected: str) -> None:
        self._error = error
        # Python 3.11.2, which Debian 12 has, raises the base class.
        if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING":
            self._error = TruncatedStreamError(expected, "the end of input", self._received)


def connecting_session(endpoint: Endpoint) -> TlsSession | None:
    """Return the TLS session for a connection to an endpoint, None if it does not use TLS.

    Raises: as Tls.context and TlsSession.
    """
    if not isinstance(endpoint, TlsEndpoint):
        return None
    return TlsSession(endpoint.tls.context(listening=False), endpoint.tls.server_name or endpoint.host)
