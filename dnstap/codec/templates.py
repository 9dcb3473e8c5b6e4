"""Plans: generated functions that take apart the payloads of one layout.

One sender's payloads are alike: the same fields in the same order, and only values differ. So the first bytes of a
payload, from its start through the length of its Message and the enums that a Message begins with (the key), nearly
settle where everything else lies. A plan is made for one key and one layout. It takes a payload apart by a single
struct.unpack, compares every tag and length with those that it was made for, and stores the values; those within the
key it knows already. A payload that does not fit raises one of MISS, and is left to another plan or to the strict
decoder: a plan makes decoding faster, never different.

A Shape is the part that plans share if their payloads have the same fields in the same order and of the same widths,
but contents of other lengths: the code, which is generated and compiled once. A plan is that code with other defaults:
the struct, the known values, and the tags and lengths to compare with.
"""

from __future__ import annotations

import struct
from functools import partial
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function, indented
from dnstap.codec.strict import decode, varint
from dnstap.codec.tables import BYTES, FIXED32, MESSAGE, UINT, Field, Table, table_of
from dnstap.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["MISS", "Part", "Plan", "Shape", "ShapeCache", "is_cut_out", "parts_of"]

MISS = (KeyError, IndexError, TypeError, ValueError, struct.error, DecodeError)
"""Raised by a plan for a payload that does not fit it; the last one for a policy that is no Policy."""

MAX_SHAPES = 256
"""Shapes kept in a cache. A real sender has 1 to 10 of them; the limit is for hostile ones."""

MAX_ENTRIES = 256
"""Values that a shape keeps for one run of fields, or for one submessage. Seconds and server ports change slowly, and
the policies of a sender are few."""

MAX_MASK = 256
"""Bytes of a payload from the Message's tag on by which plans of the same key are told apart. The tags and lengths of
real senders are among them, and masks, which are ints, must not grow with payloads."""

Plan = Any
"""The type of a plan: Callable[[bytes], Dnstap], which raises MISS when the payload does not fit. A second argument is
the value of the field that was cut out of the payload (see is_cut_out)."""

Part = tuple[Table, int, int, int, int]
"""One field of a payload: the Table of its message, its tag, the offsets of the tag and the value, and of the end."""


def is_cut_out(field: Field) -> bool:
    """Return whether a field before the Message is cut out of a payload, since no two keys would be the same with it.

    Only a field of bytes in the outer message that varies always can be: the `extra` of CoreDNS and Knot Resolver.
    """
    return field.kind == BYTES and field.varies == "always"


def parts_of(table: Table, payload: bytes) -> tuple[list[Part], int]:
    """Return the parts of a payload that the strict decoder has accepted, and the offset of its Message.

    They are in the order of the payload, with the parts of the Message in the place of the Message.

    Raises: KeyError: no plan takes such a payload.
    """
    parts: list[Part] = []
    messages: list[int] = []
    _add_parts(table, payload, 0, len(payload), parts, messages)
    # A ValueError, which is in MISS, for payloads without a Message, and with two of them, which are merged.
    (message,) = messages
    return parts, message


def _add_parts(
    table: Table, payload: bytes, position: int, end: int, parts: list[Part], messages: list[int] | None
) -> None:
    """Add the parts of a message, and to `messages` the offset of one inside it; None: one inside is a part itself."""
    by_tag = table.by_tag
    while position < end:
        start = position
        tag = payload[position]
        position += 1
        if tag > 127:
            tag, position = varint(table, payload, start)
        # A KeyError for unknown fields: plans have no place to keep them.
        kind, _, submessage = by_tag[tag]
        wire_type = tag & 7
        size = 1
        if wire_type == 2:
            size = payload[position]
            position += 1
            if size > 127:
                size, position = varint(table, payload, position - 1)
            if kind == MESSAGE and messages is not None:
                messages.append(start)
                _add_parts(submessage, payload, position, position + size, parts, None)
                position += size
                continue
        elif wire_type == 5:
            size = 4
        else:
            while payload[position + size - 1] > 127:
                size += 1
        parts.append((table, tag, start, position, position + size))
        position += size


