"""TLS between bytes and bytes, without I/O: for both front ends."""

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
"""The longest text of a record."""


class TlsSession:
    """One connection's TLS: what the socket gives goes in, and the peer's text comes out; and the other way.

    What goes wrong is wrong for good: the same error is raised at each further call.

    Attributes: established: whether the handshake is over, as far as this side can tell.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """server_name: of who was connected to; None: we were.

        Raises: LocalProtocolError: no server name.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._listened = server_name is None
        try:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_side=self._listened, server_hostname=server_name
            )
        except ValueError as error:
            raise LocalProtocolError(f"{server_name!r} is no server name: {error}") from None
        self.established = False
        self._first = b""
        self._received = 0
        self._said = self._heard = self._ended = False
        self._error: ssl.SSLError | RemoteProtocolError | None = None

    @property
    def unsettled(self) -> bool:
        """Whether something was sent, and the other side may yet say what it thinks of the handshake.

        With TLS 1.3 who connects sends at once, while session tickets, or the refusal of its certificate, are on their
        way. A socket that is closed then answers them by a reset, which costs what has not been read by the other side.
        """
        return self._said and not (self._heard or self._listened) and self._tls.version() == "TLSv1.3"

    def receive_data(self, data: bytes) -> None:
        """Take what the socket gave; nothing: it has ended."""
        if not data:
            self._incoming.write_eof()
            return
        if len(self._first) < 2:
            # Looked at before OpenSSL does, which has a different complaint about each.
            self._first = (self._first + data)[:FIRST_BYTES]
            if not re.match(rb"[\x15\x16](?:\x03|\Z)", self._first):
                expected = "a TLS ClientHello" if self._listened else "a TLS ServerHello"
                got = f"{recognise(self._first) or 'no TLS'}, {self._first!r}"
                self._error = self._error or UnexpectedFrameError(expected, got, 0)
        self._received += len(data)
        self._incoming.write(data)

    def data_to_send(self) -> bytes:
        """The bytes for the socket; each is given once."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is over.

        Raises: UnexpectedFrameError: the other side does not speak TLS; TruncatedStreamError; ssl.SSLError.
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
        """What the peer has said; b"" when it has said that this is all; None: more must come.

        Raises: TruncatedStreamError: the connection has ended, and the peer had not said so; ssl.SSLError.
        """
        pieces = []
        while not (self._error or self._ended):
            try:
                piece = self._tls.read(_RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:  # The end, when we have said ours.
                self._ended = True
            except ssl.SSLError as error:
                self._fail(error, "the end of TLS (close_notify)")
            else:
                self._heard = True
                self._ended = not piece
                pieces.append(piece)
        if data := b"".join(pieces):
            return data
        self._check()
        return b"" if self._ended else None

    def write(self, data: bytes) -> None:
        """Say something to the peer.

        Raises: ssl.SSLError.
        """
        self._check()
        self._said = True
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def end(self) -> None:
        """Say to the peer that this is all."""
        if self.established:
            with contextlib.suppress(ssl.SSLError):  # It has not answered yet, or is beyond answering.
                self._tls.unwrap()

    def refusal(self, last: bytes) -> ssl.SSLError | None:
        """The error that the peer has reported by its last bytes, before it broke the connection; None: it has not."""
        self.receive_data(last)
        with contextlib.suppress(ssl.SSLError, TruncatedStreamError):
            self.read()
        return self._error if isinstance(self._error, ssl.SSLError) else None

    def _check(self) -> None:
        if self._error:
            # Without the last traceback, to which each raise would add.
            raise self._error.with_traceback(None)

    def _fail(self, error: ssl.SSLError, expected: str) -> None:
        self._error = error
        if isinstance(error, ssl.SSLEOFError):
            self._error = TruncatedStreamError(expected, "the end of input", self._received)


def connecting_session(endpoint: Endpoint) -> TlsSession | None:
    """The TLS of a connection to an endpoint; None if it has none.

    Raises: as Tls.context and TlsSession.
    """
    if not isinstance(endpoint, TlsEndpoint):
        return None
    return TlsSession(endpoint.tls.context(listening=False), endpoint.tls.server_name or endpoint.host)
