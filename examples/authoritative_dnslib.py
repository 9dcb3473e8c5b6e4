"""A small authoritative server on dnslib, over UDP and TCP, that taps its queries and responses.

Run it between a receiver and a client:

    dnstap -u dnstap.sock &
    python examples/authoritative_dnslib.py --port 5301 --tap unix:dnstap.sock &
    dig @127.0.0.1 -p 5301 www.example.test
"""

from __future__ import annotations

import argparse
import signal
import threading
from typing import Any

from dnslib import QTYPE, RCODE, RR
from dnslib.server import DNSHandler, DNSServer

from dnstap import Tap
from dnstap.adapters import TapLogger

ZONE = """
$ORIGIN example.test.
$TTL 300
@       IN SOA   ns hostmaster 1 3600 600 86400 300
        IN NS    ns
        IN MX    10 mail
ns      IN A     192.0.2.1
mail    IN A     192.0.2.2
www     IN CNAME web
web     IN A     192.0.2.3
        IN AAAA  2001:db8::3
large   IN TXT   "{0}" "{0}" "{0}"
""".format("x" * 200)

MAX_UDP = 512


class Zone:
    """Answers from the records of one zone."""

    def __init__(self, text: str) -> None:
        self._records = RR.fromZone(text)
        self._soa = next(record for record in self._records if record.rtype == QTYPE.SOA)

    def resolve(self, request: Any, handler: DNSHandler) -> Any:
        """Return the reply to a request. dnslib calls this in many threads."""
        reply = request.reply(ra=0)
        name = request.q.qname
        if not name.matchSuffix(self._soa.rname):
            reply.header.aa = 0
            reply.header.rcode = RCODE.REFUSED
            return reply
        records = [record for record in self._records if record.rname == name]
        reply.add_answer(*(r for r in records if request.q.qtype in (r.rtype, QTYPE.ANY) or r.rtype == QTYPE.CNAME))
        if not records:
            reply.header.rcode = RCODE.NXDOMAIN
        if not reply.rr:
            reply.add_auth(self._soa)
        if handler.protocol == "udp" and len(reply.pack()) > MAX_UDP:
            reply.header.tc = 1
            reply.rr = []
        return reply


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5301)
    parser.add_argument("--tap", default="unix:dnstap.sock", metavar="ENDPOINT")
    arguments = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    with Tap(arguments.tap, identity="authoritative", version="dnslib") as tap:
        at = {"address": arguments.address, "port": arguments.port, "logger": TapLogger(tap)}
        servers = [DNSServer(Zone(ZONE), tcp=tcp, **at) for tcp in (False, True)]
        for server in servers:
            server.start_thread()
        print(f"listening on {arguments.address} port {arguments.port}", flush=True)
        stop.wait()
        for server in servers:
            server.stop()
            server.server.server_close()
    print(tap.counts)


if __name__ == "__main__":
    main()
