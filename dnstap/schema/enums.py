"""The enums of dnstap.proto. Numbers that the schema does not name are nameless members, and all are ints.

Source: dnstap.proto of the dnstap project (docs/dnstap.proto), public domain.
"""

import betterproto2

__all__ = [
    "DnstapType",
    "HttpProtocol",
    "MessageType",
    "PolicyAction",
    "PolicyMatch",
    "SocketFamily",
    "SocketProtocol",
]


class DnstapType(betterproto2.Enum):
    """What a Dnstap holds."""

    MESSAGE = 1


class SocketFamily(betterproto2.Enum):
    """How to read the address fields."""

    INET = 1
    INET6 = 2


class SocketProtocol(betterproto2.Enum):
    """The transport of the DNS message."""

    UDP = 1
    TCP = 2
    DOT = 3
    DOH = 4
    DNSCryptUDP = 5
    DNSCryptTCP = 6
    DOQ = 7


class HttpProtocol(betterproto2.Enum):
    """The HTTP version under DNS over HTTPS."""

    HTTP1 = 1
    HTTP2 = 2
    HTTP3 = 3


class PolicyMatch(betterproto2.Enum):
    """What triggered a policy."""

    QNAME = 1
    CLIENT_IP = 2
    RESPONSE_IP = 3
    NS_NAME = 4
    NS_IP = 5


class PolicyAction(betterproto2.Enum):
    """What a policy did."""

    NXDOMAIN = 1
    NODATA = 2
    PASS = 3
    DROP = 4
    TRUNCATE = 5
    LOCAL_DATA = 6


class MessageType(betterproto2.Enum):
    """Who logged the DNS message, and which way it went."""

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
