"""The kinds of values that fields have, their texts in lines, and their values in rows.

A text is one word, and never empty. A value in a row is a number, true or false, text of one line, or a tuple of
numbers or texts; always of the same type, and never empty.

The kinds that filters compare in a way of their own are named here; a filter knows the operators and the notation of
each (dnstap/filters/fields.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import escaped_text, printable, raw_text
from dnstap.dns.names import labels_text, unpack_name, without_blanks
from dnstap.dns.registry import class_text, type_text
from dnstap.dns.text import FLAGS as FLAG_BITS
from dnstap.dns.text import OPCODES, rcode_text
from dnstap.dns.walker import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.schema.enums import OpenEnum

__all__ = [
    "ADDRESS",
    "BOOLEAN",
    "BYTES",
    "CLASS",
    "CLASSES",
    "COUNT",
    "DIRECTION",
    "DURATION",
    "FLAGS",
    "NAME",
    "NUMBER",
    "NUMBERS",
    "OCTETS",
    "OPCODE",
    "PEER",
    "PORT",
    "RCODE",
    "SIZE",
    "SUBNET",
    "TEXTS",
    "TIME",
    "TYPE",
    "TYPES",
    "Kind",
    "Notation",
    "Remembered",
    "Value",
    "enum_kind",
    "name_text",
]

Value = int | str | tuple[int, ...] | tuple[str, ...] | None
"""A value in a row: a number, true or false, a text, several of either; None where the field is absent or bad."""

MAX_TEXTS = 16384
"""Number of addresses or names whose text is remembered, as in `-q`."""

MAX_KEY = 128
"""Length of bytes or text up to which what is made of them is remembered, as in bounded_cache.py."""

MAX_ITEMS = 16
"""Number of items up to which what is made of a tuple of numbers is remembered."""

MAX_SECONDS = 4096
"""Number of seconds whose text is remembered, as in times.py."""


class Notation(NamedTuple):
    """The options of lines that the texts of fields depend on.

    Attributes:
        clock: function from seconds since 1970 to their text.
        escape: escape invisible characters.
    """

    clock: Callable[[int], str]
    escape: bool = True


class Kind(NamedTuple):
    """A kind of values.

    Attributes:
        name: the kind in a word or two, for documentation.
        texts: function that returns the function from a value that is there to its text.
        python_type: type of the values in rows: int, bool, str or tuple.
        in_row: function from a value that is there to that in a row; None if they are the same.
        enum: the enum whose numbers the values are.
    """

    name: str
    texts: Callable[[Notation], Callable[[Any], str]]
    python_type: type[int | str | tuple[Any, ...]]
    in_row: Callable[[Any], Any] | None = None
    enum: type[OpenEnum] | None = None

    @property
    def is_remembered(self) -> bool:
        """True if callers should remember the texts: what repeats, and takes longer to write than a number."""
        return self.python_type is str or (self.python_type is tuple and self is not TEXTS)


class Remembered(dict[Any, Any]):
    """Results of a function by its argument, remembered: `remembered[value]`.

    It is a dict so that a value that was seen before takes a look-up and no call.

    Args:
        make: the function.
        absent: the result for None.
    """

    def __init__(self, make: Callable[[Any], Any], absent: Any = None) -> None:
        super().__init__()
        self._make = make
        self._absent = absent

    def __missing__(self, value: Any) -> Any:
        if value is None:
            made = self._absent
        else:
            made = self._make(value)
            # The senders' texts can be of any length, and there can be any number of records.
            if isinstance(value, bytes | str | tuple) and len(value) > (MAX_ITEMS if type(value) is tuple else MAX_KEY):
                return made
        if len(self) >= MAX_TEXTS:
            self.clear()
        self[value] = made
        return made


def _number(name: str, text: Callable[[Any], str] = str) -> Kind:
    """Return a kind of numbers whose texts do not depend on options."""
    return Kind(name, lambda _: text, int)


def _word(name: str, text: Callable[[Any], str]) -> Kind:
    """Return a kind whose texts do not depend on options, and are the values in rows."""
    return Kind(name, lambda _: text, str, text)


class _EnumTexts(dict[int, str]):
    """The names of an enum by number; a number that has none is its digits."""

    def __missing__(self, number: int) -> str:
        return f"{number:d}"


def enum_kind(enum: type[OpenEnum]) -> Kind:
    """Return the kind of an enum of the schema."""
    names = _EnumTexts({int(member): member.name for member in enum})
    return Kind(enum.__name__, lambda _: names.__getitem__, str, names.__getitem__, enum)


def name_text(name: bytes) -> str:
    """Return the text of a name in wire format without pointers."""
    # The first is faster, but takes no name of the last few lengths.
    return without_blanks(labels_text(name) if len(name) <= MAX_NAME else unpack_name(name, 0, len(name))[0])


def _rcode_text(rcode: int) -> str:
    # In a response, 16 is BADVERS (RFC 6891). The formats of the Go tool show its name in TSIG, BADSIG.
    return "BADVERS" if rcode == 16 else rcode_text(rcode) or f"RCODE{rcode}"


def _subnet_text(subnet: tuple[int, int, int]) -> str:
    size, shift, prefix = subnet
    return f"{address_text((prefix << shift).to_bytes(size, 'big'))}/{8 * size - shift}"


def _times(notation: Notation) -> Callable[[int], str]:
    known: dict[int, str] = {}

    def text(nanoseconds: int) -> str:
        second, fraction = divmod(nanoseconds, 1_000_000_000)
        clock = known.get(second)
        if clock is None:
            if len(known) >= MAX_SECONDS:
                known.clear()
            # With a date the text has a space, but a field is one word.
            clock = known[second] = notation.clock(second).replace(" ", "T")
        return "%s.%06d" % (clock, fraction // 1000)  # noqa: UP031 (faster than an f-string)

    return text


_white_space = re.compile(r"\s")


def _one_word(text: str) -> str:
    return _white_space.sub(lambda found: "".join([f"\\{byte:03d}" for byte in found[0].encode()]), text)


def _words(notation: Notation) -> Callable[[str], str]:
    return lambda text: _one_word(printable(text) if notation.escape else text)


def _bytes_texts(notation: Notation) -> Callable[[bytes], str]:
    word = _words(notation)
    return lambda value: word(raw_text(value))


def _texts_texts(notation: Notation) -> Callable[[tuple[str, ...]], str]:
    word = _words(notation)
    # A comma of a text is escaped as white space is, so that a program can take the texts apart.
    return lambda texts: ",".join([word(text).replace(",", "\\044") for text in texts])


def _several(name: str, text: Callable[[int], str]) -> Kind:
    """Return a kind of several numbers with names."""

    def texts(numbers: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(map(text, numbers))

    return Kind(name, lambda _: lambda numbers: ",".join(texts(numbers)), tuple, texts)


def _flag_names(flags: int) -> tuple[str, ...]:
    return tuple([name for bit, name in FLAG_BITS if flags & bit])


def _bytes_in_row(data: bytes) -> str:
    # A record of CSV is then one line, whatever a sender writes.
    return escaped_text(data).replace("\n", "\\010").replace("\t", "\\009")


DIRECTION = _word("Q or R", lambda is_query: "Q" if is_query else "R")
BOOLEAN = Kind("true or false", lambda _: lambda value: "true" if value else "false", bool)
NUMBER = _number("number")
COUNT = _number("number, 0 to 65535")
PORT = _number("port")
SIZE = _number("number of bytes", lambda size: f"{size}b")
DURATION = _number("duration", lambda nanoseconds: f"{nanoseconds / 1e6:.3f}ms")
NUMBERS = Kind("numbers", lambda _: lambda numbers: ",".join(map(str, numbers)), tuple)
OPCODE = _word("opcode", lambda opcode: OPCODES.get(opcode) or f"OPCODE{opcode}")
RCODE = _word("rcode", _rcode_text)
TYPE = _word("record type", type_text)
CLASS = _word("class", class_text)
TYPES = _several("record types", type_text)
CLASSES = _several("classes", class_text)
FLAGS = Kind("flags", lambda _: lambda flags: ",".join(_flag_names(flags)), tuple, _flag_names)
SUBNET = _word("network", _subnet_text)
ADDRESS = _word("address", address_text)
NAME = _word("domain name", name_text)
TIME = Kind("time", _times, int)
OCTETS = _word("hexadecimal digits", bytes.hex)
BYTES = Kind("text", _bytes_texts, str, _bytes_in_row)
TEXTS = Kind("texts", _texts_texts, tuple, lambda texts: tuple(map(printable, texts)))
PEER = Kind("address and port", _words, str, printable)
