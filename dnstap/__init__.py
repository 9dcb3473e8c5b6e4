"""dnstap in pure Python: what DNS servers log of every query and response, read, written, recorded and printed.

The names are loaded when they are first used, so that the command can say what it is without loading what it stands on.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnstap.anonymize import Anonymizer, CryptoPan, truncate
    from dnstap.codec import Decoder
    from dnstap.content_type import CONTENT_TYPE
    from dnstap.errors import (
        DecodeError,
        DnsMessageError,
        DnstapError,
        EncodeError,
        FilterError,
        KeyFileError,
        MissingFieldError,
    )
    from dnstap.filters import Filter, compile_filter
    from dnstap.messages import Dnstap, Message, Policy
    from dnstap.pipeline.collector import Collector
    from dnstap.rendering import FORMATS, Style, render, renderer
    from dnstap.schema.enums import (
        DnstapType,
        HttpProtocol,
        MessageType,
        PolicyAction,
        PolicyMatch,
        SocketFamily,
        SocketProtocol,
    )
    from dnstap.tap import AsyncTap, Tap, TapCounts

__version__ = "0.1.0"

__all__ = [
    "CONTENT_TYPE",
    "FORMATS",
    "Anonymizer",
    "AsyncTap",
    "Collector",
    "CryptoPan",
    "DecodeError",
    "Decoder",
    "DnsMessageError",
    "Dnstap",
    "DnstapError",
    "DnstapType",
    "EncodeError",
    "Filter",
    "FilterError",
    "HttpProtocol",
    "KeyFileError",
    "Message",
    "MessageType",
    "MissingFieldError",
    "Policy",
    "PolicyAction",
    "PolicyMatch",
    "SocketFamily",
    "SocketProtocol",
    "Style",
    "Tap",
    "TapCounts",
    "compile_filter",
    "render",
    "renderer",
    "truncate",
]

_HOMES = {
    "errors": "DecodeError DnsMessageError DnstapError EncodeError FilterError KeyFileError MissingFieldError",
    "content_type": "CONTENT_TYPE",
    "schema.enums": "DnstapType HttpProtocol MessageType PolicyAction PolicyMatch SocketFamily SocketProtocol",
    "messages": "Dnstap Message Policy",
    "anonymize": "Anonymizer CryptoPan truncate",
    "codec": "Decoder",
    "rendering": "FORMATS Style render renderer",
    "filters": "Filter compile_filter",
    "pipeline.collector": "Collector",
    "tap": "AsyncTap Tap TapCounts",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(f"dnstap.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
