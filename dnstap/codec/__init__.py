"""Payload octets to message objects and back, by a table that is read off the message classes."""

from dnstap.codec.encoder import encode, encoder_of
from dnstap.codec.learned import Decoder
from dnstap.codec.strict import decode

__all__ = ["Decoder", "decode", "encode", "encoder_of"]
