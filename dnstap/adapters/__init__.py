"""Taps for DNS software of others: dnslib's servers, dnspython's query functions, server protocols of asyncio.

The names are loaded when they are first used, so that whoever uses one adapter needs nothing of the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnstap.adapters.asyncio_protocols import TappedDatagramProtocol, TappedProtocol
    from dnstap.adapters.dnslib_logger import TapLogger
    from dnstap.adapters.dnspython_queries import tapped

__all__ = ["TapLogger", "TappedDatagramProtocol", "TappedProtocol", "tapped"]

_HOMES = {
    "TapLogger": "dnslib_logger",
    "TappedDatagramProtocol": "asyncio_protocols",
    "TappedProtocol": "asyncio_protocols",
    "tapped": "dnspython_queries",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"dnstap.adapters.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
