"""A DNS message as text, in sections like those of dig, as miekg/dns 1.1.50 prints it.

Its oddities are kept: an opcode or rcode without a name is empty, code 16 is BADSIG, the options of the last OPT stand
before the question and its record is not listed.

Source: miekg/dns 1.1.50, Msg.String and MsgHdr.String (msg.go), OPT.String (edns.go).
"""

from dnstap.dns.message import DnsMessage, Record
from dnstap.dns.option_text import option_text
from dnstap.dns.record_text import RDATA_TEXTS, rdata_text
from dnstap.dns.registry import class_text, type_text

__all__ = ["FLAGS", "OPCODES", "OPT", "extended_rcode", "last_opt", "message_text", "rcode_text"]

OPT, NULL, TKEY, TSIG = 41, 10, 249, 250

OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}

_RCODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    16: "BADSIG",
    17: "BADKEY",
    18: "BADTIME",
    19: "BADMODE",
    20: "BADNAME",
    21: "BADALG",
    22: "BADTRUNC",
    23: "BADCOOKIE",
}

FLAGS = [(0x8000, "qr"), (0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z")]
FLAGS += [(0x20, "ad"), (0x10, "cd")]

_BEFORE_OWNER = {NULL: ";", TKEY: ";", TSIG: "\n;; TSIG PSEUDOSECTION:\n; "}


def message_text(message: DnsMessage) -> str:
    """The text, of several lines, with a line feed at its end."""
    opt = last_opt(message)
    rcode = extended_rcode(message.flags, opt)
    flags = "".join([f" {name}" for bit, name in FLAGS if message.flags & bit])
    sections = {"ANSWER": message.answers, "AUTHORITY": message.authorities, "ADDITIONAL": message.additionals}
    counts = ", ".join([f"{name}: {len(records)}" for name, records in sections.items()])
    opcode = OPCODES.get(message.flags >> 11 & 15, "")
    out = [
        f";; opcode: {opcode}, status: {rcode_text(rcode)}, id: {message.id}\n",
        f";; flags:{flags}; QUERY: {len(message.questions)}, {counts}\n",
    ]
    if opt:
        out.append(_opt_text(opt))
    if message.questions:
        out.append("\n;; QUESTION SECTION:\n")
        out += [
            f";{name}\t{class_text(rrclass)}\t {type_text(rrtype)}\n" for name, rrtype, rrclass in message.questions
        ]
    for name, records in sections.items():
        in_additional = name == "ADDITIONAL"
        if not records or (in_additional and opt and len(records) == 1):
            continue
        out.append(f"\n;; {name} SECTION:\n")
        for record in records:
            if record.rrtype != OPT:
                out.append(_record_text(record))
            elif not in_additional:
                out.append(_opt_text(record))
    return "".join(out)


def last_opt(message: DnsMessage) -> Record | None:
    """The OPT record that counts, if there are several."""
    return next((record for record in reversed(message.additionals) if record.rrtype == OPT), None)


def extended_rcode(flags: int, opt: Record | None) -> int:
    """The rcode of 12 bits; the upper 8 are in the OPT record."""
    return flags & 15 | (opt.ttl >> 24 << 4 if opt else 0)


def rcode_text(rcode: int) -> str:
    """The name of an rcode, empty if it has none."""
    return _RCODES.get(rcode, "")


def _opt_text(record: Record) -> str:
    """Its TTL holds, from the top: the rcode's upper octet, the version, and the flags, of which the first is DO."""
    options = [option_text(option) for option in record.rdata[0]]
    lines = [f"\n; {text}" for text in options if text is not None]
    flags = "do" if record.ttl & 0x8000 else ""
    version = record.ttl >> 16 & 255
    head = f"\n;; OPT PSEUDOSECTION:\n; EDNS: version {version}; flags: {flags}; udp: {record.rrclass}"
    return f"{head}{''.join(lines)}\n"


def _record_text(record: Record) -> str:
    owner, rrtype, rrclass, ttl, rdata = record
    names = f"{class_text(rrclass)}\t{type_text(rrtype)}" if rrtype in RDATA_TEXTS else f"CLASS{rrclass}\tTYPE{rrtype}"
    return f"{_BEFORE_OWNER.get(rrtype, '')}{owner}\t{ttl}\t{names}\t{rdata_text(rrtype, rdata)}\n"
