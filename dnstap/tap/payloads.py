"""From messages to payloads, for one server.

In two steps. A server's thread takes the values out of its message, and goes on; what encodes them is the thread that
sends them, so that frames which are dropped in between cost the server little more than nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.codec.encoder import values_of, varint
from dnstap.codec.tables import table_of
from dnstap.messages import Dnstap, Message
from dnstap.messages.constructors import VALUES
from dnstap.schema.enums import DnstapType
from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Payloads", "Text"]

Text = str | bytes | None
"""As text, in UTF-8; None is absent."""

MAX_KEPT = 4096
"""The longest message of which the octets of its length are kept."""

_values, _encode = values_of(Message)

_rows = sorted(rows(Message), key=lambda row: row.number)
_WIRES = [place for place, row in enumerate(_rows) if row.name in ("query_message", "response_message")]
"""Places of the DNS messages among the values."""
_ABSENT = (None,) * (len(_rows) - VALUES) + (b"",)
"""Values of the fields after those from message_values, and the unknown fields."""

_MESSAGE_TAG = next(field.tag_octets for field in table_of(Dnstap).fields if field.name == "message")
_TYPE = Dnstap(type=DnstapType.MESSAGE).encode()


class Payloads:
    """What is the same in all payloads of one server, and what makes them of messages.

    Args:
        extra: one for all, or made for each message.
        full: whether payloads have the DNS messages.
    Attributes:
        plain: whether `values` is no more than the values of the fields, as messages.constructors gives them too.
        values: from a Message to what `payload` takes. What is set in the message later makes no difference. It raises
            AttributeError for what is no Message, and whatever `extra` raises.
    """

    def __init__(self, identity: Text, version: Text, extra: Text | Callable[[Message], Text], *, full: bool) -> None:
        self._head = Dnstap(identity=_octets(identity), version=_octets(version)).encode(lenient=True)
        self._full = full
        self.plain = not callable(extra)
        self._lengths = _Lengths()
        self.values: Callable[[Message], Any] = _values
        if callable(extra):
            self.values = lambda message: (_values(message), _extra(extra(message)))
        else:
            self._head += _extra(extra)

    def payload(self, values: Any) -> bytes:
        """The payload of a data frame, its fields in the order that libfstrm's senders have.

        Raises: EncodeError.
        """
        head = self._head
        if not self.plain:
            values, extra = values
            head += extra
        if len(values) == VALUES:
            values += _ABSENT
        if not self._full:
            values = [None if place in _WIRES else value for place, value in enumerate(values)]
        octets = _encode(values)
        return b"".join((head, self._lengths[len(octets)], octets, _TYPE))


def _octets(text: Text) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _extra(extra: Text) -> bytes:
    return Dnstap(extra=_octets(extra)).encode(lenient=True)


class _Lengths(dict[int, bytes]):
    """The tag and the length that stand before a message of so many octets."""

    def __missing__(self, length: int) -> bytes:
        octets = _MESSAGE_TAG + varint(length)
        if length <= MAX_KEPT:
            self[length] = octets
        return octets
