"""Pairs of queries and responses: a response gets the time of its query, and a query whether it was answered."""

from dnstap.pairing.pairs import PairCounts, Pairs

__all__ = ["PairCounts", "Pairs"]
