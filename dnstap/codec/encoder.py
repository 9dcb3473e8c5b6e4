"""Message objects to payload bytes, with a check of every value and errors that name the field.

Fields are written in ascending order of their numbers and unknown fields after them, as Google's serializer does, so
a payload of a server that wrote it in that order is reproduced byte by byte.

There are two paths. The fast one is a function generated for each message class, which joins the bytes of the fields.
It encodes no number: it looks all of them up, and leaves a message to the careful path if one is not found, or if a
value is not of the exact type. The careful path loops over the field table, knows every rule, and adds what it has
encoded to what the fast one looks up. Threads may share all of it: a dict of encoded fields is only added to or
cleared, and its entries never change.
"""

from __future__ import annotations

import struct
from itertools import groupby
from operator import attrgetter, index
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from dnstap._generated import compile_function, indented
from dnstap.codec.tables import BYTES, ENUM, FIXED32, MESSAGE, STRING, UINT, Field, Table, table_of
from dnstap.errors import EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import betterproto2

__all__ = ["MessageEncoder", "encode", "encoder_of", "values_of", "varint"]

MAX_ENTRIES = 4096
"""Encoded values that are kept for one field, or for one run of fields that are looked up together. A server has that
many distinct addresses or seconds only over hours; starting anew then costs one pass of the careful path each."""

EncodeFunction = Any
"""The type of `encode` for one class: Callable[[Message], bytes] with the keyword lenient."""

MISS = (KeyError, TypeError, ValueError, struct.error)
"""Raised in the fast path by a message that it cannot encode."""


def encode(message: betterproto2.Message, *, lenient: bool = False) -> bytes:
    """Return the bytes of a message, ready to be the payload of a data frame; `bytes(message)` is the same.

    Args: lenient: write a message whose required `type` is None.
    Raises: EncodeError: a value of the wrong type or out of its field's range, or a required field that is None.
    """
    encoded: bytes = encoder_of(type(message))(message, lenient=lenient)
    return encoded


def encoder_of(cls: type[betterproto2.Message]) -> EncodeFunction:
    """Return `encode` for messages of this class and no other, which saves looking it up for each message."""
    return _encoder_of(cls).encode


def values_of(cls: type[betterproto2.Message]) -> tuple[Callable[[Any], tuple[Any, ...]], Callable[[Any], bytes]]:
    """Return the two steps of encoding: from a message to the values of its fields, by number, and from those to bytes.

    The first takes little time, and what is set in the message afterwards makes no difference to the second, which
    raises as `encode` does. A message inside it is not copied.
    """
    encoder = _encoder_of(cls)
    return encoder.values, encoder.encode_values


def varint(value: int) -> bytes:
    """Return the shortest varint of a number that is not negative."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# The fast path: one template a kind of field, each the items of a tuple that is joined. {value} is the source of the
# field's value; a name with the prefix {known} is a global of the function. An int must be of the exact type, because
# 1.0 would be found in a dict too. `refuse` raises one of MISS.

_CONTENTS = """\
b"" if (value := {value}) is None
else {known}_by_length[len(value)] if type(value) is bytes
else refuse(),
value or b"","""

_TEXT = """\
b"" if (value := {value}) is None
else {known}_by_length[len(value := encode_text(value, "utf-8", "surrogateescape"))]
if type(value) is str
else refuse(),
value or b"","""

_SUBMESSAGE = """\
b"" if (value := {value}) is None
else {known}_by_length[len(value := {contents})] if type({local} := value) is {known}_class
else refuse(),
value or b"","""

_UINT64 = """\
b"" if (value := {value}) is None
else {known}_by_number[value] if type(value) is int
else refuse(),"""

# Nearly every query has another client port, too many to look up as a whole: so from 128 on by two halves.
_UINT32 = """\
b"" if (value := {value}) is None
else {known}_low[value & 127] + high[value >> 7] if value > 127
else {known}_by_number[value] if type(value) is int
else refuse(),"""

# Nanoseconds never repeat, and a struct packs them in less time than a look-up takes.
_FIXED32 = """\
b"" if (value := {value}) is None
else {known}_pack({tag!r}, value),"""

_RUN = "{known}[{key}],"

_OPTIONAL_RUN = """\
b"" if {value} is None
else {known}[{key}],"""

_TEMPLATES = {BYTES: _CONTENTS, STRING: _TEXT, MESSAGE: _SUBMESSAGE, UINT: _UINT64, FIXED32: _FIXED32}
"""The template of each kind of field that is not looked up in a run."""

_ENCODE = """\
def encode(self, *, lenient=False):
    try:
        return {expression}
    except MISS:
        pass
    return careful(self, lenient)
"""

_ENCODE_VALUES = """\
def encode_values(values):
    {names}, = values
    try:
        return {expression}
    except MISS:
        pass
    return careful(as_message(values), False)
