"""dnstap in pure Python: read, write, record and print what DNS servers log of every query and response.

Names are imported on first use, so `dnstap --version` loads neither betterproto2 nor dnspython.
"""

from typing import TYPE_CHECKING

from framestream import __version__ as __version__
from framestream._lazy import lazy_import

if TYPE_CHECKING:
    from dnstap import adapters as adapters
    from dnstap import aio as aio
    from dnstap import dns as dns
    from dnstap import strategies as strategies
    from dnstap.anonymize import Anonymizer as Anonymizer
    from dnstap.anonymize import CryptoPan as CryptoPan
    from dnstap.anonymize import truncate as truncate
    from dnstap.codec import Decoder as Decoder
    from dnstap.content_type import CONTENT_TYPE as CONTENT_TYPE
    from dnstap.decoding import DnstapMessage as DnstapMessage
    from dnstap.errors import DecodeError as DecodeError
    from dnstap.errors import DnsMessageError as DnsMessageError
    from dnstap.errors import DnstapError as DnstapError
    from dnstap.errors import EncodeError as EncodeError
    from dnstap.errors import FilterError as FilterError
    from dnstap.errors import KeyFileError as KeyFileError
    from dnstap.errors import MissingFieldError as MissingFieldError
    from dnstap.fields.rows import row_reader as row_reader
    from dnstap.filters import Filter as Filter
    from dnstap.filters import compile_filter as compile_filter
    from dnstap.messages import Dnstap as Dnstap
    from dnstap.messages import Message as Message
    from dnstap.messages import Policy as Policy
    from dnstap.pairing import PairCounts as PairCounts
    from dnstap.pairing import Pairs as Pairs
    from dnstap.pipeline.blocking_collector import BlockingCollector as BlockingCollector
    from dnstap.pipeline.collector import Collector as Collector
    from dnstap.pipeline.sources import Source as Source
    from dnstap.reading import MessageReader as MessageReader
    from dnstap.reading import read as read
    from dnstap.rendering import FORMATS as FORMATS
    from dnstap.rendering import Style as Style
    from dnstap.rendering import render as render
    from dnstap.rendering import renderer as renderer
    from dnstap.schema.enums import DnstapType as DnstapType
    from dnstap.schema.enums import HttpProtocol as HttpProtocol
    from dnstap.schema.enums import MessageType as MessageType
    from dnstap.schema.enums import PolicyAction as PolicyAction
    from dnstap.schema.enums import PolicyMatch as PolicyMatch
    from dnstap.schema.enums import SocketFamily as SocketFamily
    from dnstap.schema.enums import SocketProtocol as SocketProtocol
    from dnstap.tap import AsyncTap as AsyncTap
    from dnstap.tap import Tap as Tap
    from dnstap.tap import TapCounts as TapCounts
    from dnstap.tap import TapLimits as TapLimits
    from dnstap.writing import MessageWriter as MessageWriter
    from dnstap.writing import write as write

lazy_import(
    globals(),
    {
        "dnstap.anonymize": ("Anonymizer", "CryptoPan", "truncate"),
        "dnstap.codec": ("Decoder",),
        "dnstap.content_type": ("CONTENT_TYPE",),
        "dnstap.decoding": ("DnstapMessage",),
        "dnstap.errors": (
            "DecodeError",
            "DnsMessageError",
            "DnstapError",
            "EncodeError",
            "FilterError",
            "KeyFileError",
            "MissingFieldError",
        ),
        "dnstap.fields.rows": ("row_reader",),
        "dnstap.filters": ("Filter", "compile_filter"),
        "dnstap.messages": ("Dnstap", "Message", "Policy"),
        "dnstap.pipeline.blocking_collector": ("BlockingCollector",),
        "dnstap.pairing": ("PairCounts", "Pairs"),
        "dnstap.pipeline.collector": ("Collector",),
        "dnstap.pipeline.sources": ("Source",),
        "dnstap.reading": ("MessageReader", "read"),
        "dnstap.rendering": ("FORMATS", "Style", "render", "renderer"),
        "dnstap.schema.enums": (
            "DnstapType",
            "HttpProtocol",
            "MessageType",
            "PolicyAction",
            "PolicyMatch",
            "SocketFamily",
            "SocketProtocol",
        ),
        "dnstap.tap": ("AsyncTap", "Tap", "TapCounts", "TapLimits"),
        "dnstap.writing": ("MessageWriter", "write"),
    },
    submodules=("adapters", "aio", "dns", "strategies"),
)
