"""Payload bytes to message objects and back, driven by a table of the fields of each message class.

Names are imported on first use: the command only decodes.
"""

from typing import TYPE_CHECKING

from framestream._lazy import lazy_import

if TYPE_CHECKING:
    from dnstap.codec.encoder import encode as encode
    from dnstap.codec.encoder import encoder_of as encoder_of
    from dnstap.codec.learned import Decoder as Decoder
    from dnstap.codec.strict import decode as decode

lazy_import(
    globals(),
    {
        "dnstap.codec.encoder": ("encode", "encoder_of"),
        "dnstap.codec.learned": ("Decoder",),
        "dnstap.codec.strict": ("decode",),
    },
)