"""

_HIGH = {high: varint(high) for high in range(1, 512)}
"""The bytes of a port from 128 on, after the first one."""


def _refuse() -> NoReturn:
    raise TypeError


class MessageEncoder:
    """The encoder of one message class: the generated fast path, the careful path, and what is remembered.

    Numbers are looked up field by field. Enums next to each other are looked up together, with their types; so are
    neighbours that are the same in all messages of one sender. For Policy, the generated function is

        def encode(self, *, lenient=False):
            try:
                return join((
                    b"" if (value := self.type) is None
                    else type_by_length[len(value := encode_text(value, "utf-8", "surrogateescape"))]
                    if type(value) is str
                    else refuse(),
                    value or b"",
                    b"" if (value := self.rule) is None
                    else rule_by_length[len(value)] if type(value) is bytes
                    else refuse(),
                    value or b"",
                    action_run[(value0 := self.action), (value1 := self.match), type(value0), type(value1)],
                    b"" if (value := self.value) is None
                    else value_by_length[len(value)] if type(value) is bytes
                    else refuse(),
                    value or b"",
                    self._unknown_fields,
                ))
            except MISS:
                pass
            return careful(self, lenient)

    The expression of a message inside another stands in that of the outer one: a call less saves 4 % of encoding a
    Dnstap.

    Args:
        table: the fields of the class.
        max_entries: encoded values kept for one field or run; when there are as many, they are forgotten.

    Attributes:
        encode: encode a message of the class, as the module's `encode` does.
        values: return the values of a message's fields, in the order of their numbers.
        encode_values: encode such values.
    """

    def __init__(self, table: Table, max_entries: int = MAX_ENTRIES) -> None:
        self._table = table
        self._max_entries = max_entries
        # By field: number, or length of the contents, to the bytes of the tag and that number.
        self._numbers: dict[str, dict[int, bytes]] = {}
        # By the first of fields that are looked up together: those fields; and from their values, and the types of the
        # enums among them, to their bytes.
        self._runs: dict[str, tuple[list[Field], dict[Any, bytes]]] = {}
        for together, group in groupby(table.by_number, _looked_up_together):
            fields = list(group)
            if together:
                self._runs[fields[0].name] = fields, {}
            else:
                self._numbers |= {field.name: {} for field in fields}
        names = [*[field.name for field in table.by_number], "_unknown_fields"]
        self.values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        self._namespace: dict[str, Any] = {
            "MISS": MISS,
            "as_message": lambda values: SimpleNamespace(**dict(zip(names, values, strict=True))),
            "careful": self._encode_carefully,
            "encode_text": str.encode,
            "high": _HIGH,
            "join": b"".join,
            "refuse": _refuse,
        }
        source = _ENCODE.format(expression=self._expression("self.", "", self._namespace, indentation=8))
        self.encode: EncodeFunction = compile_function(f"{table.cls.__name__}.encode", source, self._namespace)
        self.encode.__doc__ = encode.__doc__
        source = _ENCODE_VALUES.format(
            names=", ".join([f"self_{name}" for name in names]),
            expression=self._expression("self_", "", self._namespace, indentation=8),
        )
        self.encode_values: Callable[[Any], bytes] = compile_function(
            f"{table.cls.__name__}.encode_values", source, self._namespace
        )

    def _expression(self, message: str, path: str, namespace: dict[str, Any], indentation: int) -> str:
        """Return the source of an expression that encodes a message, and add to the namespace what it looks up.

        Args:
            message: the source of a field's value, without the field's name: "self.", "policy.".
            path: a prefix that keeps the names of a submessage's globals apart.
            indentation: columns before the expression's last line.
        """
        items = []
        for field in self._table.by_number:
            if field.name in self._numbers:
                items.append(self._field_item(field, message, f"{path}{field.name}", namespace))
            elif field.name in self._runs:
                items.append(self._run_item(*self._runs[field.name], message, f"{path}{field.name}_run", namespace))
        items.append(f"{message}_unknown_fields,")
        lines = indented("\n".join(items), indentation + 4)
        return f"join((\n{lines}\n{' ' * indentation}))"

    def _field_item(self, field: Field, message: str, known: str, namespace: dict[str, Any]) -> str:
        """Return the source for one field."""
        template = _TEMPLATES[field.kind]
        contents = ""
        if field.kind == FIXED32:
            namespace[f"{known}_pack"] = struct.Struct(f"<{len(field.tag_octets)}sI").pack
        elif field.kind == UINT:
            namespace[f"{known}_by_number"] = self._numbers[field.name]
            if field.type_name == "uint32":
                template = _UINT32
                namespace[f"{known}_low"] = {low: field.tag_octets + bytes((low | 128,)) for low in range(128)}
        else:
            namespace[f"{known}_by_length"] = self._numbers[field.name]
            if field.kind == MESSAGE:
                namespace[f"{known}_class"] = field.python_type
                inner = _encoder_of(field.python_type)
                contents = inner._expression(f"{known}.", f"{known}_", namespace, indentation=0)  # noqa: SLF001
        return template.format(
            value=f"{message}{field.name}", known=known, tag=field.tag_octets, contents=contents, local=known
        )

    def _run_item(
        self, fields: list[Field], known_values: dict[Any, bytes], message: str, known: str, namespace: dict[str, Any]
    ) -> str:
        """Return the source for fields that are looked up together."""
        namespace[known] = known_values
        key = [f"(value{number} := {message}{field.name})" for number, field in enumerate(fields)]
        # 1.0 equals 1 as a key, but is not a valid enum number.
        key += [f"type(value{number})" for number, field in enumerate(fields) if field.kind == ENUM]
        template = _RUN
        if len(fields) == 1 and fields[0].index != self._table.required:
            template = _OPTIONAL_RUN
        return template.format(value=f"{message}{fields[0].name}", known=known, key=", ".join(key))

    def _encode_carefully(self, message: betterproto2.Message, lenient: bool, path: str = "") -> bytes:
        """Encode a message of any kind and with any error in it, and remember what can be looked up later.

        Args: path: the path of the message within the outermost, with a dot at its end.
        """
        encoded = {}
        for field in self._table.by_number:
            value = getattr(message, field.name)
            if value is None:
                if field.index == self._table.required and not lenient:
                    raise EncodeError(f"{path}{field.name}", f"is required, but None; {_expected(field)} expected")
                continue
            contents = b""
            if field.kind in (BYTES, STRING, MESSAGE):
                contents = _contents(field, value, lenient, f"{path}{field.name}")
                number = len(contents)
            else:
                number = _number(field, value, f"{path}{field.name}")
            # The mask makes a negative enum number a varint of 64 bits, in ten bytes, as protobuf writes it.
            written = number.to_bytes(4, "little") if field.kind == FIXED32 else varint(number & 0xFFFFFFFFFFFFFFFF)
            encoded[field.name] = field.tag_octets + written + contents
            if field.name in self._numbers:
                self._remember(self._numbers[field.name], number, field.tag_octets + written)
        self._remember_runs(message, encoded)
        return b"".join([*encoded.values(), message._unknown_fields])

    def _remember_runs(self, message: betterproto2.Message, encoded: dict[str, bytes]) -> None:
        for fields, known in self._runs.values():
            values = [getattr(message, field.name) for field in fields]
            # The contents of a bytearray or memoryview may change; a key's must not.
            hashable = not any(isinstance(value, bytearray | memoryview) for value in values)
            if hashable and all(field.index != self._table.required or field.name in encoded for field in fields):
                types = [type(value) for value, field in zip(values, fields, strict=True) if field.kind == ENUM]
                run = b"".join(encoded.get(field.name, b"") for field in fields)
                self._remember(known, (*values, *types), run)

    def _remember(self, known: dict[Any, bytes], key: Any, encoded: bytes) -> None:
        if len(known) >= self._max_entries:
            known.clear()
        known[key] = encoded


_encoders: dict[type[betterproto2.Message], MessageEncoder] = {}


def _encoder_of(cls: type[betterproto2.Message]) -> MessageEncoder:
    """Return the encoder that all messages of a class share, which must be the same one in every thread."""
    encoder = _encoders.get(cls)
    return encoder or _encoders.setdefault(cls, MessageEncoder(table_of(cls)))


def _looked_up_together(field: Field) -> bool:
    return field.kind == ENUM or field.varies == "never"


def _contents(field: Field, value: Any, lenient: bool, path: str) -> bytes:
    """Return the bytes of a field's value after the length."""
    if field.kind == BYTES:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise _wrong_type(field, value, path)
        return bytes(value)
    if not isinstance(value, field.python_type):
        raise _wrong_type(field, value, path)
    if field.kind == MESSAGE:
        return _encoder_of(type(value))._encode_carefully(value, lenient, f"{path}.")  # noqa: SLF001 (ours)
    try:
        text: bytes = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError(path, f"{value!r:.60} has no UTF-8: {error.reason}") from None
    return text


def _number(field: Field, value: Any, path: str) -> int:
    """Return an integer within the range of its field."""
    try:
        number = index(value)
    except TypeError:
        raise _wrong_type(field, value, path) from None
    least, greatest = (-(1 << 31), (1 << 31) - 1) if field.kind == ENUM else (0, field.greatest)
    if not least <= number <= greatest:
        raise EncodeError(path, f"{number} does not fit in {field.type_name}, {least} to {greatest}")
    return number


def _expected(field: Field) -> str:
    name: str = field.python_type.__name__
    return name


def _wrong_type(field: Field, value: Any, path: str) -> EncodeError:
    return EncodeError(path, f"{value!r:.60} is {type(value).__name__}; {_expected(field)} expected")
