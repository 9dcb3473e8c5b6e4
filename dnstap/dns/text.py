"""A DNS message as text, in sections like those of dig, as miekg/dns 1.1.50 prints it.

Its oddities are kept: an opcode or rcode without a name is empty, rcode 16 is BADSIG and not BADVERS, the options of
the last OPT record come before the question, and that record is not listed.

Source: miekg/dns 1.1.50, Msg.String and MsgHdr.String (msg.go), OPT.String (edns.go).
"""

from dnstap.dns.edns import Option
from dnstap.dns.limits import MAX_MESSAGE, TextBudget
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
    "data_text",
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

# In the order in which Go prints them. z is the reserved bit (RFC 1035, 4.1.1).
FLAGS = [(0x8000, "qr"), (0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z")]
FLAGS += [(0x20, "ad"), (0x10, "cd")]

# Go writes these as comments of a zone file, since they have no place in one.
BEFORE_OWNER = {NULL: ";", TKEY: ";", TSIG: "\n;; TSIG PSEUDOSECTION:\n; "}

QUESTION_HEADING = "\n;; QUESTION SECTION:\n"
SECTION_HEADINGS = "\n;; ANSWER SECTION:\n", "\n;; AUTHORITY SECTION:\n", "\n;; ADDITIONAL SECTION:\n"


def message_text(message: DnsMessage, octets: int = MAX_MESSAGE) -> str:
    """Return the text of a message: several lines, each with its line feed.

    Args: octets: the length of the message in wire format, which limits that of the text (limits.max_text).
    Raises: DnsMessageError: the text is longer.
    """
    take = TextBudget(octets).take
    opt = last_opt(message)
    sections = (message.answers, message.authorities, message.additionals)
    out = [
        status_text(message.flags, extended_rcode(message.flags, opt)),
        str(message.id),
        flags_text(message.flags, len(message.questions), *map(len, sections)),
    ]
    if opt:
        out.append(take(opt_text(opt)))
    if message.questions:
        out.append(QUESTION_HEADING)
        out += [take(f";{name}{question_text(rrtype, rrclass)}") for name, rrtype, rrclass in message.questions]
    for heading, records in zip(SECTION_HEADINGS, sections, strict=True):
        in_additional = records is message.additionals
        # With the OPT record alone, Go leaves the heading out too.
        if not records or (in_additional and opt and len(records) == 1):
            continue
        out.append(heading)
        for record in records:
            if record.rrtype != OPT:
                out.append(take(_record_text(record)))
            # Go takes an OPT record for the message's own in the additional section only; elsewhere it is one of the
            # records.
            elif not in_additional:
                out.append(take(opt_text(record)))
    return "".join(out)


def status_text(flags: int, rcode: int) -> str:
    """Return the first line, up to the identifier."""
    return f";; opcode: {OPCODES.get(flags >> 11 & 15, '')}, status: {rcode_text(rcode)}, id: "


def flags_text(flags: int, questions: int, answers: int, authorities: int, additionals: int) -> str:
    """Return the end of the first line, and the line of the flags and of the numbers of records."""
    names = "".join([f" {name}" for bit, name in FLAGS if flags & bit])
    counts = f"QUERY: {questions}, ANSWER: {answers}, AUTHORITY: {authorities}, ADDITIONAL: {additionals}"
    return f"\n;; flags:{names}; {counts}\n"


def question_text(rrtype: int, rrclass: int) -> str:
    """Return the line of a question without its name."""
    return f"\t{class_text(rrclass)}\t {type_text(rrtype)}\n"


def last_opt(message: DnsMessage) -> Record | None:
    """Return the last OPT record, which is the one Go uses if there are several; None if there is none."""
    return next((record for record in reversed(message.additionals) if record.rrtype == OPT), None)


def extended_rcode(flags: int, opt: Record | None) -> int:
    """Return the rcode of 12 bits, of which the upper 8 are in the OPT record (RFC 6891, 6.1.3)."""
    return flags & 15 | (opt.ttl >> 24 << 4 if opt else 0)


def rcode_text(rcode: int) -> str:
    """Return the name of an rcode, empty if it has none."""
    return _RCODES.get(rcode, "")


def opt_text(record: Record) -> str:
    """Return the section of an OPT record."""
    return f"{opt_heading(record.rrclass, record.ttl)}{options_text(record.rdata[0])}\n"


def opt_heading(rrclass: int, ttl: int) -> str:
    """Return the heading of an OPT record's section, which its options follow.

    The TTL holds, from the top: the upper octet of the rcode, the version, and flags, of which the first is DO.
    """
    flags = "do" if ttl & 0x8000 else ""
    return f"\n;; OPT PSEUDOSECTION:\n; EDNS: version {ttl >> 16 & 255}; flags: {flags}; udp: {rrclass}"


def options_text(options: tuple[Option, ...]) -> str:
    """Return a line for each option that is shown, with a line feed before it."""
    return "".join([f"\n; {text}" for text in map(option_text, options) if text is not None])


def record_names(rrtype: int, rrclass: int) -> str:
    """Return the text between the TTL and the rdata of a record."""
    # A type whose rdata is unknown to Go is written wholly as RFC 3597, 5, says, its class too.
    known = rrtype in RDATA_TEXTS
    names = f"{class_text(rrclass)}\t{type_text(rrtype)}" if known else f"CLASS{rrclass}\tTYPE{rrtype}"
    return f"\t{names}\t"


def data_text(record: Record) -> str:
    """Return the text of a record's rdata alone; of an OPT record, its options."""
    if record.rrtype == OPT:
        return "; ".join([text for text in map(option_text, record.rdata[0]) if text is not None])
    return rdata_text(record.rrtype, record.rdata)


def _record_text(record: Record) -> str:
    owner, rrtype, rrclass, ttl, rdata = record
    before = BEFORE_OWNER.get(rrtype, "")
    return f"{before}{owner}\t{ttl}{record_names(rrtype, rrclass)}{rdata_text(rrtype, rdata)}\n"
