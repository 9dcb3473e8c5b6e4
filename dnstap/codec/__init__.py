"""Payload octets to message objects and back, by a table that is read off the message classes."""

from dnstap.codec.decoder import Decoder
from dnstap.codec.encoder import encode, encoder_of
from dnstap.codec.generic import decode

__all__ = ["Decoder", "decode", "encode", "encoder_of"]
