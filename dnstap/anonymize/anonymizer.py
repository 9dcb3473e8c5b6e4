"""Anonymizer: replaces the addresses in payloads.

A payload is encoded anew from the fields that were decoded, so nothing is passed on that was not looked at: no second
value of a field, and no field that the schema does not have.
"""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING

from dnstap.anonymize.dns_messages import DnsMessageAnonymizer
from dnstap.codec import Decoder
from dnstap.dns.addresses import V4_MAPPED
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.errors import DnstapError
from dnstap.messages import Dnstap, Message, Policy
from dnstap.problems import Problems
from dnstap.schema.enums import PolicyMatch
from framestream.arguments import check_callable, check_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnstap.anonymize.methods import Method

__all__ = ["Anonymizer"]

MAX_ADDRESSES = 1 << 16
"""Addresses whose replacements are remembered."""

# All other matches, also an absent one or one without a name, may be of addresses.
_BY_NAME = (PolicyMatch.QNAME, PolicyMatch.NS_NAME)


_is_word = re.compile("[A-Za-z_-]*").fullmatch


class Anonymizer:
    """Replaces addresses in payloads and in messages (docs/anonymizing.md). Not for several threads at once.

    Args:
        method: truncate(), a CryptoPan, or any function from the 4 or 16 bytes of an address to as many others. For an
            IPv4 address mapped into IPv6 it gets the IPv4 address.
        answers: replace addresses in the records of DNS messages, too.
        ports: set ports to 0.

    Attributes:
        payloads: payloads received.
        problems: payloads that did not decode, and were left out.
    """

    def __init__(self, method: Method, *, answers: bool = False, ports: bool = False) -> None:
        check_callable("method", method, "a function from an address to another, such as truncate()")
        self.payloads = 0
        self.problems = Problems("cannot be anonymized and are left out")
        self._cuts = Problems()
        self._strips = Problems()
        self._method = method
        self._ports = ports
        self._known: BoundedCache[bytes] = BoundedCache(MAX_ADDRESSES)
        self._dns_messages = DnsMessageAnonymizer(self._address, answers=answers)
        self._anonymize_dns_message = self._dns_messages.anonymize
        self._decode = Decoder(Dnstap).decode

    @property
    def bad(self) -> int:
        """Number of payloads that do not decode, and were left out."""
        return self.problems.count

    @property
    def first_bad(self) -> tuple[int, DnstapError] | None:
        """Number of the first such payload, counted from 1, and its error."""
        return self.problems.first

    @property
    def cut(self) -> int:
        """Number of DNS messages cut after their question, because the rest could not be checked for addresses."""
        return self._dns_messages.cut

    @property
    def stripped(self) -> int:
        """Number of messages of which fields were left out.

        These are fields that the schema does not have, the parts of a policy that matched an address, and a type of
        policy that is not a word.
        """
        return self._strips.count

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        """Return the payloads with other addresses, in their order, without those that do not decode.

        Raises: TypeError: not a list of bytes.
        """
        check_type("payloads", payloads, (list, tuple), "a list of bytes")
        decode, change = self._decode, self._change
        out = []
        for payload in payloads:
            self.payloads += 1
            try:
                out.append(change(decode(payload)).encode())
            except DnstapError as error:
                self.problems.add(self.payloads, error)
        return out

    def anonymize(self, dnstap: Dnstap) -> Dnstap:
        """Return a copy of a message with other addresses.

        Raises: TypeError: not a Dnstap.
        """
        check_type("dnstap", dnstap, Dnstap, "a Dnstap, as Dnstap.parse returns it")
        dnstap = copy(dnstap)
        if dnstap.message is not None:
            message = dnstap.message = copy(dnstap.message)
            if message.policy is not None:
                message.policy = copy(message.policy)
        return self._change(dnstap)

    def anonymize_address(self, address: bytes) -> bytes:
        """Return the replacement of an address of 4 or 16 bytes, which is not part of a message."""
        check_type("address", address, bytes, "4 or 16 bytes")
        return self._address(address)

    def anonymize_port(self, port: int) -> int:
        """Return the replacement of a port: 0, or the same port if ports stay."""
        return 0 if self._ports else port

    def new_reports(self) -> Iterator[str]:
        """Yield lines about payloads that have been left out, cut or stripped since the last call."""
        yield from self.problems.new_reports(self.payloads)
        self._cuts.count = self.cut
        if self._cuts.new():
            yield f"{self.cut} DNS messages that do not parse and may hold addresses are cut after their question"
        if self._strips.new():
            yield f"{self.stripped} payloads have fields that may hold addresses; these fields are left out"

    def summary(self) -> str:
        """Return one line for the end of a run: the number of payloads, and of those that were changed or left out."""
        return (
            f"{self.payloads} payloads came to be anonymized, of which {self.bad} were left out;"
            f" {self.cut} DNS messages were cut, and of {self.stripped} payloads fields left out"
        )

    def _address(self, address: bytes) -> bytes:
        """Return the replacement of bytes that should be an address, and remember it."""
        return self._known.get(address) or self._known.store(address, self._new_address(address))

    def _new_address(self, address: bytes) -> bytes:
        if len(address) == 16 and address.startswith(V4_MAPPED):
            return V4_MAPPED + self._method(address[12:])
        if len(address) not in (4, 16):
            # No method is defined for these: zeros tell nothing.
            return bytes(len(address))
        replacement = self._method(address)
        if len(replacement) != len(address):
            raise TypeError(f"the method returned {len(replacement)} bytes for an address of {len(address)}")
        return replacement

    def _change(self, dnstap: Dnstap) -> Dnstap:
        """Replace the addresses in a message, and return the same object."""
        message = dnstap.message
        if message is None:
            if dnstap._unknown_fields:
                self._strip(dnstap, None)
            return dnstap
        known = self._known
        # The look-up stands here too, to save a call for an address that is known.
        if (address := message.query_address) is not None:
            message.query_address = known.get(address) or self._address(address)
        if (address := message.response_address) is not None:
            message.response_address = known.get(address) or self._address(address)
        if (wire := message.query_message) is not None:
            message.query_message = self._anonymize_dns_message(wire)
        if (wire := message.response_message) is not None:
            message.response_message = self._anonymize_dns_message(wire)
        if self._ports:
            # An absent port stays None: setting it would add a field to the message.
            message.query_port = message.query_port and 0
            message.response_port = message.response_port and 0
        if message.policy is not None or dnstap._unknown_fields or message._unknown_fields:
            self._strip(dnstap, message)
        return dnstap

    def _strip(self, dnstap: Dnstap, message: Message | None) -> None:
        """Remove the fields that may hold addresses in unknown ways."""
        stripped = False
        policy = None if message is None else message.policy
        parts: tuple[Dnstap | Message | Policy | None, ...] = (dnstap, message, policy)
        for part in parts:
            if part is not None and part._unknown_fields:
                part._unknown_fields, stripped = b"", True
        if policy is not None:
            # The owner name of an RPZ rule for addresses is made of them, e.g. 32.1.2.0.192.rpz-client-ip.
            if policy.match not in _BY_NAME and (policy.rule or policy.value):
                policy.rule = policy.value = None
                stripped = True
            # A word such as RPZ holds no address, but the field may have any text.
            if policy.type and not _is_word(policy.type):
                policy.type = None
                stripped = True
        self._strips.count += stripped
