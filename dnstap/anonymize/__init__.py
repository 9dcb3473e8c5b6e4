"""Captures for others: addresses shortened to their networks, or replaced by a key, and everything else as it was."""

from dnstap.anonymize.anonymizer import Anonymizer
from dnstap.anonymize.methods import CryptoPan, Method, truncate

__all__ = ["Anonymizer", "CryptoPan", "Method", "truncate"]
