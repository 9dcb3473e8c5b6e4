"""Other protocols and formats in the place of Frame Streams, as real programs produce them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import ssl

import dns.message
import pytest

from framestream import ReaderProtocol, UnexpectedFrameError
from framestream.recognition import FIRST_BYTES, recognise


def client_hello() -> bytes:
    """Return the first bytes that a TLS client sends."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def over_tcp(message: dns.message.Message) -> bytes:
    """With its 16-bit length."""
    wire = message.to_wire()
    return len(wire).to_bytes(2, "big") + wire


QUERY = dns.message.make_query("example.test.", "A", want_dnssec=True)

# A PBDNSMessage: type DNSQueryType, a message identifier of 16 octets, family, protocol and more.
POWERDNS = b"\0\x60" + b"\x08\x01\x12\x10" + bytes(range(16)) + b"\x20\x01\x28\x01" + bytes(60)

SENDERS = {
    "a TLS ClientHello (is TLS expected here?)": [client_hello(), client_hello()[:4]],
    "a TLS record": [b"\x15\x03\x03\0\x02\x02\x28"],
    "an HTTP request": [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST /dns-query"],
    "an HTTP answer": [b"HTTP/1.1 400 Bad Request\r\n"],
    "PowerDNS protobuf (16-bit lengths; not dnstap)": [POWERDNS, POWERDNS[:4]],
    "DNS over TCP": [over_tcp(QUERY), over_tcp(dns.message.make_response(QUERY))],
    "gzip data": [gzip.compress(b"x")],
    "bzip2 data": [bz2.compress(b"x")],
    "xz data": [lzma.compress(b"x")],
    "zstd data": [b"\x28\xb5\x2f\xfd\x04\x00"],
    "a pcap file": [b"\xd4\xc3\xb2\xa1\x02\0\x04\0"],
    "a pcapng file": [b"\x0a\x0d\x0d\x0a\x1c\0\0\0"],
    "a data frame": [b"\0\0\0\x03abc"],
    "": [b"Hello, world\n", b"\n\n\n\nHello", b'{"type":1}', bytes(range(200, 216)), b"", b"\x16"],
}


# Named, since some of these bytes are others in every run.
@pytest.mark.parametrize(
    ("name", "first"),
    [
        pytest.param(name, first, id=f"{name} {number}")
        for name, firsts in SENDERS.items()
        for number, first in enumerate(firsts)
    ],
)
def test_recognised(name: str, first: bytes) -> None:
    assert recognise(first[:FIRST_BYTES]) == name
    assert recognise(first) == name


@pytest.mark.parametrize(
    ("name", "first"), [pytest.param(name, firsts[0], id=name) for name, firsts in SENDERS.items()]
)
def test_named_in_the_error(name: str, first: bytes) -> None:
    reader = ReaderProtocol()
    reader.receive_data(first)
    with pytest.raises(UnexpectedFrameError) as caught:
        reader.payloads()
    shown = repr(first[:FIRST_BYTES])
    assert caught.value.got == (f"{name}, {shown}" if name else f"no control frame but {shown}")


def test_frame_streams_where_tls_was_expected() -> None:
    """A reader never asks about what begins as a stream; TLS does."""
    assert recognise(b"\0\0\0\0\0\0\0\x22\0\0\0\4\0\0\0\1") == "Frame Streams without TLS"
