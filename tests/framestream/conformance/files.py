"""A small program that copies a Frame Streams file, with a fault that can be chosen: FILES.PY FAULT INPUT OUTPUT.

Written from the specification, without this package. With the fault "none" it is a good one. An output of "-" is
standard output, and one of "text" are lines with the marks of payloads.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TYPE = b"protobuf:dnstap.Dnstap"
START = struct.pack(">IIIII", 0, 12 + len(TYPE), 2, 1, len(TYPE)) + TYPE
STOP = struct.pack(">III", 0, 4, 3)

FAULT, INPUT, OUTPUT = sys.argv[1:]

LIMITS = {"64 KiB": 65535, "98,304": 98303, "262,144": 98304, "1 MiB": (1 << 20) - 1}
"""Faults that are a limit, in bytes."""


class BrokenError(Exception):
    """The file is broken."""


def exactly(file: BinaryIO, size: int, *, at_end: bool = False) -> bytes:
    """Read as many bytes; none at the end, if it may be there."""
    taken = file.read(size) if FAULT == "short reads" else b""
    while FAULT != "short reads" and len(taken) < size:
        piece = file.read(size - len(taken))
        if not piece:
            break
        taken += piece
    if len(taken) < size and (taken or not at_end):
        raise BrokenError(f"ends {size - len(taken)} bytes early")
    return taken


def frames(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield types and fields of control frames, and payloads with the type -1."""
    while head := exactly(file, 4, at_end=True):
        (size,) = struct.unpack(">I", head)
        if size > LIMITS.get(FAULT, 1 << 20):
            if FAULT == "makes payloads of the oversized":
                yield -1, b"what was in the buffer"
            raise BrokenError(f"has a frame of {size} bytes")
        if size:
            yield -1, exactly(file, size)
            continue
        (size,) = struct.unpack(">I", exactly(file, 4))
        if not 4 <= size <= 512 and FAULT != "no check of control frames":
            raise BrokenError(f"has a control frame of {size} bytes")
        content = exactly(file, max(4, min(size, 512)))
        yield struct.unpack(">I", content[:4])[0], content[4:]


def check_start(number: int, fields: bytes) -> None:
    """Check the first frame."""
    if FAULT == "takes any start":
        return
    if number != 2:
        raise BrokenError("does not begin with START")
    if fields and FAULT != "takes any type":
        if len(fields) < 8 or struct.unpack(">II", fields[:8]) != (1, len(fields) - 8):
            raise BrokenError("has fields that do not add up")
        if fields[8:] != TYPE:
            raise BrokenError("has another content type")
    if not fields and FAULT == "needs a type":
        raise BrokenError("has no content type")


def copy(file: BinaryIO, write: Callable[[bytes], None]) -> None:
    """Copy payloads of all streams."""
    inside = False
    began = False
    payloads = 0
    for number, content in frames(file):
        if not inside:
            check_start(number, content)
            inside = began = True
            if FAULT == "takes any start" and number == -1:
                write(content)
        elif number == -1:
            payloads += 1
            write(content)
        elif number == 3:
            inside = False
            if FAULT == "first stream only":
                return
        elif number == 2:
            sys.stderr.write("a stream ends without STOP\n")
        elif number in (1, 4, 5) or FAULT == "refuses unknown control frames":
            raise BrokenError(f"has a control frame of type {number}")
        elif FAULT == "dies of unknown control frames":
            os.abort()
        elif FAULT == "panics at unknown control frames":
            sys.exit("panic: runtime error\n\ngoroutine 1 [running]:")
    if FAULT == "takes no file without payloads" and not payloads:
        raise BrokenError("has no payloads")
    if not began and FAULT != "takes an empty file":
        raise BrokenError("is empty")
    if inside and FAULT != "takes a file without STOP":
        raise BrokenError("ends without STOP")


class Output:
    """The output file."""

    def __init__(self) -> None:
        self.number = 0
        self.held: list[bytes] = []
        if OUTPUT in ("-", "text"):
            self.file: BinaryIO = sys.stdout.buffer
        else:
            appends = FAULT == "appends" or (FAULT == "overwrites" and os.path.exists(OUTPUT))
            self.file = open(OUTPUT, ("r+b" if FAULT == "overwrites" else "ab") if appends else "wb")  # noqa: SIM115
        if FAULT == "writes READY":
            self.put(struct.pack(">III", 0, 4, 4))
        if FAULT != "no START":
            self.put(START if FAULT != "START without a type" else struct.pack(">III", 0, 4, 2))

    def put(self, wire: bytes) -> None:
        """Write bytes, unless the output is text."""
        if OUTPUT != "text":
            self.file.write(wire)

    def write(self, payload: bytes) -> None:
        """Write a payload."""
        self.number += 1
        if FAULT == "needs STOP":
            self.held.append(payload)
        else:
            self.put_payload(payload)

    def put_payload(self, payload: bytes) -> None:
        """Write it now."""
        if FAULT == "drops the second" and self.number == 2:
            return
        if FAULT == "drops the thousandth" and self.number == 1000:
            return
        if FAULT == "drops short frames" and len(payload) < 4:
            return
        if FAULT == "scans for STOP" and struct.pack(">III", 0, 4, 3) in payload:
            return
        if OUTPUT == "text":
            self.file.writelines(mark + b"\n" for mark in re.findall(rb"frame-\d+", payload)[:1])
        self.put(struct.pack(">I", len(payload)) + payload)
        if FAULT == "duplicates":
            self.put(struct.pack(">I", len(payload)) + payload)
        if FAULT == "stray bytes":
            self.put(b"\xff" * 8)

    def close(self) -> None:
        """Write the end."""
        if FAULT != "no STOP":
            self.put(STOP)
        self.file.flush()


def main() -> int:
    """Copy the file and return the exit status."""
    try:
        with open(INPUT, "rb", buffering=0) as file:
            output = Output()
            try:
                copy(file, output.write)
            except BrokenError as error:
                if FAULT == "part of the last frame":
                    output.put(struct.pack(">I", 15) + b"part")
                if FAULT not in ("no STOP of the broken", "part of the last frame"):
                    output.close()
                return report(f"{INPUT} {error}")
            for payload in output.held:
                output.put_payload(payload)
            output.close()
    except OSError as error:
        if FAULT == "ignores a full disk" and error.errno == errno.ENOSPC:
            os._exit(0)
        return report(str(error))
    if FAULT == "status 1":
        return 1
    if FAULT == "never ends":
        threading.Event().wait()
    return 0


def report(line: str) -> int:
    """Print a message and return the exit status, as the fault allows."""
    if FAULT != "silent":
        sys.stderr.write(f"{line}\n")
    return 0 if FAULT in ("silent", "status 0") else 1


sys.exit(main())
