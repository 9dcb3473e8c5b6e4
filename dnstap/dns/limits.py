"""Limits of one DNS message: the length of its wire format and of its text.

Without them, one frame of 1 MiB that a stranger sent gave 246 MB of text, in 10 seconds and 700 MiB: names that are
compressed to 2 octets can have 1,000 characters each.
"""

from dnstap.errors import DnsMessageError

__all__ = ["MAX_MESSAGE", "TextBudget", "check_length", "max_text"]

MAX_MESSAGE = 65_535
"""Octets of a DNS message: its length has 16 bits in TCP (RFC 1035, 4.2.2), and in UDP, TLS, HTTPS and QUIC as well."""

_CHARACTERS_PER_OCTET = 16
_FREE_OCTETS = 512


def max_text(octets: int) -> int:
    """Return how many characters the text of a message of this length may have, before it is escaped for a document.

    Those of real servers have at most a tenth of it. It grows with the message, because many short ones in one read
    must not cost more than a long one.
    """
    return _CHARACTERS_PER_OCTET * (_FREE_OCTETS + octets)


def check_length(wire: bytes) -> None:
    """Check that bytes are not longer than any DNS message.

    Raises: DnsMessageError.
    """
    if len(wire) > MAX_MESSAGE:
        raise DnsMessageError(f"dns: expected at most {MAX_MESSAGE} octets, got {len(wire)}")


class TextBudget:
    """A count of the characters that the text of one message may still have.

    Args: octets: the length of the message in wire format.
    """

    __slots__ = ("_left", "_max_text")

    def __init__(self, octets: int = MAX_MESSAGE) -> None:
        self._left = self._max_text = max_text(octets)

    def take(self, text: str) -> str:
        """Return a part of the text, counted.

        Raises: DnsMessageError: all parts together are longer than `max_text`.
        """
        self._left -= len(text)
        if self._left < 0:
            raise DnsMessageError(f"dns: expected a text of at most {self._max_text} characters, got more")
        return text
