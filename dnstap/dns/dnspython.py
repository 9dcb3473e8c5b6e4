"""DNS messages as dnspython reads them, for those who want its classes. Nothing else here needs dnspython."""

from dns.message import Message as DnspythonMessage
from dns.message import from_wire

__all__ = ["DnspythonMessage", "parse"]


def parse(wire: bytes) -> DnspythonMessage:
    """The message that these octets are, as far as what was logged allows it.

    Octets behind the last record are ignored. Signatures (TSIG) are there but not checked, since nobody gives a log his
    keys. A message that is marked as truncated is good if what is there parses.

    Raises: dns.exception.DNSException.
    """
    return from_wire(wire, keyring=False, ignore_trailing=True)
