"""dnstap.dns.text: messages as miekg/dns 1.1.50 prints them. tests/interop compares many with Go."""

from __future__ import annotations

import struct

from dnstap.dns.message import unpack
from dnstap.dns.text import extended_rcode, last_opt, message_text, rcode_text, record_names
from tests.dnstap.dns.test_cached_texts import EXAMPLE, IN_A, message, opt, record


def text_of(*records: bytes, counts: tuple[int, int, int] | None = None) -> str:
    return message_text(unpack(message(*records, counts=counts)))


def test_an_answer() -> None:
    options = struct.pack(">HH", 3, 1) + b"x"
    assert text_of(record(1, b"\1\2\3\4"), record(261, b"\1"), opt(options, 0x8000), counts=(1, 1, 1)) == (
        ";; opcode: QUERY, status: NOERROR, id: 7\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 1, ADDITIONAL: 1\n"
        "\n"
        ";; OPT PSEUDOSECTION:\n"
        "; EDNS: version 0; flags: do; udp: 1\n"
        "; NSID: 78  (x)\n"
        "\n"
        ";; QUESTION SECTION:\n"
        ";example.org.\tIN\t A\n"
        "\n"
        ";; ANSWER SECTION:\n"
        "example.org.\t300\tIN\tA\t1.2.3.4\n"
        "\n"
        ";; AUTHORITY SECTION:\n"
        "example.org.\t300\tCLASS1\tTYPE261\t\\# 1 01\n"
    )


def test_opcodes_and_rcodes_without_a_name() -> None:
    wire = struct.pack(">6H", 7, 0x1800 | 11, 0, 0, 0, 0) + EXAMPLE + IN_A
    assert message_text(unpack(wire)) == (
        ";; opcode: , status: , id: 7\n;; flags:; QUERY: 0, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0\n"
    )
    assert rcode_text(16) == "BADSIG"


def test_the_last_opt_record_counts() -> None:
    found = unpack(message(opt(ttl=1 << 24), opt(ttl=2 << 24), record(1, b"\1\2\3\4"), counts=(0, 0, 3)))
    opt_record = last_opt(found)
    assert opt_record == found.additionals[1]
    assert extended_rcode(0x8003, opt_record) == 2 << 4 | 3
    assert last_opt(unpack(message())) is None
    assert extended_rcode(0x8003, None) == 3


def test_opt_records_elsewhere_are_sections_of_their_own() -> None:
    text = text_of(opt(), record(1, b"\1\2\3\4"), counts=(1, 0, 1))
    assert ";; ANSWER SECTION:\n\n;; OPT PSEUDOSECTION:\n" in text
    assert text.endswith(";; ADDITIONAL SECTION:\nexample.org.\t300\tIN\tA\t1.2.3.4\n")


def test_records_that_begin_with_a_comment() -> None:
    assert "\n;example.org.\t300\tIN\tNULL\tx\n" in text_of(record(10, b"x"))
    assert "\n;; TSIG PSEUDOSECTION:\n; example.org.\t300\tIN\tTSIG\t" in text_of(record(250, b""))


def test_names_of_types_without_a_text() -> None:
    assert record_names(1, 1) == "\tIN\tA\t"
    assert record_names(20, 1) == "\tCLASS1\tTYPE20\t"
