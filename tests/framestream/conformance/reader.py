"""A small collector with a fault that can be chosen, to see that cases find it: READER.PY FAULT SOCKET OUTPUT.

Written from the specification, without this package. With the fault "none" it is a good one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socketserver
import struct
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

TYPE = b"protobuf:dnstap.Dnstap"
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5

FAULT = sys.argv[1]


class RefusedError(Exception):
    """The sender is wrong."""


def control(number: int, *types: bytes) -> bytes:
    """Return a control frame."""
    fields = b"".join(struct.pack(">II", 1, len(name)) + name for name in types)
    return struct.pack(">III", 0, 4 + len(fields), number) + fields


def take(sock: socket.socket, size: int) -> bytes:
    """Read as many bytes."""
    taken = b""
    while len(taken) < size:
        piece = sock.recv(size - len(taken))
        if not piece:
            raise RefusedError
        taken += piece
    return taken


def frame(sock: socket.socket) -> tuple[int, bytes]:
    """Return the type and the fields of a control frame, or -1 and a payload."""
    (size,) = struct.unpack(">I", take(sock, 4))
    if size > 1 << 20:
        raise RefusedError
    if size:
        return -1, take(sock, size)
    (size,) = struct.unpack(">I", take(sock, 4))
    if not 4 <= size <= 512:
        raise RefusedError
    (number,) = struct.unpack(">I", take(sock, 4))
    return number, take(sock, size - 4)


def types_of(fields: bytes) -> list[bytes]:
    """Return the content types of a control frame."""
    types = []
    while fields:
        if len(fields) < 8:
            raise RefusedError
        kind, size = struct.unpack_from(">II", fields)
        if kind != 1 or size > min(256, len(fields) - 8):
            raise RefusedError
        types.append(fields[8 : 8 + size])
        fields = fields[8 + size :]
    return types


class Collector:
    """Streams of all connections, and the output file."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.output = open(sys.argv[3], "wb", buffering=0)  # noqa: SIM115
        self.buffer = b""
        if not FAULT.startswith("text"):
            self.output.write(control(START, TYPE))

    def serve(self, sock: socket.socket) -> None:
        """Take the stream of one connection."""
        with sock, contextlib.suppress(RefusedError, OSError):
            self.stream(sock)
            if FAULT == "stays open":
                threading.Event().wait()
            while sock.recv(4096):
                pass

    def stream(self, sock: socket.socket) -> None:
        """Take a stream."""
        number, fields = frame(sock)
        if answers := number == READY:
            types = types_of(fields)
            if types and TYPE not in types and FAULT != "accepts any type":
                raise RefusedError
            sock.sendall(control(ACCEPT) if FAULT == "empty ACCEPT" else control(ACCEPT, TYPE))
            number, fields = frame(sock)
        elif FAULT == "no unidirectional":
            raise RefusedError
        if number != START or types_of(fields) not in ([], [TYPE]):
            raise RefusedError
        while True:
            number, fields = frame(sock)
            if number == STOP:
                if fields:
                    raise RefusedError
                if FAULT == "dies of STOP":
                    os.abort()
                break
            if number == -1:
                self.write(fields)
            elif 0 < number < 6 or FAULT == "refuses unknown control frames":
                raise RefusedError
            elif FAULT == "dies of unknown control frames":
                os.abort()
            elif FAULT == "exits at unknown control frames":
                os._exit(3)
        if answers and FAULT != "no FINISH":
            sock.sendall(b"\0\0\0\1x\xff" * 2 if FAULT == "garbage for FINISH" else control(FINISH))

    def write(self, payload: bytes) -> None:
        """Write a payload."""
        if FAULT == "discards":
            return
        with self.lock:
            if FAULT.startswith("text"):
                self.write_text(payload)
                return
            self.output.write(struct.pack(">I", len(payload)) + payload)
            if FAULT == "duplicates":
                self.output.write(struct.pack(">I", len(payload)) + payload)
            if FAULT == "invents":
                self.output.write(b"\0\0\0\1x")
            if FAULT == "broken output":
                self.output.write(bytes(8))

    def write_text(self, payload: bytes) -> None:
        """Write the identity of a dnstap message as a line."""
        line = payload[2 : 2 + payload[1]] + b"\n"
        if FAULT == "text at the end":
            self.buffer += line
        elif FAULT != "text without the third" or line != b"frame-3\n":
            self.output.write(line)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.collector = Collector()


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        """Take its stream."""
        self.server.collector.serve(self.request)


def main() -> None:
    """Serve all connections until TERM."""
    if FAULT == "never listens":
        os.write(1, b"no permission\n")
        sys.exit(4)
    server = Server(sys.argv[2])

    def stop(number: int, _: object) -> None:
        if FAULT == "aborts at the end":
            os.abort()
        if FAULT != "goes on after TERM":
            server.collector.output.write(server.collector.buffer if FAULT.startswith("text") else control(STOP))
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()


main()
