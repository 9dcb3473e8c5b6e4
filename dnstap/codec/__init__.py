"""Payload octets to message objects and back, by a table that is read off the message classes."""

from dnstap.codec.decoder import decode
from dnstap.codec.encoder import encode

__all__ = ["decode", "encode"]
