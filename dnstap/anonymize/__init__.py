"""Anonymizing captures: addresses are cut to their networks or replaced by a key, and all else stays as it is."""

from dnstap.anonymize.anonymizer import Anonymizer
from dnstap.anonymize.methods import CryptoPan, Method, truncate

__all__ = ["Anonymizer", "CryptoPan", "Method", "truncate"]
