"""A receiver that is killed again and again, and whose death loses nothing that nobody counts.

    python dying_receiver.py SOCKET FOLDER

Each connection is served by a process of its own, which has the system move what comes into a pipe, so that at any time
each octet is either still in the socket or in the pipe. When it has been killed, this process ends the connection as
the system would have, saves what is in the pipe and in the socket into a file of FOLDER, whose name is the number of
the connection, and takes the next one.

Standard input tells it when to kill: each line is a number, how many octets are to have come by then of those that
follow the line.
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
    """What each of the processes does: the handshake, and then it hands everything on."""
    sock.recv(PIECE)  # READY, behind which nothing comes yet
    sock.sendall(ACCEPT)
    # While it waited for something to come, the system would let nobody read the pipe.
    while select.select([sock], [], []) and os.splice(sock.fileno(), pipe, PIECE):
        pass


def serve(sock: socket.socket, out: Path) -> bool:
    """One connection, to its end; whether there is another to come."""
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
        # Its end, for the sender; what has come can still be read.
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
