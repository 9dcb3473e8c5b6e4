"""The enums of dnstap.proto. They are open: a number that the schema does not name is a nameless member.

They are IntEnums of our own, so that reading them does not load betterproto2, which takes longer than printing a
thousand messages. `OpenEnum` has what betterproto2 asks of the enum of a field, so the typed classes use them as well.

Source: dnstap.proto of the dnstap project (docs/dnstap.proto), public domain.
"""

from enum import IntEnum
from typing import Self

__all__ = [
    "DnstapType",
    "HttpProtocol",
    "MessageType",
    "OpenEnum",
    "PolicyAction",
    "PolicyMatch",
    "SocketFamily",
    "SocketProtocol",
]


class OpenEnum(IntEnum):
    """An IntEnum that takes any number. A member without a name has the name ""."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        # Not kept among the members: a sender can make up 2**32 numbers, and each would stay for ever.
        member = int.__new__(cls, value)
        member._value_ = value
        member._name_ = ""
        return member

    def __str__(self) -> str:
        return self.name or f"UNKNOWN({self.value})"

    def __repr__(self) -> str:
        return super().__repr__() if self.name else f"<{type(self).__name__}.~UNKNOWN: {self.value}>"

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[int]]:
        # By number: Python 3.11.2, which Debian 12 has, would pickle and copy a member by its name.
        return type(self), (int(self),)

    # The rest is what betterproto2 reads from the enum of a field.

    @property
    def proto_name(self) -> None:
        """None: no member has another name in the schema."""
        return None

    @classmethod
    def betterproto_renamed_proto_names_to_value(cls) -> dict[str, int]:
        """Return the members that have another name in the schema: none."""
        return {}

    @classmethod
    def from_string(cls, name: str) -> Self:
        """Return the member of this name.

        Raises: ValueError: there is none.
        """
        try:
            return cls[name]
        except KeyError:
            raise ValueError(f"expected a member of {cls.__name__}, got {name!r:.60}") from None


class DnstapType(OpenEnum):
    """The kind of a Dnstap payload."""

    MESSAGE = 1


class SocketFamily(OpenEnum):
    """The address family of a Message."""

    INET = 1
    INET6 = 2


class SocketProtocol(OpenEnum):
    """The transport of a DNS message."""

    UDP = 1
    TCP = 2
    DOT = 3
    DOH = 4
    DNSCryptUDP = 5
    DNSCryptTCP = 6
    DOQ = 7


class HttpProtocol(OpenEnum):
    """The HTTP version under DNS over HTTPS."""

    HTTP1 = 1
    HTTP2 = 2
    HTTP3 = 3


class PolicyMatch(OpenEnum):
    """The part of the DNS message or connection that triggered a policy."""

    QNAME = 1
    CLIENT_IP = 2
    RESPONSE_IP = 3
    NS_NAME = 4
    NS_IP = 5


class PolicyAction(OpenEnum):
    """The action that a policy took."""

    NXDOMAIN = 1
    NODATA = 2
    PASS = 3
    DROP = 4
    TRUNCATE = 5
    LOCAL_DATA = 6


class MessageType(OpenEnum):
    """The side that logged a DNS message, and its direction. dnstap.schema.meaning tells queries from responses."""

    AUTH_QUERY = 1
    AUTH_RESPONSE = 2
    RESOLVER_QUERY = 3
    RESOLVER_RESPONSE = 4
    CLIENT_QUERY = 5
    CLIENT_RESPONSE = 6
    FORWARDER_QUERY = 7
    FORWARDER_RESPONSE = 8
    STUB_QUERY = 9
    STUB_RESPONSE = 10
    TOOL_QUERY = 11
    TOOL_RESPONSE = 12
    UPDATE_QUERY = 13
    UPDATE_RESPONSE = 14
