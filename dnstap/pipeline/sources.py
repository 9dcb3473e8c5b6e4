"""The stream that payloads were read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from framestream.sockets import PeerAddress

__all__ = ["Source"]


class Source(NamedTuple):
    """The stream that a batch was read from.

    Attributes:
        name: the file, or the endpoint that we listen on or connect to, such as "unix:/run/dnstap.sock".
        file: whether it is a file or a pipe. These can wait, so none of their frames is dropped.
        peer: address of the sender: host and port, or process and user of a unix socket; None if there is none, or it
            is not known.
        identity: identity that the first message of the batch with one has; None if none has.
    """

    name: str
    file: bool
    peer: PeerAddress | None = None
    identity: bytes | None = None
