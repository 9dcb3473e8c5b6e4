"""Receiver that is killed again and again, without losing a byte that the kernel has taken for it.

    python dying_receiver.py SOCKET FOLDER

Each connection is served by a process of its own, which has the kernel move received bytes into a pipe (splice). So at
any time, each byte is either in the socket or in the pipe. After killing that process, this one ends the connection as
the kernel would have, saves the bytes in the pipe and in the socket in a file in FOLDER, named by the number of the
connection, and accepts the next connection.

Standard input tells when to kill: each line is the number of bytes to be received after the line.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from pathlib import Path

PIECE = 1 << 16

ACCEPT = bytes.fromhex("00000000 00000022 00000001 00000001 00000016") + b"protobuf:dnstap.Dnstap"


def receive(sock: socket.socket, pipe: int) -> None:
    """Do the handshake, then move all bytes into the pipe; run in the process that is killed."""
    sock.recv(PIECE)  # READY, which nothing follows before ACCEPT
    sock.sendall(ACCEPT)
    # While splice() waits for bytes, the kernel lets no process read the pipe, so select() waits before it.
    while select.select([sock], [], []) and os.splice(sock.fileno(), pipe, PIECE):
        pass


def serve(sock: socket.socket, out: Path) -> bool:
    """Serve one connection to its end; return whether there is another to come."""
    from_pipe, to_pipe = os.pipe()
    child = os.fork()
    if not child:
        os.close(from_pipe)
        receive(sock, to_pipe)
        os._exit(0)
    os.close(to_pipe)
    told, left = False, 0
    with out.open("wb", buffering=0) as file:
        while ready := select.select([from_pipe, *([] if told else [0])], [], [])[0]:
            if 0 in ready:
                line = os.read(0, 100)
                if not line:
                    break
                told, left = True, int(line)
            if from_pipe in ready:
                data = os.read(from_pipe, PIECE)
                file.write(data)
                left -= len(data)
                if not data or (told and left <= 0):
                    break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        # The sender sees the end of the connection; bytes that have arrived can still be read.
        sock.shutdown(socket.SHUT_RD)
        while data := os.read(from_pipe, PIECE):
            file.write(data)
        os.close(from_pipe)
        while data := sock.recv(PIECE):
            file.write(data)
    sock.close()
    return told


def main() -> None:
    path, folder = sys.argv[1:]
    number = 0
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while serve(listener.accept()[0], Path(folder) / str(number)):
            number += 1


if __name__ == "__main__":
    main()