# The templates of a plan's statements, one for each way in which a field is taken out of a payload. {target} is the
# attribute for its value, e.g. inner.query_port; {name} is the same with an underscore, and begins the names of the
# locals and globals that only this field has.

_KNOWN = "{target} = known_{name}"

# Nearly every query has another client port, which would fill a dict of whole values. So the tag and the first byte of
# the varint are looked up, and the one or two bytes after them: a wrong tag or continuation bit is not found.
_PORT = "{target} = first_bytes[{name}_head] + last_bytes_{width}[{name}_tail]"

# Fields that change slowly, and their tags, are looked up all at once.
_RUN = """\
try:
    {targets} = {name}_values[{name}]
except KeyError:
    {targets} = read_{name}({name})"""

# A policy is applied again and again, so its values are looked up by its bytes. Each message gets an object of its own.
_SUBMESSAGE = """\
try:
    values = {name}_values[{name}]
except KeyError:
    values = read_{name}({name})
{target} = submessage = new_{name}()
{attributes} = values"""

# dnsdist's extra is the last field and of another length in each payload.
_OPEN_END = "{target} = payload[size:]"
_OPEN_END_CHECKS = ("{name}_length > 127", "{name}_length + size != len(payload)", "type(payload) is not bytes")

_PLAN = """\
def plan(
{parameters}
):
    outer = new_outer()
    outer.{message} = inner = new_inner()
    (
{unpacked}
    ) = unpack(payload)
    if (
{checks}
    ):
        raise KeyError
{stores}
    return outer
"""

# Dicts, because a byte with the wrong continuation bit is then a KeyError.
_LAST_BYTES = {
    2: {byte: byte << 7 for byte in range(128)},
    3: {second | third << 8: (second & 127) << 7 | third << 14 for second in range(128, 256) for third in range(4)},
}
"""Width of a port's varint -> its bytes after the first, little-endian, -> their part of its value."""


