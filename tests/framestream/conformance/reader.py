"""A small collector with a fault that can be chosen, to see that cases find it: READER.PY FAULT SOCKET OUTPUT.

Written from the specification, without this package. With the fault "none" it is a good one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import struct
import sys
import threading
import time

TYPE = b"protobuf:dnstap.Dnstap"
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5

FAULT = sys.argv[1]


SHARED = bytearray()
"""Bytes of all connections, for a fault."""

LEFT: list[bytes] = []
"""Rests of payloads that were cut, for a fault."""


class RefusedError(Exception):
    """The sender is wrong."""


class CutError(RefusedError):
    """The connection ended in a frame; the argument is what came of it."""


def control(number: int, *types: bytes) -> bytes:
    """Return a control frame."""
    fields = b"".join(struct.pack(">II", 1, len(name)) + name for name in types)
    return struct.pack(">III", 0, 4 + len(fields), number) + fields


def take(sock: socket.socket, size: int, *, pieces: bool = True) -> bytes:
    """Read as many bytes, in pieces unless the fault is that a single read is enough."""
    taken = bytearray() if FAULT != "shares a buffer" else SHARED
    while len(taken) < size:
        piece = sock.recv(size - len(taken))
        if not piece:
            raise CutError(bytes(taken))
        taken += piece
        if not pieces:
            break
    whole = bytes(taken)
    taken.clear()
    return whole


def length(sock: socket.socket) -> int:
    """Read a length word."""
    wire = take(sock, 4, pieces=FAULT != "reads a length at once")
    return int.from_bytes(wire[-2:] if FAULT == "lengths of 16 bits" else wire, "big")


def frame(sock: socket.socket) -> tuple[int, bytes]:
    """Return the type and the fields of a control frame, or -1 and a payload."""
    size = length(sock)
    if FAULT == "lengths that wrap" and size > 0xFFFFFFF0:
        return -1, take(sock, (size + 4) % (1 << 32))
    if FAULT == "lengths with a sign" and size >= 1 << 31:
        return -1, b""
    if size > (100_000 if FAULT == "stops reading" else 1 << 20):
        if FAULT == "stops reading":
            threading.Event().wait()
        raise RefusedError
    if size:
        return -1, take_payload(sock, size)
    return take_control(sock)


def take_payload(sock: socket.socket, size: int) -> bytes:
    """Read a payload."""
    if FAULT == "needs 8 bytes" and size < 8:
        raise RefusedError
    if FAULT == "cuts at 64 KiB":
        return take(sock, size)[:65536]
    try:
        payload = take(sock, size, pieces=FAULT != "reads a payload at once")
    except CutError as cut:
        if FAULT == "takes cut payloads" and cut.args[0]:
            return bytes(cut.args[0])
        if FAULT == "keeps cut payloads":
            LEFT.append(cut.args[0])
        raise
    if FAULT == "drops the rest of a segment":
        with contextlib.suppress(BlockingIOError):
            sock.recv(1 << 16, socket.MSG_DONTWAIT)
    if FAULT == "finds STOP in payloads" and control(STOP) in payload:
        raise RefusedError
    return LEFT.pop() + payload if LEFT else payload


def take_control(sock: socket.socket) -> tuple[int, bytes]:
    """Read a control frame, after its escape."""
    size = length(sock)
    if not 4 <= size <= 512:
        raise RefusedError
    wire = take(sock, size, pieces=FAULT != "reads a control frame at once")
    number = int.from_bytes(wire[:4], "big")
    if FAULT == "knows empty payloads" and not 0 < number < 6:
        return -1, wire
    if FAULT == "looks for frames in control frames" and not 0 < number < 6 and size > 8:
        return -1, wire[8:]
    return number, wire[4:]


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
        self.buffer = b""
        self.open()
        self.connections: list[socket.socket] = []
        self.broken = 0
        self.seen: list[bytes] = []

    def open(self) -> None:
        """Open the output file."""
        self.output = open(sys.argv[3], "wb", buffering=0)  # noqa: SIM115
        if not FAULT.startswith("text"):
            self.output.write(control(START, TYPE))

    def open_again(self, number: int, _: object) -> None:
        """Write what is in memory, and open the output file anew."""
        self.output.write(self.buffer)
        self.output.close()
        self.buffer = b""
        self.open()

    def serve(self, sock: socket.socket) -> None:
        """Take the stream of one connection."""
        self.connections.append(sock)
        if FAULT == "ten connections" and len(self.connections) > 10:
            self.connections.remove(sock)
            return
        try:
            with sock, contextlib.suppress(OSError):
                self.take(sock)
                while sock.recv(4096):
                    pass
        finally:
            self.connections.remove(sock)

    def take(self, sock: socket.socket) -> None:
        """Take the stream of one connection, if it is good."""
        if FAULT == "has no patience":
            sock.settimeout(0.2)
        if FAULT == "remembers refusals" and self.broken >= 20:
            return
        try:
            self.stream(sock)
            if FAULT == "stays open":
                threading.Event().wait()
        except RefusedError as error:
            self.broken += 1
            if FAULT == "dies of the 20th broken stream" and self.broken == 20:
                os._exit(1)
            if FAULT == "panics":
                os.write(1, b"panic: it goes on for a moment\n")
                sock.shutdown(socket.SHUT_RDWR)
                time.sleep(0.3)
                os._exit(2)
            if FAULT == "always sends FINISH" and isinstance(error, CutError):
                sock.sendall(control(FINISH))
            if FAULT == "ends all at an error":
                for other in self.connections:
                    other.shutdown(socket.SHUT_RDWR)
            sock.shutdown(socket.SHUT_RDWR)

    def stream(self, sock: socket.socket) -> None:
        """Take a stream."""
        number, fields = frame(sock)
        if answers := number == READY:
            types = types_of(fields)
            if types and TYPE not in types and FAULT != "accepts any type":
                raise RefusedError
            if FAULT == "reads READY alone":
                with contextlib.suppress(BlockingIOError):
                    sock.recv(4096, socket.MSG_DONTWAIT)
            sock.sendall(control(ACCEPT) if FAULT == "empty ACCEPT" else control(ACCEPT, TYPE))
            number, fields = frame(sock)
        elif FAULT == "no unidirectional":
            raise RefusedError
        if number != START or types_of(fields) not in ([], [TYPE]):
            raise RefusedError
        held: list[bytes] = []
        while True:
            number, fields = frame(sock)
            if number == STOP:
                if FAULT != "FINISH before all is written":
                    self.write_all(held)
                self.stop(sock, fields, answers=answers)
                self.write_all(held)
                if FAULT != "goes on after STOP":
                    break
            elif number == -1:
                if FAULT not in ("needs STOP", "FINISH before all is written", "drops when busy"):
                    self.write(fields)
                elif len(held) < 100 or FAULT != "drops when busy":
                    held.append(fields)
            elif FAULT == "goes on after STOP" and number == START:
                pass
            elif 0 < number < 6 or FAULT == "refuses unknown control frames":
                raise RefusedError
            elif FAULT == "dies of unknown control frames":
                os.abort()
            elif FAULT == "exits at unknown control frames":
                os._exit(3)

    def stop(self, sock: socket.socket, fields: bytes, *, answers: bool) -> None:
        """Answer STOP."""
        if fields:
            raise RefusedError
        if FAULT == "dies of STOP":
            os.abort()
        if FAULT == "dies of SIGPIPE":
            time.sleep(0.2)
        if answers and FAULT != "no FINISH":
            if FAULT == "sends FINISH to another":
                sock = self.connections[0]
            sock.sendall(b"\0\0\0\1x\xff" * 2 if FAULT == "garbage for FINISH" else control(FINISH))

    def write(self, payload: bytes) -> None:
        """Write a payload."""
        if FAULT == "discards":
            return
        with self.lock:
            if FAULT.startswith("text"):
                self.write_text(payload)
                return
            if FAULT == "keeps payloads in memory":
                self.buffer += struct.pack(">I", len(payload)) + payload
                return
            if FAULT == "lets short payloads overtake" and len(payload) > 1000:
                self.seen.append(payload)
                return
            if FAULT == "knows payloads again":
                if payload in self.seen:
                    return
                self.seen.append(payload)
            if FAULT == "counts to 1,000":
                if len(self.seen) == 1000:
                    return
                self.seen.append(payload)
            self.put(payload)
            while FAULT == "lets short payloads overtake" and self.seen:
                self.put(self.seen.pop(0))

    def put(self, payload: bytes) -> None:
        """Write a payload to the file."""
        self.output.write(struct.pack(">I", len(payload)) + payload)
        if FAULT == "duplicates":
            self.output.write(struct.pack(">I", len(payload)) + payload)
        if FAULT == "invents":
            self.output.write(b"\0\0\0\1x")
        if FAULT == "broken output":
            self.output.write(bytes(8))

    def write_all(self, held: list[bytes]) -> None:
        """Write payloads that were held, slowly."""
        while held:
            time.sleep(0.002)
            self.write(held.pop(0))

    def end(self) -> None:
        """End the output."""
        while FAULT == "waits for open streams" and self.connections:
            time.sleep(0.01)
        if FAULT == "FINISH before all is written":
            time.sleep(0.2)
        self.output.write(self.buffer if FAULT.startswith("text") else control(STOP))

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

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve a connection."""
        if FAULT == "one at a time":
            self.finish_request(request, client_address)
        else:
            super().process_request(request, client_address)


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
    if FAULT == "dies of SIGPIPE":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    server = Server(sys.argv[2])

    def stop(number: int, _: object) -> None:
        if FAULT == "aborts at the end":
            os.abort()
        if FAULT != "goes on after TERM":
            server.collector.end()
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, server.collector.open_again)
    server.serve_forever()


main()
