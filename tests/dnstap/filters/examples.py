"""A message with every field, and tests of each field that it passes."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from dnstap import (
    Dnstap,
    DnstapType,
    HttpProtocol,
    Message,
    MessageType,
    Policy,
    PolicyAction,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
    compile_filter,
)

QUESTION = b"\3WWW\7exaMple\3org\0" + struct.pack(">HH", 28, 1)
QUERY = struct.pack(">6H", 7, 0x0120, 1, 0, 0, 0) + QUESTION
OPTIONS = (
    struct.pack(">HHHBB", 8, 7, 1, 24, 0)
    + b"\xc0\0\2"
    + struct.pack(">HHH", 15, 2, 3)
    + struct.pack(">HHH6s", 15, 8, 22, b"no way")
    + struct.pack(">HH4s", 3, 4, b"ns 7")
    + struct.pack(">HH13s", 10, 13, b"cookie!!\0srv\xff")
    + struct.pack(">HHH", 11, 2, 100)
    + struct.pack(">HH4s", 12, 4, b"")
)
OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 1 << 24 | 0x8000, len(OPTIONS)) + OPTIONS
ANSWER = b"\xc0\x0c" + struct.pack(">HHIH16s", 28, 1, 0, 16, b"\x20\1\x0d\xb8" + bytes(11) + b"\1")
AUTHORITY = b"\xc0\x10" + struct.pack(">HHIH5s", 2, 1, 3600, 5, b"\2ns\xc0\x10")
ADDITIONAL = b"\2ns\xc0\x10" + struct.pack(">HHIH4s", 1, 3, 60, 4, b"\xc0\0\2\x35")
BADVERS = struct.pack(">6H", 7, 0x8580, 1, 1, 1, 2) + QUESTION + ANSWER + AUTHORITY + ADDITIONAL + OPT

MESSAGE = Message(
    type=MessageType.CLIENT_RESPONSE,
    socket_family=SocketFamily.INET,
    socket_protocol=SocketProtocol.DOQ,
    query_address=b"\xc0\0\2\1",
    response_address=bytes(15) + b"\1",
    query_port=40_000,
    response_port=53,
    query_time_sec=1_700_000_000,
    query_time_nsec=999_000_000,
    query_zone=b"\7example\3ORG\0",
    query_message=QUERY,
    response_time_sec=1_700_000_001,
    response_time_nsec=1_500_000,
    response_message=BADVERS,
    policy=Policy("RPZ", b"rule 7", PolicyAction.DROP, PolicyMatch.QNAME, b"bad.example"),
    http_protocol=HttpProtocol.HTTP2,
)
DNSTAP = Dnstap(b"my server", b'v"1\\', b"\xff\x00", MESSAGE, DnstapType.MESSAGE)
EMPTY = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_RESPONSE))


def matches(text: str, dnstap: Dnstap = DNSTAP) -> bool:
    """Return whether a message matches; its payload must be selected by the same answer."""
    chosen = compile_filter(text)
    answer = chosen.matches(dnstap)
    payload = dnstap.encode()
    assert chosen.select([payload]) == [payload] * answer
    return answer


def changed(**fields: Any) -> Dnstap:
    return replace(DNSTAP, message=replace(MESSAGE, **fields))


def response(wire: bytes) -> Dnstap:
    return changed(response_message=wire)


# The tests of each field that DNSTAP passes.
PASSED = {
    "type": ("= CLIENT_RESPONSE", "= cr", "== 6", "!= CQ", "in (AQ, CR)", "not in (1, 2)"),
    "qr": ("= R", "= r", "!= Q", "in (Q, R)"),
    "family": ("= inet", "= 1", "!= INET6"),
    "protocol": ("= DOQ", "= 7", "!= -1", "not in (dnscryptudp, DNSCryptTCP)"),
    "http": ("= HTTP2", "!= HTTP1"),
    "policy": ("= DROP", "!= LOCAL_DATA"),
    "client": (
        "= 192.0.2.1",
        '= "::ffff:192.0.2.1"',
        "!= 192.0.2.2",
        "in 192.0.2.0/24",
        "in 192.0.2.1",
        "in ::ffff:192.0.2.0/120",
        "in (::/0, 192.0.0.0/16)",
        "in (192.0.2.1, ::1)",
        "not in 192.0.2.2/31",
        "not in ::/0",
    ),
    "server": ("= ::1", "!= 192.0.2.1", "in ::/64", "not in 0.0.0.0/0", "in 0:0:0:0::/127"),
    "address": ("= 192.0.2.1", "= ::1", "!= ::1", "in ::/64"),
    "client_port": ("= 40000", "> 1023", ">= 40000", "<= 40000", "< 40001", "!= 53", "in (53, 40000)"),
    "server_port": ("= 53", "not in (54, 55)"),
    "port": ("= 53", "= 40000", "> 53"),
    "time": (
        "= 2023-11-14T22:13:21.0015Z",
        "= 2023-11-14T22:13:21.001500000",
        "= 2023-11-15T03:58:21.0015+05:45",
        '= "2023-11-14 20:13:21.0015-0200"',
        "= 2023-11-14 22:13:21.0015",
        "= 2023-11-15 03:58:21.0015 +05:45",
        "= 22:13:21.0015",
        "in (22:13, 2023-11-14 22:13:21.001500 +00:00)",
        "> 22:13:21.0014",
        "<= 22:13:21.0015",
        ">= 22:13:21.001500",
        "!= 22:13:21.001501",
        "not in (2023-11-14, 22:13)",
        "> 2023-11-14T22:13",
        ">= 2023-11-14",
        "< 2023-11-15",
        "< now",
        "> -36525d",
        "< -1m30s",
        "< +10m",
        "= 1700000001.0015",
        "in (now, 22:13, 1700000001.001500000)",
        ">= 1700000001",
        "< 1700000001.002",
    ),
    "query_time": ("= 2023-11-14T22:13:20.999z", "< 2023-11-14T22:13:21"),
    "response_time": ("= 2023-11-14T22:13:21.0015Z",),
    "latency": ("= 2.5ms", "= 2500us", "= 2500\N{MICRO SIGN}s", "= 2500000ns", "> -1s", "< 0.0026s"),
    "size": (f"= {len(BADVERS)}", "> 12", "!= 0", "< 1k", "< 1MiB"),
    "id": ("= 7", "< 8"),
    "opcode": ("= QUERY", "= OPCODE0", "< 1"),
    "rcode": ("= BADVERS", "= badsig", "= RCODE16", "= 16", "!= NOERROR", "> 15", "in (NXDOMAIN, 16)"),
    "answers": ("= 1", ">= 1"),
    "query_size": (f"= {len(QUERY)}", f"= {len(QUERY)}b"),
    "query_message": (f"= {QUERY.hex()}", "!= 00"),
    "response_message": (f"= {BADVERS.hex()}",),
    "response_size": (f"= {len(BADVERS)}", "> 12"),
    "aa": ("= true", "= yes", "= 1", "!= false", "in (true, False)"),
    "tc": ("= false", "= no", "= 0", "!= true"),
    "rd": ("= true",),
    "ra": ("= true",),
    "z": ("= FALSE",),
    "ad": ("= false",),
    "cd": ("= false",),
    "qdcount": ("= 1", "< 2"),
    "nscount": ("= 1",),
    "arcount": ("= 2",),
    "answer_names": ("= WWW.exaMple.org.", '~ "(?i)www"'),
    "answer_types": ("= AAAA", "= 28", "!= A", "in (a, aaaa)", "not in (A, MX)"),
    "answer_classes": ("= IN", "!= CH"),
    "answer_ttls": ("= 0", "< 1", ">= 0", "!= 1"),
    "authority_names": ("= exaMple.org.",),
    "authority_types": ("= ns", "in (NS, SOA)"),
    "authority_classes": ("= CLASS1",),
    "authority_ttls": ("= 3600", "> 60", "in (60, 3600)"),
    "authority_data": ("= ns.exaMple.org.", "~ ^ns"),
    "additional_names": ("= ns.exaMple.org.",),
    "additional_types": ("= A", "!= OPT"),
    "additional_classes": ("= CH", "!= IN"),
    "additional_ttls": ("= 60", "<= 60"),
    "additional_data": ("= 192.0.2.53",),
    "answer_data": (
        "= 2001:db8::1",
        "!= 2001:db8::2",
        "in (a, 2001:db8::1)",
        "not in (a, b)",
        "~ ^2001",
        "like 2001:*",
    ),
    "edns": ("= true",),
    "edns_version": ("= 0", "< 1"),
    "edns_do": ("= true",),
    "edns_udp_size": ("= 1232", ">= 1232", "!= 4096"),
    "edns_options": ("= 15", "= 8", "> 14", "!= 9", "in (9, 10)"),
    "edns_cookie": ("= true",),
    "edns_client_cookie": ("= 636f6f6b69652121", "!= 00"),
    "edns_server_cookie": ("= 00737276FF", "in (00, 00737276ff)"),
    "edns_keepalive": ("= 10s", "> 9s"),
    "edns_padding": ("= 4", "= 4b"),
    "ecs_scope": ("= 0", "< 1"),
    "ecs": (
        "= 192.0.2.0/24",
        "!= 192.0.2.0/25",
        "!= 192.0.2.0",
        "in 192.0.0.0/16",
        "in 192.0.2.0/24",
        "in (::/0, 0.0.0.0/0)",
        "not in 192.0.2.0/25",
        "not in ::/0",
    ),
    "ede": ("= 3", "= 22", "< 4", "> 21", "!= 4", "in (4, 22)", "not in (4, 5)"),
    "ede_text": ('= "no way"', "!= no", "~ way$", "like *way"),
    "nsid": ('= "ns 7"', "~ ns", "like ns?7"),
    "policy_type": ("= RPZ", "~ ^R", "like R*"),
    "policy_rule": ('= "rule 7"', "!= rule", 'like "rule [0-9]"'),
    "policy_match": ("= QNAME", "!= ns_ip"),
    "policy_value": ("= bad.example", "~ example$", "like *.example"),
    "qname": (
        "= www.example.org",
        '= "WWW.EXAMPLE.ORG."',
        "= w\\ww.\\101xample.org",
        "!= example.org",
        "in (a, www.example.org)",
        "not in (a, b)",
        "under example.org",
        "under ORG.",
        "under .",
        "under www.example.org",
        "under (net, org)",
        "~ ^www\\.EXAMPLE",
        '~ "^(www|ftp)\\.exa(?:m|n)"',
        "~ \\.org\\.$",
        "like WWW.*",
        "like *.example.org",
        "like w?w.[a-f]*.",
        'like "ww[!a].exam*.ORG"',
        "like *",
    ),
    "tld": ("= org", "under org", "!= com"),
    "registered_domain": ("= Example.org.", "under org", "in (a, example.org)", "~ ^exa"),
    "qtype": ("= AAAA", "= aaaa", "= TYPE28", "= 28", "!= A", "< 29", "in (A, AAAA)"),
    "qclass": ("= IN", "= CLASS1", "!= ANY"),
    "zone": ("= example.org", "under org", "~ ^exa", "!= org", "like *.org"),
    "identity": ('= "my server"', "!= my", "~ ser", '~ "^my server$"', 'like "my s*"', 'in (a, "my server")'),
    "version": ('= "v\\"1\\\\"', "~ \\\\$", '~ "\\\\\\\\$"', 'like "v?1*"'),
    "extra": ('~ "\\x00"', '= "\udcff\x00"', "!= a"),
}

EVERYTHING = [f"{name} {test}" for name, tests in PASSED.items() for test in tests]