class Shape:
    """The code that plans share if their payloads differ only in values, and in the lengths of their contents.

    For the queries of clients that Unbound logs, the generated function is

        def plan(
            payload,
            cut_out,
            unpack,
            size,
            known_outer_identity,
            known_outer_version,
            known_inner_type,
            known_inner_socket_family,
            known_inner_socket_protocol,
            known_outer_type,
            expected_inner_query_address_head,
            expected_inner_response_address_head,
            expected_inner_query_message_head,
            expected_outer_type_field,
        ):
            outer = new_outer()
            outer.message = inner = new_inner()
            (
                inner_query_address_head,
                inner.query_address,
                inner_response_address_head,
                inner.response_address,
                inner_query_port_head,
                inner_query_port_tail,
                inner_response_port_run,
                inner.query_time_nsec,
                inner_query_message_head,
                inner.query_message,
                outer_type_field,
            ) = unpack(payload)
            if (
                inner_query_address_head != expected_inner_query_address_head
                or inner_response_address_head != expected_inner_response_address_head
                or inner_query_message_head != expected_inner_query_message_head
                or outer_type_field != expected_outer_type_field
            ):
                raise KeyError
            outer.identity = known_outer_identity
            outer.version = known_outer_version
            inner.type = known_inner_type
            inner.socket_family = known_inner_socket_family
            inner.socket_protocol = known_inner_socket_protocol
            inner.query_port = first_bytes[inner_query_port_head] + last_bytes_3[inner_query_port_tail]
            try:
                inner.response_port, inner.query_time_sec = inner_response_port_run_values[inner_response_port_run]
            except KeyError:
                inner.response_port, inner.query_time_sec = read_inner_response_port_run(inner_response_port_run)
            outer.type = known_outer_type
            inner.query_zone = None
            inner.response_time_sec = None
            inner.response_time_nsec = None
            inner.response_message = None
            inner.policy = None
            inner.http_protocol = None
            outer.extra = cut_out
            return outer

    Args:
        outer: the Table of Dnstap.
        parts: those of such a payload.
        known: how many of them lie within the key.
        max_entries: values kept for one run of fields, or one submessage.
    Raises: KeyError: no plan takes such payloads.
    """

    def __init__(self, outer: Table, parts: list[Part], known: int, max_entries: int = MAX_ENTRIES) -> None:
        ((message, inner),) = outer.messages
        self._outer, self._inner = outer, inner
        self._message = outer.fields[message].name
        self._max_entries = max_entries
        self._namespace: dict[str, Any] = {
            "new_outer": partial(object.__new__, outer.cls),
            "new_inner": partial(object.__new__, inner.cls),
        }
        # Targets of struct.unpack, and the format of each; "%d" in it stands for a length that differs between plans.
        self._unpacked: list[str] = []
        self._format: list[str] = []
        self._checks: list[str] = []
        self._stores: list[str] = []
        # The parameters of the generated function after the first four, in two parts: names of fields whose values are
        # known from the key or a comparison, True for those of the outer message; and indexes of what is unpacked to be
        # compared.
        self._known: list[tuple[bool, str]] = []
        self._compared: list[int] = []
        # By which bytes plans of this shape can be told apart, in pieces; b"%b" stands for contents.
        self._mask: list[bytes] = []
        # Indexes of the parts that are contents.
        self._contents: list[int] = []
        self._run: list[tuple[Field, int]] = []
        self._open_end = False
        self._kept = {f"inner.{name}" for name in inner.kept} | {f"outer.{name}" for name in outer.kept}
        # What is stored for a field that no part claims.
        self._absent = {f"inner.{field.name}": "None" for field in inner.fields}
        self._absent |= {
            f"outer.{field.name}": "cut_out" if is_cut_out(field) else "None"
            for field in outer.fields
            if field.index != message
        }
        for part in parts[:known]:
            self._store_known(*self._claim(part))
        for index, part in enumerate(parts[known:], known):
            self._add(part, index, last=index == len(parts) - 1)
        self._end_run()
        if not self._unpacked:
            raise KeyError
        self.source = self._make_source()
        self._code: CodeType = compile_function("plan", self.source, self._namespace).__code__

    def _claim(self, part: Part) -> tuple[Field, str]:
        """Return the field of a part, and the target for its value; KeyError if the field occurs again."""
        table, tag, _, _, _ = part
        field = table.fields[table.by_tag[tag][1]]
        target = f"{'outer' if table is self._outer else 'inner'}.{field.name}"
        del self._absent[target]
        return field, target

    def _add(self, part: Part, index: int, *, last: bool) -> None:
        """Add the field of a part after the key."""
        table, _, start, value, end = part
        field, target = self._claim(part)
        name = target.replace(".", "_")
        width = end - value
        if field.kind in (BYTES, MESSAGE):
            self._end_run()
            if is_cut_out(field) and last and value - start == 2:
                self._add_open_end(target, name)
            else:
                self._contents.append(index)
                self._mask.append(b"\xff" * (value - start) + b"%b")
                self._compare(f"{name}_head", value - start)
                self._add_contents(field, target, name)
            return
        # A tag longer than it need be is valid, but is not in the bytes that plans compare.
        if value - start != len(field.tag_octets):
            raise KeyError(field.name)
        # Of a varint, the plan fixes only the continuation bits, and thereby its width; of a fixed32, nothing.
        self._mask.append(b"\xff" * (value - start) + (b"\0" if field.kind == FIXED32 else b"\x80") * width)
        if field.kind == FIXED32:
            # A run that ends here takes the tag with it.
            if self._run:
                self._run.append((field, 0))
                self._end_run()
            else:
                self._compare(f"{name}_head", 1)
            self._unpack(self._kept_target(target), "I")
        elif field.kind == UINT and field.varies == "always" and field.tag < 128 and width in _LAST_BYTES:
            self._end_run()
            self._add_port(field, target, name, width)
        elif table is self._outer:
            self._end_run()
            self._compare(f"{name}_field", end - start)
            self._store_known(field, target)
        else:
            self._run.append((field, width))

    def _add_open_end(self, target: str, name: str) -> None:
        """Add the last field, whose length is not compared."""
        self._open_end = True
        self._mask.append(b"\xff")
        self._compare(f"{name}_tag", 1)
        self._unpack(f"{name}_length", "B")
        self._checks += [check.format(name=name) for check in _OPEN_END_CHECKS]
        self._stores.append(_OPEN_END.format(target=target))

    def _add_contents(self, field: Field, target: str, name: str) -> None:
        """Add a field of bytes, or a submessage, after its tag and length."""
        if field.kind == MESSAGE:
            table = table_of(field.python_type)
            known, read = _values_of_message(table, self._max_entries)
            self._namespace |= {
                f"new_{name}": partial(object.__new__, table.cls),
                f"{name}_values": known,
                f"read_{name}": read,
            }
            attributes = ", ".join([f"submessage.{inner.name}" for inner in table.fields])
            self._unpack(name, "%ds")
            self._stores.append(_SUBMESSAGE.format(target=self._kept_target(target), name=name, attributes=attributes))
        elif target in self._kept:
            self._unpack(target, "%ds")
        else:
            self._format.append("%dx")

    def _add_port(self, field: Field, target: str, name: str, width: int) -> None:
        """Add a number that is another one in each payload, of two or three bytes."""
        self._namespace["first_bytes"] = {field.tag | byte << 8: byte & 127 for byte in range(128, 256)}
        self._namespace[f"last_bytes_{width}"] = _LAST_BYTES[width]
        self._unpack(f"{name}_head", "H")
        self._unpack(f"{name}_tail", "B" if width == 2 else "H")
        self._stores.append(_PORT.format(target=self._kept_target(target), name=name, width=width))

    def _end_run(self) -> None:
        """Add the fields that change slowly and end here, if there are some."""
        if not self._run:
            return
        names = [field.name for field, width in self._run if width]
        tag = b"".join(field.tag_octets for field, width in self._run if not width)
        name = f"inner_{names[0]}_run"
        self._unpack(name, f"{sum(len(field.tag_octets) + width for field, width in self._run)}s")
        known, read = _values_of_run(self._inner, names, tag, self._max_entries)
        self._namespace |= {f"{name}_values": known, f"read_{name}": read}
        targets = ", ".join([self._kept_target(f"inner.{field}") for field in names])
        self._stores.append(_RUN.format(targets=targets, name=name))
        self._run = []

    def _kept_target(self, target: str) -> str:
        """Return the target; "_" if the class does not keep the attribute."""
        return target if target in self._kept else "_"

    def _unpack(self, target: str, form: str) -> None:
        self._unpacked.append(target)
        self._format.append(form)

    def _compare(self, name: str, size: int) -> None:
        """Add bytes that must be as in the payload that the plan is made from."""
        for offset in range(0, size, 2):
            piece = f"{name}_{offset}" if offset else name
            self._compared.append(len(self._unpacked))
            self._unpack(piece, "H" if offset + 2 <= size else "B")
            self._checks.append(f"{piece} != expected_{piece}")

    def _store_known(self, field: Field, target: str) -> None:
        """Add a value that is as in the payload that the plan is made from, by the key or by a comparison."""
        if target in self._kept:
            self._stores.append(_KNOWN.format(target=target, name=target.replace(".", "_")))
            self._known.append((target.startswith("outer."), field.name))

    def _make_source(self) -> str:
        """Return the source of the plans."""
        stores = [*self._stores]
        stores += [f"{target} = {value}" for target, value in self._absent.items() if target in self._kept]
        parameters = ["payload", "cut_out", "unpack", "size"]
        parameters += [f"known_{'outer' if outer else 'inner'}_{name}" for outer, name in self._known]
        parameters += [f"expected_{self._unpacked[index]}" for index in self._compared]
        return _PLAN.format(
            parameters=indented("\n".join([f"{name}," for name in parameters]), 4),
            message=self._message,
            unpacked=indented("\n".join([f"{target}," for target in self._unpacked]), 8),
            checks=indented("\nor ".join(self._checks or ["False"]), 8),
            stores=indented("\n".join(stores), 4),
        )

    def plan(self, payload: bytes, parts: list[Part], known: int, message: int, decoded: Any) -> tuple[Plan, int, int]:
        """Return the plan for payloads in which everything lies as in this one, and what they have in common.

        Args:
            parts, known: as for the Shape.
            message: the offset of the Message.
            decoded: the payload, decoded.
        Returns: the plan; and a mask and a value, both little-endian from the tag of the Message on: bits within the
            mask, which begins after the key, are those of the value in any payload that the plan takes.
        """
        start = parts[known][2]
        lengths = [parts[index][4] - parts[index][3] for index in self._contents]
        layout = struct.Struct("".join(("<%dx", *self._format)) % (start, *lengths))
        # `unpack` refuses payloads of any other size; with an open end, the generated code compares the size.
        unpack = layout.unpack_from if self._open_end else layout.unpack
        unpacked = unpack(payload)
        defaults = [getattr(decoded if outer else getattr(decoded, self._message), name) for outer, name in self._known]
        defaults += [unpacked[index] for index in self._compared]
        # The same code with other defaults, which are locals in it: nothing is compiled for a plan.
        plan = FunctionType(self._code, self._namespace, "plan", (None, unpack, layout.size, *defaults))
        # Zeros, any bits, for the key, which all these plans share, and for contents.
        pieces = bytes(start - message) + b"".join(self._mask) % tuple(map(bytes, lengths))
        mask = int.from_bytes(pieces[:MAX_MASK], "little")
        return plan, mask, int.from_bytes(payload[message : message + MAX_MASK], "little") & mask


