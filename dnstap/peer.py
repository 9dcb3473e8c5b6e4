"""The sender of payloads, where they come over a connection: it is no part of them, but is shown and filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framestream.sockets import PeerAddress

__all__ = ["CurrentPeer"]


class CurrentPeer:
    """The sender of the payloads that are being filtered or rendered.

    All payloads of a batch have the same, so it is set once for a batch; a run that asks for none spends nothing on it.

    Attributes:
        address: 4 or 16 bytes of an IP address; None if it is not known.
        text: text for output, "192.0.2.1:4711" or "/run/dnstap.sock[123]"; None if it is not known.
    """

    __slots__ = ("address", "text")

    def __init__(self) -> None:
        self.address: bytes | None = None
        self.text: str | None = None

    def set(self, peer: PeerAddress | None) -> None:
        """Make this the sender; None if there is none, as for files."""
        self.address = peer.packed if peer else None
        self.text = peer.text if peer else None
