"""Forward DNS queries over UDP, and tap them: python tap.py PORT UPSTREAM UPSTREAM_PORT RECEIVER

    dnstap -u dnstap.sock &
    python tap.py 5300 192.0.2.53 53 unix:dnstap.sock &
    dig @127.0.0.1 -p 5300 www.example.org

Queries are answered whether a receiver is there or not. INT and TERM end it, once the receiver has all messages.
"""

import signal
import sys
import time
from contextlib import suppress
from socket import AF_INET, SOCK_DGRAM, gethostname, socket
from socketserver import BaseRequestHandler, ThreadingUDPServer

from dnstap import SocketProtocol, Tap


class Forwarder(BaseRequestHandler):
    def handle(self) -> None:
        wire, server = self.request
        client = {"query_address": self.client_address[0], "query_port": self.client_address[1]}
        exchange = {**client, "socket_protocol": SocketProtocol.UDP, "query_time": time.time_ns()}
        tap.client_query(wire, **exchange)
        with socket(AF_INET, SOCK_DGRAM) as upstream, suppress(OSError):  # Without an answer, the client asks again.
            upstream.settimeout(3)
            upstream.connect((sys.argv[2], int(sys.argv[3])))
            upstream.send(wire)
            answer = upstream.recv(65535)
            server.sendto(answer, self.client_address)
            tap.client_response(answer, **exchange, response_time=time.time_ns())


signal.signal(signal.SIGTERM, signal.default_int_handler)
address, receiver, name = ("127.0.0.1", int(sys.argv[1])), sys.argv[4], gethostname()
with suppress(KeyboardInterrupt), Tap(receiver, identity=name) as tap, ThreadingUDPServer(address, Forwarder) as server:
    server.serve_forever()
print(tap.counts)
