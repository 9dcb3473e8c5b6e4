"""tapped: dnspython's queries over HTTPS and QUIC, to servers of other libraries."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import dns.asyncquery
import dns.message
import dns.query
import pytest
import trustme
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

from dnstap import SocketProtocol
from dnstap.adapters import tapped
from tests.dnstap.adapters.recorder import Recorder
from tests.interop.servers import free_port
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def respond(query: bytes) -> bytes:
    return dns.message.make_response(dns.message.from_wire(query)).to_wire()


@contextmanager
def https_server(context: ssl.SSLContext, exchanged: list[bytes]) -> Iterator[int]:
    """Serve DNS over HTTPS, keeping the queries and responses; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            response = respond(query)
            exchanged.extend((query, response))
            self.send_response(200)
            self.send_header("content-type", "application/dns-message")
            self.send_header("content-length", str(len(response)))
            self.end_headers()
            self.wfile.write(response)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        start(server.serve_forever, poll_interval=0.01)
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize("of", [dns.query, dns.asyncquery], ids=lambda of: of.__name__)
@pytest.mark.parametrize("where", ["127.0.0.1", "https://127.0.0.1:PORT/dns-query"])
def test_https_logs_what_is_sent_and_received(of: Any, where: str) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    recorder = Recorder()
    exchanged: list[bytes] = []
    with https_server(theirs, exchanged) as port:
        result = tapped(of.https, recorder.tap)(
            dns.message.make_query("www.example.test.", "A"),
            where.replace("PORT", str(port)),
            DEADLINE_S,
            port,
            verify=ours,
            http_version=dns.query.HTTPVersion.H1,
        )
        if of is dns.asyncquery:
            asyncio.run(result)
    assert recorder.log == [("TOOL_QUERY", exchanged[0]), ("TOOL_RESPONSE", exchanged[1])]
    for message in recorder.messages:
        assert message.socket_protocol is SocketProtocol.DOH
        assert (str(message.response_ip), message.response_port) == ("127.0.0.1", port)


def test_quic_logs_what_is_sent_and_received(tmp_path: Path) -> None:
    """Only with asyncio: dnspython's other function leaves sockets open."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["doq"])
    configuration.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    exchanged: list[bytes] = []

    class Server(QuicConnectionProtocol):
        buffer = b""

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, StreamDataReceived):
                self.buffer += event.data
                if event.end_stream:
                    query = self.buffer[2:]
                    response = respond(query)
                    exchanged.extend((query, response))
                    self._quic.send_stream_data(event.stream_id, len(response).to_bytes(2) + response, end_stream=True)
                    self.transmit()

    recorder = Recorder()
    port = free_port()

    async def run() -> None:
        server = await serve("127.0.0.1", port, configuration=configuration, create_protocol=Server)
        query = dns.message.make_query("www.example.test.", "A", id=1)
        ask = tapped(dns.asyncquery.quic, recorder.tap)
        await ask(query, "127.0.0.1", DEADLINE_S, port, verify=str(tmp_path / "ca.pem"))
        server.close()

    asyncio.run(run())
    assert recorder.log == [("TOOL_QUERY", exchanged[0]), ("TOOL_RESPONSE", exchanged[1])]
    assert exchanged[0][:2] == b"\0\0"
    assert {message.socket_protocol for message in recorder.messages} == {SocketProtocol.DOQ}
