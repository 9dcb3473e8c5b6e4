"""Payload bytes to message objects and back, driven by a table of the fields of each message class."""

from dnstap.codec.encoder import encode, encoder_of
from dnstap.codec.learned import Decoder
from dnstap.codec.strict import decode

__all__ = ["Decoder", "decode", "encode", "encoder_of"]
