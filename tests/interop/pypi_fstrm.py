"""Programs with the package fstrm of PyPI, a codec to which its users add the protocol, as its README does.

python pypi_fstrm.py reader SOCKET FILE | writer SOCKET HEX | file-reader FILE FILE

HEX is a file of payloads, one in hexadecimal on each line. Readers write a Frame Streams file with code of their own.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import fstrm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"


def frames(codec: Any, receive: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the payload of each frame, until the end."""
    while data := receive(codec.pending_nb_bytes() or 1):
        codec.append(data)
        while codec.process():
            kind, _, payload = codec.decode()
            yield kind, payload


def take(receive: Callable[[int], bytes], send: Callable[[bytes], object], out: IO[bytes]) -> None:
    """Read one stream."""
    codec = fstrm.FstrmCodec()
    for kind, payload in frames(codec, receive):
        if kind == fstrm.FSTRM_CONTROL_READY:
            send(codec.encode_ctrlaccept(CONTENT_TYPE))
        elif kind == fstrm.FSTRM_DATA_FRAME:
            out.write(struct.pack(">I", len(payload)) + payload)
        elif kind == fstrm.FSTRM_CONTROL_STOP:
            send(codec.encode(fstrm.FSTRM_CONTROL_FINISH))
            return


def serve(path: str, out: IO[bytes]) -> None:
    """Take connections, each in a thread."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                take(self.request.recv, self.request.sendall, out)
            except Exception as error:  # noqa: BLE001 (the codec raises nothing else)
                print(error, file=sys.stderr)  # noqa: T201

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True
        request_queue_size = 100

    with Server(path, Handler) as server:
        server.serve_forever()


def give(sock: socket.socket, path: str) -> None:
    """Write one stream."""
    codec = fstrm.FstrmCodec()
    sock.sendall(codec.encode_ctrlready(CONTENT_TYPE))
    while not codec.is_ctrlaccept(data := sock.recv(4096)):
        if not data:
            sys.exit("no ACCEPT")
    sock.sendall(codec.encode_ctrlstart(CONTENT_TYPE))
    for line in Path(path).read_text().splitlines():
        sock.sendall(codec.encode_data(bytes.fromhex(line)))
    sock.sendall(codec.encode(fstrm.FSTRM_CONTROL_STOP))
    next(frames(codec, sock.recv), None)


def main(role: str, source: str, target: str) -> None:
    """Run a role."""
    if role == "writer":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(source)
            give(sock, target)
        return
    with open(target, "wb", buffering=0) as out:
        out.write(fstrm.FstrmCodec().encode_ctrlstart(CONTENT_TYPE))
        if role == "reader":
            serve(source, out)
        with open(source, "rb") as file:
            take(file.read, len, out)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # noqa: BLE001 (the codec raises nothing else)
        sys.exit(str(error))
