"""A small writer with a fault that can be chosen, to see that cases find it: WRITER.PY FAULT HOW SOCKET HEX.

HOW is connect or listen. HEX is a file of payloads, or - for payloads of its own until TERM. Written from the
specification, without this package. With the fault "none" it is a good one.
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
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPE = b"protobuf:dnstap.Dnstap"
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5
OFFERED = {
    "several types": [TYPE, b"other"],
    "only its first type": [TYPE, b"other"],
    "long READY": [TYPE] * 16 + [b"x" * 12],
}

FAULT, HOW, PATH, HEX = sys.argv[1:5]
ended = threading.Event()
streaming = threading.Event()
served: list[threading.Event] = []


class RefusedError(Exception):
    """The reader is wrong, or does not take the content type."""


def control(number: int, *types: bytes) -> bytes:
    """Return a control frame."""
    fields = b"".join(struct.pack(">II", 1, len(name)) + name for name in types)
    return struct.pack(">III", 0, 4 + len(fields), number) + fields


def take(sock: socket.socket, size: int) -> bytes:
    """Read as many bytes."""
    taken = b""
    while len(taken) < size:
        piece = sock.recv(size - len(taken))
        if not piece or (len(piece) < size - len(taken) and FAULT == "reads once"):
            raise ConnectionError
        taken += piece
    return taken


def answer(sock: socket.socket) -> tuple[int, list[bytes]]:
    """Return the type and the content types of a control frame."""
    escape, size = struct.unpack(">II", take(sock, 8))
    if escape or not 4 <= size <= (300 if FAULT == "short limit" else 512):
        raise RefusedError
    (number,) = struct.unpack(">I", take(sock, 4))
    fields, types = take(sock, size - 4), []
    while fields:
        if len(fields) < 8:
            raise RefusedError
        kind, size = struct.unpack_from(">II", fields)
        if kind != 1 or size > min(256, len(fields) - 8):
            raise RefusedError
        types.append(fields[8 : 8 + size])
        fields = fields[8 + size :]
        if FAULT == "reads one type":
            break
    return number, types


def chosen(sock: socket.socket) -> bytes:
    """Send READY, read ACCEPT and return the content type that was accepted."""
    offered = OFFERED.get(FAULT, [TYPE])
    sock.sendall(control(READY, *offered))
    if FAULT == "data before ACCEPT":
        sock.sendall(control(START, TYPE))
    number, types = answer(sock)
    if number != ACCEPT and not (number == READY and FAULT == "takes READY for ACCEPT"):
        raise RefusedError
    if FAULT == "takes any type" or (not types and FAULT != "refuses an empty ACCEPT"):
        return TYPE
    if FAULT == "only its first type":
        offered = offered[:1]
    if FAULT == "strings of C":
        types = [name.split(b"\0")[0] for name in types]
    if FAULT == "ignores case":
        types = [TYPE if name.lower() == TYPE.lower() else name for name in types]
    if FAULT == "compares beginnings":
        types = [TYPE if TYPE.startswith(name) and name else name for name in types]
    for name in offered:
        if name in types:
            return name
    if FAULT == "repeats READY":
        sock.sendall(control(READY, TYPE))
        ended.wait()
    raise RefusedError


def payloads() -> Iterator[bytes]:
    """Yield what is to be sent."""
    if FAULT == "waits for a trigger":
        while not os.path.exists(HEX):
            time.sleep(0.01)
        yield b"triggered"
        return
    if HEX == "-":
        number = 0
        streaming.set()
        while not ended.wait(0.01):
            number += 1
            yield b"own %d" % number
        return
    with open(HEX, encoding="ascii") as lines:
        given = [bytes.fromhex(line) for line in lines]
    if FAULT == "reorders":
        given[0], given[1] = given[1], given[0]
    if FAULT == "loses the last":
        del given[-1]
    if FAULT == "merges":
        given = list(dict.fromkeys(given))
    for payload in given:
        yield payload
        if FAULT == "duplicates":
            yield payload


class Writer:
    """The stream, over as many connections as it takes."""

    def __init__(self) -> None:
        self.left = payloads()
        self.waiting = b""
        self.stopped = False

    def stream(self, sock: socket.socket) -> None:
        """Send what is left."""
        if FAULT == "garbage first":
            sock.sendall(b"HELO\r\n")
        if FAULT == "STOP first":
            sock.sendall(control(STOP))
        if FAULT == "no new handshake" and self.waiting:
            sock.sendall(self.waiting)
        sock.sendall(control(START, TYPE if FAULT == "unidirectional" else chosen(sock)))
        if FAULT == "resumes" and self.waiting:
            sock.sendall(self.waiting[7:])
            self.waiting = b""
        if FAULT == "keeps everything":
            ended.wait()
        if self.waiting:
            sock.sendall(self.waiting)
        for payload in self.left:
            if payload or FAULT == "sends empty payloads":
                self.send(sock, payload)
        self.waiting = b""
        self.stopped = True
        if FAULT != "no STOP":
            sock.sendall(control(STOP) * (2 if FAULT == "two STOPs" else 1))
        if FAULT not in ("unidirectional", "closes at STOP"):
            self.finish(sock)

    def send(self, sock: socket.socket, payload: bytes) -> None:
        """Send a payload."""
        if FAULT == "cuts":
            payload = payload[:65535]
        self.waiting = struct.pack(">I", len(payload)) + payload
        if FAULT == "short writes":
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.send(self.waiting)
            sock.setblocking(True)
        else:
            sock.sendall(self.waiting)

    def finish(self, sock: socket.socket) -> None:
        """Wait for FINISH."""
        sock.settimeout(None if FAULT == "waits for FINISH for ever" else 2.0)
        if answer(sock) != (FINISH, []):
            raise RefusedError
        if FAULT == "stays open":
            ended.wait()


def connect() -> NoReturn:
    """Connect until everything has been sent."""
    writer, failures = Writer(), 0
    while failures < 400:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(PATH)
                writer.stream(sock)
                sys.exit(FAULT == "status 1")
        except TimeoutError:
            break
        except (RefusedError, OSError):
            if FAULT == "dies of SIGPIPE":
                # The system sends it to one that writes again; one that was waiting to write gets a reset.
                os.kill(os.getpid(), signal.SIGPIPE)
            if FAULT == "crashes with a traceback":
                raise
            if writer.stopped or ended.is_set() or FAULT in ("gives up", "ignores errors"):
                break
            failures += 1
            time.sleep(0 if FAULT == "floods" else 0.1)
    sys.exit(FAULT != "ignores errors")


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread for each reader."""

    daemon_threads = True


class Handler(socketserver.BaseRequestHandler):
    """One reader."""

    def handle(self) -> None:
        """Send a stream."""
        served.append(threading.Event())
        over = served[-1]
        with contextlib.suppress(RefusedError, OSError):
            Writer().stream(self.request)
        over.set()


def end(number: int, _: object) -> None:
    """End the stream."""
    ended.set()
    for over in served:
        over.wait(3.0)
    if HOW == "listen" or not streaming.is_set():
        os._exit(0)


def main() -> None:
    """Send."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN if FAULT == "ignores TERM" else end)
    if FAULT == "dies of SIGPIPE":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if FAULT == "refuses large payloads" and os.path.getsize(HEX) > 100_000:
        sys.exit(1)
    if HOW == "connect":
        connect()
    server = socketserver.UnixStreamServer if FAULT == "one at a time" else Server
    server(PATH, Handler).serve_forever()


main()
