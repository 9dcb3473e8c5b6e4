"""Filters: select messages by an expression such as `type = CQ and qname under example.org`."""

from dnstap.filters.selecting import Filter, compile_filter

__all__ = ["Filter", "compile_filter"]
