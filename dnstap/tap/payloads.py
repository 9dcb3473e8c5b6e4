"""Encoder of the messages of one server, in two steps.

A server's thread only takes the values out of its message. The thread that sends the frame encodes them, so a frame
that is dropped in between has cost the server little. `submit` took a third of the time that it takes to encode.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dnstap.codec.encoder import values_of, varint
from dnstap.codec.tables import table_of
from dnstap.messages import Dnstap, Message, Policy
from dnstap.messages.constructors import VALUES
from dnstap.schema.enums import DnstapType
from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FRAME_BYTES", "Payloads", "Text", "field_values", "memory_of"]

Text = str | bytes | None
"""Text, which is written in UTF-8, or bytes; None is absent."""

MAX_CACHED_LENGTH = 4096
"""Longest message whose encoded length is cached, which bounds the cache at one entry per length."""

_policy_values, _ = values_of(Policy)
field_values, _encode = values_of(Message)
"""From a Message to the values of its fields, and from those to bytes. Setting a field afterwards has no effect."""

_rows = sorted(rows(Message), key=lambda row: row.number)
_DNS_MESSAGES = [index for index, row in enumerate(_rows) if row.name in ("query_message", "response_message")]
"""Indexes of the DNS messages among the values."""
_ABSENT = (None,) * (len(_rows) - VALUES) + (b"",)
"""Values of the fields after those from message_values, and the unknown fields."""

_MESSAGE_TAG = next(field.tag_octets for field in table_of(Dnstap).fields if field.name == "message")
_TYPE = Dnstap(type=DnstapType.MESSAGE).encode()


_QUERY, _RESPONSE = _DNS_MESSAGES
_ZONE = next(index for index, row in enumerate(_rows) if row.name == "query_zone")

_BYTES = 33
"""Memory of a bytes object beside its contents, on CPython."""

FRAME_BYTES = 600
"""Memory of a frame beside its DNS messages, about: a tuple of 14 values, two addresses, four numbers of a time."""


def memory_of(frame: Any) -> int:
    """Return how much memory a frame takes, in bytes, about.

    Args: frame: an argument for `Payloads.encode`, or a payload.
    Raises: TypeError: a DNS message is not bytes.
    """
    if type(frame) is bytes:
        return _BYTES + len(frame)
    size = FRAME_BYTES
    if len(frame) == 2:  # With its own `extra`.
        frame, extra = frame
        size += len(extra)
    size += len(frame[_QUERY] or b"") + len(frame[_RESPONSE] or b"") + len(frame[_ZONE] or b"")
    if len(frame) > VALUES:
        # What only a message of `submit` may have: a policy, unknown fields.
        size += len(frame[-1])
        for value in frame[VALUES:-1]:
            if isinstance(value, Policy):
                size += sum(map(sys.getsizeof, _policy_values(value)))
    return size


class Payloads:
    """Encoder of frames: what all payloads of one server have in common, around the values of each message.

    Args:
        extra: the same for all frames, or a function that makes it for each message.
        full: whether payloads contain the DNS messages.
    Attributes: has_extra_function: whether `encode` takes what `with_extra` returns, instead of values alone.
    """

    def __init__(self, identity: Text, version: Text, extra: Text | Callable[[Message], Text], *, full: bool) -> None:
        # Lenient, because this is only the start of a payload, without the required type.
        self._head = Dnstap(identity=_as_bytes(identity), version=_as_bytes(version)).encode(lenient=True)
        self._full = full
        # The head is the same for all frames, so only the length of the message is left to look up.
        self._lengths = _EncodedLengths()
        self._extra_function = extra if callable(extra) else None
        self.has_extra_function = callable(extra)
        if not callable(extra):
            self._head += _encoded_extra(extra)

    def with_extra(self, values: tuple[Any, ...], message: Message) -> tuple[tuple[Any, ...], bytes]:
        """Return the values of a message together with its own `extra`.

        Raises: any error of the function for `extra`; EncodeError: neither text nor bytes.
        """
        return values, _encoded_extra(self._extra_function(message) if self._extra_function else None)

    def encode(self, frame: Any) -> bytes:
        """Return the payload of a data frame, its fields in the order in which libfstrm's senders write them.

        Args: frame: values of `field_values` or `message_values`; if there is a function for `extra`, what
            `with_extra` returns.
        Raises: EncodeError.
        """
        head, values = self._head, frame
        if self.has_extra_function:
            values, extra = frame
            head += extra
        if len(values) == VALUES:
            values += _ABSENT
        if not self._full:
            values = [None if index in _DNS_MESSAGES else value for index, value in enumerate(values)]
        message = _encode(values)
        return b"".join((head, self._lengths[len(message)], message, _TYPE))


def _as_bytes(text: Text) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _encoded_extra(extra: Text) -> bytes:
    return Dnstap(extra=_as_bytes(extra)).encode(lenient=True)


class _EncodedLengths(dict[int, bytes]):
    """Cache of the tag and the length that precede a message of a given number of bytes."""

    def __missing__(self, length: int) -> bytes:
        encoded = _MESSAGE_TAG + varint(length)
        if length <= MAX_CACHED_LENGTH:
            self[length] = encoded
        return encoded
