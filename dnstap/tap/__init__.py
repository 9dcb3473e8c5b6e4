"""Taps for DNS software written in Python: they send its queries and responses to dnstap receivers."""

from dnstap.tap.aio import AsyncTap
from dnstap.tap.counts import TapCounts
from dnstap.tap.limits import TapLimits
from dnstap.tap.tap import Tap

__all__ = ["AsyncTap", "Tap", "TapCounts", "TapLimits"]
