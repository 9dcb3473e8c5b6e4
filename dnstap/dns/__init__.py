"""DNS messages parsed from wire format as miekg/dns 1.1.50 does, and the text of their parts."""

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import escaped_text, unescaped_bytes
from dnstap.dns.message import DnsMessage, Question, Record, unpack, unpack_question
from dnstap.dns.names import NameMemo, unpack_name, unpack_string
from dnstap.dns.records import unpack_rdata
from dnstap.dns.registry import class_text, type_text

__all__ = [
    "DnsMessage",
    "NameMemo",
    "Question",
    "Record",
    "address_text",
    "class_text",
    "escaped_text",
    "type_text",
    "unescaped_bytes",
    "unpack",
    "unpack_name",
    "unpack_question",
    "unpack_rdata",
    "unpack_string",
]