class ShapeCache:
    """Shapes that decoders share, so that each is compiled once.

    Threads may share it too: two of them may compile the same Shape, and either is good.

    Args:
        max_shapes: when there are as many, all are forgotten.
        max_entries: values kept for one run of fields, or one submessage, of a shape.
    """

    def __init__(self, max_shapes: int = MAX_SHAPES, max_entries: int = MAX_ENTRIES) -> None:
        self._max_shapes = max_shapes
        self._max_entries = max_entries
        self._shapes: dict[tuple[Any, ...], Shape] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def get(self, key: tuple[Any, ...]) -> Shape | None:
        """Return the shape of a key."""
        return self._shapes.get(key)

    def add(self, key: tuple[Any, ...], outer: Table, parts: list[Part], known: int) -> Shape:
        """Make a Shape of these arguments, and keep it."""
        if len(self._shapes) >= self._max_shapes:
            self._shapes.clear()
        shape = self._shapes[key] = Shape(outer, parts, known, self._max_entries)
        return shape


def _values_of_message(table: Table, max_entries: int) -> tuple[dict[bytes, Any], Callable[[bytes], Any]]:
    """Return a dict from the bytes of whole messages to the values of all fields, and the function that adds to it.

    Raises: KeyError: the values could be changed, since some are messages themselves.
    """
    if table.messages:
        raise KeyError(table.cls)
    known: dict[bytes, Any] = {}
    get = attrgetter(*[field.name for field in table.fields])

    def read(data: bytes) -> Any:
        message = decode(table.cls, data)
        # Unknown groups in it would be counted as less deep than they are.
        if message._unknown_fields:
            raise KeyError(data)
        return _kept(known, max_entries, data, get(message))

    return known, read


def _values_of_run(
    inner: Table, names: list[str], tag: bytes, max_entries: int
) -> tuple[dict[bytes, Any], Callable[[bytes], Any]]:
    """Return a dict from the bytes of a run to its value, or the tuple of its values, and the function that adds to it.

    Args:
        names: the fields in the run.
        tag: the tag of the field after them, which belongs to the bytes too.
    """
    known: dict[bytes, Any] = {}
    get = attrgetter(*names)
    fields = [field.name for field in inner.fields]

    def read(data: bytes) -> Any:
        # The tag was not compared by the plan, so it is here: a run that is found has the right one, too.
        if not data.endswith(tag):
            raise KeyError(data)
        message = decode(inner.cls, data.removesuffix(tag), lenient=True)
        # Whole fields, in whatever order: so these and no others are what the bytes hold.
        if message._unknown_fields or {field for field in fields if getattr(message, field) is not None} != set(names):
            raise KeyError(data)
        return _kept(known, max_entries, data, get(message))

    return known, read


def _kept(known: dict[bytes, Any], max_entries: int, data: bytes, values: Any) -> Any:
    if len(known) >= max_entries:
        known.clear()
    known[data] = values
    return values
