"""Anonymizer: payloads to payloads without the addresses of those who asked.

What goes out is written anew from what has been decoded, field by field, so nothing goes out that has not been looked
at: no field that comes twice, and none that the schema does not have.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from dnstap.anonymize.dns_messages import DnsMessageAnonymizer
from dnstap.codec import Decoder
from dnstap.dns.addresses import V4_MAPPED
from dnstap.dns.memo import Memo
from dnstap.errors import DnstapError
from dnstap.messages import Dnstap, Message, Policy
from dnstap.problems import Problems
from dnstap.schema.enums import PolicyMatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnstap.anonymize.methods import Method

__all__ = ["Anonymizer"]

MAX_ADDRESSES = 1 << 16
"""Addresses of which it is kept what becomes of them."""

_BY_NAME = (PolicyMatch.QNAME, PolicyMatch.NS_NAME)


class Anonymizer:
    """Replaces addresses, in payloads and in messages. Not for several threads at once. docs/anonymizing.md says which.

    Args:
        method: what becomes of an address: truncate(), a CryptoPan, or any function from its 4 or 16 octets to as many
            others. An IPv4 address mapped into IPv6 is given to it as the IPv4 address.
        answers: whether addresses in records of DNS messages are replaced, too.
        ports: whether ports become 0.

    Attributes:
        payloads: how many have come.
        problems: payloads that do not decode, and were left out.
    """

    def __init__(self, method: Method, *, answers: bool = False, ports: bool = False) -> None:
        self.payloads = 0
        self.problems = Problems("cannot be anonymized and are left out")
        self._cuts = Problems()
        self._strips = Problems()
        self._method = method
        self._ports = ports
        self._known: Memo[bytes] = Memo(MAX_ADDRESSES)
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

        These are fields that the schema does not have, and the parts of a policy that matched an address.
        """
        return self._strips.count

    def __call__(self, payloads: list[bytes]) -> list[bytes]:
        """The payloads with other addresses, in their order, without those that do not decode."""
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
        """A copy of a message with other addresses."""
        dnstap = copy(dnstap)
        if dnstap.message is not None:
            message = dnstap.message = copy(dnstap.message)
            if message.policy is not None:
                message.policy = copy(message.policy)
        return self._change(dnstap)

    def new_reports(self) -> Iterator[str]:
        """Yield lines about payloads that have been left out, cut or stripped since the last call."""
        yield from self.problems.new_reports(self.payloads)
        self._cuts.count = self.cut
        if self._cuts.new():
            yield f"{self.cut} DNS messages that do not parse and may hold addresses are cut behind their question"
        if self._strips.new():
            yield f"{self.stripped} payloads have fields that may hold addresses; these fields are left out"

    def summary(self) -> str:
        """Return one line for the end of a run: the number of payloads, and of those that were changed or left out."""
        return (
            f"{self.payloads} payloads came to be anonymized, of which {self.bad} were left out;"
            f" {self.cut} DNS messages were cut, and of {self.stripped} payloads fields left out"
        )

    def _address(self, octets: bytes) -> bytes:
        """What becomes of octets that should be an address."""
        return self._known.get(octets) or self._known.keep(octets, self._other(octets))

    def _other(self, octets: bytes) -> bytes:
        if len(octets) == 16 and octets.startswith(V4_MAPPED):
            return V4_MAPPED + self._method(octets[12:])
        if len(octets) not in (4, 16):
            # Nobody knows what they are.
            return bytes(len(octets))
        other = self._method(octets)
        if len(other) != len(octets):
            raise TypeError(f"the method made {len(other)} octets of an address of {len(octets)}")
        return other

    def _change(self, dnstap: Dnstap) -> Dnstap:
        """The same object, changed."""
        message = dnstap.message
        if message is None:
            if dnstap._unknown_fields:  # noqa: SLF001 (where betterproto2 keeps them)
                self._strip(dnstap, None)
            return dnstap
        known = self._known
        if (octets := message.query_address) is not None:
            message.query_address = known.get(octets) or self._address(octets)
        if (octets := message.response_address) is not None:
            message.response_address = known.get(octets) or self._address(octets)
        if (octets := message.query_message) is not None:
            message.query_message = self._anonymize_dns_message(octets)
        if (octets := message.response_message) is not None:
            message.response_message = self._anonymize_dns_message(octets)
        if self._ports:
            message.query_port = message.query_port and 0
            message.response_port = message.response_port and 0
        if message.policy is not None or dnstap._unknown_fields or message._unknown_fields:  # noqa: SLF001
            self._strip(dnstap, message)
        return dnstap

    def _strip(self, dnstap: Dnstap, message: Message | None) -> None:
        """Leave out fields that may hold addresses in ways that are not known."""
        stripped = False
        policy = None if message is None else message.policy
        parts: tuple[Dnstap | Message | Policy | None, ...] = (dnstap, message, policy)
        for part in parts:
            if part is not None and part._unknown_fields:  # noqa: SLF001
                part._unknown_fields, stripped = b"", True  # noqa: SLF001
        # The owner of a rule for addresses is made of them, e.g. 32.1.2.0.192.rpz-client-ip.
        if policy is not None and policy.match not in _BY_NAME and (policy.rule or policy.value):
            policy.rule = policy.value = None
            stripped = True
        self._strips.count += stripped
