"""Taps for other DNS software: dnslib's servers, dnspython's query functions, asyncio server protocols.

Names are imported on first use, so one adapter loads nothing that only another one needs.
"""

from typing import TYPE_CHECKING

from framestream._lazy import lazy_import

if TYPE_CHECKING:
    from dnstap.adapters.asyncio_protocols import TappedDatagramProtocol as TappedDatagramProtocol
    from dnstap.adapters.asyncio_protocols import TappedProtocol as TappedProtocol
    from dnstap.adapters.dnslib_logger import TapLogger as TapLogger
    from dnstap.adapters.dnspython_queries import tapped as tapped

lazy_import(
    globals(),
    {
        "dnstap.adapters.asyncio_protocols": ("TappedDatagramProtocol", "TappedProtocol"),
        "dnstap.adapters.dnslib_logger": ("TapLogger",),
        "dnstap.adapters.dnspython_queries": ("tapped",),
    },
)
