"""A reader with a fault that can be chosen: FAULTY.PY FAULT file INPUT OUTPUT, or FAULTY.PY FAULT socket PATH OUTPUT.

The fault comes with a payload that begins with a byte of 0x80 or more. An input of "-" is standard input.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from typing import IO, NoReturn

FAULT, MODE, PLACE, OUTPUT = sys.argv[1:]


def fail(output: IO[bytes]) -> None:
    """Have the fault."""
    if FAULT == "aborts":
        os.abort()
    if FAULT == "raises":
        raise ValueError(f"bad payload {os.getpid()}")
    if FAULT == "exits":
        os._exit(99)
    if FAULT == "hangs":
        time.sleep(3600)
    if FAULT == "falls silent":
        output.close()
    if FAULT == "takes memory":
        held = bytearray(b"x" * (100 << 20))
        time.sleep(3600 if MODE == "file" else 0)
        output.write(held[:0])
    if FAULT == "does not end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if FAULT == "leaks":
        os.write(1, b"==1==ERROR: LeakSanitizer: detected\n")


def read(given: IO[bytes], output: IO[bytes]) -> None:
    """Copy payloads, and return at STOP or at the end of the input."""
    while len(head := given.read(4)) == 4:
        (size,) = struct.unpack(">I", head)
        if size == 0:
            (control,) = struct.unpack(">I", given.read(4).rjust(4, b"\0"))
            if given.read(min(control, 512))[:4] == b"\0\0\0\3":
                return
            continue
        payload = given.read(min(size, 1 << 20))
        if payload >= b"\x80":
            fail(output)
        if not output.closed and FAULT != "discards":
            output.write(payload)
            output.flush()


def listen(output: IO[bytes]) -> NoReturn:
    """Serve connections one after the other until TERM, as a reader that takes anything."""
    content_type = struct.pack(">II", 1, 22) + b"protobuf:dnstap.Dnstap"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(PLACE)
    listening.listen()
    while True:
        sock, _ = listening.accept()
        with sock, sock.makefile("rb") as given:
            try:
                sock.sendall(struct.pack(">III", 0, 34, 1) + content_type)
                read(given, output)
                sock.sendall(struct.pack(">III", 0, 4, 5))
            except OSError:
                continue


def main() -> None:
    """Read the file, or listen."""
    with open(OUTPUT, "wb") as output:
        if MODE == "socket":
            listen(output)
        with sys.stdin.buffer if PLACE == "-" else open(PLACE, "rb") as given:
            read(given, output)


main()
