"""DNS messages parsed by dnspython, for programs that use its classes. No other module here needs dnspython."""

from dns.exception import FormError
from dns.message import Message as DnspythonMessage
from dns.message import from_wire

from dnstap.dns.limits import check_length
from dnstap.errors import DnsMessageError

__all__ = ["DnspythonMessage", "parse"]


def parse(wire: bytes) -> DnspythonMessage:
    """Parse a DNS message as it was logged, of no more octets than a DNS message can have.

    Octets after the last record are ignored. Signatures (TSIG) are parsed but not verified, which would take the
    server's keys. A message with the flag TC is accepted if the records in it parse.

    Raises: dns.exception.DNSException.
    """
    try:
        check_length(wire)
    except DnsMessageError as error:
        raise FormError(str(error)) from None  # type: ignore[no-untyped-call]
    return from_wire(wire, keyring=False, ignore_trailing=True)
