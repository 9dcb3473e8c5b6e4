"""A DNS message as text, in sections like those of dig, as miekg/dns 1.1.50 prints it.

Its oddities are kept: an opcode or rcode without a name is empty, code 16 is BADSIG, the options of the last OPT stand
before the question and its record is not listed.

Source: miekg/dns 1.1.50, Msg.String and MsgHdr.String (msg.go), OPT.String (edns.go).
"""

from dnstap.dns.edns import Option
from dnstap.dns.message import DnsMessage, Record
from dnstap.dns.option_text import option_text
from dnstap.dns.record_text import RDATA_TEXTS, rdata_text
from dnstap.dns.registry import class_text, type_text

__all__ = [
    "BEFORE_OWNER",
    "FLAGS",
    "OPCODES",
    "OPT",
    "QUESTION_HEADING",
    "SECTION_HEADINGS",
    "extended_rcode",
    "flags_text",
    "last_opt",
    "message_text",
    "opt_heading",
    "opt_text",
    "options_text",
    "question_text",
    "rcode_text",
    "record_names",
    "status_text",
]

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

BEFORE_OWNER = {NULL: ";", TKEY: ";", TSIG: "\n;; TSIG PSEUDOSECTION:\n; "}

QUESTION_HEADING = "\n;; QUESTION SECTION:\n"
SECTION_HEADINGS = "\n;; ANSWER SECTION:\n", "\n;; AUTHORITY SECTION:\n", "\n;; ADDITIONAL SECTION:\n"


def message_text(message: DnsMessage) -> str:
    """The text, of several lines, with a line feed at its end."""
    opt = last_opt(message)
    sections = (message.answers, message.authorities, message.additionals)
    out = [
        status_text(message.flags, extended_rcode(message.flags, opt)),
        str(message.id),
        flags_text(message.flags, len(message.questions), *map(len, sections)),
    ]
    if opt:
        out.append(opt_text(opt))
    if message.questions:
        out.append(QUESTION_HEADING)
        out += [f";{name}{question_text(rrtype, rrclass)}" for name, rrtype, rrclass in message.questions]
    for heading, records in zip(SECTION_HEADINGS, sections, strict=True):
        in_additional = records is message.additionals
        if not records or (in_additional and opt and len(records) == 1):
            continue
        out.append(heading)
        for record in records:
            if record.rrtype != OPT:
                out.append(_record_text(record))
            elif not in_additional:
                out.append(opt_text(record))
    return "".join(out)


def status_text(flags: int, rcode: int) -> str:
    """The first line, up to the identifier."""
    return f";; opcode: {OPCODES.get(flags >> 11 & 15, '')}, status: {rcode_text(rcode)}, id: "


def flags_text(flags: int, questions: int, answers: int, authorities: int, additionals: int) -> str:
    """The line of the flags and of the numbers of records, and the end of the line before it."""
    names = "".join([f" {name}" for bit, name in FLAGS if flags & bit])
    counts = f"QUERY: {questions}, ANSWER: {answers}, AUTHORITY: {authorities}, ADDITIONAL: {additionals}"
    return f"\n;; flags:{names}; {counts}\n"


def question_text(rrtype: int, rrclass: int) -> str:
    """The line of a question behind its name."""
    return f"\t{class_text(rrclass)}\t {type_text(rrtype)}\n"


def last_opt(message: DnsMessage) -> Record | None:
    """The OPT record that counts, if there are several."""
    return next((record for record in reversed(message.additionals) if record.rrtype == OPT), None)


def extended_rcode(flags: int, opt: Record | None) -> int:
    """The rcode of 12 bits; the upper 8 are in the OPT record."""
    return flags & 15 | (opt.ttl >> 24 << 4 if opt else 0)


def rcode_text(rcode: int) -> str:
    """The name of an rcode, empty if it has none."""
    return _RCODES.get(rcode, "")


def opt_text(record: Record) -> str:
    """Its TTL holds, from the top: the rcode's upper octet, the version, and the flags, of which the first is DO."""
    return f"{opt_heading(record.rrclass, record.ttl)}{options_text(record.rdata[0])}\n"


def opt_heading(rrclass: int, ttl: int) -> str:
    """What stands before the options."""
    flags = "do" if ttl & 0x8000 else ""
    return f"\n;; OPT PSEUDOSECTION:\n; EDNS: version {ttl >> 16 & 255}; flags: {flags}; udp: {rrclass}"


def options_text(options: tuple[Option, ...]) -> str:
    """A line each, with the line feed before it."""
    return "".join([f"\n; {text}" for text in map(option_text, options) if text is not None])


def record_names(rrtype: int, rrclass: int) -> str:
    """What stands between the TTL and the rdata."""
    known = rrtype in RDATA_TEXTS
    names = f"{class_text(rrclass)}\t{type_text(rrtype)}" if known else f"CLASS{rrclass}\tTYPE{rrtype}"
    return f"\t{names}\t"


def _record_text(record: Record) -> str:
    owner, rrtype, rrclass, ttl, rdata = record
    before = BEFORE_OWNER.get(rrtype, "")
    return f"{before}{owner}\t{ttl}{record_names(rrtype, rrclass)}{rdata_text(rrtype, rdata)}\n"
