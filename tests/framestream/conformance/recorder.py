"""A small recorder with a fault that can be chosen, to see that cases find it: RECORDER.PY FAULT SOCKET OUTPUT.

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
from typing import BinaryIO

TYPE = b"protobuf:dnstap.Dnstap"
FIELD = struct.pack(">II", 1, len(TYPE)) + TYPE
FAULT, SOCKET, OUTPUT = sys.argv[1:]


def control(number: int, fields: bytes = b"") -> bytes:
    """Return a control frame."""
    return struct.pack(">III", 0, 4 + len(fields), number) + fields


class Recording:
    """The output file."""

    def __init__(self) -> None:
        self.senders = 0
        self.lock = threading.RLock()
        # One that buffers loses what it has when it is killed, and is not seen before.
        self.file: BinaryIO = open(OUTPUT, "wb", buffering=1 << 20 if FAULT == "buffers" else 0)  # noqa: SIM115
        if FAULT != "no START":
            self.put(control(2, FIELD))
        if FAULT == "writes START in halves":
            self.put(control(2, FIELD)[:7])

    def put(self, wire: bytes) -> None:
        """Write bytes."""
        with self.lock:
            self.file.write(wire)

    def frame(self, payload: bytes) -> None:
        """Write a payload."""
        self.put((b"" if FAULT == "mixes senders" else struct.pack(">I", len(payload))) + payload)

    def close(self, number: int) -> None:
        """Write the end after a signal."""
        if FAULT == "goes on after TERM" and number == signal.SIGTERM:
            return
        if FAULT == "loses its buffer" or (FAULT == "loses its buffer by INT" and number == signal.SIGINT):
            os.ftruncate(self.file.fileno(), len(control(2, FIELD)))
            os._exit(0)
        no_stop = {"no STOP": (signal.SIGTERM, signal.SIGINT), "no STOP by TERM": (signal.SIGTERM,)}
        if number not in no_stop.get(FAULT, ()):
            with contextlib.suppress(OSError):
                self.put(control(3))
        with contextlib.suppress(OSError):
            self.file.flush()
        os._exit(3 if FAULT == "status 3" else 0)


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Take its stream."""
        with contextlib.suppress(EOFError, OSError):
            self.stream()

    def take(self, size: int) -> bytes:
        """Read as many bytes."""
        taken = self.rfile.read(size)
        if len(taken) < size:
            if FAULT == "parts of frames" and size > 4:
                RECORDING.put(struct.pack(">I", size) + taken)
            raise EOFError
        return taken

    def word(self) -> int:
        """Read a word."""
        return int(struct.unpack(">I", self.take(4))[0])

    def control(self) -> tuple[int, bytes]:
        """Read a control frame after its escape word."""
        content = self.take(min(self.word(), 512))
        return struct.unpack(">I", content[:4])[0], content[4:]

    def stream(self) -> None:
        """Take a stream."""
        if self.word() or (FAULT == "one sender" and RECORDING.senders):
            return
        RECORDING.senders += 1
        number, _ = self.control()
        if number == 4:
            self.wfile.write(control(1, FIELD))
            if self.word():
                return
            number, fields = self.control()
            if number != 2 or fields != FIELD:
                return
        elif FAULT != "takes any stream":
            return
        if FAULT == "a stream for each sender":
            RECORDING.put(control(2, FIELD))
        self.payloads()
        if FAULT == "a stream for each sender":
            RECORDING.put(control(3))
        self.wfile.write(control(5))

    def payloads(self) -> None:
        """Take payloads until STOP."""
        while True:
            size = self.word()
            if size > 1 << 20:
                if FAULT == "writes the oversized":
                    RECORDING.put(struct.pack(">I", size) + self.rfile.read(512))
                raise EOFError
            if size:
                if FAULT == "mixes senders":
                    RECORDING.put(struct.pack(">I", size))
                RECORDING.frame(self.take(size))
                continue
            number, _ = self.control()
            if number == 3:
                return


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread for each connection."""

    daemon_threads = True


try:
    RECORDING = Recording()
except OSError as error:
    sys.exit(str(error) if FAULT != "silent" else 0)


def main() -> None:
    """Serve all connections until TERM or INT."""
    server = Server(SOCKET, Handler)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: RECORDING.close(number))
    server.serve_forever()


main()
