"""Tapping a DNS server, proxy or resolver written in Python: each query and answer goes to whoever collects them."""

from dnstap.tap.aio import AsyncTap
from dnstap.tap.counts import TapCounts
from dnstap.tap.tap import Tap

__all__ = ["AsyncTap", "Tap", "TapCounts"]
